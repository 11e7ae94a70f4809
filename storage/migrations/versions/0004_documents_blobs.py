"""A row per blob: what decides between a submission and a collection, digests of large documents; removals.

Revision ID: 0004_documents
"""

import sqlalchemy as sa
from alembic import op

revision = "0004_documents"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "blob",
        sa.Column("blob_key", sa.String, primary_key=True),
        sa.Column("discarded", sa.BigInteger),
        sa.Column("blocks", sa.LargeBinary),
        comment="Blobs referred to by a document, or discarded (seconds since 1970); digests per MiB of large ones",
    )
    op.create_table(
        "removed_document",
        sa.Column("unique_id", sa.String, primary_key=True),
        sa.Column("removed", sa.String(14), nullable=False),
        comment="Documents that were removed by ITI-86 and not submitted again, with the time in UTC",
    )
    op.execute("INSERT INTO blob (blob_key) SELECT DISTINCT blob_key FROM document")


def downgrade() -> None:
    op.drop_table("removed_document")
    op.drop_table("blob")
