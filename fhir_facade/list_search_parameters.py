"""The search parameters of ITI-66: one table, read by the search and by /metadata. MHD 2:3.66.4.1.2."""

from fhir_facade.search_parameters import LAST_UPDATED, PDSM, TARGET_COMMUNITY
from fhir_facade.search_times import PREFIXES, narrow_list_date
from fhir_facade.search_values import (
    ANY_NAME,
    FAMILY,
    GIVEN,
    Narrow,
    SearchParameter,
    names_modified,
    names_with,
    narrow_archived,
    narrow_designation,
    narrow_designation_not,
    narrow_id,
    narrow_identifier,
    narrow_kind,
    narrow_list_status,
    narrow_list_status_not,
    narrow_patient,
    narrow_patient_reference,
    narrow_source_id,
    title_with,
)
from registry.criteria import TextMatch

_BASE = "http://hl7.org/fhir/SearchParameter"
_MHD = "https://profiles.ihe.net/ITI/MHD/SearchParameter"


def _parameter(
    name: str,
    kind: str,
    narrow: Narrow,
    documentation: str,
    definition: str,
    *modifiers: tuple[str, Narrow],
    attributes: tuple[str, ...] = (),
) -> SearchParameter:
    return SearchParameter(
        name=name,
        type=kind,
        narrow=narrow,
        documentation=documentation,
        definition=definition,
        attributes=attributes,
        modifiers=modifiers,
    )


# `code` says what the others are asked of, so it is read first.
LIST_SEARCH_PARAMETERS: tuple[SearchParameter, ...] = (
    _parameter("code", "token", narrow_kind, "submissionset or folder", f"{_BASE}/clinical-code"),
    _parameter(
        "patient",
        "reference",
        narrow_patient_reference,
        "the patient, as id, Patient/id or URL",
        f"{_BASE}/clinical-patient",
    ),
    _parameter("subject", "reference", narrow_patient_reference, "the same", f"{_BASE}/List-subject"),
    _parameter(
        "patient.identifier",
        "token",
        narrow_patient,
        "identifier of the patient, system|value",
        f"{_BASE}/Patient-identifier",
    ),
    _parameter(
        "identifier",
        "token",
        narrow_identifier,
        "uniqueId or entryUUID, with or without system",
        f"{_BASE}/clinical-identifier",
    ),
    _parameter("_id", "token", narrow_id, "logical id", f"{_BASE}/Resource-id"),
    _parameter(
        "status",
        "token",
        narrow_list_status,
        "current, superseded or retired; a list means any of them; :not",
        f"{_BASE}/List-status",
        ("not", narrow_list_status_not),
    ),
    _parameter(
        "date",
        "date",
        narrow_list_date,
        f"submissionTime or lastUpdateTime; {PREFIXES}",
        f"{_BASE}/clinical-date",
    ),
    _parameter(
        "designationType",
        "token",
        narrow_designation,
        "contentTypeCode or codeList; :not",
        f"{_MHD}/List-DesignationType",
        ("not", narrow_designation_not),
        attributes=("content_type_code",),
    ),
    _parameter(
        "title",
        "string",
        title_with(),
        "title, from its beginning, in any case; :exact :contains",
        f"{_BASE}/List-title",
        ("exact", title_with(TextMatch.WHOLE)),
        ("contains", title_with(TextMatch.WITHIN)),
        attributes=("title",),
    ),
    _parameter("sourceId", "token", narrow_source_id, "sourceId, an OID", f"{_MHD}/List-SourceId"),
    _parameter(
        "source.family",
        "string",
        names_with(FAMILY),
        "family name of an author of a SubmissionSet, from its beginning, in any case; :exact :contains",
        "http://hl7.org/fhir/SearchParameter/Practitioner-family",
        *names_modified(FAMILY),
        attributes=("author_person",),
    ),
    _parameter(
        "source.given",
        "string",
        names_with(GIVEN),
        "given name of an author of a SubmissionSet, from its beginning, in any case; :exact :contains",
        "http://hl7.org/fhir/SearchParameter/Practitioner-given",
        *names_modified(GIVEN),
        attributes=("author_person",),
    ),
    _parameter(
        "source.name",
        "string",
        names_with(ANY_NAME),
        "family or given name of an author of a SubmissionSet, from its beginning, in any case; :exact :contains",
        "http://hl7.org/fhir/SearchParameter/Practitioner-name",
        *names_modified(ANY_NAME),
        attributes=("author_person",),
    ),
    _parameter(
        "isArchived",
        "token",
        narrow_archived,
        "true: Archived, which status=current finds too; false: anything else",
        f"{PDSM}/PDSm-isArchived",
    ),
    LAST_UPDATED,
    TARGET_COMMUNITY,
)
