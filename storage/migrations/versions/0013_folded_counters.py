"""How many a row of a counter stands for: rows of one day that are alike become one.

Revision ID: 0013_folded
"""

import sqlalchemy as sa
from alembic import op

revision = "0013_folded"
down_revision = "0012_people"
branch_labels = None
depends_on = None

_TABLES = ("document_fed", "record_creation")


def upgrade() -> None:
    for table in _TABLES:
        op.add_column(table, sa.Column("number", sa.BigInteger, nullable=False, server_default=sa.text("1")))


def downgrade() -> None:
    for table in _TABLES:
        op.drop_column(table, "number")
