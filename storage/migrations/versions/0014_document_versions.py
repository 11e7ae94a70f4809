"""Which document is which version of its set.

Revision ID: 0014_versions
"""

import sqlalchemy as sa
from alembic import op

revision = "0014_versions"
down_revision = "0013_folded"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "document_version",
        sa.Column("set_id", sa.String, primary_key=True),
        sa.Column("number", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("unique_id", sa.String, nullable=False, index=True),
        comment="CDA setId (root^extension) and versionNumber of the documents that may be held only once",
    )


def downgrade() -> None:
    op.drop_table("document_version")
