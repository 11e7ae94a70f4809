"""What is done over SOAP and MLLP, and what must be recorded of it."""

from collections.abc import Callable
from dataclasses import replace

from lxml import etree

from tests import messages
from tests.audit_store import Trail
from tests.builders import PATIENT, REPOSITORY, TEST_INS, a_submission, a_submission_set, an_entry, an_oid, an_update
from tests.flows.golden_records import (
    NUMBERS,
    UNKNOWN_PATIENT,
    Golden,
    a_document,
    a_query,
    a_set,
    an_object_ref,
    bad,
    good,
    pushed,
    stored,
    stored_uuid,
)
from tests.hl7v3.written import ii, v3_message
from tests.mllp import adt, connected
from tests.servers import Server
from xds.datatypes import CX
from xds.metadata import DocumentEntry
from xds.vocabulary import ObjectType


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


def remove_unknown_metadata(server: Server, _trail: Trail) -> list[Golden]:
    gone = "urn:uuid:00000000-0000-4000-8000-000000000001"
    answer = messages.remove_metadata(server, gone)
    return [bad("ITI-62", " ".join(answer.codes), an_object_ref(gone), patient="")]


def feed_v3(server: Server, _trail: Trail) -> list[Golden]:
    send_v3(server, v3_message("PRPA_IN201301UV02", ii("258063523804186", TEST_INS)))
    patient = f"258063523804186^^^&{TEST_INS}&ISO"
    return [good("ITI-44", patient=patient, patient_details=[("II", "2.25.7 m-1")])]


def feed_v3_merge(server: Server, trail: Trail) -> list[Golden]:
    old, new = (str(next(NUMBERS)) for _ in range(2))
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
    old, new = (f"{next(NUMBERS)}^^^&{TEST_INS}&ISO" for _ in range(2))
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


SUBMITTING = {
    "ITI-42": messages.REGISTER,
    "ITI-57": messages.UPDATE,
    "ITI-61": messages.ON_DEMAND,
    "ITI-92": messages.RESTRICTED_UPDATE,
}
OVER_SOAP: dict[tuple[str, str], Callable[[Server, Trail], list[Golden]]] = {
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
}
