"""A VIHF taken apart: attributes, signer, times. Nothing of it is believed; what is missing is empty."""

import base64
import binascii
from dataclasses import dataclass

from cryptography import x509
from lxml import etree

from conformance.client.received import SAML, Received
from conformance.nist.xml import text_of

DS = "http://www.w3.org/2000/09/xmldsig#"
DIRECT = "DIRECTE"
MODES = (DIRECT, "INDIRECTE", "INDIRECTE_RENFORCEE")
MODE, ROLE = "authentification_mode", "urn:oasis:names:tc:xacml:2.0:subject:role"
RESOURCE, PURPOSE = (
    "urn:oasis:names:tc:xacml:2.0:resource:resource-id",
    "urn:oasis:names:tc:xspa:1.0:subject:purposeofuse",
)
SUBJECT, STRUCTURE = "urn:oasis:names:tc:xspa:1.0:subject:subject-id", "identifiant_structure"


@dataclass(frozen=True)
class Vihf:
    """The assertion of a message."""

    element: etree._Element

    def values(self, name: str) -> list[etree._Element]:
        """AttributeValue elements of an attribute; names without case (DMP W20)."""
        found = (
            one for one in self.element.iter(f"{{{SAML}}}Attribute") if one.get("Name", "").lower() == name.lower()
        )
        return [value for one in found for value in one.findall(f"{{{SAML}}}AttributeValue")]

    def text(self, name: str) -> str:
        values = self.values(name)
        return text_of(values[0]) if values else ""

    def codes(self, name: str) -> list[tuple[str, str]]:
        """(code, system) of the coded values."""
        elements = (next(value.iterchildren("*"), None) for value in self.values(name))
        return [("", "") if one is None else (one.get("code", ""), one.get("codeSystem", "")) for one in elements]

    @property
    def id(self) -> str:
        return self.element.get("ID", "")

    @property
    def mode(self) -> str:
        return self.text(MODE)

    @property
    def patient(self) -> str:
        """The identifier in resource-id, CX-1."""
        return self.text(RESOURCE).partition("^")[0]

    @property
    def purpose(self) -> str:
        codes = self.codes(PURPOSE)
        return codes[0][0] if codes else ""


def vihf_of(received: Received) -> Vihf | None:
    return None if received.assertion is None else Vihf(received.assertion)


def signer_of(received: Received) -> tuple[x509.Certificate, bytes] | None:
    """The certificate in KeyInfo of the assertion, and its octets; None when there is none to be read."""
    return None if received.assertion is None else certificate_in(received.assertion)


def certificate_in(signed: etree._Element) -> tuple[x509.Certificate, bytes] | None:
    """The first X509Certificate below an element."""
    found = next(signed.iter(f"{{{DS}}}X509Certificate"), None)
    try:
        octets = base64.b64decode("".join(text_of(found).split()), validate=True) if found is not None else b""
        return (x509.load_der_x509_certificate(octets), octets) if octets else None
    except (binascii.Error, ValueError):
        return None
