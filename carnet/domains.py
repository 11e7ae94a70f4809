"""The affinity domains Carnet ships: the French DMP, and any other (`ihe`). ITI TF-1: 10."""

from collections.abc import Collection
from dataclasses import replace

from carnet.codes_file import read_codes_file
from carnet.settings import Settings, SettingsError
from cda.national_identifiers import is_ins
from schemas.value_sets import value_set
from xds.affinity_domain import AffinityDomain
from xds.datatypes import Code
from xds.errors import ErrorCode
from xds.vocabulary import AvailabilityStatus

# INS identifiers: NIR, NIA, test NIR, demonstration NIR. CI-SIS Structuration minimale 3.5
INS_AUTHORITIES = frozenset(f"1.2.250.1.213.1.4.{arc}" for arc in (8, 9, 10, 11))
TEST_INS_AUTHORITY = "1.2.250.1.213.1.4.10"

# Attribute -> value set of the DMP that closes it.
_DMP_TABLES = {
    "classCode": "JDV_J57_ClassCode_DMP",
    "typeCode": "JDV_J66_TypeCode_DMP",
    "formatCode": "JDV_J60_FormatCode_DMP",
    "confidentialityCode": "JDV_J58_ConfidentialityCode_DMP",
    "healthcareFacilityTypeCode": "JDV_J61_HealthcareFacilityTypeCode_DMP",
    "practiceSettingCode": "JDV_J62_PracticeSettingCode_DMP",
    "contentTypeCode": "JDV_J59_ContentTypeCode_DMP",
}
_REPOSITORY_IDS = {
    "dmp": "1.2.250.1.213.4.1.1.1.2",
    "ihe": "2.25.240371564212417372127236542087136485236",
}


def affinity_domain(settings: Settings) -> AffinityDomain:
    """The domain the settings name. Raises SettingsError for a codes file that is wrong."""
    domain = _dmp(check_codes=settings.check_codes) if settings.domain == "dmp" else _ihe(settings)
    authority = settings.feed_authority or _only(domain.assigning_authorities)
    if authority and not domain.is_assigned_by(authority):
        expected = ", ".join(sorted(domain.assigning_authorities))
        raise SettingsError(f"setting feed_authority: found {authority}, expected one of the domain: {expected}")
    return replace(
        domain,
        default_authority=authority,
        derived_content_type=_derived_content_type(settings),
        home_community_id=settings.home_community_id,
        propagated_memberships_are_members=settings.propagated_memberships,
        restricted_update_is_strict=settings.strict_restricted_update,
        other_patient_error=ErrorCode(settings.other_patient_error),
    )


def _derived_content_type(settings: Settings) -> Code | None:
    """With the name that the value set of the DMP gives it. Raises SettingsError."""
    if not settings.derived_content_type:
        return None
    try:
        code = Code.parse(settings.derived_content_type)
    except ValueError as problem:
        raise SettingsError(f"setting derived_content_type: found {settings.derived_content_type}, {problem}") from None
    display = value_set(_DMP_TABLES["contentTypeCode"]).display(code.code, code.coding_scheme)
    return replace(code, display_name=display or code.code)


def _only(authorities: Collection[str]) -> str:
    return next(iter(authorities)) if len(authorities) == 1 else ""


def wire_name(settings: Settings) -> str:
    """`strict` or `dmp`: how much sender quirks are tolerated."""
    return settings.wire or ("dmp" if settings.domain == "dmp" else "strict")


def repository_unique_id(settings: Settings) -> str:
    return settings.repository_id or _REPOSITORY_IDS[settings.domain]


def _ihe(settings: Settings) -> AffinityDomain:
    """Any domain: open without a codes file, else closed by it."""
    if not settings.codes:
        return AffinityDomain(name="ihe", limited_metadata_allowed=True, patients_by_fhir=True)
    found = read_codes_file(settings.codes)
    return AffinityDomain(
        name="ihe",
        limited_metadata_allowed=True,
        patients_by_fhir=True,
        assigning_authorities=frozenset(found.authorities),
        authority_names={name: oid for oid, name in found.authorities.items() if name},
        code_tables=found.code_tables if settings.check_codes else {},
        mime_types=found.mime_types if settings.check_codes else frozenset(),
    )


def _ins_problem(identifier: str) -> str:
    return "" if is_ins(identifier) else "expected an INS: 15 characters, of them 2 for its key"


def _dmp(*, check_codes: bool) -> AffinityDomain:
    tables = {
        attribute: frozenset((concept.code, concept.system) for concept in value_set(name).concepts)
        for attribute, name in _DMP_TABLES.items()
    }
    return AffinityDomain(
        name="dmp",
        assigning_authorities=INS_AUTHORITIES,
        identifier_problem=_ins_problem,
        identifier_types_allowed=True,
        unique_id_is_oid=True,
        signature_signs_submission_set=True,
        updates_keep_octets=True,
        statuses=frozenset(AvailabilityStatus),
        code_tables=tables if check_codes else {},
    )
