"""Versions, statuses, on-demand entries and removal over real HTTP."""

import json
from dataclasses import replace
from typing import Any

import pytest

from tests import messages
from tests.builders import PATIENT, a_status_update, a_submission, a_submitted_association, an_entry, an_update
from tests.messages import Answered
from tests.servers import Server
from xds.ebrim.read import read_document_entries
from xds.metadata import DocumentEntry
from xds.vocabulary import RIM, AssociationType, ObjectType

UNIQUE_ID = "$XDSDocumentEntryUniqueId"


def stored(server: Server, entry: DocumentEntry) -> DocumentEntry:
    assert messages.submit(server, a_submission(entry), messages.REGISTER).status == "Success"
    [found] = versions(server, entry)
    return found


def versions(server: Server, entry: DocumentEntry, level: int = 1) -> tuple[DocumentEntry, ...]:
    slots = {UNIQUE_ID: f"('{entry.unique_id}')", "$MetadataLevel": str(level)}
    return read_document_entries(messages.query(server, messages.GET_DOCUMENTS, slots).envelope)


def get_json(server: Server, path: str) -> dict[str, Any]:
    response = server.request("GET", path)
    assert response.status == 200
    found: dict[str, Any] = json.loads(response.body)
    return found


def action_of(answered: Answered) -> str:
    return str(answered.envelope.findtext(f".//{{{messages.ADDRESSING}}}Action"))


@pytest.mark.parametrize("action", [messages.UPDATE, messages.RESTRICTED_UPDATE])
def test_level_1_shows_the_newest_version_and_level_2_every_version(server: Server, action: str) -> None:
    entry = stored(server, an_entry())
    answered = messages.submit(server, an_update(entry, title="Titre corrigé"), action)
    assert (answered.status, action_of(answered)) == ("Success", f"{action}Response")
    [newest] = versions(server, entry)
    assert (newest.version, newest.title, newest.logical_id) == (2, "Titre corrigé", entry.entry_uuid)
    assert {(one.version, str(one.availability_status).rpartition(":")[2]) for one in versions(server, entry, 2)} == {
        (1, "Deprecated"),
        (2, "Approved"),
    }


def test_the_fhir_door_shows_the_newest_version(server: Server) -> None:
    entry = stored(server, an_entry())
    messages.submit(server, an_update(entry, title="Titre corrigé"), messages.UPDATE)
    found = get_json(server, f"/fhir/DocumentReference?identifier=urn:ietf:rfc:3986|urn:oid:{entry.unique_id}")
    [resource] = [one["resource"] for one in found["entry"]]
    assert resource["meta"]["versionId"] == "2"
    assert resource["content"][0]["attachment"]["title"] == "Titre corrigé"


def test_a_submitted_relationship_is_seen_through_both_doors(server: Server) -> None:
    first, second = stored(server, an_entry()), stored(server, an_entry())
    request = a_submitted_association(first.entry_uuid, second.entry_uuid, AssociationType.APND)
    assert messages.submit(server, request, messages.UPDATE).status == "Success"
    found = get_json(server, f"/fhir/DocumentReference/{first.entry_uuid.removeprefix('urn:uuid:')}")
    assert [one["code"] for one in found["relatesTo"]] == ["appends"]


def test_a_refused_update_names_the_object_and_changes_nothing(server: Server) -> None:
    entry = stored(server, an_entry())
    answered = messages.submit(server, an_update(entry, previous_version=5), messages.UPDATE)
    assert (answered.status, answered.codes) == ("Failure", ["XDSMetadataVersionError"])
    assert "found 5, expected 1" in answered.contexts[0]
    assert len(versions(server, entry, 2)) == 1


def test_a_status_changes(server: Server) -> None:
    entry = stored(server, an_entry())
    request = a_status_update(entry.entry_uuid, "Approved", "Deprecated")
    assert messages.submit(server, request, messages.UPDATE).status == "Success"
    [now] = versions(server, entry)
    assert str(now.availability_status).endswith("Deprecated")


def test_an_update_sent_by_the_action_of_a_registration_is_refused(server: Server) -> None:
    answered = messages.submit(server, an_update(stored(server, an_entry())), messages.REGISTER)
    assert answered.status == "Failure"
    assert set(answered.codes) == {"XDSRegistryMetadataError"}


def test_an_on_demand_entry_is_registered_under_its_own_answer(server: Server) -> None:
    entry = replace(
        an_entry(), object_type=ObjectType.ON_DEMAND, hash=None, size=None, creation_time=None, legal_authenticator=None
    )
    answered = messages.submit(server, a_submission(entry), messages.ON_DEMAND)
    assert answered.status == "Success"
    assert action_of(answered) == "urn:ihe:iti:2010:RegisterOnDemandDocumentResponse"
    slots = {
        "$XDSDocumentEntryPatientId": f"'{PATIENT}'",
        "$XDSDocumentEntryStatus": "('urn:oasis:names:tc:ebxml-regrep:StatusType:Approved')",
        "$XDSDocumentEntryType": f"('{ObjectType.ON_DEMAND}')",
    }
    found = messages.query(server, messages.FIND_DOCUMENTS, slots)
    assert entry.unique_id in [one.unique_id for one in read_document_entries(found.envelope)]


def test_what_a_submission_brought_is_removed_together(server: Server) -> None:
    entry = stored(server, an_entry())
    refused = messages.remove_metadata(server, entry.entry_uuid)
    assert (refused.status, refused.codes) == ("Failure", ["ReferencesExistException"])
    everything = [
        str(one.get("id"))
        for one in messages.query(server, messages.GET_ALL, _everything()).envelope.iter(
            f"{{{RIM}}}ExtrinsicObject", f"{{{RIM}}}RegistryPackage", f"{{{RIM}}}Association"
        )
    ]
    assert entry.entry_uuid in everything
    answered = messages.remove_metadata(server, *everything)
    assert (answered.status, action_of(answered)) == ("Success", f"{messages.REMOVE_METADATA}Response")
    assert versions(server, entry, 2) == ()


def _everything() -> dict[str, str]:
    prefix = "urn:oasis:names:tc:ebxml-regrep:StatusType:"
    both = f"('{prefix}Approved','{prefix}Deprecated')"
    statuses = {f"$XDS{kind}Status": both for kind in ("DocumentEntry", "SubmissionSet", "Folder")}
    types = f"('{ObjectType.STABLE}','{ObjectType.ON_DEMAND}')"
    level = {"$MetadataLevel": "2", "$XDSDocumentEntryType": types}
    return {"$patientId": f"'{PATIENT}'"} | statuses | level
