"""THE table of VIHF attributes: name, meaning, whether it must be there, what is allowed. DMP 6.2, W20.

Reading, making, explaining and documenting a VIHF walk the same rows. Versions 2.0, 3.0 and 4.0 have one set of
rules: no list of their differences is public.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import Enum

from access_policy.assertion import Assertion, AttributeValue
from access_policy.caller import AuthenticationMode, PurposeOfUse
from access_policy.findings import Finding, Problem, missing
from access_policy.trust import is_structure_id
from schemas.value_sets import value_set
from xds.datatypes import CX, Code

VERSIONS = ("2.0", "3.0", "4.0")
RESOURCE = "urn:dmp"
AUTOMATE = ("AUTOMATE", "1.2.250.1.213.1.1.4.6")
# The person herself, or who represents her: the NameID is an INS then.
PATIENT_SIDE = ("EXP_PATIENT", "1.2.250.1.213.1.1.4.6")
PURPOSE_SYSTEMS = ("1.2.250.1.213.1.1.4.248", "1.2.250.1.213.1.1.4.336")
SECRET_CONNECTION = Code(code="INVISIBLE_REPRESENTANTS_LEGAUX", coding_scheme="1.2.250.1.213.1.1.4.13")
# INS-C, which VIHF 2.0 named patients by.
INS_C = "1.2.250.1.213.1.4.2"
# First role (code, system) -> the systems one of which its second role must come from.
_SECOND_ROLES = {
    ("10", "1.2.250.1.71.1.2.7"): (("1.2.250.1.71.4.2.5",), "a speciality (TRE_R01)", "une spécialité (TRE_R01)"),
    ("21", "1.2.250.1.71.1.2.7"): (("1.2.250.1.71.4.2.6",), "a section (TRE_G05)", "une section (TRE_G05)"),
    ("99", "1.2.250.1.213.1.6.1.140"): (
        ("1.2.250.1.213.1.6.1.107", "1.2.250.1.213.1.6.1.19"),
        "a role (TRE_R85) or kind of activity (TRE_R22)",
        "un rôle (TRE_R85) ou un genre d'activité (TRE_R22)",
    ),
}


class Demand(Enum):
    """When an attribute must be there."""

    ALWAYS = "required"
    NOT_DIRECT = "required unless the mode is DIRECTE"
    NEVER = "optional"
    LEGACY = "ignored"


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """What a server allows: versions of the VIHF, and OIDs that assign patient identifiers."""

    versions: Sequence[str] = VERSIONS
    patient_authorities: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Claims:
    """What other attributes need to know: version and mode as far as they are readable."""

    expected: Expected
    version: str
    mode: AuthenticationMode | None


Check = Callable[[Sequence[AttributeValue], Claims], Iterator[Problem]]


@dataclass(frozen=True, slots=True, kw_only=True)
class VihfAttribute:
    """One row."""

    name: str
    demand: Demand
    english: str
    french: str
    many: bool
    check: Check


def _problem(english: str, french: str) -> Problem:
    return Problem(english=english, french=french)


def _anything(_values: Sequence[AttributeValue], _claims: Claims) -> Iterator[Problem]:
    yield from ()


def _one_of(allowed: Callable[[Claims], Sequence[str]]) -> Check:
    def check(values: Sequence[AttributeValue], claims: Claims) -> Iterator[Problem]:
        names = allowed(claims)
        if values[0].text not in names:
            yield _problem(f"expected {', '.join(names)}", f"attendu : {', '.join(names)}")

    return check


def _is_text(values: Sequence[AttributeValue], _claims: Claims) -> Iterator[Problem]:
    if not values[0].text:
        yield _problem("is empty", "est vide")


def _is_structure(values: Sequence[AttributeValue], _claims: Claims) -> Iterator[Problem]:
    if not is_structure_id(values[0].text):
        yield _problem("expected a Struct_IdNat: prefix and number", "attendu : un Struct_IdNat, préfixe et numéro")


def code_of(text: str) -> Code:
    """`code^system` of Secteur_Activite and confidentiality-code."""
    code, _, system = text.partition("^")
    return Code(code=code, coding_scheme=system)


def _in_value_set(name: str) -> Check:
    def check(values: Sequence[AttributeValue], _claims: Claims) -> Iterator[Problem]:
        code = code_of(values[0].text)
        if not value_set(name).contains(code.code, code.coding_scheme):
            short = name.partition("_DMP")[0]
            yield _problem(f"expected code^system of {short}", f"attendu : code^système de {short}")

    return check


def _is_patient(values: Sequence[AttributeValue], claims: Claims) -> Iterator[Problem]:
    authorities = claims.expected.patient_authorities | ({INS_C} if claims.version == "2.0" else set())
    try:
        found = CX.parse(values[0].text)
    except ValueError:
        yield _problem("expected INS^^^&OID&ISO^NH", "attendu : INS^^^&OID&ISO^NH")
        return
    if found.authority not in authorities:
        yield _problem("not identified by an authority of this domain", "autorité d'affectation inconnue du domaine")


def _is_purpose(values: Sequence[AttributeValue], _claims: Claims) -> Iterator[Problem]:
    code = values[0].code
    names = [str(one) for one in PurposeOfUse]
    if code is None or code.code not in names or code.coding_scheme not in PURPOSE_SYSTEMS:
        yield _problem(
            f"expected PurposeOfUse {', '.join(names)} of {PURPOSE_SYSTEMS[0]}",
            f"attendu : PurposeOfUse {', '.join(names)} de {PURPOSE_SYSTEMS[0]}",
        )


def role_problems(keys: Sequence[tuple[str, str]]) -> Iterator[Problem]:
    """What is wrong with (code, system) of a profession and what says which kind it is. ANS JDV_J65"""
    roles = value_set("JDV_J65_SubjectRole_DMP")
    for number, key in enumerate(keys, start=1):
        concept = roles.concept(*key)
        if concept is None or concept.vihf_occurrence != ("1" if number == 1 else "2"):
            yield _problem(f"value {number} is not in JDV_J65", f"la valeur {number} n'est pas dans le JDV_J65")
    systems, english, french = _SECOND_ROLES.get(keys[0], ((), "", ""))
    if systems and not any(found in systems for _, found in keys[1:]):
        yield _problem(f"the second value must be {english}", f"la seconde valeur doit être {french}")


def _are_roles(values: Sequence[AttributeValue], claims: Claims) -> Iterator[Problem]:
    """The profession first; for some a second value says which kind. ANS JDV_J65"""
    keys = [(one.code.code, one.code.coding_scheme) if one.code else ("", "") for one in values]
    yield from role_problems(keys)
    if keys[0] == AUTOMATE and claims.mode is AuthenticationMode.DIRECT:
        yield _problem("AUTOMATE is not a holder of a card", "AUTOMATE n'a pas de carte")
    if keys[0] == PATIENT_SIDE and claims.mode is not AuthenticationMode.INDIRECT:
        yield _problem("EXP_PATIENT comes in the mode INDIRECTE alone", "EXP_PATIENT ne vient qu'en mode INDIRECTE")


_XSPA, _XACML = "urn:oasis:names:tc:xspa:1.0:", "urn:oasis:names:tc:xacml:2.0:"
VERSION, STRUCTURE, SECTOR, MODE = "VIHF_Version", "Identifiant_Structure", "Secteur_Activite", "Authentification_mode"
SUBJECT_ID, ROLE = f"{_XSPA}subject:subject-id", f"{_XACML}subject:role"
PATIENT, PURPOSE = f"{_XACML}resource:resource-id", f"{_XSPA}subject:purposeofuse"
REASON = "Mode_Acces_Raison"
URN, CONFIDENTIALITY = "Ressource_URN", f"{_XSPA}resource:patient:hl7:confidentiality-code"
LPS_ID, LPS_NAME, LPS_VERSION, LPS_HOMOLOGATION = "LPS_ID", "LPS_Nom", "LPS_Version", "LPS_ID_HOMOLOGATION_DMP"


def _row(name: str, demand: Demand, english: str, french: str, check: Check = _anything) -> VihfAttribute:
    return VihfAttribute(name=name, demand=demand, english=english, french=french, many=name == ROLE, check=check)


_SECTORS, _SECRETS = "JDV_J61_HealthcareFacilityTypeCode_DMP", "JDV_J64_RestrictionAudienceVIHF_DMP"
_IS_VERSION = _one_of(lambda claims: claims.expected.versions)
_IS_MODE, _IS_DMP = _one_of(lambda _claims: tuple(AuthenticationMode)), _one_of(lambda _claims: (RESOURCE,))
_MUST, _MAY, _UNLESS_DIRECT, _IGNORED = Demand.ALWAYS, Demand.NEVER, Demand.NOT_DIRECT, Demand.LEGACY

ATTRIBUTES = (
    _row(VERSION, _MUST, "version of the VIHF", "version du VIHF", _IS_VERSION),
    _row(STRUCTURE, _MUST, "structure (Struct_IdNat)", "structure (Struct_IdNat)", _is_structure),
    _row(SECTOR, _MUST, "sector of activity", "secteur d'activité", _in_value_set(_SECTORS)),
    _row(MODE, _MUST, "mode of authentication", "mode d'authentification", _IS_MODE),
    _row(SUBJECT_ID, _UNLESS_DIRECT, "names of the user", "nom de l'utilisateur", _is_text),
    _row(ROLE, _MUST, "profession, then speciality or role", "profession, puis spécialité ou rôle", _are_roles),
    _row(PATIENT, _MAY, "INS of the patient", "INS du patient", _is_patient),
    _row(URN, _MUST, "resource that is asked for", "ressource visée", _IS_DMP),
    _row(PURPOSE, _MUST, "access mode", "mode d'accès", _is_purpose),
    _row(CONFIDENTIALITY, _MAY, "secret connection of a minor", "connexion secrète", _in_value_set(_SECRETS)),
    _row(LPS_ID, _MAY, "installation of the software", "installation du logiciel"),
    _row(LPS_NAME, _MUST, "software", "logiciel", _is_text),
    _row(LPS_VERSION, _MUST, "version of the software", "version du logiciel", _is_text),
    _row(LPS_HOMOLOGATION, _MUST, "homologation number", "numéro d'homologation", _is_text),
    _row("Profession", _IGNORED, "profession of old versions", "profession des anciennes versions"),
    _row("Confidentiality_code", _IGNORED, "confidentiality of old versions", "confidentialité, anciennes versions"),
    _row("Mode_Acces", _IGNORED, "access mode of old versions", "mode d'accès, anciennes versions"),
    _row(REASON, _MAY, "reason of a break-glass", "motif d'un bris de glace"),
    _row("LPS_Type", _IGNORED, "kind of software, old versions", "type de logiciel, anciennes versions"),
)


def attribute_findings(assertion: Assertion, expected: Expected) -> Iterator[Finding]:
    """Every attribute of the table that is there or should be, then those outside the table."""
    claims = Claims(expected=expected, version=_text(assertion, VERSION), mode=mode_of(assertion))
    for row in ATTRIBUTES:
        yield from _finding(row, assertion.values(row.name), claims)
    known = {row.name.lower() for row in ATTRIBUTES}
    for one in assertion.attributes:
        if one.name.lower() not in known:
            yield Finding(name=one.name, found=_shown(one.values))


def _finding(row: VihfAttribute, values: Sequence[AttributeValue], claims: Claims) -> Iterator[Finding]:
    if not values:
        required = row.demand is Demand.ALWAYS or (
            row.demand is Demand.NOT_DIRECT and claims.mode is not AuthenticationMode.DIRECT
        )
        if required:
            yield missing(row.name)
        return
    problems = [*row.check(values, claims)]
    if len(values) > 1 and not row.many and row.demand is not Demand.LEGACY:
        problems.append(_problem("has more than one value", "a plus d'une valeur"))
    if not problems:
        yield Finding(name=row.name, found=_shown(values))
    for problem in problems:
        yield Finding(name=row.name, found=_shown(values), problem=problem)


def mode_of(assertion: Assertion) -> AuthenticationMode | None:
    """None when it is not one of the three."""
    text = _text(assertion, MODE)
    return AuthenticationMode(text) if text in tuple(AuthenticationMode) else None


def _text(assertion: Assertion, name: str) -> str:
    values = assertion.values(name)
    return values[0].text if values else ""


def _shown(values: Sequence[AttributeValue]) -> str:
    return ", ".join(str(one.code) if one.code else one.text for one in values)
