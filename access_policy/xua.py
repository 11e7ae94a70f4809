"""XUA: assertions of the identity providers of other communities, each with its own pinned keys. ITI TF-2: 3.40."""

from collections.abc import Iterator
from dataclasses import dataclass

from cryptography import x509
from cryptography.hazmat.primitives import serialization

from access_policy.assertion import Assertion, AttributeValue, NameId
from access_policy.caller import Caller, Credentials
from access_policy.conditions import CONTEXT_CLASSES
from access_policy.distinguished_names import parse_name
from access_policy.refusals import Reason, Refused
from xds.datatypes import CX, Code

_FORMAT_1_1, _FORMAT_2_0 = "urn:oasis:names:tc:SAML:1.1:nameid-format:", "urn:oasis:names:tc:SAML:2.0:nameid-format:"
_SUBJECT = "urn:oasis:names:tc:xspa:1.0:subject:"
_NAMES, ORGANISATION, ORGANISATION_ID = (
    f"{_SUBJECT}{name}" for name in ("subject-id", "organization", "organization-id")
)
_ROLE, _PURPOSE = "urn:oasis:names:tc:xacml:2.0:subject:role", f"{_SUBJECT}purposeofuse"
_PATIENT = "urn:oasis:names:tc:xacml:2.0:resource:resource-id"
HOME, PROVIDER = "urn:ihe:iti:xca:2010:homeCommunityId", "urn:ihe:iti:xua:2017:subject:provider-identifier"


@dataclass(frozen=True, slots=True, kw_only=True)
class IdentityProvider:
    """Who may issue: the Issuer exactly as it is written, its Format, its certificates, and what it is asked for.

    Several certificates are pinned while a key is rolled over.
    """

    issuer: str
    certificates: tuple[x509.Certificate, ...]
    issuer_format: str = ""
    audiences: tuple[str, ...] = ()


def check_pinned(provider: IdentityProvider, in_message: tuple[bytes, ...]) -> tuple[x509.Certificate, ...]:
    """The pinned certificates that may have signed: those KeyInfo names, all when it names none. Raises Refused.

    An assertion without KeyInfo is taken: its key is known from the configuration, never from the message.
    """
    if not in_message:
        return provider.certificates
    named = [one for one in provider.certificates if one.public_bytes(serialization.Encoding.DER) == in_message[0]]
    if not named:
        raise Refused(Reason.KEY, "KeyInfo holds another certificate than those configured for the issuer")
    return tuple(named)


def xua_caller(assertion: Assertion, *, credentials: Credentials) -> Caller:
    """The caller an assertion proves. Raises Refused. ITI TF-2: 3.40.4.1.2"""
    for problem in _problems(assertion):
        raise Refused(Reason.ATTRIBUTE, problem)
    patients = _texts(assertion, _PATIENT)
    return Caller(
        name=assertion.subject.text,
        display_name=" ".join(_texts(assertion, _NAMES)[:1]),
        roles=_codes(assertion, _ROLE),
        organisations=_texts(assertion, ORGANISATION_ID) or _texts(assertion, ORGANISATION),
        purposes=_codes(assertion, _PURPOSE),
        patient_id=CX.parse(patients[0]) if patients else None,
        home_community_id=" ".join(_texts(assertion, HOME)[:1]),
        provider_identifiers=_texts(assertion, PROVIDER),
        credentials=credentials,
    )


def _problems(assertion: Assertion) -> Iterator[str]:
    if not _has_form(assertion.subject):
        yield "NameID has not the form of its Format"
    if not assertion.contexts:
        yield "expected an AuthnStatement"
    for context in assertion.contexts:
        if context.class_reference not in CONTEXT_CLASSES and not context.declaration:
            yield "AuthnContextClassRef is not a class of SAML, and there is no declaration"
    for name in (_ROLE, _PURPOSE):
        if any(not one.code.code or not one.code.coding_scheme for one in assertion.values(name) if one.code):
            yield "a coded value without code or codeSystem"
    yield from _patient_problems(assertion.values(_PATIENT))


def _patient_problems(values: tuple[AttributeValue, ...]) -> Iterator[str]:
    """At most one patient: two would let a caller choose which of them counts."""
    if len({one.text for one in values}) > 1:
        yield "found more than one resource-id"
    for value in values:
        try:
            CX.parse(value.text)
        except ValueError as problem:
            yield f"resource-id: {problem}"


def _has_form(name: NameId) -> bool:
    """A NameID is what its Format says; formats without a syntax of their own take any text. SAML Core: 8.3"""
    if name.format == f"{_FORMAT_1_1}emailAddress":
        local, _, host = name.text.rpartition("@")
        return bool(local) and bool(host) and " " not in name.text
    if name.format == f"{_FORMAT_1_1}X509SubjectName":
        return _is_name(name.text)
    if name.format == f"{_FORMAT_1_1}WindowsDomainQualifiedName":
        domain, _, user = name.text.partition("\\")
        return bool(domain) and bool(user)
    free = (f"{_FORMAT_1_1}unspecified", *(f"{_FORMAT_2_0}{one}" for one in ("entity", "persistent", "transient")))
    return name.format in ("", f"{_FORMAT_2_0}kerberos", *free)


def _is_name(text: str) -> bool:
    try:
        parse_name(text)
    except ValueError:
        return False
    return True


def _texts(assertion: Assertion, name: str) -> tuple[str, ...]:
    return tuple(one.text for one in assertion.values(name) if one.text)


def _codes(assertion: Assertion, name: str) -> tuple[Code, ...]:
    return tuple(one.code for one in assertion.values(name) if one.code is not None)
