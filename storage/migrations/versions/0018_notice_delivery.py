"""How far the notices of the outbox got. Those of before were for others to send, and stay so.

Revision ID: 0018_notices
"""

import sqlalchemy as sa
from alembic import op

revision = "0018_notices"
down_revision = "0017_subscriptions"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "notice_delivery",
        sa.Column("record_key", sa.BigInteger, primary_key=True, autoincrement=False),
        *(sa.Column(name, sa.String, nullable=False) for name in ("state", "due", "reason")),
        sa.Column("attempts", sa.BigInteger, nullable=False),
        comment="How far a notice of the outbox got: waiting, sent or dead; when it is tried again, and why it failed",
    )
    op.create_index("ix_notice_delivery_due", "notice_delivery", ["state", "due"])


def downgrade() -> None:
    op.drop_table("notice_delivery")
