"""Administrative data of the persons whom records are about, and the web accounts of their holders.

Revision ID: 0012_people
"""

import sqlalchemy as sa
from alembic import op

revision = "0012_people"
down_revision = "0011_patients"
branch_labels = None
depends_on = None


def _key() -> sa.Column[int]:
    return sa.Column("record_key", sa.BigInteger, primary_key=True, autoincrement=False, nullable=False)


def upgrade() -> None:
    op.create_table(
        "record_person",
        _key(),
        *(sa.Column(name, sa.String, nullable=False) for name in ("birth_family", "usual_family")),
        sa.Column("birth_time", sa.String(8), nullable=False),
        sa.Column("person", sa.Text, nullable=False),
        comment="Administrative data of a person as JSON, and the traits that a search asks for. DMP 3 (TD1.3, TD0.5)",
    )
    op.create_index("ix_record_person_birth_family", "record_person", ["birth_family"])
    op.create_index("ix_record_person_usual_family", "record_person", ["usual_family"])
    op.create_table(
        "record_access",
        _key(),
        sa.Column("login", sa.String, nullable=False, unique=True),
        *(sa.Column(name, sa.String, nullable=False) for name in ("salt", "password")),
        sa.Column("since", sa.String(14), nullable=False),
        comment="The web account of the holder; the password as its scrypt digest. DMP 3 (TD1.5)",
    )
    op.create_table(
        "record_channel",
        _key(),
        sa.Column("kind", sa.String, primary_key=True),
        sa.Column("address", sa.String, nullable=False),
        comment="Where one-time passwords of the holder go: SMS or EMAIL. DMP 3 (TD1.5b)",
    )


def downgrade() -> None:
    for table in ("record_channel", "record_access", "record_person"):
        op.drop_table(table)
