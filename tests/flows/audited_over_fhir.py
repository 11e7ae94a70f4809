"""What is done over FHIR, and what must be recorded of it."""

import json
from collections.abc import Callable

from tests.audit_store import Trail
from tests.builders import PATIENT, TEST_INS
from tests.flows.golden_records import DOCUMENT, Golden, a_document, a_query, bad, good, pushed, stored_uuid
from tests.servers import Server


def search(server: Server, _trail: Trail) -> list[Golden]:
    asked = f"/fhir/DocumentReference?patient.identifier=urn:oid:{TEST_INS}%7C{PATIENT.id}"
    assert server.request("GET", asked).status == 200
    return [good("ITI-67", a_query("ITI-67", "DocumentReference"))]


def search_wrongly(server: Server, _trail: Trail) -> list[Golden]:
    assert server.request("GET", "/fhir/DocumentReference?status=current").status == 400
    return [bad("ITI-67", "required", a_query("ITI-67", "DocumentReference"), patient="")]


def search_lists(server: Server, _trail: Trail) -> list[Golden]:
    assert server.request("GET", f"/fhir/List?patient.identifier={WHOM}&code=submissionset").status == 200
    return [good("ITI-66", a_query("ITI-66", "List"))]


def search_lists_wrongly(server: Server, _trail: Trail) -> list[Golden]:
    assert server.request("GET", "/fhir/List?status=current").status == 400
    return [bad("ITI-66", "required", a_query("ITI-66", "List"), patient="")]


WHOM = f"urn:oid:{TEST_INS}%7C{PATIENT.id}"


def ask_for_patient(server: Server, trail: Trail) -> list[Golden]:
    """By identifier, and by id."""
    told = json.loads(server.request("GET", f"/fhir/Patient/$ihe-pix?sourceIdentifier={WHOM}").body)
    place = next(one["valueReference"]["reference"] for one in told["parameter"] if one["name"] == "targetId")
    trail.messages()
    assert server.request("GET", f"/fhir/Patient?identifier={WHOM}").status == 200
    assert server.request("GET", f"/fhir/{place}").status == 200
    return [good("ITI-78", a_query("ITI-78", "Patient"))] * 2


def ask_for_no_patient(server: Server, _trail: Trail) -> list[Golden]:
    assert server.request("GET", "/fhir/Patient?family=x").status == 400
    assert server.request("GET", "/fhir/Patient/999999").status == 404
    asked = a_query("ITI-78", "Patient")
    return [bad("ITI-78", "required", asked, patient=""), bad("ITI-78", "not-found", asked, patient="")]


def cross_reference(server: Server, _trail: Trail) -> list[Golden]:
    assert server.request("GET", f"/fhir/Patient/$ihe-pix?sourceIdentifier={WHOM}").status == 200
    return [good("ITI-83", a_query("ITI-83", "Patient"))]


def cross_reference_of_nobody(server: Server, _trail: Trail) -> list[Golden]:
    assert server.request("GET", f"/fhir/Patient/$ihe-pix?sourceIdentifier=urn:oid:{TEST_INS}%7Cx").status == 404
    return [bad("ITI-83", "not-found", a_query("ITI-83", "Patient"), patient=f"x^^^&{TEST_INS}&ISO")]


def read_document(server: Server, trail: Trail) -> list[Golden]:
    entry = pushed(server, trail)
    uuid = stored_uuid(server, entry).removeprefix("urn:uuid:")
    trail.messages()
    assert server.request("GET", f"/fhir/Binary/{uuid}").status == 200
    return [good("ITI-68", a_document(entry.unique_id))]


def read_no_document(server: Server, _trail: Trail) -> list[Golden]:
    uuid = "00000000-0000-4000-8000-000000000002"
    assert server.request("GET", f"/fhir/Binary/{uuid}").status == 404
    return [bad("ITI-68", "not-found", (*DOCUMENT, "9", f"urn:uuid:{uuid}", "", False, []), patient="")]


def read_reference(server: Server, trail: Trail) -> list[Golden]:
    uuid = stored_uuid(server, pushed(server, trail))
    trail.messages()
    assert server.request("GET", f"/fhir/DocumentReference/{uuid.removeprefix('urn:uuid:')}").status == 200
    return [good("read", (*DOCUMENT, "9", uuid, "", False, []))]


def read_no_reference(server: Server, _trail: Trail) -> list[Golden]:
    uuid = "00000000-0000-4000-8000-000000000003"
    assert server.request("GET", f"/fhir/DocumentReference/{uuid}").status == 404
    return [bad("read", "not-found", (*DOCUMENT, "9", f"urn:uuid:{uuid}", "", False, []), patient="")]


OVER_FHIR: dict[tuple[str, str], Callable[[Server, Trail], list[Golden]]] = {
    ("ITI-67", "success"): search,
    ("ITI-67", "failure"): search_wrongly,
    ("ITI-66", "success"): search_lists,
    ("ITI-66", "failure"): search_lists_wrongly,
    ("ITI-78", "success"): ask_for_patient,
    ("ITI-78", "failure"): ask_for_no_patient,
    ("ITI-83", "success"): cross_reference,
    ("ITI-83", "failure"): cross_reference_of_nobody,
    ("ITI-68", "success"): read_document,
    ("ITI-68", "failure"): read_no_document,
    ("read", "success"): read_reference,
    ("read", "failure"): read_no_reference,
}
