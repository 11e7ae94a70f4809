"""Signatures of something else, keys of somebody else, weak algorithms: each is refused. S10 to S13."""

import base64
import copy
from datetime import timedelta

import pytest
from cryptography.hazmat.primitives import hashes, hmac
from lxml import etree

from access_policy.refusals import Reason, Subcode
from access_policy.security_header import DS, WSU
from access_policy.vihf import VihfRules
from access_policy.vihf_attributes import Expected
from carnet.pki import Use, issue, issue_card
from tests import sts
from tests.access_policy.altered_assertions import (
    Change,
    Element,
    altered,
    certificates,
    find,
    key_info,
    reason,
    remove_signature,
    sign_info,
    signed,
)
from tests.builders import TEST_INS

# S10: no signature, or one of something else


def empty_signed_info(assertion: Element) -> None:
    info = find(assertion, "ds:Signature/ds:SignedInfo")
    info[:] = []


def refer(uri: str | None) -> Change:
    def change(assertion: Element) -> None:
        reference = find(assertion, ".//ds:Reference")
        if uri is None:
            del reference.attrib["URI"]
        else:
            reference.set("URI", uri)
        sign_info(assertion)

    return change


def second_reference(assertion: Element) -> None:
    reference = find(assertion, ".//ds:Reference")
    reference.addnext(copy.deepcopy(reference))
    sign_info(assertion)


def typed_reference(assertion: Element) -> None:
    find(assertion, ".//ds:Reference").set("Type", f"{DS}Manifest")
    sign_info(assertion)


def signed_object(assertion: Element) -> None:
    etree.SubElement(find(assertion, "ds:Signature"), f"{{{DS}}}Object")


STRIPPED = {
    "no signature": (remove_signature, Reason.HEADER),
    "empty SignedInfo": (empty_signed_info, Reason.SIGNATURE_SHAPE),
    "URI empty": (refer(""), Reason.SIGNATURE_SHAPE),
    "URI missing": (refer(None), Reason.SIGNATURE_SHAPE),
    "URI of another": (refer("#_other"), Reason.SIGNATURE_SHAPE),
    "xpointer": (refer("#xpointer(/)"), Reason.SIGNATURE_SHAPE),
    "two references": (second_reference, Reason.SIGNATURE_SHAPE),
    "type": (typed_reference, Reason.SIGNATURE_SHAPE),
    "object": (signed_object, Reason.SIGNATURE_SHAPE),
}


@pytest.mark.parametrize("name", STRIPPED)
def test_s10_the_signature_covers_the_assertion_and_nothing_else(name: str) -> None:
    change, expected = STRIPPED[name]
    assert reason(altered(change)) is expected


@pytest.mark.parametrize("attribute", ["ID", "Id", "id", "AssertionID", "xml:id", "wsu:Id"])
def test_s10_the_id_stands_once_in_the_message_in_any_spelling(attribute: str) -> None:
    assertion = signed()
    name = attribute.replace("wsu:", f"{{{WSU}}}").replace("xml:", "{http://www.w3.org/XML/1998/namespace}")
    decoy = etree.Element("q")
    decoy.set(name, str(assertion.get("ID")))
    assert reason(sts.envelope(assertion, body=etree.tostring(decoy))) is Reason.DUPLICATE_ID


@pytest.mark.parametrize("identifier", ["", "a b", "a#b", "#", "x" * 300])
def test_s10_a_malformed_id_is_refused(identifier: str) -> None:
    def change(assertion: Element) -> None:
        assertion.set("ID", identifier)

    assert reason(altered(change)) is Reason.DUPLICATE_ID


# S11, S12: which key


def test_s11_a_certificate_of_ones_own_with_the_same_name_is_refused() -> None:
    twin = issue_card(sts.other_igc(), sts.DOCTOR, now=sts.NOW)[Use.SIGNATURE]
    assert reason(sts.envelope(sts.a_vihf(signer=twin))) is Reason.CHAIN
    own_root = sts.other_igc().root
    forged = issue(own_root, sts.DOCTOR.subject, Use.SIGNATURE, now=sts.NOW)
    assert reason(sts.envelope(sts.a_vihf(signer=forged))) is Reason.CHAIN


