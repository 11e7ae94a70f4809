"""The search parameters of ITI-66: one table, read by the search and by /metadata. MHD 2:3.66.4.1.2."""

from fhir_facade.search_authors import organisation_identified, organisation_with, source_names, source_organisation
from fhir_facade.search_parameters import LAST_UPDATED, PDSM, TARGET_COMMUNITY
from fhir_facade.search_references import narrow_submitted
from fhir_facade.search_times import PREFIXES, narrow_list_date
from fhir_facade.search_values import (
    ANY_NAME,
    FAMILY,
    GIVEN,
    Narrow,
    SearchParameter,
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
    *(
        _parameter(
            f"source.{name}",
            "string",
            source_names(components),
            f"{told} name of an author of a SubmissionSet, from its beginning, in any case; :exact :contains",
            f"{_BASE}/Practitioner-{name}",
            ("exact", source_names(components, TextMatch.WHOLE)),
            ("contains", source_names(components, TextMatch.WITHIN)),
            attributes=("author_person",),
        )
        for name, told, components in (
            ("family", "family", FAMILY),
            ("given", "given", GIVEN),
            ("name", "family or given", ANY_NAME),
        )
    ),
    _parameter(
        "source",
        "reference",
        narrow_submitted,
        "the author as FHIR submitted it: Type/id or URL; contained ones by name",
        f"{_BASE}/List-source",
        attributes=("source",),
    ),
    _parameter(
        "source.organization.name",
        "string",
        source_organisation(organisation_with()),
        "institution of an author who is a professional, from its beginning, in any case; :exact :contains",
        f"{_BASE}/Organization-name",
        ("exact", source_organisation(organisation_with(TextMatch.WHOLE))),
        ("contains", source_organisation(organisation_with(TextMatch.WITHIN))),
    ),
    _parameter(
        "source.organization.identifier",
        "token",
        source_organisation(organisation_identified()),
        "its identifier, with or without system; also as source.organization:identifier",
        f"{_BASE}/Organization-identifier",
    ),
    _parameter(
        "authorOrg",
        "reference",
        narrow_submitted,
        "its organisation as FHIR submitted it: Type/id or URL; contained ones by name and identifier",
        f"{PDSM}/PDSm-List-authorOrg",
        attributes=("author_org",),
    ),
    _parameter(
        "authorOrg.name",
        "string",
        organisation_with(),
        "name of an author institution of a SubmissionSet, from its beginning, in any case; :exact :contains",
        f"{_BASE}/Organization-name",
        ("exact", organisation_with(TextMatch.WHOLE)),
        ("contains", organisation_with(TextMatch.WITHIN)),
        attributes=("author_institution",),
    ),
    _parameter(
        "authorOrg.identifier",
        "token",
        organisation_identified(),
        "identifier of an author institution, with or without system; also as authorOrg:identifier",
        f"{_BASE}/Organization-identifier",
        attributes=("author_institution",),
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
