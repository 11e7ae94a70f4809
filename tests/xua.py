"""An identity provider of another community, and the assertion variants of public XUA test tools under their names."""

import base64
import copy
from collections.abc import Callable
from datetime import timedelta
from functools import cache

from lxml import etree

from access_policy.make_vihf import sign_assertion
from access_policy.security_header import DS, SAML
from access_policy.times import write_time
from access_policy.xua import IdentityProvider
from carnet.pki import Credential, Structure, Use, issue_structure
from tests import sts
from tests.builders import PATIENT

Element = etree._Element
Change = Callable[[Element], None]
ENTITY = "urn:oasis:names:tc:SAML:2.0:nameid-format:entity"
ISSUER, AUDIENCE = "https://sts.example.org/", "urn:oid:1.3.6.1.4.1.21367.1"
XSPA, XACML, HL7 = "urn:oasis:names:tc:xspa:1.0:subject:", "urn:oasis:names:tc:xacml:2.0:", "urn:hl7-org:v3"
TREATMENT = ("TREATMENT", "2.16.840.1.113883.3.18.7.1")


@cache
def signer() -> Credential:
    """The key of the provider, pinned; it chains to nothing the server trusts."""
    return issue_structure(sts.other_igc(), Structure(identifier="1690000099", name="STS"), now=sts.NOW)[Use.SEAL]


def client() -> Credential:
    """What the provider's clients show."""
    return sts.structure()[Use.AUTHENTICATION]


def provider(**changes: object) -> IdentityProvider:
    values: dict[str, object] = {
        "issuer": ISSUER,
        "issuer_format": ENTITY,
        "certificates": (signer().certificate,),
        "audiences": (AUDIENCE,),
    }
    return IdentityProvider(**(values | changes))  # type: ignore[arg-type]


def _value(code: tuple[str, str], name: str) -> str:
    return f'<s:AttributeValue><{name} xmlns="{HL7}" code="{code[0]}" codeSystem="{code[1]}"/></s:AttributeValue>'


def _attribute(name: str, *values: str) -> str:
    return f'<s:Attribute Name="{name}">{"".join(values)}</s:Attribute>'


def _text(value: str) -> str:
    return f"<s:AttributeValue>{value.replace('&', '&amp;')}</s:AttributeValue>"


