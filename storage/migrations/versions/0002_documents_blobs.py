"""A row per blob: what decides between a submission and a collection, and the digests of large documents.

Revision ID: 0002_documents
"""

import sqlalchemy as sa
from alembic import op

revision = "0002_documents"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "blob",
        sa.Column("blob_key", sa.String, primary_key=True),
        sa.Column("is_discarded", sa.Boolean, nullable=False),
        sa.Column("blocks", sa.LargeBinary),
        comment="Blobs referred to by a document, or discarded and about to be deleted; digests per MiB of large ones",
    )
    op.execute("INSERT INTO blob (blob_key, is_discarded) SELECT DISTINCT blob_key, false FROM document")


def downgrade() -> None:
    op.drop_table("blob")
