"""Makes a signed VIHF: for developers of clients, and for tests. DMP 6.

The rows of the attribute table say what is written; values that a rule forbids are written as well, so that a
server can be tested with them.
"""

import uuid
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from lxml import etree
from signxml.algorithms import CanonicalizationMethod, SignatureConstructionMethod
from signxml.signer import XMLSigner

from access_policy import vihf_attributes as rows
from access_policy.caller import AuthenticationMode, PurposeOfUse, Software
from access_policy.conditions import SMARTCARD_PKI
from access_policy.security_header import DS, SAML, WSSE
from access_policy.times import write_time
from xds.datatypes import CX, Code

_HL7 = "urn:hl7-org:v3"
_XSI = "http://www.w3.org/2001/XMLSchema-instance"
_X509_SUBJECT_NAME = "urn:oasis:names:tc:SAML:1.1:nameid-format:X509SubjectName"
_PASSWORD = "urn:oasis:names:tc:SAML:2.0:ac:classes:Password"  # noqa: S105 - a class of contexts
_AIR_DECLARATION = "APP_BROWSER_AUTH"
_SOFTWARE = Software(name="Carnet", version="0.1", installation="1", homologation="TEST-0000-CARNET")

_SECTOR = Code(code="SA07", coding_scheme="1.2.250.1.71.4.2.4")


@dataclass(frozen=True, slots=True, kw_only=True)
class Vihf:
    """What to claim; valid for a cardiologist in direct mode by default. `life` None writes no NotOnOrAfter."""

    subject: str
    structure: str
    display_name: str = ""
    version: str = "3.0"
    mode: AuthenticationMode = AuthenticationMode.DIRECT
    purpose: PurposeOfUse = PurposeOfUse.NORMAL
    roles: tuple[Code, ...] = ()
    sector: Code = _SECTOR
    patient_id: CX | None = None
    reason: str = ""
    is_secret_connection: bool = False
    software: Software = _SOFTWARE
    audience: str = ""
    life: timedelta | None = timedelta(minutes=5)
    id: str = ""


def make_vihf(vihf: Vihf, certificate: x509.Certificate, key: rsa.RSAPrivateKey, *, now: datetime) -> etree._Element:
    """A saml:Assertion, signed as its profile says."""
    vihf = replace(vihf, id=vihf.id or f"_{uuid.uuid4()}")
    assertion = _element(
        None, SAML, "Assertion", nsmap={"saml2": SAML}, ID=vihf.id, IssueInstant=write_time(now), Version="2.0"
    )
    issuer = _element(assertion, SAML, "Issuer", Format=_X509_SUBJECT_NAME)
    issuer.text = certificate.subject.rfc4514_string()
    subject = _element(assertion, SAML, "Subject")
    _element(subject, SAML, "NameID").text = vihf.subject
    _write_conditions(assertion, vihf, now)
    _write_context(assertion, vihf, now)
    statement = _element(assertion, SAML, "AttributeStatement")
    for name, values in _attributes(vihf):
        attribute = _element(statement, SAML, "Attribute", Name=name)
        for value in values:
            _write_value(attribute, name, value)
    return sign_assertion(assertion, certificate, key)


def sign_assertion(assertion: etree._Element, certificate: x509.Certificate, key: rsa.RSAPrivateKey) -> etree._Element:
    """The assertion with an enveloped signature after its Issuer: RSA-SHA256, exclusive canonicalisation."""
    placeholder = etree.Element(f"{{{DS}}}Signature", {"Id": "placeholder"}, {"ds": DS})
    assertion.insert(1, placeholder)
    signer = XMLSigner(
        method=SignatureConstructionMethod.enveloped,
        signature_algorithm="rsa-sha256",
        digest_algorithm="sha256",
        c14n_algorithm=CanonicalizationMethod.EXCLUSIVE_XML_CANONICALIZATION_1_0,
    )
    signed = signer.sign(
        assertion, key=key, cert=[certificate], reference_uri=f"#{assertion.get('ID')}", id_attribute="ID"
    )
    assert isinstance(signed, etree._Element)  # noqa: S101 - an element went in
    return signed