def unsigned(
    *, roles: int = 1, purposes: tuple[tuple[str, str], ...] = (TREATMENT,), confirmation: str = "bearer"
) -> Element:
    """What a provider says of a physician of its community."""
    numbers = client().key.public_key().public_numbers()
    modulus, exponent = (
        base64.b64encode(n.to_bytes((n.bit_length() + 7) // 8)).decode() for n in (numbers.n, numbers.e)
    )
    key = (
        f'<d:KeyInfo xmlns:d="{DS}"><d:KeyValue><d:RSAKeyValue><d:Modulus>{modulus}</d:Modulus>'
        f"<d:Exponent>{exponent}</d:Exponent></d:RSAKeyValue></d:KeyValue></d:KeyInfo>"
    )
    data = f"<s:SubjectConfirmationData>{key}</s:SubjectConfirmationData>" if confirmation == "holder-of-key" else ""
    role_values = [_value(code, "Role") for code in (("46255001", "2.16.840.1.113883.6.96"),) * roles]
    attributes = [
        _attribute(f"{XSPA}subject-id", _text("Jane Doe")),
        _attribute(f"{XSPA}organization-id", _text("urn:oid:1.2.3.4")),
        _attribute("urn:ihe:iti:xca:2010:homeCommunityId", _text("urn:oid:1.2.3")),
        _attribute(f"{XACML}subject:role", *role_values) if roles else "",
        *(_attribute(f"{XSPA}purposeofuse", _value(one, "PurposeOfUse")) for one in purposes),
        _attribute(f"{XACML}resource:resource-id", _text(PATIENT.key)),
    ]
    now, end = write_time(sts.NOW), write_time(sts.NOW + timedelta(minutes=30))
    text = (
        f'<s:Assertion xmlns:s="{SAML}" ID="_x1" IssueInstant="{now}" Version="2.0">'
        f'<s:Issuer Format="{ENTITY}">{ISSUER}</s:Issuer><s:Subject>'
        '<s:NameID Format="urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress">jane@example.org</s:NameID>'
        f'<s:SubjectConfirmation Method="urn:oasis:names:tc:SAML:2.0:cm:{confirmation}">{data}</s:SubjectConfirmation>'
        f'</s:Subject><s:Conditions NotBefore="{now}" NotOnOrAfter="{end}">'
        f"<s:AudienceRestriction><s:Audience>{AUDIENCE}</s:Audience></s:AudienceRestriction></s:Conditions>"
        f'<s:AuthnStatement AuthnInstant="{now}"><s:AuthnContext><s:AuthnContextClassRef>'
        "urn:oasis:names:tc:SAML:2.0:ac:classes:X509</s:AuthnContextClassRef></s:AuthnContext></s:AuthnStatement>"
        f"<s:AttributeStatement>{''.join(attributes)}</s:AttributeStatement></s:Assertion>"
    )
    return etree.fromstring(text)


def signed(assertion: Element) -> Element:
    return sign_assertion(assertion, signer().certificate, signer().key)


def made(change: Change, **given: object) -> Element:
    """Changed, then signed: the signature is good."""
    assertion = unsigned(**given)  # type: ignore[arg-type]
    change(assertion)
    return signed(assertion)


def spoilt(change: Change, **given: object) -> Element:
    """Signed, then changed in what no signature covers, or broken."""
    assertion = signed(unsigned(**given))  # type: ignore[arg-type]
    change(assertion)
    return assertion


def find(assertion: Element, path: str) -> Element:
    found = assertion.find(path, {"s": SAML, "d": DS})
    assert found is not None, path
    return found


def _remove(path: str) -> Change:
    def change(assertion: Element) -> None:
        found = find(assertion, path)
        parent = found.getparent()
        assert parent is not None
        parent.remove(found)

    return change


def _set(path: str, name: str, value: str | None) -> Change:
    def change(assertion: Element) -> None:
        found = assertion if path == "." else find(assertion, path)
        if value is None:
            found.attrib.pop(name)
        else:
            found.set(name, value)

    return change


def _say(path: str, text: str) -> Change:
    def change(assertion: Element) -> None:
        find(assertion, path).text = text

    return change


def _key_value(child: str) -> Change:
    """KeyValue in place of the certificate, and in it what is given."""

    def change(assertion: Element) -> None:
        info = find(assertion, "d:Signature/d:KeyInfo")
        info[:] = list(etree.fromstring(f'<k xmlns:d="{DS}">{child}</k>'))

    return change


def _twice(path: str) -> Change:
    def change(assertion: Element) -> None:
        found = find(assertion, path)
        found.addnext(copy.deepcopy(found))

    return change


def _rsa(modulus: str = "", exponent: str = "") -> str:
    return f"<d:KeyValue><d:RSAKeyValue>{modulus}{exponent}</d:RSAKeyValue></d:KeyValue>"


_MODULUS, _EXPONENT = "<d:Modulus>AQAB</d:Modulus>", "<d:Exponent>AQAB</d:Exponent>"
_V11 = "urn:oasis:names:tc:SAML:1.1:nameid-format:"
_HELD = {"confirmation": "holder-of-key"}
_DATA = "s:Subject/s:SubjectConfirmation/s:SubjectConfirmationData"
_CONTEXT = "s:AuthnStatement/s:AuthnContext"
_LATER, _EARLIER = (write_time(sts.NOW + timedelta(hours=hours)) for hours in (1, -1))


def _consent(assertion: Element) -> None:
    attribute = (
        f'<s:Attribute xmlns:s="{SAML}" Name="urn:ihe:iti:bppc:2007:docid">{_text("urn:oid:1.2.3.4.5")}</s:Attribute>'
    )
    find(assertion, "s:AttributeStatement").append(etree.fromstring(attribute))


def _nothing(_assertion: Element) -> None:
    return None


ACCEPTED: dict[str, Callable[[], Element]] = {
    "valid": lambda: made(_nothing),
    "secondrole": lambda: made(_nothing, roles=2),
    "secondpurposeofuse": lambda: made(_nothing, purposes=(TREATMENT, ("PAYMENT", TREATMENT[1]))),
    "withauthzconsent": lambda: made(_consent),
    **{
        f"secondpurposeofuse.{name}": (
            lambda name=name: made(_nothing, purposes=(TREATMENT, (name, TREATMENT[1])))  # type: ignore[misc]
        )
        for name in (
            *(
                "COVERAGE",
                "OPERATIONS",
                "PAYMENT",
                "PUBLICHEALTH",
                "REQUEST",
                "TREATMENT",
                "LEGACYTREATMENT",
                "REASSURANCE",
            ),
            *("1.3.6.1.4.1.21367.1", "2.16.840.1.113883.3.18.7.1"),
        )
    },
    # Two statements of authentication are legal SAML; a second context inside one is not.
    "secondauthncontext": lambda: made(_twice("s:AuthnStatement")),
    # The key is pinned: what KeyInfo does not say is not missed.
    "missingkeyinfo": lambda: spoilt(_remove("d:Signature/d:KeyInfo")),
}
REFUSED: dict[str, Callable[[], Element]] = {
    "notyetvalid": lambda: made(_set("s:Conditions", "NotBefore", _LATER)),
    "expired": lambda: made(_set("s:Conditions", "NotOnOrAfter", _EARLIER)),
    "unsigned": lambda: unsigned(),
    "invalidsignature": lambda: spoilt(_say("d:Signature/d:SignatureValue", base64.b64encode(bytes(256)).decode())),
    "missingkeyvalue": lambda: spoilt(_key_value("<d:KeyValue/>")),
    "missingrsakeyvalue": lambda: spoilt(_key_value("<d:KeyValue/>")),
    "missingrsakeymodulus": lambda: spoilt(_key_value(_rsa(exponent=_EXPONENT))),
    "missingrsakeyexponent": lambda: spoilt(_key_value(_rsa(modulus=_MODULUS))),
    "invalidversion": lambda: made(_set(".", "Version", "3.0")),
    "missingversion": lambda: made(_set(".", "Version", None)),
    "invalidid": lambda: spoilt(_set(".", "ID", "1 2")),
    "missingid": lambda: spoilt(_set(".", "ID", None)),
    "missingsubjectconfirmation": lambda: made(_remove("s:Subject/s:SubjectConfirmation")),
    "missingsubjectconfirmationmethod": lambda: made(_set("s:Subject/s:SubjectConfirmation", "Method", None)),
    "missingsubject": lambda: made(_remove("s:Subject")),
    "missingsubjectnameid": lambda: made(_remove("s:Subject/s:NameID")),
    "missingissuer": lambda: spoilt(_remove("s:Issuer")),
    "missingissuerformat": lambda: made(_set("s:Issuer", "Format", None)),
    "invalidissueremailformat": lambda: made(_set("s:Issuer", "Format", f"{_V11}emailAddress")),
    "invalidissuerx509format": lambda: made(_set("s:Issuer", "Format", f"{_V11}X509SubjectName")),
    "invalidissuerwindowsdomainformat": lambda: made(_set("s:Issuer", "Format", f"{_V11}WindowsDomainQualifiedName")),
    "missingissueinstant": lambda: made(_set(".", "IssueInstant", None)),
    "invalidissueinstant": lambda: made(_set(".", "IssueInstant", "yesterday")),
    "invalidrsapublickeymodulus": lambda: spoilt(_key_value(_rsa(_MODULUS, _EXPONENT))),
    "invalidrsapublickeyexponent": lambda: spoilt(_key_value(_rsa(_MODULUS, "<d:Exponent>Aw==</d:Exponent>"))),
    "invalidsubjectnameidformat": lambda: made(_set("s:Subject/s:NameID", "Format", f"{_V11}X509SubjectName")),
    "invalidx509certificate": lambda: spoilt(
        _say("d:Signature/d:KeyInfo/d:X509Data/d:X509Certificate", base64.b64encode(client().der).decode())
    ),
    "lateissueinstant": lambda: made(_set(".", "IssueInstant", _LATER)),
    "missingsubjectconfdata": lambda: made(_remove(_DATA), **_HELD),
    "missingsubjectconfirmationkeyinfo": lambda: made(_remove(f"{_DATA}/d:KeyInfo"), **_HELD),
    "missingsubjectconfrsapublickeyexponent": lambda: made(_remove(f"{_DATA}//d:Exponent"), **_HELD),
    "invalidsubjectconfrsapublickeymodulus": lambda: made(_say(f"{_DATA}//d:Modulus", "AQAB"), **_HELD),
    "invalidsubjectconfrsapublickeyexponent": lambda: made(_say(f"{_DATA}//d:Exponent", "Aw=="), **_HELD),
    "unknownaudience": lambda: made(_say("s:Conditions/s:AudienceRestriction/s:Audience", "urn:oid:9.9.9")),
    "invalidauthncontext": lambda: made(_say(f"{_CONTEXT}/s:AuthnContextClassRef", "urn:invalid")),
}
