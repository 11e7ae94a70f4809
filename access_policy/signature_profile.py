"""The profile of an assertion's signature, checked on its elements before anything is canonicalised. SAML Core: 5.4.

signxml ignores transforms it does not know and reads base64 leniently; this profile leaves it neither.
"""

import base64
import binascii
import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from typing import TypeVar

from lxml import etree
from signxml.algorithms import DigestAlgorithm, SignatureMethod

from access_policy.refusals import Reason, Refused
from access_policy.security_header import DS

EXCLUSIVE_C14N = "http://www.w3.org/2001/10/xml-exc-c14n#"
ENVELOPED = "http://www.w3.org/2000/09/xmldsig#enveloped-signature"
_INCLUSIVE_NAMESPACES = f"{{{EXCLUSIVE_C14N}}}InclusiveNamespaces"
_PREFIX = re.compile(r"[A-Za-z_][A-Za-z0-9._-]*\Z")
_MOST_PREFIXES = 16
_Algorithm = TypeVar("_Algorithm", bound=Enum)

SIGNATURE_METHODS = frozenset(
    {
        SignatureMethod.RSA_SHA256,
        SignatureMethod.RSA_SHA384,
        SignatureMethod.RSA_SHA512,
        SignatureMethod.SHA256_RSA_MGF1,
        SignatureMethod.SHA384_RSA_MGF1,
        SignatureMethod.SHA512_RSA_MGF1,
        SignatureMethod.ECDSA_SHA256,
        SignatureMethod.ECDSA_SHA384,
        SignatureMethod.ECDSA_SHA512,
    }
)
DIGESTS = {DigestAlgorithm.SHA256: "sha256", DigestAlgorithm.SHA384: "sha384", DigestAlgorithm.SHA512: "sha512"}
WITH_SHA1 = (SignatureMethod.RSA_SHA1, DigestAlgorithm.SHA1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """What an assertion's signature uses, all of it allowed."""

    signature_method: SignatureMethod
    digest: DigestAlgorithm
    key_info: etree._Element | None

    @property
    def uses_sha1(self) -> bool:
        return self.signature_method is WITH_SHA1[0] or self.digest is WITH_SHA1[1]


def read_profile(signature: etree._Element, *, assertion_id: str) -> Profile:
    """Check the shape of a ds:Signature. Raises Refused.

    SHA-1 passes here and must be refused by the caller unless the anchor of the key is known to allow it.
    """
    if any(not isinstance(one.tag, str) for one in signature.iter()):
        raise Refused(Reason.SIGNATURE_SHAPE, "a comment or instruction inside the signature")
    parts = _children(signature, "SignedInfo", "SignatureValue", "KeyInfo", optional=1)
    info = _children(parts[0], "CanonicalizationMethod", "SignatureMethod", "Reference")
    _check_exclusive(info[0])
    method = _member(SignatureMethod, info[1])
    digest = _reference(info[2], assertion_id)
    if not strict_base64(parts[1]):
        raise Refused(Reason.SIGNATURE_SHAPE, "an empty SignatureValue")
    if method not in SIGNATURE_METHODS and method is not WITH_SHA1[0]:
        raise Refused(Reason.ALGORITHM, method.name)
    return Profile(signature_method=method, digest=digest, key_info=parts[2] if len(parts) > 2 else None)


def _reference(reference: etree._Element, assertion_id: str) -> DigestAlgorithm:
    """The one reference, to the assertion itself by its ID."""
    if reference.items() != [("URI", f"#{assertion_id}")]:
        raise Refused(Reason.SIGNATURE_SHAPE, "the reference is not to the assertion alone")
    transforms, method, value = _children(reference, "Transforms", "DigestMethod", "DigestValue")
    _check_transforms(transforms)
    digest = _member(DigestAlgorithm, method)
    name = DIGESTS.get(digest) or ("sha1" if digest is WITH_SHA1[1] else "")
    if not name:
        raise Refused(Reason.ALGORITHM, digest.name)
    octets = strict_base64(value)
    if len(octets) != hashlib.new(name).digest_size or octets == hashlib.new(name, b"").digest():
        raise Refused(Reason.SIGNATURE_SHAPE, "DigestValue has not the length of its method, or is that of nothing")
    return digest


def _check_transforms(transforms: etree._Element) -> None:
    """enveloped-signature, then exclusive canonicalisation without comments, each once."""
    found = [one.get("Algorithm") for one in transforms]
    if any(one.tag != f"{{{DS}}}Transform" or one.keys() != ["Algorithm"] for one in transforms):
        raise Refused(Reason.SIGNATURE_SHAPE, "Transforms holds something else than Transform")
    if found != [ENVELOPED, EXCLUSIVE_C14N] or len(transforms[0]):
        raise Refused(Reason.ALGORITHM, "transforms other than enveloped-signature and exclusive canonicalisation")
    _check_exclusive(transforms[1])


def _check_exclusive(method: etree._Element) -> None:
    if method.items() != [("Algorithm", EXCLUSIVE_C14N)]:
        raise Refused(Reason.ALGORITHM, "expected exclusive canonicalisation without comments")
    if not len(method):
        return
    lists = list(method)
    prefixes = lists[0].get("PrefixList", "").split(" ")
    if len(lists) != 1 or lists[0].tag != _INCLUSIVE_NAMESPACES or len(lists[0]) or len(prefixes) > _MOST_PREFIXES:
        raise Refused(Reason.SIGNATURE_SHAPE, "InclusiveNamespaces is not one list of a few prefixes")
    if not all(_PREFIX.match(one) for one in prefixes):
        raise Refused(Reason.SIGNATURE_SHAPE, "InclusiveNamespaces is not one list of a few prefixes")


def _member(methods: type[_Algorithm], element: etree._Element) -> _Algorithm:
    """The algorithm an element names, without parameters."""
    name = element.get("Algorithm", "")
    if len(element) or len(element.attrib) != 1:
        raise Refused(Reason.ALGORITHM, "parameters of an algorithm")
    try:
        return methods(name)
    except ValueError:
        raise Refused(Reason.ALGORITHM, name[:100]) from None


def _children(parent: etree._Element, *names: str, optional: int = 0) -> list[etree._Element]:
    """Exactly these elements in this order; the last `optional` ones may be absent."""
    children = list(parent)
    tags, expected = [one.tag for one in children], [f"{{{DS}}}{name}" for name in names]
    if len(tags) < len(names) - optional or tags != expected[: len(tags)]:
        raise Refused(Reason.SIGNATURE_SHAPE, f"{etree.QName(parent).localname} does not hold {', '.join(names)}")
    return children


def strict_base64(element: etree._Element) -> bytes:
    """The octets of an element that holds base64 and blanks only. Raises Refused."""
    text = "".join((element.text or "").split())
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise Refused(Reason.SIGNATURE_SHAPE, f"{etree.QName(element).localname} is not base64") from None


def certificates_of(key_info: etree._Element | None) -> Iterator[bytes]:
    """The certificates of a KeyInfo that holds X509Data and perhaps a KeyValue; nothing is ever followed.

    Raises Refused for any other child: RetrievalMethod, KeyName and so on are no ways to a key here.
    """
    for child in () if key_info is None else key_info:
        if child.tag == f"{{{DS}}}KeyValue":
            continue
        if child.tag != f"{{{DS}}}X509Data":
            raise Refused(Reason.KEY, f"KeyInfo holds {etree.QName(child).localname}")
        for one in child:
            if one.tag == f"{{{DS}}}X509Certificate":
                yield strict_base64(one)
