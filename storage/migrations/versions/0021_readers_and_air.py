"""When each reader last read a record; structures that AIR is enabled for; counters forget persons they named.

Who created their own record, or that of somebody they represent, once stood in its counter by the INS. What is new is
empty: nobody waits.

Revision ID: 0021_readers
"""

import sqlalchemy as sa
from alembic import op

revision = "0021_readers"
down_revision = "0020_autovacuum"
branch_labels = None
depends_on = None

_STRUCTURES = "Structures that may act: Struct_IdNat and kind"


def upgrade() -> None:
    op.create_table(
        "record_reader",
        sa.Column("record_key", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("reader", sa.String, primary_key=True),
        sa.Column("last_read", sa.String(14), nullable=False),
        comment="When each last read; reader is professional:PS_IdNat or structure:Struct_IdNat. DMP 3 (TD0.4)",
    )
    op.add_column("directory_structure", sa.Column("air", sa.Boolean))
    _comment(f"{_STRUCTURES}; whether AIR is enabled for them. DMP 1 (S44)")
    creation = sa.table("record_creation", sa.column("actor"))
    op.execute(sa.update(creation).where(creation.c.actor.like("%^^^&%")).values(actor=""))


def downgrade() -> None:
    _comment(_STRUCTURES)
    op.drop_column("directory_structure", "air")
    op.drop_table("record_reader")


def _comment(text: str) -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.create_table_comment("directory_structure", text)
