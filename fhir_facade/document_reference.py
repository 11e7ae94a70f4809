"""DocumentEntry <-> DocumentReference; rendered once, when the entry is written. MHD 3:4.2.1 and mapping table.

URLs carry the placeholder `BASE_URL`, replaced by the configured base when the bytes are served.
"""

import base64
from collections.abc import Sequence
from typing import Any

from fhir_facade.archived import archived_only
from fhir_facade.code_systems import URI_SYSTEM, to_coding
from fhir_facade.exact_values import exact_values, with_exact_values
from fhir_facade.fhir_json import text_alone, without_empty, write_json
from fhir_facade.people import Contained, Resource, to_author, to_practitioner, to_source_patient
from fhir_facade.read_document_reference import read_document_reference
from fhir_facade.reader import Reader
from fhir_facade.shared_elements import (
    BASE_URL,
    fhir_id,
    home_community,
    identifiers,
    to_concept,
    to_subject,
    unique_identifier,
)
from fhir_facade.submitted import as_submitted
from fhir_facade.times import to_date_time, to_instant
from xds.affinity_domain import AffinityDomain
from xds.datatypes import CX, DTM, CXi
from xds.metadata import Association, DocumentEntry
from xds.vocabulary import AssociationType, AvailabilityStatus

_ANY_TIME = "20000101000000"
_LARGEST_UNSIGNED = 2**31 - 1  # unsignedInt of FHIR R4; a larger document has no size there
_ENCOUNTER = "urn:ihe:iti:xds:2015:encounterId"
_STATUS = {
    AvailabilityStatus.APPROVED: "current",
    AvailabilityStatus.DEPRECATED: "superseded",
    AvailabilityStatus.ARCHIVED: "current",
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


def to_document_reference(entry: DocumentEntry, links: Sequence[Association], updated: str) -> bytes:
    """The resource as JSON. `links` are associations from the entry; `updated` is a DTM of 14 digits, UTC."""
    resource = elements_of(entry, links, updated)
    exact = exact_values(entry, _read(resource, entry))
    resource |= {"extension": [*resource.get("extension", ()), *exact]} if exact else {}
    return write_json(as_submitted(entry, resource))


def from_document_reference(reader: Reader, *, entry_uuid: str, patient: CX | None = None) -> DocumentEntry:
    """The entry of a resource, exact where it was rendered here and its elements are unchanged."""

    def render_and_read(other: DocumentEntry) -> DocumentEntry:
        return _read(elements_of(other, (), _ANY_TIME), other)

    entry = read_document_reference(reader, entry_uuid=entry_uuid, patient=patient)
    return with_exact_values(entry, reader.resource, render_and_read)


def _read(resource: Resource, entry: DocumentEntry) -> DocumentEntry:
    """What the elements say of an entry, identities and version included."""
    reader = Reader(resource=resource, at="DocumentReference", domain=AffinityDomain(name=""))
    return read_document_reference(reader, entry_uuid=entry.entry_uuid)


def elements_of(entry: DocumentEntry, links: Sequence[Association], updated: str) -> Resource:
    """The elements that say what the attributes say, as well as FHIR can."""
    contained = Contained()
    authors = [to_author(author, contained) for author in entry.author]
    authenticator = (
        contained.add(to_practitioner(entry.legal_authenticator)) if entry.legal_authenticator is not None else None
    )
    context = _context(entry, contained)
    return without_empty(
        {
            "resourceType": "DocumentReference",
            "id": fhir_id(entry.logical_id or entry.entry_uuid),
            "meta": {"versionId": str(entry.version or 1), "lastUpdated": to_instant(DTM(updated))},
            "contained": contained.resources,
            "extension": [*archived_only(entry.availability_status), *home_community(entry.home_community_id)],
            "masterIdentifier": unique_identifier(entry.unique_id),
            "identifier": identifiers(entry.entry_uuid, entry.unique_id),
            "status": _STATUS[entry.availability_status or AvailabilityStatus.APPROVED],
            "type": to_concept(entry.type_code),
            "category": [to_concept(entry.class_code)] if entry.class_code else None,
            "subject": to_subject(entry.patient_id),
            "date": to_instant(entry.creation_time) if entry.creation_time else None,
            "author": authors,
            "authenticator": authenticator,
            "relatesTo": [one for link in links if (one := _relates_to(link))],
            "description": text_alone(entry.comments),
            "securityLabel": [to_concept(code) for code in entry.confidentiality_code],
            "content": [_content(entry)],
            "context": context,
        }
    )


def _relates_to(link: Association) -> Resource | None:
    code = _RELATES_TO.get(link.association_type)
    if code is None:
        return None
    return {"code": code, "target": {"reference": f"DocumentReference/{fhir_id(link.target)}"}}


def _content(entry: DocumentEntry) -> Resource:
    attachment = without_empty(
        {
            "contentType": entry.mime_type,
            "language": entry.language_code,
            "url": f"{BASE_URL.decode()}/Binary/{fhir_id(entry.logical_id or entry.entry_uuid)}",
            "size": entry.size if entry.size is not None and entry.size <= _LARGEST_UNSIGNED else None,
            "hash": base64.b64encode(bytes.fromhex(entry.hash)).decode() if entry.hash else None,
            "title": text_alone(entry.title),
            "creation": to_date_time(entry.creation_time) if entry.creation_time else None,
        }
    )
    return without_empty(
        {"attachment": attachment, "format": to_coding(entry.format_code) if entry.format_code else None}
    )


def _context(entry: DocumentEntry, contained: Contained) -> Resource:
    period = {
        "start": to_date_time(entry.service_start_time) if entry.service_start_time else None,
        "end": to_date_time(entry.service_stop_time) if entry.service_stop_time else None,
    }
    encounters = [one for one in entry.reference_id_list if one.type_code == _ENCOUNTER]
    related = [one for one in entry.reference_id_list if one.type_code != _ENCOUNTER]
    return without_empty(
        {
            "encounter": [_reference(one) for one in encounters],
            "event": [to_concept(code) for code in entry.event_code_list],
            "period": without_empty(period),
            "facilityType": to_concept(entry.healthcare_facility_type_code),
            "practiceSetting": to_concept(entry.practice_setting_code),
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
