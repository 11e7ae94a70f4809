"""DocumentReference -> DocumentEntry, the inverse of `document_reference`. MHD 3:4.2.1 and mapping table."""

import base64
import binascii
import re
from typing import Any

from fhir_facade.archived import status_of
from fhir_facade.code_systems import from_identifier
from fhir_facade.fhir_json import first
from fhir_facade.read_people import read_author, read_cx, read_cxi, read_person, read_source_patient
from fhir_facade.reader import Reader, Resource
from xds import texts
from xds.datatypes import CX, XCN
from xds.metadata import DocumentEntry
from xds.vocabulary import AvailabilityStatus

_HEX = re.compile(r"[0-9a-fA-F]{40}\Z")
_STATUSES = {
    "current": AvailabilityStatus.APPROVED,
    "superseded": AvailabilityStatus.DEPRECATED,
    "entered-in-error": AvailabilityStatus.DELETED,
}


def read_document_reference(reader: Reader, *, entry_uuid: str, patient: CX | None = None) -> DocumentEntry:
    """The entry a DocumentReference describes; what cannot be read is left out and a finding of the reader.

    `patient` is the one its subject was found to be; without one a logical reference says it.
    """
    resource = reader.resource
    context = resource.get("context", {})
    source_id, source_info = _source_patient(reader, context)
    authors = (read_author(one, reader.find) for one in resource.get("author", ()))
    return DocumentEntry(
        entry_uuid=entry_uuid,
        logical_id=reader.logical_id,
        version=reader.version,
        availability_status=status_of(resource, _STATUSES),
        home_community_id=reader.home_community_id(),
        author=tuple(one for one in authors if one is not None),
        class_code=reader.code(next(iter(resource.get("category", ())), None), "classCode", "category[0]"),
        comments=resource.get("description"),
        confidentiality_code=reader.codes(resource.get("securityLabel", ()), "confidentialityCode", "securityLabel"),
        event_code_list=reader.codes(context.get("event", ()), "eventCodeList", "context.event"),
        healthcare_facility_type_code=reader.code(
            context.get("facilityType"), "healthcareFacilityTypeCode", "context.facilityType"
        ),
        legal_authenticator=_authenticator(reader),
        patient_id=patient or read_subject(resource.get("subject", {})),
        practice_setting_code=reader.code(
            context.get("practiceSetting"), "practiceSettingCode", "context.practiceSetting"
        ),
        reference_id_list=tuple(
            found
            for one in (*context.get("encounter", ()), *context.get("related", ()))
            if (found := read_cxi(one.get("identifier", {}))) is not None
        ),
        service_start_time=reader.time(context.get("period", {}).get("start"), "context.period.start"),
        service_stop_time=reader.time(context.get("period", {}).get("end"), "context.period.end"),
        source_patient_id=source_id,
        source_patient_info=source_info,
        type_code=reader.code(resource.get("type"), "typeCode", "type"),
        unique_id=_unique_id(reader),
        **_content(reader, first(resource.get("content", ()))),
    )


def read_subject(subject: Resource) -> CX | None:
    """The patient of a logical reference."""
    return read_cx(subject.get("identifier", {}))


def _unique_id(reader: Reader) -> str | None:
    """masterIdentifier, whatever its type or use. MHD 3:4.2.3.1"""
    identifier = reader.resource.get("masterIdentifier", {})
    if not identifier.get("value"):
        return None
    text = from_identifier(identifier.get("system", ""), identifier["value"])
    found: str | None = reader.parsed(texts.parse_unique_id, text, "masterIdentifier.value")
    return found


def _content(reader: Reader, content: Resource) -> dict[str, Any]:
    attachment, path = content.get("attachment", {}), "content[0].attachment"
    return {
        "mime_type": reader.parsed(texts.parse_mime_type, attachment.get("contentType"), f"{path}.contentType"),
        "language_code": reader.parsed(texts.parse_language, attachment.get("language"), f"{path}.language"),
        "creation_time": reader.time(attachment.get("creation"), f"{path}.creation"),
        "size": attachment.get("size"),
        "hash": reader.parsed(read_hash, attachment.get("hash"), f"{path}.hash"),
        "title": attachment.get("title"),
        "format_code": reader.code(
            {"coding": [content["format"]]} if content.get("format") else None, "formatCode", "content[0].format"
        ),
    }


def read_hash(text: str) -> str:
    """SHA-1 as 40 hexadecimal digits, of the three forms that versions of MHD have. Raises ValueError. MHD 4.2.4"""
    if _HEX.match(text):
        return text.lower()
    try:
        octets = base64.b64decode(text, validate=True)
    except binascii.Error:
        octets = b""
    if len(octets) == 20:
        return octets.hex()
    if _HEX.match(octets.decode("latin-1")):
        return octets.decode().lower()
    raise ValueError("expected the 20 octets of a SHA-1 in base64")


def _authenticator(reader: Reader) -> XCN | None:
    reference = reader.resource.get("authenticator")
    if reference is None:
        return None
    author = read_author(reference, reader.find)
    if author is not None and author.author_person is not None:
        return author.author_person
    resource = reader.find(reference)
    return None if resource is None or resource["resourceType"] == "PractitionerRole" else read_person(resource)


def _source_patient(reader: Reader, context: Resource) -> tuple[CX | None, tuple[str, ...]]:
    """The patient as the source knew it. MHD 3:4.2.1"""
    reference = context.get("sourcePatientInfo", {})
    resource = reader.find(reference)
    if resource is not None and resource["resourceType"] == "Patient":
        return read_source_patient(resource)
    return read_cx(reference.get("identifier", {})), ()
