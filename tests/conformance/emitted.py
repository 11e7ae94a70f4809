"""Every kind of resource that a started Carnet emits, each as the answer of a real request."""

import base64
import json
from collections.abc import Iterator
from typing import Any

from audit.events import EVENTS
from audit.fhir import write_audit_event
from audit.objects import a_document, a_query, a_submission_set
from audit.occurrence import Occurrence, record_of
from audit.record import Outcome
from audit.recorder import utc_now
from carnet.subscription_wiring import dispatcher_of
from tests import fhir_bundles as fhir
from tests import messages, servers
from tests.audit.happenings import NODE, PROFESSIONAL
from tests.builders import PATIENT, a_submission, an_entry
from tests.flows.fhir_requests import fed, provide, send
from tests.flows.subscribed import ALL, FOLDERS, SETS, mask, wanted
from tests.flows.test_fhir_batch import a_batch, asked
from tests.flows.test_pdsm_profiles import a_pdsm_bundle
from tests.notified import Subscriber, until
from tests.servers import Server
from xds.datatypes import CX

TARGET = "http://127.0.0.1:1/told"
_SUFFIXES = {"application/fhir+json": ".json", "application/fhir+xml": ".xml"}
_BY_XDS = "urn:oid:2.25.99|by-xds"
_OBJECTS = {
    "ITI-65": a_submission_set("2.25.2"),
    **{
        one: a_query(one, "DocumentReference", b"GET /fhir/DocumentReference?x")
        for one in ("ITI-66", "ITI-67", "ITI-18")
    },
}
# Of twelve subscriptions a handshake and something new; of the masking the document, and the SubmissionSet that did it.
NOTIFICATIONS = 32
_LEVELS = ("Minimal", "Comprehensive", "UnContained.Comprehensive")


def emitted(server: Server) -> Iterator[tuple[str, bytes]]:
    """File name and octets; everything that is read comes in both formats."""
    for name, path in _readable(server):
        for kind, suffix in _SUFFIXES.items():
            response = server.request("GET", path, headers={"Accept": kind})
            assert response.status < 500, (path, response.body)
            yield f"{name}{suffix}", response.body
    yield from _posted(server)


def _readable(server: Server) -> Iterator[tuple[str, str]]:
    """Name and path of everything that GET gives, refusals too."""
    places = _written(server)
    patient = "Patient/" + places["patient"].rpartition("/")[2]
    yield "capability-statement", "/fhir/metadata"
    for name, path in places.items():
        yield name, path
    document = places["document-comprehensive"]
    yield "history", f"{document}/_history"
    yield "version", f"{document}/_history/1"
    for name, query in {
        "searchset": f"DocumentReference?patient={patient}&_count=2&_sort=-date",
        "searchset-included": f"DocumentReference?patient={patient}&_include=DocumentReference:patient",
        "searchset-summary": f"DocumentReference?patient={patient}&_summary=true",
        "searchset-elements": f"DocumentReference?patient={patient}&_elements=status,type",
        "searchset-count": f"DocumentReference?patient={patient}&_summary=count",
        "searchset-empty": "DocumentReference?patient=nobody",
        "searchset-xds": f"DocumentReference?patient.identifier={_BY_XDS}",
        "lists": f"List?patient={patient}&code=submissionset",
        "folders": f"List?patient={patient}&code=folder",
        "lists-xds": f"List?patient.identifier={_BY_XDS}&code=submissionset",
        "patients": f"Patient?_id={patient.rpartition('/')[2]}",
        "log": f"AuditEvent?patient={patient}&_count=100",
        "not-found": "DocumentReference/nobody",
        "unknown-modifier": "DocumentReference?type:not=x",
        "no-patient": "List?code=folder",
    }.items():
        yield name, f"/fhir/{query}"


def _written(server: Server) -> dict[str, str]:
    """Name -> path of what was made by FHIR."""
    _submit_by_xds(server)
    url = fed(server, fhir.a_patient())
    places = {"patient": url}
    for level in _LEVELS:
        entries = provide(server, fhir.a_provide_bundle(url, level=level))
        places |= {f"document-{level.lower()}": entries[0]["location"], f"list-{level.lower()}": entries[1]["location"]}
    entries = provide(server, a_pdsm_bundle(url))
    places |= {"document-pdsm": entries[0]["location"], "list-pdsm": entries[1]["location"]}
    places |= _in_a_folder(server, url, places["document-comprehensive"])
    places["replacement"] = _replacing(server, url, places["document-minimal"])
    subscribed = send(server, "POST", "/fhir/Subscription", wanted(TARGET, filters=("DocumentReference?type=x",)))
    places["subscription"] = f"/fhir/Subscription/{json.loads(subscribed.body)['id']}"
    places["binary"] = places["document-comprehensive"].replace("DocumentReference", "Binary")
    return {name: place.removeprefix(server.url) for name, place in places.items()}


