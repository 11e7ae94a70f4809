"""The search parameters of ITI-66: one table, read by the search and by /metadata. MHD 2:3.66.4.1.2."""

from fhir_facade.search_parameters import LAST_UPDATED, PDSM, TARGET_COMMUNITY
from fhir_facade.search_values import (
    Narrow,
    SearchParameter,
    narrow_archived,
    narrow_author_family,
    narrow_author_given,
    narrow_designation,
    narrow_id,
    narrow_identifier,
    narrow_kind,
    narrow_list_date,
    narrow_list_status,
    narrow_patient,
    narrow_patient_reference,
    narrow_source_id,
)

_BASE = "http://hl7.org/fhir/SearchParameter"
_MHD = "https://profiles.ihe.net/ITI/MHD/SearchParameter"


def _parameter(name: str, kind: str, narrow: Narrow, documentation: str, definition: str) -> SearchParameter:
    return SearchParameter(name=name, type=kind, narrow=narrow, documentation=documentation, definition=definition)


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
        "current, superseded or retired; a list means any of them",
        f"{_BASE}/List-status",
    ),
    _parameter(
        "date",
        "date",
        narrow_list_date,
        "submissionTime or lastUpdateTime; eq ge gt le lt",
        f"{_BASE}/clinical-date",
    ),
    _parameter(
        "designationType",
        "token",
        narrow_designation,
        "contentTypeCode or codeList",
        f"{_MHD}/List-DesignationType",
    ),
    _parameter("sourceId", "token", narrow_source_id, "sourceId, an OID", f"{_MHD}/List-SourceId"),
    _parameter(
        "source.family",
        "string",
        narrow_author_family,
        "family name of an author of a SubmissionSet, from its beginning",
        "http://hl7.org/fhir/SearchParameter/Practitioner-family",
    ),
    _parameter(
        "source.given",
        "string",
        narrow_author_given,
        "given name of an author of a SubmissionSet, from its beginning",
        "http://hl7.org/fhir/SearchParameter/Practitioner-given",
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
