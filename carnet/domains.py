"""The affinity domains Carnet ships: the French DMP, and any other (`ihe`). ITI TF-1: 10."""

from dataclasses import replace

from carnet.settings import Settings
from schemas.value_sets import value_set
from xds.affinity_domain import AffinityDomain

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
    """The domain the settings name."""
    domain = _dmp(check_codes=settings.check_codes) if settings.domain == "dmp" else AffinityDomain(name="ihe")
    return replace(
        domain,
        home_community_id=settings.home_community_id,
        propagated_memberships_are_members=settings.propagated_memberships,
        restricted_update_is_strict=settings.strict_restricted_update,
    )


def wire_name(settings: Settings) -> str:
    """`strict` or `dmp`: how much sender quirks are tolerated."""
    return settings.wire or ("dmp" if settings.domain == "dmp" else "strict")


def repository_unique_id(settings: Settings) -> str:
    return settings.repository_id or _REPOSITORY_IDS[settings.domain]


def _dmp(*, check_codes: bool) -> AffinityDomain:
    tables = {
        attribute: frozenset((concept.code, concept.system) for concept in value_set(name).concepts)
        for attribute, name in _DMP_TABLES.items()
    }
    return AffinityDomain(
        name="dmp",
        assigning_authorities=INS_AUTHORITIES,
        identifier_types_allowed=True,
        unique_id_is_oid=True,
        signature_signs_submission_set=True,
        code_tables=tables if check_codes else {},
    )
