"""The signature of a submission by itself: what is taken, what is not, and what it may cost. DMP 8.3."""

import base64
import hashlib
import time
from collections.abc import Callable
from copy import deepcopy
from datetime import timedelta
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from lxml import etree

from access_policy import make_submission_signature as make_submission_signature_module
from access_policy.make_submission_signature import make_submission_signature
from access_policy.refusals import Reason, Refused
from access_policy.security_header import DS
from access_policy.submission_signature import (
    C14N_WITH_COMMENTS,
    XADES,
    ManifestReference,
    SubmissionSignature,
    canonical_octets,
    read_submission_signature,
)
from access_policy.trust import Trust
from carnet.pki import Credential, Use, issue_card
from tests import sts

SUBMISSION, DOCUMENT = "2.25.1", "2.25.2"
CONTENT = b"<ClinicalDocument/>"


def signed(signer: Credential | None = None, *, digest: str = "sha1", content: bytes = CONTENT) -> bytes:
    signer = signer or sts.card()[Use.SIGNATURE]
    octets = hashlib.new(digest, content).digest()
    reference = ManifestReference(algorithm=digest, digest=octets, canonicalisation=C14N_WITH_COMMENTS)
    return make_submission_signature(
        SUBMISSION, {DOCUMENT: reference}, signer.certificate, signer.key, now=sts.NOW, digest=digest
    )


def read(octets: bytes, trust: Trust | None = None) -> SubmissionSignature:
    return read_submission_signature(octets, trust or sts.trust(), now=sts.NOW)


def reason(octets: bytes, trust: Trust | None = None) -> Reason:
    with pytest.raises(Refused) as refused:
        read(octets, trust)
    return refused.value.reason


@pytest.mark.parametrize("digest", ["sha1", "sha256"])
def test_a_good_signature_tells_its_signer_and_what_it_covers(digest: str) -> None:
    found = read(signed(digest=digest))
    assert (found.holder.identifier, found.signing_time, found.uses_sha1) == (
        sts.DOCTOR.identifier,
        sts.NOW,
        digest == "sha1",
    )
    assert found.references.keys() == {f"urn:oid:{SUBMISSION}", f"urn:oid:{DOCUMENT}"}
    assert found.references[f"urn:oid:{SUBMISSION}"].digest == base64.b64decode("AA==")
    assert found.references[f"urn:oid:{DOCUMENT}"].digest == hashlib.new(digest, CONTENT).digest()


def test_the_seal_of_a_structure_signs_too() -> None:
    assert read(signed(sts.structure()[Use.SEAL])).holder.identifier == sts.CLINIC.identifier


def test_w22_properties_in_no_namespace_and_a_path_of_certificates_are_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    def write_purpose(parent: etree._Element) -> None:
        properties = etree.SubElement(parent, "SignatureProperties")
        etree.SubElement(properties, "SignatureProperty", Id="purposeOfSignature", Target="#Sig").text = "author"

    def write_properties(*given: Any) -> etree._Element:
        properties = written(*given)
        [own] = properties.iter(f"{{{XADES}}}Cert")
        for number in (1, 2):  # the issuer, and the issuer of the issuer
            other = deepcopy(own)
            other.find(f".//{{{XADES}}}DigestValue").text = base64.b64encode(bytes([number]) * 20).decode()
            own.getparent().append(other)
        return properties

    written = make_submission_signature_module._write_properties
    monkeypatch.setattr(make_submission_signature_module, "_write_properties", write_properties)
    monkeypatch.setattr(make_submission_signature_module, "_write_purpose", write_purpose)
    octets = signed()
    assert (octets.count(b"<SignatureProperties"), octets.count(b"<xad:Cert>")) == (1, 3)
    assert read(octets).holder.identifier == sts.DOCTOR.identifier


def changed(change: Callable[[etree._Element], None]) -> bytes:
    root = etree.fromstring(signed())
    change(root)
    return etree.tostring(root)


def set_text(path: str, text: str) -> Callable[[etree._Element], None]:
    def change(root: etree._Element) -> None:
        root.find(path, {"ds": DS, "xad": XADES}).text = text

    return change


def set_attribute(path: str, name: str, value: str) -> Callable[[etree._Element], None]:
    def change(root: etree._Element) -> None:
        root.find(path, {"ds": DS, "xad": XADES}).set(name, value)

    return change


def add(path: str, element: etree._Element) -> Callable[[etree._Element], None]:
    def change(root: etree._Element) -> None:
        (root if path == "." else root.find(path, {"ds": DS, "xad": XADES})).append(element)

    return change