def test_s11_a_key_value_alone_is_no_key() -> None:
    numbers = sts.card()[Use.SIGNATURE].key.public_key().public_numbers()
    modulus, exponent = (base64.b64encode(one.to_bytes((one.bit_length() + 7) // 8)) for one in (numbers.n, numbers.e))
    value = b"<ds:KeyValue><ds:RSAKeyValue><ds:Modulus>%s</ds:Modulus><ds:Exponent>%s</ds:Exponent></ds:RSAKeyValue></ds:KeyValue>"
    assert reason(altered(key_info(value % (modulus, exponent)))) is Reason.KEY
    both = certificates(sts.card()[Use.SIGNATURE]) + value % (modulus, exponent)
    assert sts.accepted(altered(key_info(both)))
    other = certificates(sts.card()[Use.SIGNATURE]) + value % (base64.b64encode(b"\x01" * 256), exponent)
    assert reason(altered(key_info(other))) is Reason.SIGNATURE


def test_s11_certificates_swapped_or_of_another_trusted_holder_are_refused() -> None:
    own, nurse = sts.card()[Use.SIGNATURE], sts.card(sts.NURSE)[Use.SIGNATURE]
    assert reason(altered(key_info(certificates(nurse, own)))) is Reason.SIGNATURE
    assert reason(altered(key_info(certificates(sts.igc().persons, own)))) is Reason.SIGNER_USAGE
    assert sts.accepted(altered(key_info(certificates(own, sts.igc().persons))))


def test_s11_expired_revoked_or_wrong_certificates_are_refused() -> None:
    expired = issue(sts.igc().persons, sts.DOCTOR.subject, Use.SIGNATURE, now=sts.NOW - timedelta(days=20), days=10)
    assert reason(sts.envelope(sts.a_vihf(signer=expired))) is Reason.CHAIN
    future = issue(sts.igc().persons, sts.DOCTOR.subject, Use.SIGNATURE, now=sts.NOW + timedelta(days=1))
    assert reason(sts.envelope(sts.a_vihf(signer=future))) is Reason.CHAIN
    serial = sts.card()[Use.SIGNATURE].certificate.serial_number
    assert reason(sts.envelope(signed()), trust=sts.trust(serial)) is Reason.REVOKED
    authority = sts.igc().persons.certificate.serial_number
    assert reason(sts.envelope(signed()), trust=sts.trust(authority)) is Reason.REVOKED
    server = issue(sts.igc().persons, sts.DOCTOR.subject, Use.SERVER, now=sts.NOW)
    assert reason(sts.envelope(sts.a_vihf(signer=server))) is Reason.SIGNER_USAGE


@pytest.mark.parametrize(
    "octets",
    [
        b'<ds:RetrievalMethod URI="http://127.0.0.1:1/"/>',
        b'<ds:RetrievalMethod URI="file:///etc/passwd"/>',
        b"<ds:KeyName>/etc/passwd</ds:KeyName>",
        b"<ds:X509Data><ds:X509SubjectName>CN=x</ds:X509SubjectName></ds:X509Data>",
        b'<ds:KeyInfoReference URI="#k"/>',
        b"",
    ],
)
def test_s12_no_key_is_fetched_or_looked_up(octets: bytes) -> None:
    assert reason(altered(key_info(octets))) is Reason.KEY
    before = certificates(sts.card()[Use.SIGNATURE])
    if octets and b"X509" not in octets:
        assert reason(altered(key_info(octets + before))) is Reason.KEY


# S13: algorithms


def method(uri: str) -> Change:
    def change(assertion: Element) -> None:
        find(assertion, ".//ds:SignatureMethod").set("Algorithm", uri)
        sign_info(assertion)

    return change


WEAK = [
    f"{DS}rsa-sha1",
    f"{DS}dsa-sha1",
    f"{DS}hmac-sha1",
    "http://www.w3.org/2001/04/xmldsig-more#rsa-md5",
    "http://www.w3.org/2001/04/xmldsig-more#hmac-sha256",
    "http://www.w3.org/2001/04/xmldsig-more#rsa-ripemd160",
    "urn:unknown",
    "",
]


@pytest.mark.parametrize("uri", WEAK)
def test_s13_weak_or_foreign_algorithms_are_refused(uri: str) -> None:
    assert sts.refusal(altered(method(uri))).reason.subcode is Subcode.UNSUPPORTED_ALGORITHM


@pytest.mark.parametrize("length", ["0", "8", "160"])
def test_s13_hmac_with_the_public_key_and_a_truncation_is_refused(length: str) -> None:
    def change(assertion: Element) -> None:
        element = find(assertion, ".//ds:SignatureMethod")
        element.set("Algorithm", f"{DS}hmac-sha1")
        etree.SubElement(element, f"{{{DS}}}HMACOutputLength").text = length
        info = etree.tostring(find(assertion, "ds:Signature/ds:SignedInfo"), method="c14n", exclusive=True)
        made = hmac.HMAC(sts.card()[Use.SIGNATURE].certificate_pem, hashes.SHA1())  # the classic confusion
        made.update(info)
        find(assertion, ".//ds:SignatureValue").text = base64.b64encode(made.finalize()).decode()

    assert reason(altered(change)) is Reason.ALGORITHM


def test_s13_an_ecdsa_signature_of_zeroes_is_refused() -> None:
    def change(assertion: Element) -> None:
        find(assertion, ".//ds:SignatureMethod").set("Algorithm", "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256")
        find(assertion, ".//ds:SignatureValue").text = base64.b64encode(bytes(64)).decode()

    assert reason(altered(change)) is Reason.SIGNATURE


def sha1(assertion: Element) -> None:
    """RSA-SHA1 and SHA-1, well signed: as messages of 2019 have it."""
    bare = copy.deepcopy(assertion)
    bare.remove(find(bare, "ds:Signature"))
    digest = hashes.Hash(hashes.SHA1())
    digest.update(etree.tostring(bare, method="c14n", exclusive=True))
    find(assertion, ".//ds:DigestMethod").set("Algorithm", f"{DS}sha1")
    find(assertion, ".//ds:DigestValue").text = base64.b64encode(digest.finalize()).decode()
    find(assertion, ".//ds:SignatureMethod").set("Algorithm", f"{DS}rsa-sha1")
    sign_info(assertion, algorithm=hashes.SHA1())


def test_s13_sha1_is_refused_unless_its_anchor_allows_it_and_then_it_is_told() -> None:
    assert reason(altered(sha1)) is Reason.ALGORITHM
    anchor = sts.igc().root.certificate.fingerprint(hashes.SHA256())
    expected = Expected(patient_authorities=frozenset({TEST_INS}))
    caller = sts.accepted(altered(sha1), vihf=VihfRules(expected=expected, sha1_anchors=frozenset({anchor})))
    assert caller.credentials is not None
    assert caller.credentials.signed_with_sha1
