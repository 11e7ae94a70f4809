"""A database from before the policy gets what decides about its documents, on both databases."""

import json
from typing import Any

from alembic import command
from sqlalchemy import Connection, text

from access_policy.document_facts import Trait, traits_of
from registry.sql.objects import values_of
from storage import migrate
from storage.engine import open_engine
from tests.builders import PATIENT, an_author, an_entry
from xds.datatypes import XCN, Code
from xds.metadata import DocumentEntry
from xds.metadata_json import to_json
from xds.vocabulary import AvailabilityStatus

BEFORE = "0009_directory"
RESTRICTIONS = "1.2.250.1.213.1.1.4.13"
# The key of a document registered on 31 January 2026.
KEY = (1_769_860_800_000 - 1_577_836_800_000) << 22


def restricted(*codes: str, **changes: Any) -> DocumentEntry:
    found = tuple(Code(code=one, coding_scheme=RESTRICTIONS) for one in codes)
    return an_entry(confidentiality_code=found, **changes)


def holder() -> Any:
    return an_author(author_person=XCN(f"{PATIENT.id}^MARCHAL^LISE^^^^^^&{PATIENT.authority}&ISO^D^^^NH"))


ENTRIES = {
    "plain": an_entry(),
    "masked": restricted("MASQUE_PS"),
    "hidden": restricted("INVISIBLE_PATIENT", "INVISIBLE_REPRESENTANTS_LEGAUX"),
    "signature": an_entry(type_code=Code(code="E1762", coding_scheme="ASTM")),
    "imaging": an_entry(mime_type="application/dicom"),
    "holder's": an_entry(author=(holder(),)),
    "deleted": an_entry(availability_status=AvailabilityStatus.DELETED),
}


def put(connection: Connection, name: str, entry: DocumentEntry, **columns: Any) -> None:
    row = {
        "patient_key": 1,
        "object_key": KEY + len(name),
        "kind": 1,
        "status": 1,
        "version": 1,
        "submission_key": 1,
        "entry_uuid": name,
        "logical_id": name,
        "ebrim": b"<e/>",
        "attributes": to_json(entry).decode(),
        "is_current": True,
        "is_on_demand": False,
        "is_offline": False,
        **columns,
    }
    names = ", ".join(row)
    values = ", ".join(f":{one}" for one in row)
    connection.execute(text(f"INSERT INTO registry_object ({names}) VALUES ({values})"), row)


def upgraded_with(database_url: str, fill: Any) -> list[dict[str, Any]]:
    """The rows of a database of the revision before, filled and then brought to the newest one."""
    engine = open_engine(database_url)
    with engine.begin() as connection:
        command.upgrade(migrate._config(connection), BEFORE)
    with engine.begin() as connection:
        fill(connection)
    migrate.upgrade(engine)
    with engine.begin() as connection:
        statement = text("SELECT * FROM registry_object ORDER BY object_key")
        rows = [dict(row) for row in connection.execute(statement).mappings()]
        values = connection.execute(text("SELECT object_key, attribute, value FROM object_value")).all()
    engine.dispose()
    for row in rows:
        row["values"] = {(one.attribute, one.value) for one in values if one.object_key == row["object_key"]}
    return rows


def test_documents_get_traits_authors_and_the_day_they_open(database_url: str) -> None:
    def fill(connection: Connection) -> None:
        for number, (name, entry) in enumerate(ENTRIES.items()):
            put(connection, name, entry, object_key=KEY + number, status=4 if name == "deleted" else 1)

    rows = {row["entry_uuid"]: row for row in upgraded_with(database_url, fill)}
    assert rows.keys() == ENTRIES.keys()
    for name, entry in ENTRIES.items():
        assert Trait(rows[name]["traits"]) == traits_of(entry), name
        assert rows[name]["values"] == {one for one in values_of(entry) if one[0] in (6, 7)}, name
        assert json.loads(rows[name]["attributes"]) == json.loads(to_json(entry))
    assert {name: row["visible_from"] for name, row in rows.items() if row["visible_from"]} == {
        "hidden": "20260228120000"
    }


def test_former_versions_get_the_restrictions_of_the_newest_and_keep_their_own_day(database_url: str) -> None:
    def fill(connection: Connection) -> None:
        put(connection, "first", an_entry(), is_current=False, status=2)
        late = {"logical_id": "first", "version": 2, "object_key": KEY + 99, "visible_from": "20300101000000"}
        put(connection, "second", restricted("INVISIBLE_PATIENT"), **late)

    first, second = upgraded_with(database_url, fill)
    assert Trait(first["traits"]) == Trait(second["traits"]) == Trait.HIDDEN
    assert first["visible_from"] == second["visible_from"] == "20300101000000"
