"""Folders of a Provide Document Bundle: new ones, and stored ones that get members. MHD 2:3.65.4.1.2."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from access_policy.visibility import Purpose
from fhir_facade.code_systems import from_identifier
from fhir_facade.issues import Issue
from fhir_facade.patients import Patients
from fhir_facade.provide_bundle import BundleEntry
from fhir_facade.reader import identifier_kind
from registry.criteria import Criteria, Form, Found, Page
from xds.identifiers import UUID_PREFIX, is_uuid_urn
from xds.metadata import Association, Folder
from xds.vocabulary import AssociationType, AvailabilityStatus

_ID = re.compile(r"List/([A-Za-z0-9.-]{1,64})\Z")


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredFolder:
    """A folder of the registry and the entryUUIDs of the documents in it."""

    entry_uuid: str
    members: frozenset[str]


def folder_members(entry: BundleEntry) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """(position, Reference) of what a folder lists."""
    for number, one in enumerate(entry.resource.get("entry", ())):
        yield number, one["item"]


def updated_folder(patients: Patients, entry: BundleEntry, issues: list[Issue]) -> StoredFolder | None:
    """The stored folder that a PUT means; an issue where there is none, or where a member would be taken out."""
    found = next((one for criteria in _named(entry) for one in _found(patients, criteria)), None)
    if found is None:
        sentence = "found an update of a folder that this server does not have"
        issues.append(Issue("not-found", sentence, f"Bundle.entry[{entry.number}].request.url"))
        return None
    members = _members(patients, found)
    kept = {
        text.rpartition("/")[2]
        for _, one in folder_members(entry)
        if (text := one.get("reference", "").partition("/_history/")[0])
    }
    taken_out = [uuid for uuid, names in members.items() if not set(names) & kept]
    if taken_out:
        sentence = f"found {len(taken_out)} documents of the folder missing, expected every member it has and more"
        issues.append(Issue("business-rule", sentence, f"{entry.at}.entry"))
    return StoredFolder(entry_uuid=found.entry_uuid, members=frozenset(members))


def _named(entry: BundleEntry) -> Iterator[Criteria]:
    """By the id of the URL, of the resource, by an identifier: what comes first and leads somewhere."""
    match = _ID.match(entry.url)
    for name in (match[1] if match else "", entry.resource.get("id", "")):
        if is_uuid_urn(f"{UUID_PREFIX}{name}"):
            yield Criteria(kind=Folder, logical_ids=(f"{UUID_PREFIX}{name}",))
    for identifier in entry.resource.get("identifier", ()):
        text = from_identifier(identifier.get("system", ""), identifier.get("value", ""))
        if identifier_kind(identifier) == "entryUUID":
            yield Criteria(kind=Folder, entry_uuids=(text,))
        elif text:
            yield Criteria(kind=Folder, unique_ids=(text,))


def _found(patients: Patients, criteria: Criteria) -> tuple[Found, ...]:
    with patients.registry.seen_by(patients.caller, Purpose.CHANGE) as seen:
        return seen.find(criteria, Page(size=1), Form.REFERENCE)


def _members(patients: Patients, folder: Found) -> dict[str, tuple[str, str]]:
    """entryUUID of each document in a folder -> the ids that a reference to it may have."""
    links = Criteria(
        kind=Association,
        sources=(folder.entry_uuid,),
        association_types=(AssociationType.HAS_MEMBER,),
        statuses=(AvailabilityStatus.APPROVED,),
    )
    with patients.registry.seen_by(patients.caller, Purpose.CHANGE) as seen:
        targets = tuple(one.target for one in seen.find(links, form=Form.REFERENCE) if one.target)
        if not targets:
            return {}
        documents = seen.find(Criteria(entry_uuids=targets, on_demand=True), form=Form.REFERENCE)
    return {
        one.entry_uuid: (one.entry_uuid.removeprefix(UUID_PREFIX), one.logical_id.removeprefix(UUID_PREFIX))
        for one in documents
    }
