"""DocumentEntry -> DocumentReference, rendered once when the entry is written. MHD 3:4.2.1 and mapping table.

URLs carry the placeholder `BASE_URL`, replaced by the configured base when the bytes are served.
"""

import base64
from collections.abc import Sequence
from typing import Any

import orjson

from fhir_facade.code_systems import URI_SYSTEM, to_coding, to_identifier
from fhir_facade.people import Contained, Resource, to_author, to_practitioner, to_source_patient
from fhir_facade.times import to_date_time, to_instant
from xds.datatypes import DTM, Code, CXi
from xds.identifiers import UUID_PREFIX
from xds.metadata import Association, DocumentEntry
from xds.vocabulary import AssociationType, AvailabilityStatus

BASE_URL = b"urn:carnet:base-url"
_IDENTIFIER_TYPE = "https://profiles.ihe.net/ITI/MHD/CodeSystem/IHE.MHD.MHDIdentifierType"
_HOME_COMMUNITY = "https://profiles.ihe.net/ITI/MHD/StructureDefinition/ihe-HomeCommunityId"
_LARGEST_UNSIGNED = 2**31 - 1  # unsignedInt of FHIR R4; a larger document has no size there
_ENCOUNTER = "urn:ihe:iti:xds:2015:encounterId"
_STATUS = {
    AvailabilityStatus.APPROVED: "current",
    AvailabilityStatus.DEPRECATED: "superseded",
    AvailabilityStatus.ARCHIVED: "superseded",
    AvailabilityStatus.DELETED: "entered-in-error",
}
_RELATES_TO = {
    AssociationType.RPLC: "replaces",
    AssociationType.XFRM_RPLC: "replaces",
    AssociationType.XFRM: "transforms",
    AssociationType.IS_SNAPSHOT_OF: "transforms",
    AssociationType.APND: "appends",
    AssociationType.SIGNS: "signs",
}


def fhir_id(entry_uuid: str) -> str:
    """Logical id of the resource: the UUID of the entry's logicalID."""
    return entry_uuid.removeprefix(UUID_PREFIX)


def to_document_reference(entry: DocumentEntry, links: Sequence[Association], updated: str) -> bytes:
    """The resource as JSON. `links` are associations from the entry; `updated` is a DTM of 14 digits, UTC."""
    contained = Contained()
    authors = [to_author(author, contained) for author in entry.author]
    authenticator = (
        contained.add(to_practitioner(entry.legal_authenticator)) if entry.legal_authenticator is not None else None
    )
    context = _context(entry, contained)
    resource: Resource = {
        "resourceType": "DocumentReference",
        "id": fhir_id(entry.logical_id or entry.entry_uuid),
        "meta": {"versionId": str(entry.version or 1), "lastUpdated": to_instant(DTM(updated))},
        "contained": contained.resources,
        "extension": _extension(entry),
        "masterIdentifier": _unique_id(entry),
        "identifier": _identifiers(entry),
        "status": _STATUS[entry.availability_status or AvailabilityStatus.APPROVED],
        "type": _concept(entry.type_code),
        "category": [_concept(entry.class_code)] if entry.class_code else None,
        "subject": _subject(entry),
        "date": to_instant(entry.creation_time) if entry.creation_time else None,
        "author": authors,
        "authenticator": authenticator,
        "relatesTo": [one for link in links if (one := _relates_to(link))],
        "description": entry.comments,
        "securityLabel": [_concept(code) for code in entry.confidentiality_code],
        "content": [_content(entry)],
        "context": context,
    }
    return orjson.dumps(_without_empty(resource))


def _without_empty(resource: Resource) -> Resource:
    return {key: value for key, value in resource.items() if value not in (None, [], {}, "")}


def _concept(code: Code | None) -> Resource | None:
    return None if code is None else {"coding": [to_coding(code)]}


def _extension(entry: DocumentEntry) -> list[Resource]:
    if entry.home_community_id is None:
        return []
    return [{"url": _HOME_COMMUNITY, "valueOid": entry.home_community_id}]


def _typed(kind: str, use: str, text: str) -> Resource:
    """MHD 4.2.4 tells identifiers apart by type, earlier versions by use: both are given."""
    return {"use": use, "type": {"coding": [{"system": _IDENTIFIER_TYPE, "code": kind}]}} | to_identifier(text)


def _unique_id(entry: DocumentEntry) -> Resource | None:
    return None if entry.unique_id is None else _typed("uniqueId", "usual", entry.unique_id)


def _identifiers(entry: DocumentEntry) -> list[Resource]:
    unique_id = _unique_id(entry)
    entry_uuid = _typed("entryUUID", "official", entry.entry_uuid)
    return [entry_uuid] if unique_id is None else [entry_uuid, unique_id]


def _subject(entry: DocumentEntry) -> Resource | None:
    """A logical reference: the patient is known by its identifier, and no Patient resource is hosted."""
    patient = entry.patient_id
    if patient is None:
        return None
    return {"type": "Patient", "identifier": {"system": f"urn:oid:{patient.authority}", "value": patient.id}}


def _relates_to(link: Association) -> Resource | None:
    code = _RELATES_TO.get(link.association_type)
    if code is None:
        return None
    return {"code": code, "target": {"reference": f"DocumentReference/{fhir_id(link.target)}"}}


def _content(entry: DocumentEntry) -> Resource:
    attachment = _without_empty(
        {
            "contentType": entry.mime_type,
            "language": entry.language_code,
            "url": f"{BASE_URL.decode()}/Binary/{fhir_id(entry.logical_id or entry.entry_uuid)}",
            "size": entry.size if entry.size is not None and entry.size <= _LARGEST_UNSIGNED else None,
            "hash": base64.b64encode(bytes.fromhex(entry.hash)).decode() if entry.hash else None,
            "title": entry.title,
            "creation": to_date_time(entry.creation_time) if entry.creation_time else None,
        }
    )
    return _without_empty(
        {"attachment": attachment, "format": to_coding(entry.format_code) if entry.format_code else None}
    )


def _context(entry: DocumentEntry, contained: Contained) -> Resource:
    period = {
        "start": to_date_time(entry.service_start_time) if entry.service_start_time else None,
        "end": to_date_time(entry.service_stop_time) if entry.service_stop_time else None,
    }
    encounters = [one for one in entry.reference_id_list if one.type_code == _ENCOUNTER]
    related = [one for one in entry.reference_id_list if one.type_code != _ENCOUNTER]
    return _without_empty(
        {
            "encounter": [_reference(one) for one in encounters],
            "event": [_concept(code) for code in entry.event_code_list],
            "period": _without_empty(period),
            "facilityType": _concept(entry.healthcare_facility_type_code),
            "practiceSetting": _concept(entry.practice_setting_code),
            "sourcePatientInfo": _source_patient(entry, contained),
            "related": [_reference(one) for one in related],
        }
    )


def _source_patient(entry: DocumentEntry, contained: Contained) -> dict[str, str] | None:
    if entry.source_patient_id is None and not entry.source_patient_info:
        return None
    return contained.add(to_source_patient(entry.source_patient_id, entry.source_patient_info))


def _reference(identifier: CXi) -> dict[str, Any]:
    """MHD 3:4.2.3.4"""
    found: Resource = {"type": {"coding": [{"system": URI_SYSTEM, "code": identifier.type_code}]}}
    if identifier.authority:
        found["system"] = f"urn:oid:{identifier.authority}"
    return {"identifier": found | {"value": identifier.id}}
