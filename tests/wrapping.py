"""Signature wrapping: every shape of the literature over every axis, made with the key that the server trusts.

A is the signed assertion, DS a copy of its signature, O a copy without it, F a forgery that nobody signed.
"""

import base64
import copy
import hashlib
import itertools
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from lxml import etree

from access_policy.make_vihf import sign_assertion
from access_policy.security_header import DS, SAML, WSSE
from carnet.pki import Credential, Use, issue_card
from tests import sts

ENV = "http://www.w3.org/2003/05/soap-envelope"
SIGNATURE, ASSERTION = f"{{{DS}}}Signature", f"{{{SAML}}}Assertion"
HOSTS = ("security", "header", "body", "advice", "embedded")
CLAIMS = ("NameID", "role", "resource-id", "Audience")
FORGED = {
    "NameID": "3690000014/intrus",
    "role": "60",
    "resource-id": "185057800608491^^^&1.2.250.1.213.1.4.10&ISO^NH",
    "Audience": "https://ailleurs.example/",
}
ORIGINAL_ID = "_orig"
Element = etree._Element


@dataclass(frozen=True, kw_only=True)
class Wrapped:
    """One attack: where it stands in the axes, and the message."""

    shape: int
    same_id: bool
    forged_first: bool
    host: str
    second_signature: bool
    claim: str
    message: bytes

    @property
    def name(self) -> str:
        place = f"{'first' if self.forged_first else 'last'}-{self.host}-{'two' if self.second_signature else 'one'}"
        return f"{self.shape}-{'same' if self.same_id else 'new'}-{place}-{self.claim}"


@cache
def original() -> bytes:
    """A: an indirect VIHF, so that its NameID is bound to no card."""
    claim = sts.an_indirect_claim(id=ORIGINAL_ID, audience="urn:dmp")
    return etree.tostring(sts.a_vihf(claim))


@cache
def stranger() -> Credential:
    """A card of authorities with our names that nobody trusts."""
    return issue_card(sts.other_igc(), sts.DOCTOR, now=sts.NOW)[Use.SIGNATURE]


def _without_signature(assertion: Element) -> Element:
    found = copy.deepcopy(assertion)
    for one in found.findall(SIGNATURE):
        found.remove(one)
    return found


@cache
def _forged(claim: str, same_id: bool, second_signature: bool) -> bytes:
    forged = _without_signature(etree.fromstring(original()))
    alter(forged, claim)
    if not same_id:
        forged.set("ID", "_forged")
    if second_signature:
        forged = sign_assertion(forged, stranger().certificate, stranger().key)
    return etree.tostring(forged)


def alter(assertion: Element, claim: str) -> None:
    """Put the attacker's value in place of a claim."""
    if claim == "NameID":
        assertion.find(f".//{{{SAML}}}NameID").text = FORGED[claim]
    elif claim == "Audience":
        assertion.find(f".//{{{SAML}}}Audience").text = FORGED[claim]
    elif claim == "role":
        next(assertion.iter("{urn:hl7-org:v3}Role")).set("code", FORGED[claim])
    else:
        attribute = next(one for one in assertion.iter(f"{{{SAML}}}Attribute") if one.get("Name").endswith(claim))
        attribute[0].text = FORGED[claim]


def read_claim(assertion: Element, claim: str) -> str:
    """What a reader that believes this element takes for the claim."""
    if claim in ("NameID", "Audience"):
        return assertion.findtext(f".//{{{SAML}}}{claim}") or ""
    if claim == "role":
        role = next(assertion.iter("{urn:hl7-org:v3}Role"), None)
        return "" if role is None else role.get("code")
    found = [one for one in assertion.iter(f"{{{SAML}}}Attribute") if one.get("Name").endswith(claim)]
    return (found[0][0].text or "") if found else ""


class Parts:
    """Fresh copies of A, DS, O and F for one message."""

    def __init__(self, claim: str, *, same_id: bool, second_signature: bool) -> None:
        self.signed = etree.fromstring(original())
        self.signature = copy.deepcopy(self.signed.find(SIGNATURE))
        self.plain = _without_signature(self.signed)
        self.forged = etree.fromstring(_forged(claim, same_id, second_signature))


def _inside(parent: Element, child: Element, position: int | None = None) -> Element:
    parent.insert(len(parent) if position is None else position, child)
    return parent


def _object(child: Element) -> Element:
    return _inside(etree.Element(f"{{{DS}}}Object"), child)


# Shape -> the pieces beside each other; the forged one first.
SHAPES: dict[int, Callable[[Parts], list[Element]]] = {
    1: lambda p: [_inside(p.forged, p.signature, 1), p.plain],
    2: lambda p: [p.forged, p.signature, p.plain],
    3: lambda p: [p.forged, p.signed],
    4: lambda p: [_inside(p.forged, p.signed)],
    5: lambda p: [_inside(p.forged, p.signature, 1), p.plain],
    6: lambda p: [_inside(p.forged, _inside(p.signature, p.plain), 1)],
    7: lambda p: [_inside(etree.Element("{urn:extension}Extension"), p.forged), p.signed],
    8: lambda p: [_inside(p.forged, _inside(p.signature, _object(p.plain)), 1)],
}


