"""First tables: patients, identities, registry objects, documents, outbox.

Revision ID: 0001
"""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "patient",
        sa.Column("patient_key", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("authority", sa.String, nullable=False),
        sa.Column("identifier", sa.String, nullable=False),
        sa.Column("merged_into", sa.BigInteger),
        sa.UniqueConstraint("authority", "identifier", name="uq_patient_identifier"),
        comment="Patient identifiers known to the registry. ITI TF-2: 3.8",
    )
    op.create_table(
        "identity",
        sa.Column("value", sa.String, primary_key=True),
        sa.Column("scope", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("patient_key", sa.BigInteger, nullable=False),
        sa.Column("object_key", sa.BigInteger, nullable=False),
        comment="entryUUID, uniqueId, logicalID -> row. scope 0: the registry; else the patient key. object 0: none",
    )
    op.create_table(
        "registry_object",
        sa.Column("patient_key", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("object_key", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("kind", sa.SmallInteger, nullable=False),
        sa.Column("status", sa.SmallInteger, nullable=False),
        sa.Column("is_current", sa.Boolean, nullable=False),
        sa.Column("is_on_demand", sa.Boolean, nullable=False),
        sa.Column("is_offline", sa.Boolean, nullable=False),
        sa.Column("version", sa.SmallInteger, nullable=False),
        sa.Column("submission_key", sa.BigInteger, nullable=False),
        sa.Column("size", sa.BigInteger),
        sa.Column("entry_uuid", sa.String, nullable=False),
        sa.Column("logical_id", sa.String, nullable=False),
        *(sa.Column(name, sa.String) for name in ("unique_id", "source", "target", "association_type")),
        *(
            sa.Column(name, sa.String(14))
            for name in ("creation_time", "service_start_time", "service_stop_time", "update_time", "visible_from")
        ),
        sa.Column("hash", sa.String(40)),
        *(
            sa.Column(name, sa.String)
            for name in (
                "class_code",
                "type_code",
                "format_code",
                "practice_setting_code",
                "healthcare_facility_type_code",
                "content_type_code",
                "source_id",
            )
        ),
        sa.Column("ebrim", sa.LargeBinary, nullable=False),
        sa.Column("fhir", sa.LargeBinary),
        sa.Column("attributes", sa.Text, nullable=False),
        comment="DocumentEntry, SubmissionSet, Folder, Association. ITI TF-3: 4.2.1",
    )
    op.create_index("ix_registry_object_kind", "registry_object", ["patient_key", "kind", "object_key"])
    op.create_table(
        "object_value",
        sa.Column("patient_key", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("object_key", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("attribute", sa.SmallInteger, primary_key=True, autoincrement=False),
        sa.Column("value", sa.String, primary_key=True),
        comment="Searchable attributes with several values: codes, author persons, reference ids",
    )
    op.create_table(
        "document",
        sa.Column("unique_id", sa.String, primary_key=True),
        sa.Column("size", sa.BigInteger, nullable=False),
        sa.Column("sha1", sa.String(40), nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("blob_key", sa.String, nullable=False),
        sa.Column("mime_type", sa.String, nullable=False),
        comment="Documents held by this repository",
    )
    op.create_table(
        "outbox",
        sa.Column("record_key", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("topic", sa.SmallInteger, nullable=False),
        sa.Column("patient_key", sa.BigInteger, nullable=False),
        sa.Column("record", sa.Text, nullable=False),
        comment="Audit records and notifications that committed with what they tell about",
    )
    if op.get_bind().dialect.name == "postgresql":
        for column in ("attributes", "ebrim", "fhir"):
            op.execute(f"ALTER TABLE registry_object ALTER COLUMN {column} SET COMPRESSION lz4")


def downgrade() -> None:
    for table in ("outbox", "document", "object_value", "registry_object", "identity", "patient"):
        op.drop_table(table)
