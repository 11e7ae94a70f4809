"""What one mapping of a Provide Document Bundle knows: its entries, what they become, what references in it mean.

MHD 2:3.65.4.1.2.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from access_policy.visibility import Purpose
from fhir_facade.issues import Issue
from fhir_facade.patients import Patients
from fhir_facade.provide_bundle import ProvideBundle
from fhir_facade.reader import identifier_kind
from registry.criteria import Criteria, Form, Page
from xds.datatypes import CX
from xds.ebrim.attributes import SubmissionKind
from xds.identifiers import OID_PREFIX, UUID_PREFIX
from xds.metadata import Association, DocumentEntry, Folder, RegistryObject

_READ = re.compile(r"(DocumentReference|List)/([A-Za-z0-9.-]{1,64})(/_history/[^/?#]+)?\Z")


@dataclass(slots=True, kw_only=True)
class Mapping65:
    """The state of one mapping: what was found wrong, which entry became which object."""

    bundle: ProvideBundle
    patients: Patients
    issues: list[Issue]
    kind: SubmissionKind = SubmissionKind.BUNDLE
    uuids: dict[int, str] = field(default_factory=dict)
    patient_ids: dict[int, CX] = field(default_factory=dict)
    present: dict[int, int] = field(default_factory=dict)  # patients that are not fed: position -> key
    updated: dict[int, str] = field(default_factory=dict)
    associations: list[Association] = field(default_factory=list)
    replaced: dict[str, str] = field(default_factory=dict)
    places: dict[str, str] = field(default_factory=dict)  # of associations: entryUUID -> what says them


def object_of(mapping: Mapping65, reference: Mapping[str, Any], *types: str) -> str | None:
    """entryUUID of what a reference means: an entry of the Bundle, or the current version of a stored object."""
    text = reference.get("reference", "")
    entry = mapping.bundle.by_full_url.get(text)
    if entry is not None:
        return mapping.uuids.get(entry.number)
    match = _READ.match(text.removeprefix(f"{mapping.patients.base_url}/"))
    identifier = reference.get("identifier", {})
    if match is not None and match[1] in types:
        return _stored(mapping, Criteria(logical_ids=(f"{UUID_PREFIX}{match[2]}",), kind=_KINDS[match[1]]))
    value = str(identifier.get("value", ""))
    if identifier_kind(identifier) == "entryUUID":
        return _stored(mapping, Criteria(entry_uuids=(value,)))
    return _stored(mapping, Criteria(unique_ids=(value.removeprefix(OID_PREFIX),))) if value else None


_KINDS: Mapping[str, type[RegistryObject]] = {"DocumentReference": DocumentEntry, "List": Folder}


def _stored(mapping: Mapping65, criteria: Criteria) -> str | None:
    patients = mapping.patients
    criteria = replace(criteria, on_demand=True)
    with patients.registry.seen_by(patients.caller, Purpose.CHANGE) as seen:
        found = seen.find(criteria, Page(size=1), Form.REFERENCE)
    return found[0].entry_uuid if found else None


def unknown(mapping: Mapping65, path: str) -> None:
    sentence = "found a reference to an object that this server does not have"
    mapping.issues.append(Issue("not-found", sentence, path, "UnresolvedReferenceException"))