def wrapped_messages() -> Iterator[Wrapped]:
    """All 1,280."""
    axes = (SHAPES, (True, False), (True, False), HOSTS, (False, True), CLAIMS)
    for shape, same_id, forged_first, host, second_signature, claim in itertools.product(*axes):
        parts = Parts(claim, same_id=same_id, second_signature=second_signature)
        yield Wrapped(
            shape=shape,
            same_id=same_id,
            forged_first=forged_first,
            host=host,
            second_signature=second_signature,
            claim=claim,
            message=_message(shape, SHAPES[shape](parts), host, forged_first),
        )


def _message(shape: int, pieces: list[Element], host: str, forged_first: bool) -> bytes:
    """The forged piece stays in wsse:Security where others can go elsewhere; shape 5 ends the body with the original."""
    root, security, body = _skeleton()
    target = _host(root, security, body, host)
    forged, *others = pieces
    places = [(security if others else target, [forged]), (body if shape == 5 else target, others)]
    for place, elements in places if forged_first else reversed(places):
        for element in elements:
            place.insert(len(place), element)
    return etree.tostring(root)


def _skeleton() -> tuple[Element, Element, Element]:
    root = etree.fromstring(sts.envelope())
    return root, root[0][0], root[1][0]


def _host(root: Element, security: Element, body: Element, name: str) -> Element:
    if name == "security":
        return security
    if name == "header":
        return etree.SubElement(root[0], "{urn:other}Block")
    if name == "body":
        return body
    if name == "advice":
        return etree.SubElement(security, f"{{{SAML}}}Advice", {}, {"saml2": SAML})
    reference = etree.SubElement(security, f"{{{WSSE}}}SecurityTokenReference")
    return etree.SubElement(reference, f"{{{WSSE}}}Embedded")


def shuffled_messages(seed: int, count: int) -> Iterator[tuple[str, bytes]]:
    """Random moves of A, DS, O and F anywhere in the message; (claim, message)."""
    source = random.Random(seed)
    for _ in range(count):
        claim = source.choice(CLAIMS)
        parts = Parts(claim, same_id=source.random() < 0.5, second_signature=source.random() < 0.3)
        root, *_ = _skeleton()
        pieces = [parts.forged, parts.signature, parts.plain if source.random() < 0.7 else parts.signed]
        source.shuffle(pieces)
        for piece in pieces:
            place = source.choice([one for one in root.iter(etree.Element) if _may_hold(one, piece)])
            place.insert(source.randint(0, len(place)), piece)
        yield claim, etree.tostring(root)


def _may_hold(place: Element, piece: Element) -> bool:
    """Anywhere below the envelope, but where a piece would break what is signed, or would stand in itself."""
    above = [place, *place.iterancestors()]
    if place.getparent() is None or any(one is piece for one in above):
        return False
    if any(etree.QName(one).localname in ("SignedInfo", "SignatureValue", "KeyInfo") for one in above):
        return False
    return not any(one.tag == ASSERTION and one.get("ID") == ORIGINAL_ID and not _is_forged(one) for one in above)


def _is_forged(assertion: Element) -> bool:
    return any(read_claim(assertion, claim) == FORGED[claim] for claim in CLAIMS)


# Verifiers that make the mistakes. Each gives the assertion it believes, None when the signature fails.


def signed_element(root: Element, *, last: bool = False) -> Element | None:
    """The element the trusted signature covers, found by its ID anywhere, as many verifiers do."""
    for signature in root.iter(SIGNATURE):
        identifier = signature.find(f".//{{{DS}}}Reference").get("URI")[1:]
        candidates = [one for one in root.iter(etree.Element) if one.get("ID") == identifier]
        found = (candidates[-1] if last else candidates[0]) if candidates else None
        if found is not None and _is_raw_valid(signature, found):
            return found
    return None


def is_raw_valid(root: Element) -> bool:
    """Whether a trusted signature in the message covers an element of the message: else an attack tests nothing."""
    return any(signed_element(root, last=last) is not None for last in (False, True))


def _is_raw_valid(signature: Element, found: Element) -> bool:
    """Digest over the element without this signature, and the signature value, by the trusted key."""
    bare, own = copy.deepcopy(found), _canonical(signature)
    for one in [one for one in bare.iter(SIGNATURE) if _canonical(one) == own]:
        one.getparent().remove(one)
    octets = _canonical(bare)
    value = signature.find(f"{{{DS}}}SignedInfo/{{{DS}}}Reference/{{{DS}}}DigestValue").text
    if base64.b64decode(value) != hashlib.sha256(octets).digest():
        return False
    info = _canonical(signature.find(f"{{{DS}}}SignedInfo"))
    key = sts.structure()[Use.SEAL].key.public_key()
    try:
        key.verify(
            base64.b64decode(signature.findtext(f"{{{DS}}}SignatureValue")), info, padding.PKCS1v15(), hashes.SHA256()
        )
    except InvalidSignature:
        return False
    return True


def _canonical(element: Element) -> bytes:
    return etree.tostring(element, method="c14n", exclusive=True, with_comments=False)


def naive(message: bytes) -> Iterator[Element]:
    """What careless readers believe once some signature is good, whichever of two elements with its ID was digested."""
    root = etree.fromstring(message)
    if not is_raw_valid(root):
        return
    assertions = list(root.iter(ASSERTION))
    yield assertions[0]
    yield assertions[-1]
    yield from (one for one in root.iter(ASSERTION) if etree.QName(one.getparent()).localname == "Security")
    yield from (
        one.getparent() for one in itertools.islice(root.iter(SIGNATURE), 1) if one.getparent().tag == ASSERTION
    )
