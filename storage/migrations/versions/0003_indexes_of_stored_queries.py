"""Indexes for stored queries: associations by their ends, later versions, codes across patients.

Revision ID: 0003
"""

from alembic import op

from storage.online_indexes import BY_NAME, create_or_leave

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

INDEXES = (
    "ix_registry_object_source",
    "ix_registry_object_target",
    "ix_registry_object_later_version",
    "ix_registry_object_class_code",
    "ix_registry_object_facility",
    "ix_object_value_value",
)


def upgrade() -> None:
    for name in INDEXES:
        create_or_leave(op, name)


def downgrade() -> None:
    for name in INDEXES:
        op.drop_index(name, BY_NAME[name].table, if_exists=True)
