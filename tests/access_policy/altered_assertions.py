"""Assertions changed after they were signed, and what they are refused for: what the attacks on them share."""

import base64
from collections.abc import Callable
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from lxml import etree

from access_policy.refusals import Reason
from access_policy.security_header import DS, SAML
from carnet.pki import Credential, Use
from tests import sts

Element = etree._Element
Change = Callable[[Element], None]
EXCLUSIVE = "http://www.w3.org/2001/10/xml-exc-c14n#"
NAMES = {"ds": DS, "saml": SAML}


def signed(**changes: Any) -> Element:
    return sts.a_vihf(sts.a_claim(**changes))


def altered(change: Change) -> bytes:
    """The message with its assertion changed after it was signed."""
    assertion = signed()
    change(assertion)
    return sts.envelope(assertion)


def reason(message: bytes, **changes: Any) -> Reason:
    return sts.refusal(message, **changes).reason


def find(assertion: Element, path: str) -> Element:
    found = assertion.find(path, NAMES)
    assert found is not None
    return found


def sign_info(assertion: Element, key: Any = None, algorithm: Any = None) -> None:
    """Sign SignedInfo again with the trusted key: what is wrong in it is now signed."""
    key, algorithm = key or sts.card()[Use.SIGNATURE].key, algorithm or hashes.SHA256()
    info = etree.tostring(find(assertion, "ds:Signature/ds:SignedInfo"), method="c14n", exclusive=True)
    find(assertion, "ds:Signature/ds:SignatureValue").text = base64.b64encode(
        key.sign(info, padding.PKCS1v15(), algorithm)
    ).decode()


def remove_signature(assertion: Element) -> None:
    assertion.remove(find(assertion, "ds:Signature"))


def key_info(octets: bytes) -> Change:
    """Put other children in KeyInfo, which no signature covers."""

    def change(assertion: Element) -> None:
        info = find(assertion, "ds:Signature/ds:KeyInfo")
        info[:] = list(etree.fromstring(b'<k xmlns:ds="%s">%s</k>' % (DS.encode(), octets)))

    return change


def certificates(*holders: Credential) -> bytes:
    inside = b"".join(b"<ds:X509Certificate>%s</ds:X509Certificate>" % base64.b64encode(one.der) for one in holders)
    return b"<ds:X509Data>%s</ds:X509Data>" % inside


def at(**changes: Any) -> bytes:
    return sts.envelope(signed(**changes))
