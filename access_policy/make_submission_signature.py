"""Signs a DMP submission: the XAdES 1.1.1 document that goes along as its signature entry. DMP 8.3."""

import base64
import hashlib
from collections.abc import Mapping
from datetime import datetime

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from lxml import etree
from signxml.algorithms import DigestAlgorithm, SignatureMethod

from access_policy.security_header import DS
from access_policy.submission_signature import C14N_WITH_COMMENTS, SUBMISSION_DIGEST, XADES, ManifestReference
from access_policy.times import write_time

_ALGORITHMS = {
    "sha1": (SignatureMethod.RSA_SHA1.value, DigestAlgorithm.SHA1.value, hashes.SHA1),
    "sha256": (SignatureMethod.RSA_SHA256.value, DigestAlgorithm.SHA256.value, hashes.SHA256),
}
DIGESTS = tuple(_ALGORITHMS)
_PURPOSE_SOURCE = "1.2.840.10065.1.12.1.14"
_ID, _MANIFEST_ID, _PROPERTIES_ID = "S0", "IHEManifest", "S0-SignedProperties"


def make_submission_signature(
    submission_unique_id: str,
    documents: Mapping[str, ManifestReference],
    certificate: x509.Certificate,
    key: rsa.RSAPrivateKey,
    *,
    now: datetime,
    digest: str = "sha1",
) -> bytes:
    """The signature over a submission and its documents, by their uniqueId. `digest`: `sha1` as in the DMP, `sha256`.

    The references of documents must have the same digest algorithm.
    """
    root = etree.Element(f"{{{DS}}}Signature", {"Id": _ID}, {"ds": DS})
    info, value = _sub(root, "SignedInfo"), _sub(root, "SignatureValue")
    data = _sub(_sub(root, "KeyInfo"), "X509Data")
    _sub(data, "X509Certificate").text = _base64(certificate.public_bytes(Encoding.DER))
    properties = _write_properties(_sub(root, "Object"), certificate, now, digest)
    _write_purpose(_sub(root, "Object"))
    manifest = _sub(_sub(root, "Object"), "Manifest", Id=_MANIFEST_ID)
    constant = ManifestReference(algorithm=digest, digest=SUBMISSION_DIGEST)
    for unique_id, reference in {submission_unique_id: constant, **documents}.items():
        _write_reference(manifest, f"urn:oid:{unique_id}", reference)
    signature_method, _, algorithm = _ALGORITHMS[digest]
    _sub(info, "CanonicalizationMethod", Algorithm=C14N_WITH_COMMENTS)
    _sub(info, "SignatureMethod", Algorithm=signature_method)
    kinds = ((_MANIFEST_ID, manifest, f"{DS}Manifest"), (_PROPERTIES_ID, properties, f"{XADES}SignedProperties"))
    for identifier, element, kind in kinds:
        octets = hashlib.new(digest, _canonical(element)).digest()
        reference = ManifestReference(algorithm=digest, digest=octets, canonicalisation=C14N_WITH_COMMENTS)
        _write_reference(info, f"#{identifier}", reference).set("Type", kind)
    value.text = _base64(key.sign(_canonical(info), padding.PKCS1v15(), algorithm()))
    return etree.tostring(root, encoding="UTF-8", xml_declaration=True)


def _write_properties(
    parent: etree._Element, certificate: x509.Certificate, now: datetime, digest: str
) -> etree._Element:
    """xad:SignedProperties: when, with which certificate, under which policy."""
    qualifying = etree.SubElement(parent, f"{{{XADES}}}QualifyingProperties", {"Target": f"#{_ID}"}, {"xad": XADES})
    properties = _sub(qualifying, "SignedProperties", XADES, Id=_PROPERTIES_ID)
    signature = _sub(properties, "SignedSignatureProperties", XADES)
    _sub(signature, "SigningTime", XADES).text = write_time(now.replace(microsecond=0))
    one = _sub(_sub(signature, "SigningCertificate", XADES), "Cert", XADES)
    cert_digest = _sub(one, "CertDigest", XADES)
    _sub(cert_digest, "DigestMethod", XADES, Algorithm=_ALGORITHMS[digest][1])
    octets = hashlib.new(digest, certificate.public_bytes(Encoding.DER)).digest()
    _sub(cert_digest, "DigestValue", XADES).text = _base64(octets)
    serial = _sub(one, "IssuerSerial", XADES)
    _sub(serial, "X509IssuerName").text = certificate.issuer.rfc4514_string()
    _sub(serial, "X509SerialNumber").text = str(certificate.serial_number)
    _sub(_sub(signature, "SignaturePolicyIdentifier", XADES), "SignaturePolicyImplied", XADES)
    return properties


def _write_purpose(parent: etree._Element) -> None:
    """Purpose of the signature: the source of the documents signs. ASTM E1762"""
    properties = _sub(parent, "SignatureProperties")
    _sub(properties, "SignatureProperty", Id="purposeOfSignature", Target=f"#{_ID}").text = _PURPOSE_SOURCE


def _write_reference(parent: etree._Element, uri: str, reference: ManifestReference) -> etree._Element:
    element = _sub(parent, "Reference", URI=uri)
    if reference.canonicalisation:
        _sub(_sub(element, "Transforms"), "Transform", Algorithm=reference.canonicalisation)
    _sub(element, "DigestMethod", Algorithm=_ALGORITHMS[reference.algorithm][1])
    _sub(element, "DigestValue").text = _base64(reference.digest)
    return element


def _canonical(element: etree._Element) -> bytes:
    return etree.tostring(element, method="c14n", with_comments=True)


def _base64(octets: bytes) -> str:
    return base64.b64encode(octets).decode()


def _sub(parent: etree._Element, name: str, namespace: str = DS, **attributes: str) -> etree._Element:
    return etree.SubElement(parent, f"{{{namespace}}}{name}", attributes)
