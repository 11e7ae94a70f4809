"""Notices to persons are alone in the outbox: what else it told of every submission, nobody read.

Revision ID: 0019_notices_alone
"""

import sqlalchemy as sa
from alembic import op

revision = "0019_notices_alone"
down_revision = "0018_notices"
branch_labels = None
depends_on = None

_NOTICE = 3


def upgrade() -> None:
    op.execute(f"DELETE FROM outbox WHERE topic <> {_NOTICE}")  # noqa: S608 - a number of ours
    op.drop_column("outbox", "topic")
    if op.get_bind().dialect.name == "postgresql":
        op.create_table_comment("outbox", "Notices to persons that committed with what they tell about")


def downgrade() -> None:
    topic = sa.Column("topic", sa.SmallInteger, nullable=False, server_default=sa.text(str(_NOTICE)))
    op.add_column("outbox", topic)
