"""Elements that DocumentReference and List have alike. MHD 3:4.2.1, 3:4.2.2.

URLs carry the placeholder `BASE_URL`, replaced by the configured base when the bytes are served.
"""

from typing import Any

from fhir_facade.code_systems import to_coding, to_identifier
from xds.datatypes import CX, Code
from xds.identifiers import UUID_PREFIX

BASE_URL = b"urn:carnet:base-url"
_IDENTIFIER_TYPE = "https://profiles.ihe.net/ITI/MHD/CodeSystem/IHE.MHD.MHDIdentifierType"
MHD_EXTENSION = "https://profiles.ihe.net/ITI/MHD/StructureDefinition/"


def fhir_id(entry_uuid: str) -> str:
    """Logical id of the resource: the UUID of the object's logicalID."""
    return entry_uuid.removeprefix(UUID_PREFIX)


def to_concept(code: Code | None) -> dict[str, Any] | None:
    return None if code is None else {"coding": [to_coding(code)]}


def home_community(home_community_id: str | None) -> list[dict[str, Any]]:
    if home_community_id is None:
        return []
    return [{"url": f"{MHD_EXTENSION}ihe-HomeCommunityId", "valueOid": home_community_id}]


def _typed(kind: str, use: str, text: str) -> dict[str, Any]:
    """MHD 4.2.4 tells identifiers apart by type, earlier versions by use: both are given."""
    return {"use": use, "type": {"coding": [{"system": _IDENTIFIER_TYPE, "code": kind}]}} | to_identifier(text)


def unique_identifier(unique_id: str | None) -> dict[str, Any] | None:
    return None if unique_id is None else _typed("uniqueId", "usual", unique_id)


def identifiers(entry_uuid: str, unique_id: str | None) -> list[dict[str, Any]]:
    """entryUUID, then uniqueId."""
    unique, entry = unique_identifier(unique_id), _typed("entryUUID", "official", entry_uuid)
    return [entry] if unique is None else [entry, unique]


def to_subject(patient: CX | None) -> dict[str, Any] | None:
    """A logical reference: who the patient is, whether or not a Patient resource of it is there."""
    if patient is None:
        return None
    return {"type": "Patient", "identifier": {"system": f"urn:oid:{patient.authority}", "value": patient.id}}
