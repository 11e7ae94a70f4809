"""Documents of a repository whose registry is another process, until the registry's answer is known.

Revision ID: 0005_awaited
"""

import sqlalchemy as sa
from alembic import op

revision = "0005_awaited"
down_revision = "0004_documents"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "awaited_document",
        sa.Column("attempt", sa.String(36), primary_key=True),
        sa.Column("unique_id", sa.String, primary_key=True),
        sa.Column("submission", sa.String, nullable=False),
        sa.Column("submission_unique_id", sa.String, nullable=False),
        sa.Column("begun", sa.BigInteger, nullable=False),
        sa.Column("size", sa.BigInteger, nullable=False),
        sa.Column("sha1", sa.String(40), nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("blob_key", sa.String, nullable=False),
        sa.Column("mime_type", sa.String, nullable=False),
        comment="Documents of submissions that another process registers, until its answer is known",
    )
    op.create_index("ix_awaited_document_unique_id", "awaited_document", ["unique_id"])


def downgrade() -> None:
    op.drop_table("awaited_document")
