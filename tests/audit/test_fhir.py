"""AuditEvents of the same records: valid resources, and what BALP wants of them; sent by HTTP."""

import http.server
import json
import ssl
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from fhir.resources.R4B.auditevent import AuditEvent

from audit import outbox
from audit.delivery import Sender
from audit.events import EVENTS
from audit.fhir import write_audit_event
from audit.fhir_transport import FhirTransport
from audit.objects import a_document, a_query, a_submission_set
from audit.occurrence import Occurrence, record_of
from audit.record import Outcome
from audit.recorder import utc_now
from audit.sealer import Sealer
from storage.unit_of_work import Units
from tests.audit.happenings import NODE, PROFESSIONAL, a_trail, asked
from tests.builders import PATIENT

MHD = "https://profiles.ihe.net/ITI/MHD/StructureDefinition/"
REST = {"system": "http://terminology.hl7.org/CodeSystem/audit-event-type", "code": "rest"}


def event(name: str, **given: Any) -> dict[str, Any]:
    record = record_of(Occurrence(event=name, patient=PATIENT.key, **given), PROFESSIONAL, NODE, utc_now())
    found: dict[str, Any] = json.loads(write_audit_event(record))
    return found


@pytest.mark.parametrize("name", EVENTS)
@pytest.mark.parametrize("outcome", list(Outcome))
def test_every_row_of_the_table_makes_a_valid_resource(name: str, outcome: Outcome) -> None:
    objects = (a_document("2.25.1", "1.2.3"), a_submission_set("2.25.2"), a_query("ITI-18", "urn:uuid:x", b"<q/>"))
    found = event(name, outcome=outcome, description="code", objects=objects)
    AuditEvent.model_validate(found)
    assert found["outcome"] == str(int(outcome))


def test_the_observer_is_our_own_agent() -> None:
    for name in EVENTS:
        found = event(name)
        (ours,) = [one["who"] for one in found["agent"] if one.get("altId") == "4711"]
        assert found["source"]["observer"] == ours


def test_the_assertion_of_the_user_is_the_policy_of_its_agent() -> None:
    assert PROFESSIONAL.credentials is not None
    users = [
        one for one in event("ITI-68")["agent"] if one.get("type", {}).get("coding", [{}])[0].get("code") == "IRCP"
    ]
    assert [one["policy"] for one in users] == [[PROFESSIONAL.credentials.assertion_id]]
    assert all("altId" not in one for one in users)


def test_a_search_is_a_restful_query_by_a_patient() -> None:
    query = a_query("ITI-67", "DocumentReference", b"GET /fhir/DocumentReference?x")
    found = event("ITI-67", objects=(query,))
    assert {name: found["type"][name] for name in REST} == REST
    assert [(one["system"], one["code"]) for one in found["subtype"]] == [
        ("http://hl7.org/fhir/restful-interaction", "search-type"),
        ("urn:ihe:event-type-code", "ITI-67"),
    ]
    assert found["action"] == "E"
    assert found["meta"]["profile"] == [f"{MHD}IHE.MHD.FindDocumentReferences.Audit.Responder"]
    patient, asked_for = found["entity"]
    assert asked_for.keys() == {"type", "role", "query"}
    assert patient["what"]["identifier"] == {"system": f"urn:oid:{PATIENT.authority}", "value": PATIENT.id}
    assert (asked_for["role"]["code"], asked_for["query"]) == ("24", "R0VUIC9maGlyL0RvY3VtZW50UmVmZXJlbmNlP3g=")


def test_what_was_refused_or_is_of_several_objects_names_no_profile() -> None:
    query = a_query("ITI-67", "DocumentReference", b"GET /fhir/DocumentReference?x")
    assert "meta" not in event("ITI-67", objects=(query,), outcome=Outcome.SERIOUS)
    assert "meta" not in event("ITI-67", objects=(query, a_document("2.25.1")))
    assert "meta" not in event("ITI-41", objects=(a_submission_set("2.25.2"),))


def test_a_search_without_a_patient_names_the_wider_pattern() -> None:
    told = Occurrence(event="ITI-67", objects=(a_query("ITI-67", "DocumentReference", b"GET /fhir"),))
    found = json.loads(write_audit_event(record_of(told, PROFESSIONAL, NODE, utc_now())))
    assert found["meta"]["profile"] == ["https://profiles.ihe.net/ITI/BALP/StructureDefinition/IHE.BasicAudit.Query"]


def test_a_retrieve_has_the_server_as_its_source() -> None:
    found = event("ITI-68", objects=(a_document("2.25.1"),))
    types = [one.get("type", {}).get("coding", [{}])[0].get("code") for one in found["agent"]]
    assert types == ["110153", "110152", "IRCP"]
    assert found["entity"][1]["what"]["identifier"] == {"system": "urn:ietf:rfc:3986", "value": "urn:oid:2.25.1"}


def test_the_user_is_named_by_issuer_and_subject_with_roles_and_purpose() -> None:
    found = event("ITI-68")
    user = found["agent"][-1]
    assert user["who"]["identifier"] == {"system": "urn:example:sts", "value": "801234567890"}
    assert [one["coding"][0]["code"] for one in user["role"]] == ["10", "SM26"]
    assert found["purposeOfEvent"][0]["coding"][0]["system"] == "urn:oid:1.2.250.1.213.1.1.4.248"


class FhirServer:
    """Takes AuditEvents; `answers` says with which status, 201 when it has no more to say."""

    def __init__(self) -> None:
        self.taken: list[dict[str, Any]] = []
        self.answers: list[int] = []
        server = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                status = server.answers.pop(0) if server.answers else 201
                if status == 201:
                    server.taken.append(json.loads(body))
                self.send_response(status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Nothing: pytest shows what fails."""

        self.http = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.http.serve_forever, daemon=True).start()

    @property
    def base(self) -> str:
        return f"http://127.0.0.1:{self.http.server_address[1]}/fhir"


@pytest.fixture
def fhir_server() -> Iterator[FhirServer]:
    made = FhirServer()
    yield made
    made.http.shutdown()
    made.http.server_close()


def queries(server: FhirServer) -> list[str]:
    return [one["what"]["identifier"]["value"] for found in server.taken for one in found["entity"] if "query" in one]


def test_each_record_is_posted_once_and_in_its_order_whatever_the_server_answers(
    units: Units, fhir_server: FhirServer
) -> None:
    trail = a_trail(units)
    for number in range(1, 31):
        trail.keep([asked(number)], PROFESSIONAL)
    fhir_server.answers = [201, 503, 201, 500, 201, 429]
    sender = Sender(units, FhirTransport(fhir_server.base, ssl.create_default_context()), pause=(0.01, 0.02))
    Sealer(units, trail.spool, [fhir_server.base], on_anchor=lambda _: None).step()
    sender.start()
    try:
        _wait(units, fhir_server.base, 30)
    finally:
        sender.stop()
    assert queries(fhir_server) == [f"urn:n:{number}" for number in range(1, 31)]
    for found in fhir_server.taken:
        AuditEvent.model_validate(found)


def _wait(units: Units, receiver: str, sequence: int) -> None:
    waiting = threading.Event()
    for _ in range(600):
        with units.read() as connection:
            if (outbox.confirmed(connection, receiver) or 0) >= sequence:
                return
        waiting.wait(0.05)
    raise AssertionError("not confirmed after 30 s")
