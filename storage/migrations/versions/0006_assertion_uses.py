"""Who used an assertion first.

Revision ID: 0006_assertions
"""

import sqlalchemy as sa
from alembic import op

revision = "0006_assertions"
down_revision = "0005_awaited"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "assertion_use",
        sa.Column("assertion", sa.String(64), primary_key=True),
        sa.Column("client", sa.String(64), nullable=False),
        sa.Column("until", sa.BigInteger, nullable=False),
        comment="SHA-256 of issuer and ID of an assertion, fingerprint of its first client, end in seconds since 1970",
    )


def downgrade() -> None:
    op.drop_table("assertion_use")
