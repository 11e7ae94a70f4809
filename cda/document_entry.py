"""DocumentEntry of a CDA document, from its header. ITI TF-3: 4.2.3.2, PDSm4DMP 0.1.0.

What the registry or the repository computes (entryUUID, hash, size, repositoryUniqueId,
availabilityStatus, version) is handed in or stays absent; visibility codes come from the sender.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from cda.datatypes import CD, II
from cda.header import Header, Order
from cda.participations import (
    joined,
    patient_id,
    source_patient_id,
    source_patient_lines,
    to_author,
    to_xcn,
)
from cda.timestamps import Timestamp, read_timestamp
from schemas.value_sets import Concept, class_of_type, format_of_media_type, format_of_template
from xds.datatypes import DTM, Code, CXi, escape
from xds.identifiers import is_oid
from xds.metadata import DocumentEntry

# Templates that every document has: they say nothing about its format. CI-SIS Structuration minimale 3.5
_HEADER_TEMPLATES = frozenset({"2.16.840.1.113883.2.8.2.1", "1.2.250.1.213.1.1.1.1"})
_CI_SIS_MODELS = "1.2.250.1.213.1.1.1."
_ORDER = "urn:ihe:iti:xds:2013:order"
_ACCESSION = "urn:ihe:iti:xds:2013:accession"
_STUDY_INSTANCE_UID = "urn:ihe:iti:xds:2016:studyInstanceUID"

# What the DMP demands of an entry: attribute, field, what the document did not have.
_REQUIRED = (
    ("uniqueId", "unique_id", "id/@root"),
    ("patientId", "patient_id", "recordTarget/patientRole/id with the authority of an INS"),
    ("sourcePatientId", "source_patient_id", "recordTarget/patientRole/id"),
    ("sourcePatientInfo", "source_patient_info", "recordTarget/patientRole/patient"),
    ("title", "title", "title"),
    ("creationTime", "creation_time", "effectiveTime/@value"),
    ("languageCode", "language_code", "languageCode/@code"),
    ("typeCode", "type_code", "code"),
    ("classCode", "class_code", "code of a type with a known class"),
    ("formatCode", "format_code", "templateId of a model with a known format, or mediaType of nonXMLBody with one"),
    ("confidentialityCode", "confidentiality_code", "confidentialityCode"),
    ("author", "author", "author/assignedAuthor"),
    ("legalAuthenticator", "legal_authenticator", "legalAuthenticator/assignedEntity"),
    ("serviceStartTime", "service_start_time", "effectiveTime/low of the first documentationOf"),
    ("practiceSettingCode", "practice_setting_code", "documentationOf//performer//standardIndustryClassCode"),
    ("healthcareFacilityTypeCode", "healthcare_facility_type_code", "componentOf//healthCareFacility/code"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Derived:
    """The entry, a sentence for each required attribute it lacks, and one for each guess in it."""

    entry: DocumentEntry
    missing: tuple[str, ...] = ()
    assumed: tuple[str, ...] = ()


def document_entry(
    header: Header, *, size: int | None = None, hash: str | None = None, entry_uuid: str = "Document01"
) -> Derived:
    """Everything the header tells. `size` in octets and `hash` (SHA-1) are those of the whole file.

    `entry_uuid` is the symbolic id under which a submission names the entry. ITI TF-3: 4.2.1.2.1
    """
    times = {attribute: (value, _timestamp(value)) for attribute, value in _times(header).items()}
    creation, start, stop = (timestamp for _, timestamp in times.values())
    entry = DocumentEntry(
        entry_uuid=entry_uuid,
        mime_type=header.mime_type,
        author=tuple(author for each in header.author if (author := to_author(each))),
        class_code=_class_code(header.code),
        confidentiality_code=_codes(header.confidentiality_code),
        creation_time=_dtm(creation),
        event_code_list=_event_code_list(header),
        format_code=_format_code(header),
        hash=hash,
        healthcare_facility_type_code=_code(header.health_care_facility_code),
        language_code=header.language_code or None,
        legal_authenticator=to_xcn(header.legal_authenticator) if header.legal_authenticator else None,
        patient_id=patient_id(header.patient.id),
        practice_setting_code=_practice_setting_code(header),
        reference_id_list=tuple(_reference_id_list(header)),
        service_start_time=_dtm(start),
        service_stop_time=_dtm(stop),
        size=size,
        source_patient_id=source_patient_id(header.patient.id),
        source_patient_info=source_patient_lines(header.patient),
        title=header.title or None,
        type_code=_code(header.code),
        unique_id=unique_id(header.id) if header.id else None,
    )
    return Derived(entry=entry, missing=tuple(_missing(entry)), assumed=tuple(_assumed(times)))


def replaced_unique_id(header: Header) -> str | None:
    """uniqueId of the document this one replaces, None when it replaces none. ITI TF-3: 4.2.2.2.2"""
    for related in header.related_document:
        if related.type_code == "RPLC" and related.parent_id:
            return unique_id(related.parent_id)
    return None


def unique_id(identifier: II) -> str:
    """A document id as the metadata write it, `root` or `root^extension`. ITI TF-3: 4.2.3.2.26"""
    return f"{identifier.root}^{identifier.extension}" if identifier.extension else identifier.root


def _missing(entry: DocumentEntry) -> Iterator[str]:
    for attribute, field, source in _REQUIRED:
        if not getattr(entry, field):
            yield f"{attribute} cannot be derived: the document has no usable {source}."


def _times(header: Header) -> dict[str, str]:
    """Attribute -> value in the document; the first documentationOf is the principal act."""
    principal = next(iter(header.service_event), None)
    return {
        "creationTime": header.effective_time,
        "serviceStartTime": principal.low if principal else "",
        "serviceStopTime": principal.high if principal else "",
    }


def _assumed(times: Mapping[str, tuple[str, Timestamp | None]]) -> Iterator[str]:
    for attribute, (value, timestamp) in times.items():
        if timestamp and timestamp.is_zone_assumed:
            yield f"{attribute}: {value} has no offset and was read as the time in France."


def _timestamp(value: str) -> Timestamp | None:
    try:
        return read_timestamp(value)
    except ValueError:
        return None


def _dtm(timestamp: Timestamp | None) -> DTM | None:
    return timestamp.dtm if timestamp else None


def _code(value: CD | None) -> Code | None:
    if value is None or not value.code_system:
        return None
    return Code(code=value.code, coding_scheme=value.code_system, display_name=value.display_name)


def _codes(*values: CD | None) -> tuple[Code, ...]:
    """Each coded value once, in the order of the document."""
    codes = (code for value in values if (code := _code(value)))
    return tuple({(code.code, code.coding_scheme): code for code in codes}.values())


def _from_concept(concept: Concept | None) -> Code | None:
    if concept is None:
        return None
    return Code(code=concept.code, coding_scheme=concept.system, display_name=concept.display)


def _class_code(type_code: CD | None) -> Code | None:
    """classCode from typeCode. ANS ASS_X16, ASS_X04"""
    return _from_concept(class_of_type(type_code.code, type_code.code_system)) if type_code else None


def _format_code(header: Header) -> Code | None:
    """formatCode from the media type of an unstructured body, else from the model. ANS ASS_A12, ASS_A11"""
    if header.is_unstructured:
        return _from_concept(format_of_media_type(header.media_type))
    formats = (format_of_template(root) for root in _models(header))
    return _from_concept(next((concept for concept in formats if concept), None))


def _models(header: Header) -> list[str]:
    """Templates of the model, those of the CI-SIS before those of IHE."""
    roots = [template.root for template in header.template_id if template.root not in _HEADER_TEMPLATES]
    return sorted(roots, key=lambda root: not root.startswith(_CI_SIS_MODELS))


def _event_code_list(header: Header) -> tuple[Code, ...]:
    """Acts with their translations, which carry the modality and the region of imaging. ITI TF-3: 4.2.3.2.8"""
    codes = (event.code for event in header.service_event if event.code)
    return _codes(*(value for code in codes for value in (code, *code.translation)))


def _practice_setting_code(header: Header) -> Code | None:
    """Of the principal act, else of the first act that has one."""
    performers = (event.performer for event in header.service_event)
    organizations = (performer.organization for performer in performers if performer)
    codes = (_code(organization.standard_industry_class_code) for organization in organizations if organization)
    return next((code for code in codes if code), None)


def _reference_id_list(header: Header) -> Iterator[CXi]:
    """Orders, accession numbers and studies the document answers to. ITI TF-3: 4.2.3.2.28"""
    for order in header.order:
        yield from _order_references(order)
    for uid in header.study_instance_uid:
        yield CXi.parse(f"{escape(uid)}^^^^{_STUDY_INSTANCE_UID}")


def _order_references(order: Order) -> Iterator[CXi]:
    yield from (_to_cxi(identifier, _ORDER) for identifier in order.id)
    if order.accession_number:
        yield _to_cxi(order.accession_number, _ACCESSION)


def _to_cxi(identifier: II, type_code: str) -> CXi:
    authority = f"&{identifier.root}&ISO" if identifier.extension and is_oid(identifier.root) else ""
    return CXi.parse(joined({1: escape(identifier.extension or identifier.root), 4: authority, 5: type_code}))
