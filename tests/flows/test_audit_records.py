"""Golden audit records: every transaction the server advertises, as it succeeds and as it fails, field by field.

The expected fields restate the tables of the standard; nothing of the product's own table is used for them.
"""

import itertools
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from lxml import etree

from carnet.auditing import transaction_of
from carnet.wiring import open_actors
from carnet.xds_door import patient_operations, registry_operations, repository_operations
from tests import messages, servers
from tests.audit_store import Trail, told
from tests.builders import PATIENT, REPOSITORY, TEST_INS, a_submission, a_submission_set, an_entry, an_oid, an_update
from tests.hl7v3.written import ii, v3_message
from tests.mllp import adt, connected
from tests.servers import Server
from xds.datatypes import CX
from xds.ebrim.read import read_document_entries
from xds.metadata import DocumentEntry
from xds.vocabulary import ObjectType

SITE = "1.2.250.1.999.1"
SUBMISSION_SET = "urn:uuid:a54d6aa5-d40d-43f9-88c5-b4633d873bdd"
UNKNOWN_PATIENT = CX(f"199999999999999^^^&{TEST_INS}&ISO^NH")
# A merge is not undone: each takes patients of its own.
_numbers = itertools.count(258063523804200)
_DOCUMENT, _SET_ROLE = ("2", "3"), ("2", "20")


