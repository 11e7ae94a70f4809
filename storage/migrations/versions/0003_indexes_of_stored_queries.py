"""Indexes for stored queries: associations by their ends, later versions, codes across patients.

Revision ID: 0003
"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

INDEXES = (
    ("ix_registry_object_source", "registry_object", ("patient_key", "source"), "source IS NOT NULL"),
    ("ix_registry_object_target", "registry_object", ("patient_key", "target"), "target IS NOT NULL"),
    ("ix_registry_object_later_version", "registry_object", ("patient_key", "logical_id"), "version > 1"),
    ("ix_registry_object_class_code", "registry_object", ("class_code",), "class_code IS NOT NULL"),
    (
        "ix_registry_object_facility",
        "registry_object",
        ("healthcare_facility_type_code",),
        "healthcare_facility_type_code IS NOT NULL",
    ),
    ("ix_object_value_value", "object_value", ("attribute", "value"), "attribute IN (2, 3, 5)"),
)


def upgrade() -> None:
    for name, table, columns, where in INDEXES:
        op.create_index(name, table, list(columns), sqlite_where=sa.text(where), postgresql_where=sa.text(where))


def downgrade() -> None:
    for name, table, _, _ in INDEXES:
        op.drop_index(name, table)
