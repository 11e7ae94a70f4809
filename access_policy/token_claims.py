"""THE table of token claims: which attribute of an assertion each one is, so that one set of rules judges both.

IUA 3.71.4.1.2.1 (extensions ihe_iua, ihe_bppc: the claims and the attributes of XUA they stand for), the userinfo of
Pro Santé Connect (DMP 6.4), and claims named as the attributes of a VIHF. Of several sources the first that is there
counts.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from access_policy import vihf_attributes as vihf
from access_policy import xua
from access_policy.assertion import Assertion, Attribute, AttributeValue, AuthnContext, NameId
from access_policy.caller import AuthenticationMode, PurposeOfUse
from access_policy.refusals import Reason, Refused
from access_policy.trust import is_structure_id
from xds.datatypes import Code

Claims = Mapping[str, Any]
Read = Callable[[Any], Iterator[AttributeValue]]
_IUA, _BPPC = ("extensions", "ihe_iua"), ("extensions", "ihe_bppc")
PERSON, PATIENT = (*_IUA, "person_id"), (*_BPPC, "patient_id")
_LONGEST, _MOST_VALUES = 4096, 100
_UNSPECIFIED = "urn:oasis:names:tc:SAML:2.0:ac:classes:unspecified"
_PROFESSIONS, _SPECIALITIES, _SECTIONS = "1.2.250.1.71.1.2.7", "1.2.250.1.71.4.2.5", "1.2.250.1.71.4.2.6"
_SECTORS = "1.2.250.1.71.4.2.4"
# The value set that Pro Santé Connect names professions of TRE_G15 by.
_OTHER_PROFESSIONS = "1.2.250.1.213.1.1.5.5"
# Number in the exercise of a professional -> prefix of the Struct_IdNat. DMP 8.5
_STRUCTURE_NUMBERS = (("numeroFinessSite", "1"), ("numeroSiretSite", "3"), ("numeroSirenSite", "2"))
# What only a VIHF says of itself and of its software; of a token the client is registered with its issuer.
ONLY_VIHF = frozenset({vihf.VERSION, vihf.URN, vihf.LPS_NAME, vihf.LPS_VERSION, vihf.LPS_HOMOLOGATION})


@dataclass(frozen=True, slots=True)
class TokenClaim:
    """One source of an attribute: where the claim stands, and how it is read."""

    attribute: str
    path: tuple[str, ...]
    read: Read

    @property
    def name(self) -> str:
        return ".".join(self.path)


def _text(value: Any) -> Iterator[AttributeValue]:
    if not isinstance(value, str) or len(value) > _LONGEST:
        raise ValueError("expected a text")
    if value.strip():
        yield AttributeValue(text=value.strip())


def _texts(value: Any) -> Iterator[AttributeValue]:
    for one in value if isinstance(value, list) else [value]:
        yield from _text(one)


def _codings(value: Any) -> Iterator[AttributeValue]:
    """Codings of FHIR; an OID as system may be a URN."""
    for one in value if isinstance(value, list) else [value]:
        if not isinstance(one, dict):
            raise ValueError("expected Codings: objects with system and code")
        parts = [one.get(name, "") for name in ("code", "system", "display")]
        if not all(isinstance(part, str) and len(part) <= _LONGEST for part in parts):
            raise ValueError("expected texts in a Coding")
        yield _code(parts[0], parts[1].removeprefix("urn:oid:"), parts[2])


def _code(code: str, system: str, display: str = "") -> AttributeValue:
    return AttributeValue(code=Code(code=code.strip(), coding_scheme=system.strip(), display_name=display))


def _roles(value: Any) -> Iterator[AttributeValue]:
    """`10^1.2.250.1.71.1.2.7`, as SubjectRole has them."""
    for one in _texts(value):
        code, _, system = one.text.partition("^")
        yield _code(code, _PROFESSIONS if system == _OTHER_PROFESSIONS else system)


def _exercises(value: Any) -> Iterator[AttributeValue]:
    """Profession and speciality, or section of a pharmacist, of the one exercise; two would leave a choice."""
    exercise = _exercise(value)
    if exercise is None:
        return
    yield _code(_member(exercise, "codeProfession"), _PROFESSIONS)
    sections = [_member(one, "codeSectionPharmacien") for one in _activities(exercise)]
    for code, system in (
        (_member(exercise, "codeSavoirFaire"), _SPECIALITIES),
        *((one, _SECTIONS) for one in sections),
    ):
        if code:
            yield _code(code, system)
            return


def _structures(value: Any) -> Iterator[AttributeValue]:
    """The Struct_IdNat of the one activity: Pro Santé Connect names structures by a technical identifier."""
    found = {_structure(one) for one in _activities(_exercise(value) or {})} - {""}
    if len(found) == 1:
        yield AttributeValue(text=found.pop())


def _structure(activity: Mapping[str, Any]) -> str:
    numbers = ((prefix, _member(activity, name)) for name, prefix in _STRUCTURE_NUMBERS)
    return next((f"{prefix}{number}" for prefix, number in numbers if number), "")


def _sectors(value: Any) -> Iterator[AttributeValue]:
    found = {_member(one, "codeSecteurDactivite") for one in _activities(_exercise(value) or {})} - {""}
    if len(found) == 1:
        yield AttributeValue(text=f"{found.pop()}^{_SECTORS}")


def _exercise(value: Any) -> Mapping[str, Any] | None:
    listed = value.get("exercices") if isinstance(value, dict) else None
    if not isinstance(listed, list) or len(listed) > _MOST_VALUES:
        raise ValueError("expected an object with an array `exercices`")
    return listed[0] if len(listed) == 1 and isinstance(listed[0], dict) else None


def _activities(exercise: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    listed = exercise.get("activities", [])
    return [one for one in listed if isinstance(one, dict)] if isinstance(listed, list) else []


def _member(of: Mapping[str, Any], name: str) -> str:
    found = of.get(name)
    return found.strip() if isinstance(found, str) and len(found) <= _LONGEST else ""


def _structure_id(value: Any) -> Iterator[AttributeValue]:
    yield from (one for one in _text(value) if is_structure_id(one.text))


def _is_regulation(value: Any) -> Iterator[AttributeValue]:
    """Acces_Regulation_Medicale of Pro Santé Connect."""
    if value == "VRAI":
        yield _code(PurposeOfUse.REGULATION, vihf.PURPOSE_SYSTEMS[0])


_REFERENCE = ("SubjectRefPro",)
TOKEN_CLAIMS = (
    TokenClaim(vihf.SUBJECT_ID, (*_IUA, "subject_name"), _text),
    TokenClaim(vihf.SUBJECT_ID, ("name",), _text),
    TokenClaim(vihf.SUBJECT_ID, ("family_name",), _text),
    TokenClaim(vihf.STRUCTURE, (*_IUA, "subject_organization_id"), _text),
    TokenClaim(vihf.STRUCTURE, ("SubjectOrganizationID",), _structure_id),
    TokenClaim(vihf.STRUCTURE, _REFERENCE, _structures),
    TokenClaim(vihf.SECTOR, (vihf.SECTOR,), _text),
    TokenClaim(vihf.SECTOR, _REFERENCE, _sectors),
    TokenClaim(vihf.MODE, (vihf.MODE,), _text),
    TokenClaim(vihf.ROLE, (*_IUA, "subject_role"), _codings),
    TokenClaim(vihf.ROLE, _REFERENCE, _exercises),
    TokenClaim(vihf.ROLE, ("SubjectRole",), _roles),
    TokenClaim(vihf.PATIENT, PATIENT, _text),
    TokenClaim(vihf.PURPOSE, (*_IUA, "purpose_of_use"), _codings),
    TokenClaim(vihf.PURPOSE, ("Acces_Regulation_Medicale",), _is_regulation),
    TokenClaim(vihf.REASON, (vihf.REASON,), _text),
    TokenClaim(vihf.CONFIDENTIALITY, ("confidentiality_code",), _text),
    TokenClaim(vihf.LPS_NAME, ("client_id",), _text),
    TokenClaim(vihf.LPS_NAME, ("azp",), _text),
    TokenClaim(vihf.LPS_VERSION, (vihf.LPS_VERSION,), _text),
    TokenClaim(vihf.LPS_HOMOLOGATION, (vihf.LPS_HOMOLOGATION,), _text),
    TokenClaim(xua.ORGANISATION_ID, (*_IUA, "subject_organization_id"), _text),
    TokenClaim(xua.ORGANISATION, (*_IUA, "subject_organization"), _texts),
    TokenClaim(xua.ORGANISATION, ("SubjectOrganization",), _text),
    TokenClaim(xua.HOME, (*_IUA, "home_community_id"), _text),
    TokenClaim(xua.PROVIDER, (*_IUA, "national_provider_identifier"), _texts),
)
_DEFAULTS = {
    vihf.MODE: AttributeValue(text=AuthenticationMode.AIR),
    vihf.PURPOSE: AttributeValue(
        code=Code(code=PurposeOfUse.NORMAL, coding_scheme=vihf.PURPOSE_SYSTEMS[0], display_name="")
    ),
}


def token_assertion(claims: Claims) -> Assertion:
    """What a token says, as an assertion would say it. Raises Refused for a claim of another shape. RFC 7519: 4.1"""
    issued = _time(claims, "iat")
    subject = _member(claims, "SubjectNameID") or _required(claims, "sub")
    return Assertion(
        id=_required(claims, "jti"),
        issue_instant=issued,
        issuer=NameId(text=_required(claims, "iss")),
        subject=NameId(text=subject, alias=", ".join(audiences(claims))),
        not_before=_time(claims, "nbf") if "nbf" in claims else issued,
        not_on_or_after=_time(claims, "exp"),
        audiences=(audiences(claims),),
        contexts=(AuthnContext(instant=issued, class_reference=_UNSPECIFIED),),
        attributes=tuple(_attributes(claims)),
    )


def _attributes(claims: Claims) -> Iterator[Attribute]:
    for name in dict.fromkeys(one.attribute for one in TOKEN_CLAIMS):
        values = _values(claims, name)
        if not values and name in _DEFAULTS:
            values = (_DEFAULTS[name],)
        if values:
            yield Attribute(name=name, values=values)


def _values(claims: Claims, attribute: str) -> tuple[AttributeValue, ...]:
    for one in TOKEN_CLAIMS:
        if one.attribute != attribute:
            continue
        found = claim(claims, one.path)
        try:
            values = () if found is None else tuple(one.read(found))
        except ValueError as problem:
            raise Refused(Reason.ATTRIBUTE, f"{one.name}: {problem}") from None
        if len(values) > _MOST_VALUES:
            raise Refused(Reason.ATTRIBUTE, f"{one.name}: more than {_MOST_VALUES} values")
        if values:
            return values
    return ()


def claim(claims: Claims, path: tuple[str, ...]) -> Any:
    """The claim at this place; None where there is none."""
    found: Any = claims
    for name in path:
        found = found.get(name) if isinstance(found, dict) else None
    return found


def audiences(claims: Claims) -> tuple[str, ...]:
    """Raises Refused. RFC 7519: 4.1.3"""
    found = claims.get("aud")
    listed = [found] if isinstance(found, str) else found
    if not isinstance(listed, list) or not listed or not all(isinstance(one, str) and one for one in listed):
        raise Refused(Reason.AUDIENCE, "expected aud, a text or several")
    return tuple(listed[:_MOST_VALUES])


def scopes(claims: Claims) -> tuple[str, ...]:
    """Raises Refused. RFC 6749: 3.3"""
    found = claims.get("scope", "")
    if not isinstance(found, str) or len(found) > _LONGEST:
        raise Refused(Reason.ASSERTION, "expected scope, a text")
    return tuple(dict.fromkeys(found.split()))


def _required(claims: Claims, name: str) -> str:
    found = _member(claims, name)
    if not found:
        raise Refused(Reason.ASSERTION, f"expected {name}, a text")
    return found


def _time(claims: Claims, name: str) -> datetime:
    """NumericDate. RFC 7519: 2"""
    found = claims.get(name)
    if isinstance(found, bool) or not isinstance(found, int | float):
        raise Refused(Reason.TIME, f"expected {name}, a number of seconds")
    try:
        return datetime.fromtimestamp(found, UTC)
    except (OverflowError, OSError, ValueError):
        raise Refused(Reason.TIME, f"{name} is no time") from None