XSLT = "http://www.w3.org/TR/1999/REC-xslt-19991116"
HMAC = "http://www.w3.org/2000/09/xmldsig#hmac-sha1"
ALTERATIONS = {
    "digest of a document": (set_text(".//ds:Manifest/ds:Reference[2]/ds:DigestValue", "AAAA"), Reason.SIGNATURE),
    "name of a document": (set_attribute(".//ds:Manifest/ds:Reference[2]", "URI", "urn:oid:2.25.9"), Reason.SIGNATURE),
    "signing time": (set_text(".//xad:SigningTime", "2026-03-10T09:31:00Z"), Reason.SIGNATURE),
    "transform": (set_attribute(".//ds:SignedInfo//ds:Transform", "Algorithm", XSLT), Reason.ALGORITHM),
    "method": (set_attribute(".//ds:SignatureMethod", "Algorithm", HMAC), Reason.ALGORITHM),
    "reference": (set_attribute(".//ds:SignedInfo/ds:Reference", "URI", ""), Reason.SIGNATURE_SHAPE),
    "two manifests": (add(".", etree.Element(f"{{{DS}}}Manifest", Id="IHEManifest")), Reason.SIGNATURE_SHAPE),
    "two signatures": (add(".", etree.Element(f"{{{DS}}}Signature")), Reason.SIGNATURE_SHAPE),
    "third reference": (add("ds:SignedInfo", etree.Element(f"{{{DS}}}Reference", URI="#x")), Reason.SIGNATURE_SHAPE),
    "retrieval method": (add("ds:KeyInfo", etree.Element(f"{{{DS}}}RetrievalMethod", URI="file:///")), Reason.KEY),
}


@pytest.mark.parametrize("name", ALTERATIONS)
def test_an_altered_signature_is_refused(name: str) -> None:
    change, expected = ALTERATIONS[name]
    if name == "retrieval method":  # it stands before the certificate, where a careless reader would follow it
        root = etree.fromstring(signed())
        root.find(f"{{{DS}}}KeyInfo").insert(0, etree.Element(f"{{{DS}}}RetrievalMethod", URI="file:///etc/passwd"))
        assert reason(etree.tostring(root)) is expected
        return
    assert reason(changed(change)) is expected


def test_another_certificate_of_the_same_key_is_refused() -> None:
    """KeyInfo is not signed: SigningCertificate says which certificate was meant."""
    signer, issuer = sts.card()[Use.SIGNATURE], sts.igc().persons
    builder = (
        x509.CertificateBuilder(issuer.certificate.subject, sts.NURSE.subject, signer.certificate.public_key(), 4711)
        .not_valid_before(sts.NOW - timedelta(days=1))
        .not_valid_after(sts.NOW + timedelta(days=1))
    )
    for extension in signer.certificate.extensions:
        builder = builder.add_extension(extension.value, extension.critical)
    twin = Credential(certificate=builder.sign(issuer.key, hashes.SHA256()), key=signer.key)
    assert read(signed(twin)).holder.identifier == sts.NURSE.identifier
    root = etree.fromstring(signed())
    root.find(f".//{{{DS}}}X509Certificate").text = base64.b64encode(twin.der).decode()
    assert reason(etree.tostring(root)) is Reason.KEY


def test_signers_that_nobody_trusts_are_refused() -> None:
    stranger = issue_card(sts.other_igc(), sts.DOCTOR, now=sts.NOW)[Use.SIGNATURE]
    assert reason(signed(stranger)) is Reason.CHAIN
    assert reason(signed(sts.card()[Use.AUTHENTICATION])) is Reason.SIGNER_USAGE
    serial = sts.card()[Use.SIGNATURE].certificate.serial_number
    assert reason(signed(), sts.trust(serial)) is Reason.REVOKED


@pytest.mark.parametrize("octets", [b"", b"<a/>", b"<!DOCTYPE a><a/>", b"\x00", f'<Signature xmlns="{DS}"/>'.encode()])
def test_what_is_no_signature_is_refused(octets: bytes) -> None:
    assert reason(octets) is Reason.SIGNATURE_SHAPE


def test_namespaces_are_counted_before_anything_is_canonicalised() -> None:
    """200 nested elements with 100 declarations each took 101 s."""
    inside = "<x>"
    for level in range(200):
        declared = " ".join(f'xmlns:p{level}x{number}="u:{number}"' for number in range(15))
        inside = f"<a{level} {declared}>{inside}</a{level}>" if level else f"<a {declared}><x/></a>"
    hostile = signed().replace(b"<ds:Object>", b"<ds:Object>" + inside.encode().replace(b"<x></", b"</"), 1)
    began = time.process_time()
    assert reason(hostile) in (Reason.SIZE, Reason.SIGNATURE_SHAPE)
    declared = " ".join(f'xmlns:p{number}="u:{number}"' for number in range(60))
    document = etree.fromstring(f"<a {declared}>{'<b/>' * 100_000}</a>")
    with pytest.raises(Refused) as refused:
        canonical_octets(document, C14N_WITH_COMMENTS)
    assert refused.value.reason is Reason.SIZE
    assert time.process_time() - began < 1
