"""Submissions of limited metadata that wait for their patient.

Revision ID: 0002
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "queued_submission",
        sa.Column("unique_id", sa.String, primary_key=True),
        sa.Column("received", sa.String(14), nullable=False),
        sa.Column("objects", sa.Text, nullable=False),
        comment="Submissions that name no patient, by the uniqueId of their SubmissionSet. ITI TF-1: 15",
    )


def downgrade() -> None:
    op.drop_table("queued_submission")
