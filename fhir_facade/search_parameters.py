"""The search parameters of ITI-67: one table, read by the search and by /metadata. MHD 2:3.67.4.1.2.1."""

from fhir_facade.search_authors import (
    author_names,
    names_modified,
    narrow_author_identifier,
    organisation_identified,
    organisation_with,
    role_organisation,
)
from fhir_facade.search_references import narrow_related, narrow_relates_to, narrow_submitted
from fhir_facade.search_times import PREFIXES, narrow_given_time, narrow_period, narrow_time
from fhir_facade.search_values import (
    ANY_NAME,
    FAMILY,
    GIVEN,
    Narrow,
    SearchParameter,
    narrow_archived,
    narrow_code,
    narrow_code_not,
    narrow_community,
    narrow_id,
    narrow_identifier,
    narrow_patient,
    narrow_patient_reference,
    narrow_status,
    narrow_status_not,
)
from registry.criteria import TextMatch

_BASE = "http://hl7.org/fhir/SearchParameter"
_ROLES = "role_institution"
PDSM = "https://interop.esante.gouv.fr/ig/fhir/pdsm/SearchParameter"


def _of_role(match: TextMatch = TextMatch.START) -> Narrow:
    return role_organisation(organisation_with(match, _ROLES))


def _token(name: str, attribute: str, documentation: str) -> SearchParameter:
    return SearchParameter(
        name=name,
        type="token",
        documentation=f"{documentation}; :not",
        narrow=narrow_code,
        attributes=(attribute,),
        modifiers=(("not", narrow_code_not),),
        definition=f"{_BASE}/DocumentReference-{name}",
    )


def _submitted(name: str, element: str, documentation: str) -> SearchParameter:
    return SearchParameter(
        name=name,
        type="reference",
        documentation=f"{documentation}: Type/id or URL",
        narrow=narrow_submitted,
        attributes=(element,),
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
    documentation=f"when the resource was changed last, its status included; {PREFIXES}",
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
        documentation="current, superseded; a list means any of them; :not",
        narrow=narrow_status,
        modifiers=(("not", narrow_status_not),),
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
        documentation="family name of an author, from its beginning, in any case; :exact :contains",
        narrow=author_names(FAMILY),
        attributes=("author_person",),
        modifiers=names_modified(FAMILY),
        definition="http://hl7.org/fhir/SearchParameter/Practitioner-family",
    ),
    SearchParameter(
        name="author.given",
        type="string",
        documentation="given name of an author, from its beginning, in any case; :exact :contains",
        narrow=author_names(GIVEN),
        attributes=("author_person",),
        modifiers=names_modified(GIVEN),
        definition="http://hl7.org/fhir/SearchParameter/Practitioner-given",
    ),
    SearchParameter(
        name="author.name",
        type="string",
        documentation="family or given name of an author, from its beginning, in any case; :exact :contains",
        narrow=author_names(ANY_NAME),
        attributes=("author_person",),
        modifiers=names_modified(ANY_NAME),
        definition="http://hl7.org/fhir/SearchParameter/Practitioner-name",
    ),
    SearchParameter(
        name="author.identifier",
        type="token",
        documentation="identifier of an author person, with or without system",
        narrow=narrow_author_identifier,
        attributes=("author_id",),
        definition="http://hl7.org/fhir/SearchParameter/Practitioner-identifier",
    ),
    SearchParameter(
        name="author.organization.name",
        type="string",
        documentation="organisation that an author acts for, from its beginning, in any case; :exact :contains",
        narrow=_of_role(),
        modifiers=(
            ("exact", _of_role(TextMatch.WHOLE)),
            ("contains", _of_role(TextMatch.WITHIN)),
        ),
        definition="http://hl7.org/fhir/SearchParameter/Organization-name",
    ),
    SearchParameter(
        name="author.organization.identifier",
        type="token",
        documentation="its identifier, with or without system; also as author.organization:identifier",
        narrow=role_organisation(organisation_identified(_ROLES)),
        definition="http://hl7.org/fhir/SearchParameter/Organization-identifier",
    ),
    SearchParameter(
        name="relatesto",
        type="reference",
        documentation="what replaces, appends, transforms or signs this document; also as relatesTo",
        narrow=narrow_relates_to,
        definition=f"{_BASE}/DocumentReference-relatesto",
    ),
    _submitted("author", "author", "an author as FHIR submitted it; contained ones by name and identifier"),
    _submitted("related", "context.related", "what a document relates to, as FHIR submitted it"),
    SearchParameter(
        name="related.identifier",
        type="token",
        documentation="an identifier of referenceIdList; also as related:identifier",
        narrow=narrow_related,
        attributes=("reference_id_list",),
    ),
    SearchParameter(
        name="date",
        type="date",
        documentation=f"creationTime, which DocumentReference.date carries; {PREFIXES}",
        narrow=narrow_time,
        attributes=("creation_time",),
        definition=f"{_BASE}/DocumentReference-date",
    ),
    SearchParameter(
        name="creation",
        type="date",
        documentation=f"creationTime; {PREFIXES}",
        narrow=narrow_time,
        attributes=("creation_time",),
        definition="https://profiles.ihe.net/ITI/MHD/SearchParameter/DocumentReference-Creation",
    ),
    SearchParameter(
        name="period",
        type="date",
        documentation="serviceStartTime to serviceStopTime, overlap, eq and ne: within; eq ne ge gt le lt sa eb ap",
        narrow=narrow_period,
        attributes=("service_start_time", "service_stop_time"),
        definition=f"{_BASE}/DocumentReference-period",
    ),
    SearchParameter(
        name="period-start",
        type="date",
        documentation=f"serviceStartTime of what has one; {PREFIXES}",
        narrow=narrow_given_time,
        attributes=("service_start_time",),
        definition=f"{PDSM}/PDSm-DocumentReference-period-start",
    ),
    SearchParameter(
        name="period-end",
        type="date",
        documentation=f"serviceStopTime of what has one; {PREFIXES}",
        narrow=narrow_given_time,
        attributes=("service_stop_time",),
        definition=f"{PDSM}/PDSm-DocumentReference-period-end",
    ),
    LAST_UPDATED,
    TARGET_COMMUNITY,
)
