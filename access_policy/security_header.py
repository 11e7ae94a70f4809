"""The one assertion of a message, found by counting: nothing in it is believed yet.

The counts hold over the whole envelope, so that a second assertion, signature or ID cannot hide in another
header, in the body or inside the assertion. WSS SOAP Message Security 1.1.1: 5, 10; ITI TF-2: 3.40.4.1.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice

from lxml import etree

from access_policy.refusals import Reason, Refused
from access_policy.times import read_time
from xds.xml import BadXml, simple_text

WSSE = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd"
WSU = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd"
SAML = "urn:oasis:names:tc:SAML:2.0:assertion"
DS = "http://www.w3.org/2000/09/xmldsig#"
_SOAP_1_2, _SOAP_1_1 = "http://www.w3.org/2003/05/soap-envelope", "http://schemas.xmlsoap.org/soap/envelope/"
_OURS = ("", f"{_SOAP_1_2}/role/next", f"{_SOAP_1_2}/role/ultimateReceiver", f"{_SOAP_1_1.rstrip('/')}/actor/next")
_HEADERS = (f"{{{_SOAP_1_2}}}Header", f"{{{_SOAP_1_1}}}Header")
_SECURITY, _ASSERTION, _TIMESTAMP = f"{{{WSSE}}}Security", f"{{{SAML}}}Assertion", f"{{{WSU}}}Timestamp"
_SIGNATURE, _CERTIFICATE = f"{{{DS}}}Signature", f"{{{DS}}}X509Certificate"
_TOKENS = {
    *(f"{{{WSSE}}}{name}" for name in ("UsernameToken", "BinarySecurityToken", "SecurityTokenReference")),
    f"{{{SAML}}}EncryptedAssertion",
    "{http://www.w3.org/2001/04/xmlenc#}EncryptedKey",
    "{http://www.w3.org/2001/04/xmlenc#}EncryptedData",
    "{urn:oasis:names:tc:SAML:1.0:assertion}Assertion",
}
# Every spelling of an identifying attribute that some reader of signatures looks for.
_SAME_ID = etree.XPath(
    "//@*[. = $id][local-name() = 'ID' or local-name() = 'Id' or local-name() = 'id' or local-name() = 'AssertionID']"
)
_NCNAME = re.compile(r"[^\W\d][\w.-]*\Z")
_LOOSE_ID = re.compile(r"[A-Za-z0-9._-]{1,128}\Z")
_LONGEST_ID = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class SecurityCaps:
    """What the security header may hold; more is refused before any cryptography."""

    octets: int = 256 * 1024
    elements: int = 2_000
    namespaces: int = 512
    certificates: int = 8


DEFAULT_CAPS = SecurityCaps()


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundAssertion:
    """The assertion as octets with every namespace that is in scope in its message, and its ID."""

    id: str
    octets: bytes


def find_assertion(
    envelope: etree._Element,
    *,
    now: datetime,
    skew: timedelta,
    loose_id: bool,
    caps: SecurityCaps = DEFAULT_CAPS,
) -> FoundAssertion:
    """The assertion of the wsse:Security header for us. Raises Refused.

    `loose_id`: an ID may begin with a digit, as some senders of VIHF write it (W20).
    """
    security = _security(envelope)
    _check_caps(security, caps)
    _check_tokens(envelope, security)
    assertion = _only(envelope, "Assertion", _ASSERTION, parent=security)
    _only(envelope, "Signature", _SIGNATURE, parent=assertion)
    _check_timestamps(security, now, skew)
    identifier = _identifier(assertion, loose_id=loose_id)
    if _count_of_id(envelope, identifier) != 1:
        raise Refused(Reason.DUPLICATE_ID)
    octets = etree.tostring(assertion, encoding="UTF-8", with_tail=False)
    if len(octets) > caps.octets:
        raise Refused(Reason.SIZE)
    return FoundAssertion(id=identifier, octets=octets)


def _security(envelope: etree._Element) -> etree._Element:
    """Exactly one header for us, and a role attribute that is ours."""
    blocks = [block for header in envelope.iterchildren(*_HEADERS) for block in header.iterchildren(_SECURITY)]
    ours = [block for block in blocks if _role(block) in _OURS]
    if len(ours) != 1:
        raise Refused(Reason.HEADER, f"found {len(ours)} wsse:Security headers for this receiver")
    return ours[0]


def _role(block: etree._Element) -> str:
    return (block.get(f"{{{_SOAP_1_2}}}role") or block.get(f"{{{_SOAP_1_1}}}actor") or "").strip()


def _check_caps(security: etree._Element, caps: SecurityCaps) -> None:
    if len(list(islice(security.iter(), caps.elements + 1))) > caps.elements:
        raise Refused(Reason.SIZE, f"more than {caps.elements} elements")
    if len(list(islice(security.iter(_CERTIFICATE), caps.certificates + 1))) > caps.certificates:
        raise Refused(Reason.SIZE, f"more than {caps.certificates} certificates")
    declared = etree.iterwalk(security, events=("start-ns",))
    if len(list(islice(declared, caps.namespaces + 1))) > caps.namespaces:
        raise Refused(Reason.SIZE, f"more than {caps.namespaces} namespace declarations")


def _check_tokens(envelope: etree._Element, security: etree._Element) -> None:
    """One kind of token is taken: a SAML 2.0 assertion in clear."""
    has_assertion = next(envelope.iter(_ASSERTION), None) is not None
    encrypted = next(envelope.iter("{*}EncryptedAssertion"), None) is not None
    if encrypted and has_assertion:
        raise Refused(Reason.HEADER, "an encrypted assertion beside one in clear")
    for child in security.iterchildren(etree.Element):
        if child.tag in _TOKENS:
            raise Refused(Reason.TOKEN, etree.QName(child).localname)
        if child.tag not in (_ASSERTION, _TIMESTAMP):
            raise Refused(Reason.HEADER, "an element that is neither an assertion nor a timestamp")
    if encrypted:
        raise Refused(Reason.TOKEN, "EncryptedAssertion")


def _only(envelope: etree._Element, name: str, tag: str, *, parent: etree._Element) -> etree._Element:
    """The one element of this local name in any namespace of the whole envelope, where it belongs."""
    found = list(islice(envelope.iter(f"{{*}}{name}"), 2))
    if len(found) != 1 or found[0].tag != tag or found[0].getparent() is not parent:
        raise Refused(Reason.HEADER, f"expected exactly one {name} in the message, in its place")
    return found[0]


def _check_timestamps(security: etree._Element, now: datetime, skew: timedelta) -> None:
    """At most one wsu:Timestamp, not expired and not of the future. WSS SOAP Message Security 1.1.1: 10"""
    stamps = list(security.iterchildren(_TIMESTAMP))
    if len(stamps) > 1:
        raise Refused(Reason.HEADER, "more than one wsu:Timestamp")
    for stamp in stamps:
        times = dict(_times(stamp))
        if "Expires" in times and now - skew >= times["Expires"]:
            raise Refused(Reason.TIMESTAMP)
        if "Created" in times and now + skew < times["Created"]:
            raise Refused(Reason.HEADER, "wsu:Created is in the future")


def _times(stamp: etree._Element) -> Iterator[tuple[str, datetime]]:
    seen: set[str] = set()
    for child in stamp.iterchildren(etree.Element):
        name = etree.QName(child).localname
        if child.tag not in (f"{{{WSU}}}Created", f"{{{WSU}}}Expires") or name in seen:
            raise Refused(Reason.HEADER, "expected wsu:Created and wsu:Expires, once each")
        seen.add(name)
        try:
            yield name, read_time(simple_text(child))
        except (ValueError, BadXml):
            raise Refused(Reason.HEADER, f"wsu:{name} is not a time with its zone") from None


def _identifier(assertion: etree._Element, *, loose_id: bool) -> str:
    identifier = assertion.get("ID", "")
    is_good = len(identifier) <= _LONGEST_ID and _NCNAME.match(identifier) is not None
    if not is_good and not (loose_id and _LOOSE_ID.match(identifier)):
        raise Refused(Reason.DUPLICATE_ID)
    return identifier


def _count_of_id(envelope: etree._Element, identifier: str) -> int:
    found = _SAME_ID(envelope.getroottree(), id=identifier)
    return len(found) if isinstance(found, list) else 0
