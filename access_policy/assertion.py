"""A SAML 2.0 assertion as a value, read from the element that was signed. SAML Core: 2.3; ITI TF-2: 3.40.4.1.2."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from lxml import etree

from access_policy.refusals import Reason, Refused
from access_policy.security_header import DS, SAML
from access_policy.signature_profile import strict_base64
from access_policy.times import read_time
from xds.datatypes import Code
from xds.xml import BadXml, simple_text

_MOST_ATTRIBUTES, _LONGEST_VALUE = 256, 4096
_HL7 = "urn:hl7-org:v3"


@dataclass(frozen=True, slots=True, kw_only=True)
class NameId:
    """NameID or Issuer: text, Format, and the SPProvidedID that a service gave the subject."""

    text: str
    format: str = ""
    alias: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class AttributeValue:
    """Text, or the HL7 v3 CE of a `Role` or `PurposeOfUse`, with the display name apart."""

    text: str = ""
    code: Code | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Attribute:
    """One Attribute; those of one name are kept apart, as they were sent."""

    name: str
    values: tuple[AttributeValue, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Confirmation:
    """A SubjectConfirmation with what its data hold. `key`: the first certificate or RSA key, DER or (n, e)."""

    method: str
    recipient: str | None = None
    not_before: datetime | None = None
    not_on_or_after: datetime | None = None
    certificate: bytes | None = None
    rsa_key: tuple[bytes, bytes] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthnContext:
    """One AuthnStatement: when, and by which class or declaration."""

    instant: datetime
    class_reference: str = ""
    declaration: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Assertion:
    """Everything an assertion claims. `audiences`: one tuple per AudienceRestriction."""

    id: str
    issue_instant: datetime
    issuer: NameId
    subject: NameId
    confirmations: tuple[Confirmation, ...] = ()
    not_before: datetime | None = None
    not_on_or_after: datetime | None = None
    audiences: tuple[tuple[str, ...], ...] = ()
    contexts: tuple[AuthnContext, ...] = ()
    attributes: tuple[Attribute, ...] = ()

    def values(self, name: str) -> tuple[AttributeValue, ...]:
        """All values of all Attributes of this name, without regard to case. DMP W20"""
        wanted = name.lower()
        return tuple(value for one in self.attributes if one.name.lower() == wanted for value in one.values)


def read_assertion(element: etree._Element) -> Assertion:
    """Read a signed assertion. Raises Refused for a missing or malformed part."""
    try:
        return _read(element)
    except (BadXml, ValueError) as problem:
        raise Refused(Reason.ASSERTION, str(problem)) from None


def _read(element: etree._Element) -> Assertion:
    if element.get("Version") != "2.0":
        raise Refused(Reason.ASSERTION, "expected Version 2.0")
    subject, conditions = _one(element, "Subject"), _optional(element, "Conditions")
    return Assertion(
        id=element.get("ID", ""),
        issue_instant=read_time(element.get("IssueInstant", "")),
        issuer=_name_id(_one(element, "Issuer")),
        subject=_name_id(_one(subject, "NameID")),
        confirmations=tuple(_confirmation(one) for one in subject.iterchildren(_tag("SubjectConfirmation"))),
        not_before=_time(conditions, "NotBefore"),
        not_on_or_after=_time(conditions, "NotOnOrAfter"),
        audiences=() if conditions is None else tuple(_audiences(conditions)),
        contexts=tuple(_context(one) for one in element.iterchildren(_tag("AuthnStatement"))),
        attributes=tuple(_attributes(element)),
    )


def _tag(name: str) -> str:
    return f"{{{SAML}}}{name}"


def _one(parent: etree._Element, name: str) -> etree._Element:
    found = list(parent.iterchildren(_tag(name)))
    if len(found) != 1:
        raise Refused(Reason.ASSERTION, f"expected one {name}, found {len(found)}")
    return found[0]


def _optional(parent: etree._Element, name: str) -> etree._Element | None:
    return _one(parent, name) if parent.find(_tag(name)) is not None else None


def _name_id(element: etree._Element) -> NameId:
    text = _text(element)
    if not text:
        raise Refused(Reason.ASSERTION, f"{etree.QName(element).localname} is empty")
    return NameId(text=text, format=element.get("Format", ""), alias=element.get("SPProvidedID", ""))


def _text(element: etree._Element) -> str:
    text = simple_text(element).strip()
    if len(text) > _LONGEST_VALUE:
        raise ValueError(f"{etree.QName(element).localname} has more than {_LONGEST_VALUE} characters")
    return text


def _time(element: etree._Element | None, name: str) -> datetime | None:
    text = None if element is None else element.get(name)
    return None if text is None else read_time(text)


def _audiences(conditions: etree._Element) -> Iterator[tuple[str, ...]]:
    for one in conditions.iterchildren(_tag("AudienceRestriction")):
        yield tuple(_text(audience) for audience in one.iterchildren(_tag("Audience")))


def _confirmation(element: etree._Element) -> Confirmation:
    method, data = element.get("Method", ""), _optional(element, "SubjectConfirmationData")
    if data is None:
        return Confirmation(method=method)
    modulus, exponent = data.find(f".//{{{DS}}}Modulus"), data.find(f".//{{{DS}}}Exponent")
    certificate = data.find(f".//{{{DS}}}X509Certificate")
    return Confirmation(
        method=method,
        recipient=data.get("Recipient"),
        not_before=_time(data, "NotBefore"),
        not_on_or_after=_time(data, "NotOnOrAfter"),
        certificate=None if certificate is None else strict_base64(certificate),
        rsa_key=None if modulus is None or exponent is None else (strict_base64(modulus), strict_base64(exponent)),
    )


def _context(statement: etree._Element) -> AuthnContext:
    context = _one(statement, "AuthnContext")
    reference, name = _optional(context, "AuthnContextClassRef"), "AuthnContextDecl"
    declaration = _optional(context, name if context.find(_tag(name)) is not None else f"{name}Ref")
    return AuthnContext(
        instant=read_time(statement.get("AuthnInstant", "")),
        class_reference="" if reference is None else _text(reference),
        declaration="" if declaration is None else _text(declaration),
    )


def _attributes(element: etree._Element) -> Iterator[Attribute]:
    """Several statements, several attributes of one name and several values are legal. ITI TF-2: 3.40.4.1.2"""
    found = [one for each in element.iterchildren(_tag("AttributeStatement")) for one in each.iterchildren(_tag("*"))]
    if len(found) > _MOST_ATTRIBUTES:
        raise Refused(Reason.ASSERTION, f"more than {_MOST_ATTRIBUTES} attributes")
    for one in found:
        if one.tag != _tag("Attribute") or not one.get("Name"):
            raise Refused(Reason.ASSERTION, "an attribute without name, or encrypted")
        values = tuple(_value(value) for value in one.iterchildren(_tag("AttributeValue")))
        yield Attribute(name=one.get("Name", ""), values=values)


def _value(element: etree._Element) -> AttributeValue:
    children = list(element)
    if not children:
        return AttributeValue(text=_text(element))
    coded = children[0]
    if len(children) != 1 or len(coded) or coded.tag not in (f"{{{_HL7}}}Role", f"{{{_HL7}}}PurposeOfUse"):
        return AttributeValue(text="".join(str(one) for one in element.itertext()).strip()[:_LONGEST_VALUE])
    code, system = coded.get("code", "").strip(), coded.get("codeSystem", "").strip()
    return AttributeValue(code=Code(code=code, coding_scheme=system, display_name=coded.get("displayName", "")))
