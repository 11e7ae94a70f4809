"""How the tables lie on a PostgreSQL that is spread over several machines (Citus): what each is divided by, and why.

What belongs to one patient has one column in common and lies together, so that a transaction about one patient asks
one machine. `statements` is what an administrator runs once, on the empty database that `carnet db upgrade` made.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum


class Place(Enum):
    """Where the rows of a table lie."""

    BY_PATIENT = "distributed, rows of one patient together"
    BY_RECORD = "distributed, rows of one record together"
    BY_OWN_KEY = "distributed by what it is asked for"
    EVERYWHERE = "a reference table: a copy on each machine"
    COORDINATOR = "on the coordinator alone"


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """Of one table. `column` divides it, `with_table` is the table whose rows of equal value lie beside."""

    table: str
    place: Place
    column: str = ""
    with_table: str = ""
    reason: str = ""


def _by(place: Place, column: str, *tables: str) -> tuple[Spread, ...]:
    first = tables[0]
    return tuple(
        Spread(table=one, place=place, column=column, with_table="" if one == first else first) for one in tables
    )


SPREAD = (
    *_by(Place.BY_PATIENT, "patient_key", "registry_object", "object_value", "patient_resource"),
    Spread(
        table="patient",
        place=Place.EVERYWHERE,
        reason="every transaction looks a patient up by identifier, hardly any adds one; 70 million rows are 10 GB",
    ),
    Spread(table="patient_alias", place=Place.EVERYWHERE, reason="as patient"),
    Spread(table="identity", place=Place.BY_OWN_KEY, column="value", reason="asked for by entryUUID or uniqueId alone"),
    Spread(table="document", place=Place.BY_OWN_KEY, column="unique_id", reason="asked for by uniqueId alone"),
    Spread(table="removed_document", place=Place.BY_OWN_KEY, column="unique_id", with_table="document"),
    Spread(table="document_version", place=Place.BY_OWN_KEY, column="set_id", reason="asked for by setId"),
    Spread(table="blob", place=Place.BY_OWN_KEY, column="blob_key", reason="asked for by key"),
    Spread(table="assertion_use", place=Place.BY_OWN_KEY, column="assertion", reason="asked for by its digest"),
    *_by(
        Place.BY_RECORD,
        "record_key",
        *("record_right", "record_representative", "record_person", "record_channel", "record_read", "record_reader"),
    ),
    Spread(
        table="dmp_record",
        place=Place.EVERYWHERE,
        reason="found by patient and by key, and unique in both: Citus keeps no constraint that lacks the column it "
        "divides by; one row of 400 octets for each person",
    ),
    Spread(table="record_identifier", place=Place.EVERYWHERE, reason="as dmp_record"),
    Spread(table="record_access", place=Place.EVERYWHERE, reason="as dmp_record: unique in its login too"),
    *(
        Spread(table=one, place=Place.COORDINATOR, reason="one chain, sealed by one writer, in one order")
        for one in ("audit_record", "audit_receiver", "audit_quarantine", "audit_purged", "audit_hold")
    ),
    *(
        Spread(table=one, place=Place.COORDINATOR, reason="a queue in one order, emptied as it is filled")
        for one in ("outbox", "notification", "notice_delivery", "queued_submission", "job_done", "awaited_document")
    ),
    *(
        Spread(table=one, place=Place.COORDINATOR, reason="written beside a document, read by no search")
        for one in ("record_creation", "document_fed", "subscription", "record_event")
    ),
    *(
        Spread(table=one, place=Place.EVERYWHERE, reason="read with each caller, loaded by an operator")
        for one in ("directory_professional", "directory_structure", "directory_software")
    ),
)
BY_TABLE = {one.table: one for one in SPREAD}


@dataclass(frozen=True, slots=True, kw_only=True)
class Across:
    """A question that asks more machines than that of one patient, record or key, and what bounds it.

    `code`: the file, or the file and function, that asks.
    """

    code: str
    what: str
    bound: str


ACROSS = (
    Across(
        code="registry/iti18_registry_stored_query/find.py:_find_for_multiple_patients",
        what="Multi-Patient Stored Query [ITI-51], which may name no patient",
        bound="by its codes or its patients; an index for each",
    ),
    Across(
        code="repository/document_versions.py:release",
        what="Removed documents leave their set of versions [ITI-86]",
        bound="one statement for each message, by uniqueId",
    ),
    Across(
        code="dmp/sql/rights.py:records_of",
        what="Records on which a professional or a structure was authorised [TD0.4]",
        bound="one statement for each request, by the index of holders",
    ),
    Across(
        code="dmp/sql/persons.py:named",
        what="Persons by their traits [TD0.5]",
        bound="one statement for each name, by index, and the number of answers",
    ),
    Across(
        code="dmp/sql/rights.py:rename_representative",
        what="A representative in the records of others, when two patients become one [ITI-8, ITI-44]",
        bound="one statement for each merge",
    ),
    Across(code="dmp/sql/usage.py", what="Counters and statistics", bound="when an operator asks"),
    Across(code="jobs/", what="Dated work", bound="one statement for each page of a job, part of no transaction"),
    Across(
        code="storage/assertion_uses.py:_forget",
        what="Assertions whose time is over are forgotten",
        bound="one statement a minute and process",
    ),
    Across(code="carnet/mounted_documents.py", what="Whether index and documents fit", bound="once at the start"),
    Across(
        code="registry/sql/stored_entries.py:page_of_entries",
        what="The entries that fsck compares with documents",
        bound="pages, when an operator asks",
    ),
    Across(code="repository/consistency", what="fsck", bound="pages, when an operator asks"),
    Across(code="repository/collection", what="Collection of what nothing refers to", bound="pages, part of a job"),
)


def across_table() -> str:
    """Markdown of `ACROSS`."""
    rows = "".join(f"| {one.what} | `{one.code}` | {one.bound} |\n" for one in ACROSS)
    return f"| What | Where | Bound |\n|---|---|---|\n{rows}"


def statements() -> Iterator[str]:
    """SQL for Citus 12 and later, each statement once."""
    for one in SPREAD:
        if one.place is Place.EVERYWHERE:
            yield f"SELECT create_reference_table('{one.table}');"
        elif one.place is not Place.COORDINATOR:
            beside = f", colocate_with => '{one.with_table or 'none'}'"
            yield f"SELECT create_distributed_table('{one.table}', '{one.column}'{beside});"


def script() -> str:
    """The file `docs/generated/citus.sql`."""
    head = (
        "-- Spreads an empty database of Carnet over the machines of a Citus cluster.\n"
        "-- Written by `docs/generate.py` from storage/distribution.py; do not edit.\n"
        "-- Run once, after `carnet db upgrade`, before the first document:\n"
        "--   psql -v ON_ERROR_STOP=1 -f citus.sql\n"
    )
    local = "".join(f"-- {one.table}: {one.reason}.\n" for one in SPREAD if one.place is Place.COORDINATOR)
    return f"{head}\n" + "\n".join(statements()) + f"\n\n-- These stay on the coordinator:\n{local}"