def security_header(*assertions: etree._Element) -> bytes:
    """The wsse:Security header block that carries an assertion, to be understood."""
    inside = b"".join(etree.tostring(one, with_tail=False) for one in assertions)
    return b'<wsse:Security xmlns:wsse="%s">%s</wsse:Security>' % (WSSE.encode(), inside)


def _attributes(vihf: Vihf) -> Iterator[tuple[str, tuple[str | Code, ...]]]:
    """Attributes in the order of the table, those without value left out."""
    purpose = Code(code=vihf.purpose, coding_scheme=rows.PURPOSE_SYSTEMS[0])
    values: dict[str, tuple[str | Code, ...]] = {
        rows.VERSION: (vihf.version,),
        rows.STRUCTURE: (vihf.structure,),
        rows.SECTOR: (f"{vihf.sector.code}^{vihf.sector.coding_scheme}",),
        rows.MODE: (vihf.mode,),
        rows.SUBJECT_ID: (vihf.display_name,),
        rows.ROLE: vihf.roles,
        rows.PATIENT: ("" if vihf.patient_id is None else str(vihf.patient_id),),
        rows.URN: (rows.RESOURCE,),
        rows.PURPOSE: (purpose,),
        rows.CONFIDENTIALITY: (_secret() if vihf.is_secret_connection else "",),
        rows.REASON: (vihf.reason,),
        rows.LPS_ID: (vihf.software.installation,),
        rows.LPS_NAME: (vihf.software.name,),
        rows.LPS_VERSION: (vihf.software.version,),
        rows.LPS_HOMOLOGATION: (vihf.software.homologation,),
    }
    for row in rows.ATTRIBUTES:
        found = tuple(one for one in values.get(row.name, ()) if one)
        if found:
            yield row.name, found


def _secret() -> str:
    return f"{rows.SECRET_CONNECTION.code}^{rows.SECRET_CONNECTION.coding_scheme}"


def _write_value(attribute: etree._Element, name: str, value: str | Code) -> None:
    element = _element(attribute, SAML, "AttributeValue")
    if isinstance(value, str):
        element.text = value
        return
    coded = _element(element, _HL7, "Role" if name == rows.ROLE else "PurposeOfUse", nsmap={None: _HL7, "xsi": _XSI})
    coded.set(f"{{{_XSI}}}type", "CE")
    coded.set("code", value.code)
    coded.set("codeSystem", value.coding_scheme)
    if value.display_name:
        coded.set("displayName", value.display_name)


def _write_conditions(assertion: etree._Element, vihf: Vihf, now: datetime) -> None:
    if vihf.life is None and not vihf.audience:
        return
    conditions = _element(assertion, SAML, "Conditions")
    if vihf.life is not None:
        conditions.set("NotBefore", write_time(now))
        conditions.set("NotOnOrAfter", write_time(now + vihf.life))
    if vihf.audience:
        restriction = _element(conditions, SAML, "AudienceRestriction")
        _element(restriction, SAML, "Audience").text = vihf.audience


def _write_context(assertion: etree._Element, vihf: Vihf, now: datetime) -> None:
    statement = _element(assertion, SAML, "AuthnStatement", AuthnInstant=write_time(now))
    context = _element(statement, SAML, "AuthnContext")
    direct = vihf.mode is AuthenticationMode.DIRECT
    _element(context, SAML, "AuthnContextClassRef").text = SMARTCARD_PKI if direct else _PASSWORD
    if vihf.mode is AuthenticationMode.AIR:
        _element(context, SAML, "AuthnContextDecl").text = _AIR_DECLARATION


def _element(
    parent: etree._Element | None,
    namespace: str,
    name: str,
    *,
    nsmap: Any = None,
    **attributes: str,
) -> etree._Element:
    tag = f"{{{namespace}}}{name}"
    if parent is None:
        return etree.Element(tag, attributes, nsmap)
    return etree.SubElement(parent, tag, attributes, nsmap)