@pytest.fixture(scope="module", params=["in-process", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    given = {"audit": "on", "audit_source": "node-1", "audit_site": SITE, "audit_reserve_mb": 0, "mllp": "127.0.0.1:0"}
    data = tmp_path_factory.mktemp("audit")
    if request.param == "in-process":
        settings, run = servers.settings_for(data, **given), servers.in_process
    else:
        url = request.getfixturevalue("shared_postgresql_url")
        settings, run = servers.settings_for(data, url, workers=2, **given), servers.started
    with run(settings) as running:
        servers.know_patients(settings)
        yield running


@dataclass(frozen=True, kw_only=True)
class Golden:
    """What one record must say; `ours` tells which end of the transaction this server is."""

    transaction: str
    name: str
    event: tuple[str, str]
    action: str
    service: str
    ours: str = "destination"
    outcome: int = 0
    description: str = ""
    patient: str = ""
    patient_details: list[tuple[str, str]] = field(default_factory=list)
    objects: list[tuple[Any, ...]] = field(default_factory=list)
    system: str = "IHE Transactions"

    def fields(self) -> dict[str, Any]:
        client = ("127.0.0.1", "", True, ["110153" if self.ours == "destination" else "110152"], "2")
        service = (self.service, "process", False, ["110152" if self.ours == "destination" else "110153"], "1")
        patient = ("1", "1", "2", self.patient, "", False, self.patient_details)
        return {
            "event": self.event,
            "type": ((self.transaction, self.system, self.name),),
            "action": self.action,
            "outcome": self.outcome,
            "description": self.description,
            "source": ("node-1", SITE),
            "participants": [client, service] if self.ours == "destination" else [service, client],
            "objects": ([patient] if self.patient else []) + self.objects,
        }


IMPORT, EXPORT, QUERY = ("110107", "Import"), ("110106", "Export"), ("110112", "Query")
PATIENT_RECORD = ("110110", "Patient Record")
ROWS = {
    "ITI-8": Golden(
        transaction="ITI-8", name="Patient Identity Feed", event=PATIENT_RECORD, action="C", service="mllp"
    ),
    "ITI-44": Golden(
        transaction="ITI-44",
        name="Patient Identity Feed HL7 V3",
        event=PATIENT_RECORD,
        action="C",
        service="/xds/patients",
    ),
    "ITI-18": Golden(
        transaction="ITI-18", name="Registry Stored Query", event=QUERY, action="E", service="/xds/registry"
    ),
    "ITI-51": Golden(
        transaction="ITI-51", name="Multi-Patient Stored Query", event=QUERY, action="E", service="/xds/registry"
    ),
    "ITI-41": Golden(
        transaction="ITI-41",
        name="Provide and Register Document Set-b",
        event=IMPORT,
        action="C",
        service="/xds/repository",
    ),
    "ITI-42": Golden(
        transaction="ITI-42", name="Register Document Set-b", event=IMPORT, action="C", service="/xds/registry"
    ),
    "ITI-61": Golden(
        transaction="ITI-61",
        name="Register On-Demand Document Entry",
        event=IMPORT,
        action="C",
        service="/xds/registry",
    ),
    "ITI-57": Golden(
        transaction="ITI-57", name="Update Document Set", event=IMPORT, action="U", service="/xds/registry"
    ),
    "ITI-92": Golden(
        transaction="ITI-92", name="Restricted Update Document Set", event=IMPORT, action="U", service="/xds/registry"
    ),
    "ITI-62": Golden(
        transaction="ITI-62", name="Remove Metadata", event=PATIENT_RECORD, action="D", service="/xds/registry"
    ),
    "ITI-86": Golden(
        transaction="ITI-86", name="Remove Documents", event=PATIENT_RECORD, action="D", service="/xds/repository"
    ),
    "ITI-43": Golden(
        transaction="ITI-43",
        name="Retrieve Document Set",
        event=EXPORT,
        action="R",
        service="/xds/repository",
        ours="source",
    ),
    "ITI-67": Golden(transaction="ITI-67", name="Find Document References", event=QUERY, action="E", service="/fhir"),
    "ITI-66": Golden(transaction="ITI-66", name="Find Document Lists", event=QUERY, action="E", service="/fhir"),
    "ITI-78": Golden(
        transaction="ITI-78", name="Mobile Patient Demographics Query", event=QUERY, action="E", service="/fhir"
    ),
    "ITI-83": Golden(
        transaction="ITI-83",
        name="Mobile Patient Identifier Cross-reference Query",
        event=QUERY,
        action="E",
        service="/fhir",
    ),
    "ITI-68": Golden(
        transaction="ITI-68", name="Retrieve Document", event=EXPORT, action="R", service="/fhir", ours="source"
    ),
    "read": Golden(
        transaction="read",
        name="read",
        system="http://hl7.org/fhir/restful-interaction",
        event=EXPORT,
        action="R",
        service="/fhir",
        ours="source",
    ),
}


def a_set(unique_id: str | None) -> tuple[Any, ...]:
    return (*_SET_ROLE, SUBMISSION_SET, unique_id, "", False, [])


def a_document(unique_id: str | None, life_cycle: str = "") -> tuple[Any, ...]:
    return (*_DOCUMENT, "9", unique_id, life_cycle, False, [("Repository Unique ID", REPOSITORY)])


def an_object_ref(entry_uuid: str) -> tuple[Any, ...]:
    return (*_DOCUMENT, "urn:ihe:iti:2017:ObjectRef", entry_uuid, "15", False, [])


def a_query(transaction: str, query_id: str) -> tuple[Any, ...]:
    return ("2", "24", transaction, query_id, "", True, [("QueryEncoding", "UTF-8")])


def good(transaction: str, *objects: tuple[Any, ...], **changes: Any) -> Golden:
    return replace(ROWS[transaction], objects=list(objects), **{"patient": PATIENT.key, **changes})


def bad(transaction: str, description: str, *objects: tuple[Any, ...], **changes: Any) -> Golden:
    return good(transaction, *objects, **{"outcome": 8, "description": description, **changes})


# --- what is done, and what must be recorded of it -----------------------------------------------


def pushed(server: Server, trail: Trail, patient: CX = PATIENT) -> DocumentEntry:
    """A document in the repository; the record of its submission is not looked at."""
    entry, owner = an_entry(content=b"x", patient_id=patient), a_submission_set(patient_id=patient)
    answer = messages.provide(server, a_submission(entry, submission_set=owner), {entry.entry_uuid: b"x"})
    assert answer.status == "Success", answer.contexts
    trail.messages()
    return entry


def stored(server: Server, trail: Trail) -> DocumentEntry:
    entry = pushed(server, trail)
    slots = {"$XDSDocumentEntryUniqueId": f"('{entry.unique_id}')"}
    (found,) = read_document_entries(messages.query(server, messages.GET_DOCUMENTS, slots).envelope)
    trail.messages()
    return found


def provide(server: Server, _trail: Trail) -> list[Golden]:
    entry, owner = an_entry(content=b"x"), a_submission_set()
    messages.provide(server, a_submission(entry, submission_set=owner), {entry.entry_uuid: b"x"})
    return [good("ITI-41", a_set(owner.unique_id))]


def provide_unknown(server: Server, _trail: Trail) -> list[Golden]:
    entry, owner = an_entry(content=b"x", patient_id=UNKNOWN_PATIENT), a_submission_set(patient_id=UNKNOWN_PATIENT)
    messages.provide(server, a_submission(entry, submission_set=owner), {entry.entry_uuid: b"x"})
    return [bad("ITI-41", "XDSUnknownPatientId", a_set(owner.unique_id), patient=str(UNKNOWN_PATIENT))]


def submitted(action: str, transaction: str) -> Callable[[Server, Trail], list[Golden]]:
    def submit(server: Server, trail: Trail) -> list[Golden]:
        owner = a_submission_set()
        if transaction in ("ITI-57", "ITI-92"):
            submission = replace(an_update(stored(server, trail), title="Autre"), submission_set=owner)
        elif transaction == "ITI-61":
            submission = a_submission(an_on_demand_entry(), submission_set=owner)
        else:
            submission = a_submission(submission_set=owner)
        answer = messages.submit(server, submission, action)
        assert answer.status == "Success", answer.contexts
        return [good(transaction, a_set(owner.unique_id))]

    return submit


def submitted_unknown(action: str, transaction: str) -> Callable[[Server, Trail], list[Golden]]:
    def submit(server: Server, _trail: Trail) -> list[Golden]:
        owner = a_submission_set(patient_id=UNKNOWN_PATIENT)
        entry = an_on_demand_entry() if transaction == "ITI-61" else an_entry()
        entry = replace(entry, patient_id=UNKNOWN_PATIENT)
        answer = messages.submit(server, a_submission(entry, submission_set=owner), action)
        codes = " ".join(dict.fromkeys(answer.codes))
        assert answer.status == "Failure"
        return [bad(transaction, codes, a_set(owner.unique_id), patient=str(UNKNOWN_PATIENT))]

    return submit


def an_on_demand_entry() -> DocumentEntry:
    nothing = {"hash": None, "size": None, "creation_time": None, "legal_authenticator": None}
    return replace(an_entry(), object_type=ObjectType.ON_DEMAND, **nothing)


def find(server: Server, _trail: Trail) -> list[Golden]:
    slots = {"$XDSDocumentEntryPatientId": f"'{PATIENT.key}'", "$XDSDocumentEntryStatus": f"('{APPROVED}')"}
    messages.query(server, messages.FIND_DOCUMENTS, slots, "ObjectRef")
    return [good("ITI-18", a_query("ITI-18", messages.FIND_DOCUMENTS))]


APPROVED = "urn:oasis:names:tc:ebxml-regrep:StatusType:Approved"
OTHER = CX(f"185057800608491^^^&{TEST_INS}&ISO")
FOR_MULTIPLE_PATIENTS = "urn:uuid:3d1bdb10-39a2-11de-89c2-2f44d94eaa9f"
MULTI = "urn:ihe:iti:2009:MultiPatientStoredQuery"


def find_wrongly(server: Server, _trail: Trail) -> list[Golden]:
    messages.query(server, messages.FIND_DOCUMENTS, {"$XDSDocumentEntryPatientId": f"'{PATIENT.key}'"})
    query = a_query("ITI-18", messages.FIND_DOCUMENTS)
    return [bad("ITI-18", "XDSStoredQueryMissingParam", query)]


def get_without_patient(server: Server, _trail: Trail) -> list[Golden]:
    messages.query(server, messages.GET_DOCUMENTS, {"$XDSDocumentEntryUniqueId": "('2.25.404')"})
    return [good("ITI-18", a_query("ITI-18", messages.GET_DOCUMENTS), patient="")]


def find_for_two(server: Server, _trail: Trail) -> list[Golden]:
    slots = {
        "$XDSDocumentEntryPatientId": f"('{PATIENT.key}','{OTHER}')",
        "$XDSDocumentEntryStatus": f"('{APPROVED}')",
        "$XDSDocumentEntryClassCode": "('11^^1.2.250.1.213.1.1.4.1')",
    }
    message = messages.envelope(messages.query_body(FOR_MULTIPLE_PATIENTS, slots, "ObjectRef"), MULTI)
    answer = messages.read(server.post("/xds/registry", message, messages.simple_type(MULTI)))
    assert answer.status == "Success", answer.contexts
    query = a_query("ITI-51", FOR_MULTIPLE_PATIENTS)
    return [good("ITI-51", query), good("ITI-51", query, patient=str(OTHER))]


def find_for_two_wrongly(server: Server, _trail: Trail) -> list[Golden]:
    body = messages.query_body("urn:uuid:00000000-0000-4000-8000-000000000000", {})
    messages.read(server.post("/xds/registry", messages.envelope(body, MULTI), messages.simple_type(MULTI)))
    query = a_query("ITI-51", "urn:uuid:00000000-0000-4000-8000-000000000000")
    return [bad("ITI-51", "XDSUnknownStoredQuery", query, patient="")]


def retrieve(server: Server, trail: Trail) -> list[Golden]:
    entry = pushed(server, trail)
    messages.retrieve(server, (REPOSITORY, str(entry.unique_id)))
    return [good("ITI-43", a_document(entry.unique_id))]


def retrieve_some_of_three_patients(server: Server, trail: Trail) -> list[Golden]:
    """One message for each patient and outcome."""
    first, second, other = pushed(server, trail), pushed(server, trail), pushed(server, trail, CX(f"{OTHER}^NH"))
    gone = an_oid()
    wanted = [str(first.unique_id), gone, str(second.unique_id), str(other.unique_id)]
    answer = messages.retrieve(server, *((REPOSITORY, one) for one in wanted))
    assert answer.status == "PartialSuccess"
    return [
        good("ITI-43", a_document(first.unique_id), a_document(second.unique_id)),
        good("ITI-43", a_document(other.unique_id), patient=str(OTHER)),
        bad("ITI-43", "XDSDocumentUniqueIdError", a_document(gone), patient=""),
    ]


def retrieve_nothing(server: Server, _trail: Trail) -> list[Golden]:
    gone = an_oid()
    messages.retrieve(server, (REPOSITORY, gone))
    return [bad("ITI-43", "XDSDocumentUniqueIdError", a_document(gone), patient="")]


def remove_documents(server: Server, trail: Trail) -> list[Golden]:
    first, other, gone = pushed(server, trail), pushed(server, trail, CX(f"{OTHER}^NH")), an_oid()
    wanted = [str(first.unique_id), str(other.unique_id), gone]
    assert messages.remove(server, *((REPOSITORY, one) for one in wanted)).status == "PartialSuccess"
    removed = [
        good("ITI-86", a_document(first.unique_id, "15")),
        good("ITI-86", a_document(other.unique_id, "15"), patient=str(OTHER)),
    ]
    if str(other.unique_id) < str(first.unique_id):
        removed.reverse()
    return [*removed, bad("ITI-86", "XDSDocumentUniqueIdError", a_document(gone), patient="")]


def remove_metadata(server: Server, trail: Trail) -> list[Golden]:
    entry = pushed(server, trail)
    slots = {"$uuid": f"('{stored_uuid(server, entry)}')"}
    linked = messages.query(server, "urn:uuid:a7ae438b-4bc2-4642-93e9-be891f7bb155", slots)
    association = next(linked.envelope.iter("{*}Association"))
    gone = [stored_uuid(server, entry), str(association.get("id")), str(association.get("sourceObject"))]
    trail.messages()
    answer = messages.remove_metadata(server, *gone)
    assert answer.status == "Success", answer.contexts
    return [good("ITI-62", *(an_object_ref(one) for one in sorted(gone)))]


def stored_uuid(server: Server, entry: DocumentEntry) -> str:
    slots = {"$XDSDocumentEntryUniqueId": f"('{entry.unique_id}')"}
    (found,) = read_document_entries(messages.query(server, messages.GET_DOCUMENTS, slots).envelope)
    return found.entry_uuid


def remove_unknown_metadata(server: Server, _trail: Trail) -> list[Golden]:
    gone = "urn:uuid:00000000-0000-4000-8000-000000000001"
    answer = messages.remove_metadata(server, gone)
    return [bad("ITI-62", " ".join(answer.codes), an_object_ref(gone), patient="")]


def feed_v3(server: Server, _trail: Trail) -> list[Golden]:
    send_v3(server, v3_message("PRPA_IN201301UV02", ii("258063523804186", TEST_INS)))
    patient = f"258063523804186^^^&{TEST_INS}&ISO"
    return [good("ITI-44", patient=patient, patient_details=[("II", "2.25.7 m-1")])]


def feed_v3_merge(server: Server, trail: Trail) -> list[Golden]:
    old, new = (str(next(_numbers)) for _ in range(2))
    for one in (old, new):
        send_v3(server, v3_message("PRPA_IN201301UV02", ii(one, TEST_INS)))
    trail.messages()
    send_v3(server, v3_message("PRPA_IN201304UV02", ii(new, TEST_INS), ii(old, TEST_INS)))
    details = {"patient_details": [("II", "2.25.7 m-1")]}
    return [
        good("ITI-44", patient=f"{old}^^^&{TEST_INS}&ISO", action="D", **details),
        good("ITI-44", patient=f"{new}^^^&{TEST_INS}&ISO", action="U", **details),
    ]


def feed_v3_malformed(server: Server, _trail: Trail) -> list[Golden]:
    send_v3(server, v3_message("PRPA_IN201301UV02", ii("1", TEST_INS)))
    return [bad("ITI-44", "CE", patient=f"1^^^&{TEST_INS}&ISO", patient_details=[("II", "2.25.7 m-1")])]


def send_v3(server: Server, body: bytes) -> None:
    action = f"urn:hl7-org:v3:{etree.QName(etree.fromstring(body)).localname}"
    server.post("/xds/patients", messages.envelope(body, action), messages.simple_type(action))


def feed(event: str, action: str) -> Callable[[Server, Trail], list[Golden]]:
    def send(server: Server, _trail: Trail) -> list[Golden]:
        with connected(server.feed) as sender:
            assert sender.code(adt(event, f"258063523804186^^^&{TEST_INS}&ISO", control="c-7")) == "AA"
        patient = f"258063523804186^^^&{TEST_INS}&ISO"
        return [good("ITI-8", patient=patient, action=action, patient_details=[("MSH-10", "c-7")])]

    return send


def feed_merge(server: Server, trail: Trail) -> list[Golden]:
    old, new = (f"{next(_numbers)}^^^&{TEST_INS}&ISO" for _ in range(2))
    with connected(server.feed) as sender:
        assert [sender.code(adt("A04", one)) for one in (old, new)] == ["AA", "AA"]
        trail.messages()
        assert sender.code(adt("A40", new, old, control="c-8")) == "AA"
    details = {"patient_details": [("MSH-10", "c-8")]}
    return [good("ITI-8", patient=old, action="D", **details), good("ITI-8", patient=new, action="U", **details)]


def feed_malformed(server: Server, _trail: Trail) -> list[Golden]:
    with connected(server.feed) as sender:
        assert sender.code(adt("A04", f"1^^^&{TEST_INS}&ISO", control="c-9")) == "AE"
    return [bad("ITI-8", "AE", patient=f"1^^^&{TEST_INS}&ISO", patient_details=[("MSH-10", "c-9")])]


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
    return [bad("ITI-68", "not-found", (*_DOCUMENT, "9", f"urn:uuid:{uuid}", "", False, []), patient="")]


def read_reference(server: Server, trail: Trail) -> list[Golden]:
    uuid = stored_uuid(server, pushed(server, trail))
    trail.messages()
    assert server.request("GET", f"/fhir/DocumentReference/{uuid.removeprefix('urn:uuid:')}").status == 200
    return [good("read", (*_DOCUMENT, "9", uuid, "", False, []))]


def read_no_reference(server: Server, _trail: Trail) -> list[Golden]:
    uuid = "00000000-0000-4000-8000-000000000003"
    assert server.request("GET", f"/fhir/DocumentReference/{uuid}").status == 404
    return [bad("read", "not-found", (*_DOCUMENT, "9", f"urn:uuid:{uuid}", "", False, []), patient="")]


SUBMITTING = {
    "ITI-42": messages.REGISTER,
    "ITI-57": messages.UPDATE,
    "ITI-61": messages.ON_DEMAND,
    "ITI-92": messages.RESTRICTED_UPDATE,
}
SCENARIOS: dict[tuple[str, str], Callable[[Server, Trail], list[Golden]]] = {
    ("ITI-41", "success"): provide,
    ("ITI-41", "failure"): provide_unknown,
    **{(name, "success"): submitted(action, name) for name, action in SUBMITTING.items()},
    **{(name, "failure"): submitted_unknown(action, name) for name, action in SUBMITTING.items()},
    ("ITI-18", "success"): find,
    ("ITI-18", "without patient"): get_without_patient,
    ("ITI-18", "failure"): find_wrongly,
    ("ITI-51", "success"): find_for_two,
    ("ITI-51", "failure"): find_for_two_wrongly,
    ("ITI-43", "success"): retrieve,
    ("ITI-43", "partial"): retrieve_some_of_three_patients,
    ("ITI-43", "failure"): retrieve_nothing,
    ("ITI-86", "success"): remove_documents,
    ("ITI-86", "failure"): remove_documents,
    ("ITI-62", "success"): remove_metadata,
    ("ITI-62", "failure"): remove_unknown_metadata,
    ("ITI-44", "success"): feed_v3,
    ("ITI-44", "merge"): feed_v3_merge,
    ("ITI-44", "failure"): feed_v3_malformed,
    ("ITI-8", "success"): feed("A04", "C"),
    ("ITI-8", "admit"): feed("A01", "C"),
    ("ITI-8", "update"): feed("A08", "U"),
    ("ITI-8", "merge"): feed_merge,
    ("ITI-8", "failure"): feed_malformed,
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
every_scenario = pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda one: " ".join(one))


@every_scenario
def test_each_transaction_leaves_exactly_the_records_of_its_table(server: Server, scenario: tuple[str, str]) -> None:
    trail = Trail(server)
    expected = SCENARIOS[scenario](server, trail)
    assert [told(one) for one in trail.records()] == [one.fields() for one in expected]


@pytest.mark.corpus
@every_scenario
def test_each_record_is_valid(server: Server, scenario: tuple[str, str], corpus: Path) -> None:
    schema = etree.XMLSchema(etree.parse(corpus / "atna" / "dicom2017c.xsd"))
    trail = Trail(server)
    SCENARIOS[scenario](server, trail)
    recorded = trail.messages()
    assert recorded
    for message in recorded:
        schema.assertValid(etree.fromstring(message))


def test_every_transaction_that_is_advertised_has_golden_records(tmp_path: Path) -> None:
    actors = open_actors(servers.settings_for(tmp_path))
    registry, repository = actors.together()
    served = (
        *registry_operations(registry, actors.auditor),
        *repository_operations(repository, actors.auditor),
        *patient_operations(registry, actors.auditor),
    )
    actors.units.close()
    of_readers = {"ITI-66", "ITI-67", "ITI-68", "ITI-78", "ITI-83", "read"}
    advertised = {transaction_of(one.name) for one in served} | {"ITI-8"} | of_readers
    assert len(advertised) > 14
    for outcome in ("success", "failure"):
        assert advertised - {name for name, kind in SCENARIOS if kind == outcome} == set()
