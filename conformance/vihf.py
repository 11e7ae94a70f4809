"""A VIHF, signed: the SAML assertion that says who acts for whom. ANS IG HL7v2, mapping VIHF 4.0; DMP.

What a rule forbids can be written as well: a server is tested with it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from lxml import etree
from signxml.algorithms import CanonicalizationMethod, SignatureConstructionMethod
from signxml.signer import XMLSigner

from conformance.population.pki import Credential

SAML, WSSE, DS, HL7, XSI = (
    "urn:oasis:names:tc:SAML:2.0:assertion",
    "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd",
    "http://www.w3.org/2000/09/xmldsig#",
    "urn:hl7-org:v3",
    "http://www.w3.org/2001/XMLSchema-instance",
)
ROLE = "urn:oasis:names:tc:xacml:2.0:subject:role"
PURPOSE = "urn:oasis:names:tc:xspa:1.0:subject:purposeofuse"
PATIENT = "urn:oasis:names:tc:xacml:2.0:resource:resource-id"
SUBJECT_ID = "urn:oasis:names:tc:xspa:1.0:subject:subject-id"
_X509_SUBJECT_NAME = "urn:oasis:names:tc:SAML:1.1:nameid-format:X509SubjectName"
_CLASSES = "urn:oasis:names:tc:SAML:2.0:ac:classes:"
LIFE = timedelta(minutes=5)


@dataclass(frozen=True, slots=True, kw_only=True)
class Coded:
    """A code with its system."""

    code: str
    system: str
    display: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """What is claimed: by default direct mode in normal use. `patient` is a CX; `changes` replace whole attributes,
    None leaves one out."""

    subject: str
    structure: str
    roles: tuple[Coded, ...]
    patient: str = ""
    sector: str = "SA07^1.2.250.1.71.4.2.4"
    mode: str = "DIRECTE"
    purpose: str = "normal"
    display_name: str = ""
    version: str = "3.0"
    changes: Mapping[str, str | None] = field(default_factory=dict)


def make_vihf(
    claim: Claim, signer: Credential | None, *, identifier: str, now: datetime, life: timedelta = LIFE
) -> etree._Element:
    """The saml:Assertion, signed unless there is no signer."""
    times = {"NotBefore": _instant(now), "NotOnOrAfter": _instant(now + life)}
    assertion = etree.Element(
        f"{{{SAML}}}Assertion", {"ID": identifier, "IssueInstant": _instant(now), "Version": "2.0"}, {"saml2": SAML}
    )
    issuer = _add(assertion, "Issuer", {"Format": _X509_SUBJECT_NAME})
    issuer.text = "CN=nobody" if signer is None else signer.certificate.subject.rfc4514_string()
    _add(_add(assertion, "Subject"), "NameID").text = claim.subject
    _add(assertion, "Conditions", times)
    statement = _add(assertion, "AuthnStatement", {"AuthnInstant": _instant(now)})
    context = _add(_add(statement, "AuthnContext"), "AuthnContextClassRef")
    context.text = _CLASSES + ("SmartcardPKI" if claim.mode == "DIRECTE" else "Password")
    if claim.mode == "INDIRECTE_RENFORCEE":
        _add(context.getparent(), "AuthnContextDecl").text = "APP_BROWSER_AUTH"
    _write_attributes(_add(assertion, "AttributeStatement"), claim)
    return assertion if signer is None else signed(assertion, signer)


def signed(assertion: etree._Element, signer: Credential) -> etree._Element:
    """With an enveloped signature after its Issuer: RSA-SHA256, exclusive canonicalisation."""
    assertion.insert(1, etree.Element(f"{{{DS}}}Signature", {"Id": "placeholder"}, {"ds": DS}))
    made = XMLSigner(
        method=SignatureConstructionMethod.enveloped,
        signature_algorithm="rsa-sha256",
        digest_algorithm="sha256",
        c14n_algorithm=CanonicalizationMethod.EXCLUSIVE_XML_CANONICALIZATION_1_0,
    ).sign(
        assertion,
        key=signer.key,
        cert=[signer.certificate],
        reference_uri=f"#{assertion.get('ID')}",
        id_attribute="ID",
    )
    if not isinstance(made, etree._Element):
        raise TypeError(f"expected an element from the signer, found {type(made).__name__}")
    return made


def security_header(*assertions: etree._Element) -> bytes:
    """The wsse:Security block of the SOAP header."""
    inside = b"".join(etree.tostring(one, with_tail=False) for one in assertions)
    return b'<wsse:Security xmlns:wsse="%s">%s</wsse:Security>' % (WSSE.encode(), inside)


def _write_attributes(statement: etree._Element, claim: Claim) -> None:
    values: dict[str, str | None] = {
        "VIHF_Version": claim.version,
        "Identifiant_Structure": claim.structure,
        "Secteur_Activite": claim.sector,
        "Authentification_mode": claim.mode,
        SUBJECT_ID: claim.display_name or None,
        PATIENT: claim.patient or None,
        "Ressource_URN": "urn:dmp",
        "LPS_ID": "1",
        "LPS_Nom": "Kit de conformite",
        "LPS_Version": "1.0",
        "LPS_ID_HOMOLOGATION_DMP": "TEST-0000-KIT",
    }
    values |= {name: value for name, value in claim.changes.items() if name not in (ROLE, PURPOSE)}
    for name, value in values.items():
        if value is not None:
            _add(_add(statement, "Attribute", {"Name": name}), "AttributeValue").text = value
    coded = {
        ROLE: ("Role", claim.roles),
        PURPOSE: ("PurposeOfUse", (_purpose(claim.changes.get(PURPOSE, claim.purpose)),)),
    }
    for name, (element, codes) in coded.items():
        if claim.changes.get(name, "") is not None:
            attribute = _add(statement, "Attribute", {"Name": name})
            for code in codes:
                _write_code(_add(attribute, "AttributeValue"), element, code)


def _purpose(code: str | None) -> Coded:
    return Coded(code=code or "", system="1.2.250.1.213.1.1.4.248", display="mode acces VIHF 1.0")


def _write_code(value: etree._Element, element: str, code: Coded) -> None:
    child = etree.SubElement(value, f"{{{HL7}}}{element}", {}, {"hl7": HL7, "xsi": XSI})
    child.set(f"{{{XSI}}}type", "CE")
    child.set("code", code.code)
    child.set("codeSystem", code.system)
    if code.display:
        child.set("displayName", code.display)


def _add(parent: etree._Element | None, name: str, attributes: Mapping[str, str] | None = None) -> etree._Element:
    if parent is None:
        raise TypeError("expected a parent element")
    return etree.SubElement(parent, f"{{{SAML}}}{name}", dict(attributes or {}))


def _instant(time: datetime) -> str:
    return f"{time.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
