"""Subscriptions of DSUBm, what they are about, and a server that takes them, for every module that looks at one."""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from carnet.subscription_wiring import dispatcher_of
from subscriptions.delivery import Dispatcher
from tests import messages, servers
from tests.builders import PATIENT, a_folder, a_submission, an_entry
from tests.notified import Subscriber, a_subscriber
from tests.servers import Response, Server
from xds.metadata import Association, DocumentEntry
from xds.vocabulary import AssociationType

ALL = "https://profiles.ihe.net/ITI/DSUBm/SubscriptionTopic/DSUBm-SubscriptionTopic-DocReference-PatientDependent-AllEvents"
NEW = "https://profiles.ihe.net/ITI/DSUBm/SubscriptionTopic/DSUBm-SubscriptionTopic-DocumentReference-PatientDependent"
BACKPORT = "http://hl7.org/fhir/uv/subscriptions-backport/StructureDefinition"
TOPICS = "https://profiles.ihe.net/ITI/DSUBm/SubscriptionTopic/DSUBm-SubscriptionTopic"
SETS, FOLDERS = f"{TOPICS}-SubmissionSet-PatientDependent", f"{TOPICS}-Basic-Folder-Subscription"
FOLDERS_UPDATED = f"{TOPICS}-Folder-Subscription-UpdateOpt"
CONTENT = b"<ClinicalDocument/>"
OF_PATIENT = f"DocumentReference?patient.identifier=urn:oid:{PATIENT.authority}|{PATIENT.id}"
FHIR = {"Content-Type": "application/fhir+json"}


def wanted(
    target: str, *, topic: str = ALL, filters: tuple[str, ...] = (OF_PATIENT,), **changes: Any
) -> dict[str, Any]:
    channel = {
        "type": "rest-hook",
        "endpoint": target,
        "payload": changes.pop("payload", "application/fhir+json"),
        "_payload": {
            "extension": [
                {"url": f"{BACKPORT}/backport-payload-content", "valueCode": changes.pop("content", "full-resource")}
            ]
        },
    }
    extensions = [{"url": f"{BACKPORT}/backport-filter-criteria", "valueString": one} for one in filters]
    resource = {
        "resourceType": "Subscription",
        "status": "requested",
        "reason": "tests",
        "criteria": topic,
        "_criteria": {"extension": extensions},
        "channel": channel,
    }
    return resource | changes


def of_lists(code: str, more: str = "") -> tuple[str, ...]:
    return (f"List?patient.identifier=urn:oid:{PATIENT.authority}|{PATIENT.id}&code={code}{more}",)


def subscribe(server: Server, resource: dict[str, Any], headers: dict[str, str] | None = None) -> Response:
    body = json.dumps(resource).encode()
    return server.request("POST", "/fhir/Subscription", body, FHIR | (headers or {}))


def submit(server: Server, unique_id: str, *, replaces: str = "", **changes: Any) -> tuple[str, DocumentEntry]:
    """Status and entry of a submission by ITI-41."""
    entry = an_entry(content=CONTENT, unique_id=unique_id, **changes)
    submission = a_submission(entry, patient_id=entry.patient_id)
    submission = replace(submission, submission_set=replace(submission.submission_set, unique_id=f"{unique_id}.9"))
    if replaces:
        link = Association(
            entry_uuid="urn:uuid:5d6a9aa0-0000-4000-8000-000000000001",
            association_type="urn:ihe:iti:2007:AssociationType:RPLC",
            source=entry.entry_uuid,
            target=replaces,
        )
        submission = replace(submission, associations=(*submission.associations, link))
    body = messages.provide_body(submission, {entry.entry_uuid: messages.include("d@test")})
    message = messages.multipart(messages.envelope(body, messages.PROVIDE), [("d@test", CONTENT)])
    answered = messages.read(server.post("/xds/repository", message, messages.multipart_type()))
    return answered.status, entry


def with_folder(document: str) -> Any:
    """A submission of a document in a new folder: patient, uniqueIds from that of the document."""
    entry = an_entry(content=CONTENT, unique_id=document)
    submission = a_submission(entry)
    folder = a_folder(unique_id=f"{document}.2", title=f"folder of {document}")
    inside = Association(
        entry_uuid="inside",
        association_type=AssociationType.HAS_MEMBER,
        source=folder.entry_uuid,
        target=entry.entry_uuid,
    )
    owner = submission.submission_set
    links = [
        Association(
            entry_uuid=f"owned{number}",
            association_type=AssociationType.HAS_MEMBER,
            source=owner.entry_uuid,
            target=target,
        )
        for number, target in enumerate((folder.entry_uuid, inside.entry_uuid))
    ]
    return replace(
        submission,
        submission_set=replace(owner, unique_id=f"{document}.9"),
        folders=(folder,),
        associations=(*submission.associations, inside, *links),
    )


def patched(server: Server, document: str, patch: list[dict[str, Any]]) -> None:
    path = f"/fhir/DocumentReference?identifier=urn:ietf:rfc:3986%7Curn:oid:{document}"
    headers = {"Content-Type": "application/json-patch+json"}
    response = server.request("PATCH", path, json.dumps(patch).encode(), headers)
    assert response.status == 200, response.body


def archive(server: Server, document: str) -> None:
    url = "https://interop.esante.gouv.fr/ig/fhir/pdsm/StructureDefinition/pdsm-ext-is-archived"
    patched(server, document, [{"op": "add", "path": "/extension/-", "value": {"url": url, "valueBoolean": True}}])


def mask(server: Server, document: str) -> None:
    coding = {"system": "urn:oid:1.2.250.1.213.1.1.4.13", "code": "MASQUE_PS", "display": "masked"}
    patched(server, document, [{"op": "add", "path": "/securityLabel/-", "value": {"coding": [coding]}}])


def told_of(subscriber: Subscriber) -> list[tuple[str, str, str]]:
    """(method, type, identifier or status) of the resources that came with the notifications."""
    found = [
        (bundle["entry"][1]["request"]["method"], bundle["entry"][1]["resource"])
        for bundle in subscriber.bundles
        if len(bundle["entry"]) > 1
    ]
    return [(method, one["resourceType"], one.get("title", "")) for method, one in found]


def states(server: Server) -> dict[str, int]:
    """State -> how many notifications."""
    with closing(sqlite3.connect(server.settings.sqlite_file)) as database:
        return dict(database.execute("SELECT state, COUNT(*) FROM notification GROUP BY state").fetchall())


@pytest.fixture
def subscriber() -> Iterator[Subscriber]:
    made = a_subscriber()
    yield made
    made.down()


@pytest.fixture
def server(tmp_path: Path, subscriber: Subscriber) -> Iterator[Server]:
    settings = servers.settings_for(tmp_path / "data", notification_targets=subscriber.url, notification_attempts=2)
    with servers.in_process(settings) as running:
        servers.know_patients(settings)
        yield running


@pytest.fixture
def dispatcher(server: Server) -> Iterator[Dispatcher]:
    """Started by tests; it tries again after milliseconds."""
    registry = servers.open_registry(server.settings)
    made = dispatcher_of(server.settings, registry, pauses_ms=(10, 20))
    yield made
    made.stop()
    registry.units.close()
