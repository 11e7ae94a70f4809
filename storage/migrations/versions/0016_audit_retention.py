"""What was purged from the audit, and what may not be.

Revision ID: 0016_audit_retention
"""

import sqlalchemy as sa
from alembic import op

revision = "0016_audit_retention"
down_revision = "0015_last_updated"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "audit_purged",
        sa.Column("first", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("last", sa.BigInteger, nullable=False),
        sa.Column("seal", sa.LargeBinary(32), nullable=False),
        sa.Column("octets", sa.BigInteger, nullable=False),
        sa.Column("purged", sa.String, nullable=False),
        sa.Column("signature", sa.LargeBinary, nullable=False),
        comment="Summaries of records that are gone: the chain goes on from the seal of the last",
    )
    op.create_table(
        "audit_hold",
        sa.Column("caller", sa.String, primary_key=True),
        sa.Column("patient", sa.String, primary_key=True),
        sa.Column("reason", sa.String, nullable=False),
        sa.Column("since", sa.String, nullable=False),
        comment="Whose records, or about whom, are kept whatever their age",
    )


def downgrade() -> None:
    for table in ("audit_hold", "audit_purged"):
        op.drop_table(table)
