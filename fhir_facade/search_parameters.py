"""The search parameters of ITI-67: one table, read by the search and by /metadata. MHD 2:3.67.4.1.2.1."""

from fhir_facade.search_values import (
    SearchParameter,
    narrow_archived,
    narrow_author_family,
    narrow_author_given,
    narrow_author_identifier,
    narrow_code,
    narrow_community,
    narrow_given_time,
    narrow_id,
    narrow_identifier,
    narrow_patient,
    narrow_patient_reference,
    narrow_period,
    narrow_related,
    narrow_relates_to,
    narrow_status,
    narrow_time,
)

_BASE = "http://hl7.org/fhir/SearchParameter"
PDSM = "https://interop.esante.gouv.fr/ig/fhir/pdsm/SearchParameter"


def _token(name: str, attribute: str, documentation: str) -> SearchParameter:
    return SearchParameter(
        name=name,
        type="token",
        documentation=documentation,
        narrow=narrow_code,
        attributes=(attribute,),
        definition=f"{_BASE}/DocumentReference-{name}",
    )


# Not declared by /metadata: whether any value of it is taken depends on the setting of the homeCommunityId.
TARGET_COMMUNITY = SearchParameter(
    name="targetCommunityIdList",
    type="uri",
    documentation="homeCommunityId of this community; any other is refused",
    narrow=narrow_community,
    definition="https://profiles.ihe.net/ITI/MHD/SearchParameter/IHE-TargetCommunityIdList",
    hidden=True,
)
LAST_UPDATED = SearchParameter(
    name="_lastUpdated",
    type="date",
    documentation="when the resource was changed last, its status included; eq ge gt le lt",
    narrow=narrow_given_time,
    attributes=("last_updated",),
    definition="http://hl7.org/fhir/SearchParameter/Resource-lastUpdated",
)
SEARCH_PARAMETERS: tuple[SearchParameter, ...] = (
    SearchParameter(
        name="patient",
        type="reference",
        documentation="the patient, as id, Patient/id or URL",
        narrow=narrow_patient_reference,
        definition=f"{_BASE}/clinical-patient",
    ),
    SearchParameter(
        name="subject",
        type="reference",
        documentation="the same",
        narrow=narrow_patient_reference,
        definition=f"{_BASE}/DocumentReference-subject",
    ),
    SearchParameter(
        name="patient.identifier",
        type="token",
        documentation="identifier of the patient, urn:oid:OID|value",
        narrow=narrow_patient,
        definition=f"{_BASE}/Patient-identifier",
    ),
    SearchParameter(
        name="patient:identifier",
        type="token",
        documentation="the same for the logical reference that subject is",
        narrow=narrow_patient,
        hidden=True,
    ),
    SearchParameter(
        name="identifier",
        type="token",
        documentation="uniqueId or entryUUID, with or without system",
        narrow=narrow_identifier,
        definition=f"{_BASE}/clinical-identifier",
    ),
    SearchParameter(
        name="_id",
        type="token",
        documentation="logical id",
        narrow=narrow_id,
        definition=f"{_BASE}/Resource-id",
    ),
    SearchParameter(
        name="status",
        type="token",
        documentation="current, superseded; a list means any of them",
        narrow=narrow_status,
        definition=f"{_BASE}/DocumentReference-status",
    ),
    SearchParameter(
        name="isArchived",
        type="token",
        documentation="true: Archived, which status=current finds too; false: anything else",
        narrow=narrow_archived,
        definition=f"{PDSM}/PDSm-isArchived",
    ),
    _token("type", "type_code", "typeCode"),
    _token("category", "class_code", "classCode"),
    _token("setting", "practice_setting_code", "practiceSettingCode"),
    _token("facility", "healthcare_facility_type_code", "healthcareFacilityTypeCode"),
    _token("event", "event_code_list", "eventCodeList; repeated: all of them"),
    _token("security-label", "confidentiality_code", "confidentialityCode; repeated: all of them"),
    _token("format", "format_code", "formatCode"),
    SearchParameter(
        name="author.family",
        type="string",
        documentation="family name of an author, from its beginning, without regard to case",
        narrow=narrow_author_family,
        definition="http://hl7.org/fhir/SearchParameter/Practitioner-family",
    ),
    SearchParameter(
        name="author.given",
        type="string",
        documentation="given name of an author, from its beginning, without regard to case",
        narrow=narrow_author_given,
        definition="http://hl7.org/fhir/SearchParameter/Practitioner-given",
    ),
    SearchParameter(
        name="author.identifier",
        type="token",
        documentation="identifier of an author person, with or without system",
        narrow=narrow_author_identifier,
        definition="http://hl7.org/fhir/SearchParameter/Practitioner-identifier",
    ),
    SearchParameter(
        name="relatesto",
        type="reference",
        documentation="what replaces, appends, transforms or signs this document; also as relatesTo",
        narrow=narrow_relates_to,
        definition=f"{_BASE}/DocumentReference-relatesto",
    ),
    SearchParameter(
        name="relatesTo",
        type="reference",
        documentation="the same, as PDSm writes it",
        narrow=narrow_relates_to,
        hidden=True,
    ),
    SearchParameter(
        name="related.identifier",
        type="token",
        documentation="an identifier of referenceIdList; also as related:identifier",
        narrow=narrow_related,
    ),
    SearchParameter(
        name="related:identifier",
        type="token",
        documentation="the same",
        narrow=narrow_related,
        hidden=True,
    ),
    SearchParameter(
        name="date",
        type="date",
        documentation="creationTime, which DocumentReference.date carries; eq ge gt le lt",
        narrow=narrow_time,
        attributes=("creation_time",),
        definition=f"{_BASE}/DocumentReference-date",
    ),
    SearchParameter(
        name="creation",
        type="date",
        documentation="creationTime; eq ge gt le lt",
        narrow=narrow_time,
        attributes=("creation_time",),
        definition="https://profiles.ihe.net/ITI/MHD/SearchParameter/DocumentReference-Creation",
    ),
    SearchParameter(
        name="period",
        type="date",
        documentation="serviceStartTime to serviceStopTime, overlap; eq ge gt le lt",
        narrow=narrow_period,
        attributes=("service_start_time", "service_stop_time"),
        definition=f"{_BASE}/DocumentReference-period",
    ),
    SearchParameter(
        name="period-start",
        type="date",
        documentation="serviceStartTime of what has one; eq ge gt le lt",
        narrow=narrow_given_time,
        attributes=("service_start_time",),
        definition=f"{PDSM}/PDSm-DocumentReference-period-start",
    ),
    SearchParameter(
        name="period-end",
        type="date",
        documentation="serviceStopTime of what has one; eq ge gt le lt",
        narrow=narrow_given_time,
        attributes=("service_stop_time",),
        definition=f"{PDSM}/PDSm-DocumentReference-period-end",
    ),
    LAST_UPDATED,
    TARGET_COMMUNITY,
)
