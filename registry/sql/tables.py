"""The registry's tables.

One row per registry object: narrow indexed columns first, then the rendered ebRIM and FHIR bytes
(derived, rewritten in the same transaction), what questions ask of in JSON, last the attributes as JSON (the
truth), as `registry.sql.texts` writes them: SQLite reads a row from its beginning. Every row carries
the patient key, and every uniqueness that matters is in `identity`, so the schema distributes by
patient unchanged.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Index,
    LargeBinary,
    MetaData,
    SmallInteger,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from xds.metadata import Association, DocumentEntry, Folder, RegistryObject, SubmissionSet
from xds.vocabulary import AvailabilityStatus

metadata = MetaData()


def _partial_index(name: str, *columns: str, where: str) -> Index:
    """An index of the few rows that have something in it: the others cost nothing when they are written."""
    return Index(name, *columns, sqlite_where=text(where), postgresql_where=text(where))


KINDS: dict[type[RegistryObject], int] = {DocumentEntry: 1, SubmissionSet: 2, Folder: 3, Association: 4}
KIND_OF = {number: kind for kind, number in KINDS.items()}
STATUSES = {status: number for number, status in enumerate(AvailabilityStatus, start=1)}
STATUS_OF = {number: status for status, number in STATUSES.items()}

patient = Table(
    "patient",
    metadata,
    Column("patient_key", BigInteger, primary_key=True, autoincrement=False),
    Column("authority", String, nullable=False),
    Column("identifier", String, nullable=False),
    Column("merged_into", BigInteger),
    UniqueConstraint("authority", "identifier", name="uq_patient_identifier"),
    comment="Patient identifiers known to the registry. ITI TF-2: 3.8",
)

identity = Table(
    "identity",
    metadata,
    Column("value", String, primary_key=True),
    Column("scope", BigInteger, primary_key=True, autoincrement=False),
    Column("patient_key", BigInteger, nullable=False),
    Column("object_key", BigInteger, nullable=False),
    comment="entryUUID, uniqueId, logicalID -> row. scope 0: the registry; else the patient key. object 0: none",
)

registry_object = Table(
    "registry_object",
    metadata,
    Column("patient_key", BigInteger, primary_key=True, autoincrement=False),
    Column("object_key", BigInteger, primary_key=True, autoincrement=False),
    Column("kind", SmallInteger, nullable=False),
    Column("status", SmallInteger, nullable=False),
    Column("is_current", Boolean, nullable=False),
    Column("is_on_demand", Boolean, nullable=False),
    Column("is_offline", Boolean, nullable=False),
    Column("version", SmallInteger, nullable=False),
    Column("submission_key", BigInteger, nullable=False),
    Column("size", BigInteger),
    Column("entry_uuid", String, nullable=False),
    Column("logical_id", String, nullable=False),
    Column("unique_id", String),
    Column("source", String),
    Column("target", String),
    Column("association_type", String),
    Column("creation_time", String(14)),
    Column("service_start_time", String(14)),
    Column("service_stop_time", String(14)),
    Column("update_time", String(14)),
    Column("visible_from", String(14)),
    Column("traits", SmallInteger, nullable=False, server_default=text("0")),
    Column("hash", String(40)),
    Column("class_code", String),
    Column("type_code", String),
    Column("format_code", String),
    Column("practice_setting_code", String),
    Column("healthcare_facility_type_code", String),
    Column("content_type_code", String),
    Column("source_id", String),
    Column("ebrim", LargeBinary, nullable=False),
    Column("fhir", LargeBinary),
    Column("attributes", Text, nullable=False),
    Column("last_updated", String(14)),
    Column("whole", LargeBinary),
    Index("ix_registry_object_kind", "patient_key", "kind", "object_key"),
    _partial_index("ix_registry_object_source", "patient_key", "source", where="source IS NOT NULL"),
    _partial_index("ix_registry_object_target", "patient_key", "target", where="target IS NOT NULL"),
    _partial_index("ix_registry_object_later_version", "patient_key", "logical_id", where="version > 1"),
    _partial_index("ix_registry_object_class_code", "class_code", where="class_code IS NOT NULL"),
    _partial_index(
        "ix_registry_object_facility",
        "healthcare_facility_type_code",
        where="healthcare_facility_type_code IS NOT NULL",
    ),
    _partial_index("ix_registry_object_visible_from", "visible_from", where="visible_from IS NOT NULL"),
    comment="DocumentEntry, SubmissionSet, Folder, Association. ITI TF-3: 4.2.1",
)

# Attributes of `object_value`, by the field they come from.
VALUE_ATTRIBUTES = {
    "confidentiality_code": 1,
    "event_code_list": 2,
    "code_list": 3,
    "author_person": 4,
    "reference_id_list": 5,
    "author_id": 6,
    "structure_id": 7,
}
# Those that a question across patients may start from, and that have an index for it.
ACROSS_PATIENTS = ("event_code_list", "code_list", "reference_id_list")

# The condition of that index. SQLite uses it only for a statement that says the same.
IS_ACROSS_PATIENTS = f"attribute IN ({', '.join(str(VALUE_ATTRIBUTES[name]) for name in ACROSS_PATIENTS)})"

object_value = Table(
    "object_value",
    metadata,
    Column("patient_key", BigInteger, primary_key=True, autoincrement=False),
    Column("object_key", BigInteger, primary_key=True, autoincrement=False),
    Column("attribute", SmallInteger, primary_key=True, autoincrement=False),
    Column("value", String, primary_key=True),
    _partial_index(
        "ix_object_value_value",
        "attribute",
        "value",
        where=IS_ACROSS_PATIENTS,
    ),
    comment="Searchable attributes with several values: codes, author persons, reference ids",
)

queued_submission = Table(
    "queued_submission",
    metadata,
    Column("unique_id", String, primary_key=True),
    Column("received", String(14), nullable=False),
    Column("objects", Text, nullable=False),
    comment="Submissions that name no patient, by the uniqueId of their SubmissionSet. ITI TF-1: 15",
)

CODE_COLUMNS = (
    "class_code",
    "type_code",
    "format_code",
    "practice_setting_code",
    "healthcare_facility_type_code",
    "content_type_code",
)
# Columns of the times whose attribute has another name.
TIME_COLUMNS = {"submission_time": "update_time", "last_update_time": "update_time"}
