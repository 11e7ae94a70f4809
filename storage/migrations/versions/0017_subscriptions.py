"""Subscriptions, and what is to be told to subscribers.

Revision ID: 0017_subscriptions
"""

import sqlalchemy as sa
from alembic import op

revision = "0017_subscriptions"
down_revision = "0016_audit_retention"
branch_labels = None
depends_on = None
_WAITING = sa.text("state = 'waiting'")


def upgrade() -> None:
    op.create_table(
        "subscription",
        sa.Column("id", sa.String(36), primary_key=True),
        *(sa.Column(name, sa.String, nullable=False) for name in ("patient", "channel", "target", "content", "state")),
        *(sa.Column(name, sa.String(14), nullable=False) for name in ("created", "ends")),
        *(sa.Column(name, sa.Text, nullable=False) for name in ("events", "filters", "caller", "criteria")),
        *(sa.Column(name, sa.String, nullable=False) for name in ("subscriber", "media_type")),
        sa.Index("ix_subscription_patient", "patient", "state"),
        sa.Index("ix_subscription_subscriber", "subscriber"),
        comment="Who wants to be told of which changes of whose documents. ITI TF-2: 3.52; DSUBm 2:3.111",
    )
    op.create_table(
        "notification",
        sa.Column("notification_key", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("subscription", sa.String(36), nullable=False),
        *(sa.Column(name, sa.String, nullable=False) for name in ("event", "entry_uuid", "state", "problem")),
        sa.Column("recorded", sa.String(14), nullable=False),
        sa.Column("number", sa.BigInteger, nullable=False),
        sa.Column("attempts", sa.SmallInteger, nullable=False),
        sa.Column("due", sa.BigInteger, nullable=False),
        sa.Index(
            "ix_notification_waiting",
            "subscription",
            "notification_key",
            sqlite_where=_WAITING,
            postgresql_where=_WAITING,
        ),
        sa.Index("ix_notification_state", "state"),
        comment="What is to be told to a subscriber, and how far that is; due in milliseconds since 1970",
    )


def downgrade() -> None:
    op.drop_table("notification")
    op.drop_table("subscription")