def _submit_by_xds(server: Server) -> None:
    """One document with every attribute, for a patient of its own."""
    fed(server, fhir.a_patient("by-xds"))
    patient = CX("by-xds^^^&2.25.99&ISO")
    entry = an_entry(content=b"by XDS", patient_id=patient)
    submission = a_submission(entry, patient_id=patient)
    assert messages.provide(server, submission, {entry.entry_uuid: b"by XDS"}).status == "Success"


def _in_a_folder(server: Server, patient: str, document: str) -> dict[str, str]:
    folder = fhir.a_urn()
    bundle = fhir.a_provide_bundle(patient)
    bundle["entry"][1]["resource"]["entry"].append({"item": {"reference": folder}})
    bundle["entry"].append(fhir.an_entry(fhir.a_folder_list(patient, document), folder))
    return {"folder": provide(server, bundle)[3]["location"]}


def _replacing(server: Server, patient: str, original: str) -> str:
    links = [{"code": "replaces", "target": {"reference": original}}]
    location: str = provide(server, fhir.a_provide_bundle(patient, relatesTo=links))[0]["location"]
    return location


def _posted(server: Server) -> Iterator[tuple[str, bytes]]:
    """What answers a POST."""
    patient = fed(server, fhir.a_patient())
    yield "transaction-response.json", send(server, "POST", "/fhir", fhir.a_provide_bundle(patient)).body
    parts = a_batch(asked("GET", f"Patient/{patient.rpartition('/')[2]}"), asked("GET", "Observation"))
    yield "batch-response.json", send(server, "POST", "/fhir", parts).body
    yield "refused-bundle.json", send(server, "POST", "/fhir", fhir.a_provide_bundle(patient, type=None)).body
    yield "published.json", send(server, "POST", "/fhir/DocumentReference", _publication(patient)).body
    # After it, so that the log has the publication too.
    yield "log-of-publication.json", server.request("GET", f"/fhir/AuditEvent?patient={patient}&subtype=ITI-105").body


def _publication(patient: str) -> dict[str, Any]:
    resource = fhir.a_document_reference(patient, "")
    attachment = resource["content"][0]["attachment"]
    del attachment["url"]
    attachment["data"] = base64.b64encode(b"content").decode()
    return resource


def notifications(server: Server, subscriber: Subscriber) -> Iterator[tuple[str, bytes]]:
    """What a subscriber is told: handshakes, documents and lists, with all contents, in both formats."""
    url = fed(server, fhir.a_patient())
    of_patient = f"patient=Patient/{url.rpartition('/')[2]}"
    before = fhir.a_provide_bundle(url)
    place = provide(server, before)[0]["location"]
    filters = {
        ALL: f"DocumentReference?{of_patient}",
        SETS: f"List?{of_patient}&code=submissionset",
        FOLDERS: f"List?{of_patient}&code=folder",
    }
    for topic, asked_for in filters.items():
        for content, kind in (
            ("full-resource", "json"),
            ("full-resource", "xml"),
            ("id-only", "json"),
            ("empty", "json"),
        ):
            told = wanted(
                subscriber.url,
                topic=topic,
                filters=(asked_for,),
                content=content,
                payload=f"application/fhir+{kind}",
            )
            assert send(server, "POST", "/fhir/Subscription", told).status == 201
    _in_a_folder(server, url, place)
    mask(server, before["entry"][0]["resource"]["masterIdentifier"]["value"].removeprefix("urn:oid:"))
    subscriber.up()
    registry = servers.open_registry(server.settings)
    dispatcher = dispatcher_of(server.settings, registry)
    dispatcher.start()
    until(lambda: len(subscriber.told) == NOTIFICATIONS)
    dispatcher.stop()
    registry.units.close()
    for number, octets in enumerate(subscriber.told):
        yield f"notification-{number:02}.{'xml' if octets.startswith(b'<') else 'json'}", octets


def audit_events() -> Iterator[tuple[str, bytes]]:
    """One AuditEvent for each row of the table, of success and of refusal, as receivers of the audit get it."""
    for name in EVENTS:
        for outcome in (Outcome.SUCCESS, Outcome.SERIOUS):
            objects = (_OBJECTS.get(name, a_document("2.25.1")),)
            told = Occurrence(event=name, patient=PATIENT.key, outcome=outcome, description="code", objects=objects)
            body = write_audit_event(record_of(told, PROFESSIONAL, NODE, utc_now()))
            yield f"audit-event-{name.replace(' ', '-')}-{int(outcome)}.json", body
