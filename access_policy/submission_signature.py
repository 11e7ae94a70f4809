"""The signature of a DMP submission: XAdES 1.1.1 around an IHE DSG manifest. DMP 8.3; ITI TF-3: 5.5 (DSG).

It has a profile of its own: SHA-1 is allowed here and nowhere else, and canonicalisation is inclusive, whose cost
grows with the square of the namespaces in scope; so these are counted before anything is canonicalised.
"""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from lxml import etree
from signxml.algorithms import CanonicalizationMethod, DigestAlgorithm, SignatureMethod
from signxml.verifier import SignatureConfiguration, VerifyResult, XMLVerifier

from access_policy.refusals import Reason, Refused
from access_policy.security_header import DS
from access_policy.signature_profile import certificates_of, strict_base64
from access_policy.times import read_time
from access_policy.trust import Holder, Trust, check_signature_usage, holder_of, load_certificate
from xds.xml import BadXml, XmlLimits, parse, simple_text

XADES = "http://uri.etsi.org/01903/v1.1.1#"
C14N, C14N_WITH_COMMENTS = (
    CanonicalizationMethod.CANONICAL_XML_1_0.value,
    CanonicalizationMethod.CANONICAL_XML_1_0_WITH_COMMENTS.value,
)
SUBMISSION_DIGEST = b"\x00"  # "AA==", for the submission itself is named, not digested
# Elements times the square of the namespaces in scope: about half a second of inclusive canonicalisation.
_MOST_WORK = 5 * 10**7
_LIMITS = XmlLimits(octets=512 * 1024, elements=10_000, attributes_per_element=32, namespaces_per_element=16)
_MOST_NAMESPACES = 64
_CANONICAL = (
    C14N,
    C14N_WITH_COMMENTS,
    CanonicalizationMethod.EXCLUSIVE_XML_CANONICALIZATION_1_0.value,
    CanonicalizationMethod.EXCLUSIVE_XML_CANONICALIZATION_1_0_WITH_COMMENTS.value,
)
_METHODS = frozenset(getattr(SignatureMethod, f"RSA_SHA{bits}") for bits in (1, 256, 384, 512))
_DIGESTS = {getattr(DigestAlgorithm, f"SHA{bits}"): f"sha{bits}" for bits in (1, 256, 384, 512)}
_ALGORITHMS = {one.value: name for one, name in _DIGESTS.items()}
_SIGNATURE, _MANIFEST, _REFERENCE = (f"{{{DS}}}{name}" for name in ("Signature", "Manifest", "Reference"))


@dataclass(frozen=True, slots=True, kw_only=True)
class ManifestReference:
    """Digest of one document; `canonicalisation` is empty where none is named."""

    algorithm: str
    digest: bytes
    canonicalisation: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SubmissionSignature:
    """A signature that is good, and what it covers: URI of the submission and of each document."""

    signer: x509.Certificate
    holder: Holder
    signing_time: datetime
    references: Mapping[str, ManifestReference]
    uses_sha1: bool


def read_submission_signature(octets: bytes, trust: Trust, *, now: datetime) -> SubmissionSignature:
    """Verify a signature and read its manifest. Raises Refused."""
    try:
        root = parse(octets, limits=_LIMITS)
        method = _check_profile(root)
        certificate = next(certificates_of(root.find(f"{{{DS}}}KeyInfo")), None)
        if certificate is None:
            raise Refused(Reason.KEY, "KeyInfo holds no X509Certificate")
        signer = load_certificate(certificate)
        trust.chain(signer, now=now)
        check_signature_usage(signer)
        manifest, properties = _verified(octets, signer, method, now)
        return SubmissionSignature(
            signer=signer,
            holder=holder_of(signer),
            signing_time=_signing_time(properties, signer),
            references=dict(_references(manifest)),
            uses_sha1=method is SignatureMethod.RSA_SHA1,
        )
    except (BadXml, ValueError) as problem:
        raise Refused(Reason.SIGNATURE_SHAPE, str(problem)) from None


def _check_profile(root: etree._Element) -> SignatureMethod:
    """One enveloping ds:Signature, two references, known algorithms, few namespaces. Raises Refused."""
    if root.tag != _SIGNATURE or len(list(root.iter(_SIGNATURE))) != 1 or len(list(root.iter(_MANIFEST))) != 1:
        raise Refused(Reason.SIGNATURE_SHAPE, "expected one ds:Signature with one ds:Manifest")
    if sum(1 for _ in etree.iterwalk(root, events=("start-ns",))) > _MOST_NAMESPACES:
        raise Refused(Reason.SIZE, f"more than {_MOST_NAMESPACES} namespace declarations")
    info = root.find(f"{{{DS}}}SignedInfo")
    references = [] if info is None else info.findall(_REFERENCE)
    if info is None or len(references) != 2 or len(info) != 4:
        raise Refused(Reason.SIGNATURE_SHAPE, "expected references to the manifest and to the signed properties")
    _check_algorithms(info)
    ids = [one.get("Id") for one in (*root.iter(_MANIFEST), *root.iter(f"{{{XADES}}}SignedProperties"))]
    if len(ids) != 2 or [one.get("URI") for one in references] not in (_fragments(ids), _fragments(ids)[::-1]):
        raise Refused(Reason.SIGNATURE_SHAPE, "expected references to the manifest and to the signed properties")
    return SignatureMethod(info[1].get("Algorithm"))


def _fragments(ids: list[str | None]) -> list[str]:
    return [f"#{one}" for one in ids]


def _check_algorithms(info: etree._Element) -> None:
    """Only what the profile names: no other transform, no parameter, no HMAC."""
    for one in info.iter(etree.Element):
        name, algorithm = etree.QName(one).localname, one.get("Algorithm")
        allowed = {
            "CanonicalizationMethod": _CANONICAL,
            "Transform": _CANONICAL,
            "SignatureMethod": [method.value for method in _METHODS],
            "DigestMethod": list(_ALGORITHMS),
        }.get(name)
        if allowed is not None and (algorithm not in allowed or len(one)):
            raise Refused(Reason.ALGORITHM, f"{name} {algorithm}")
        if allowed is None and name not in ("SignedInfo", "Reference", "Transforms", "DigestValue"):
            raise Refused(Reason.SIGNATURE_SHAPE, f"SignedInfo holds {name}")


def _verified(
    octets: bytes, signer: x509.Certificate, method: SignatureMethod, now: datetime
) -> tuple[etree._Element, etree._Element]:
    """The manifest and the signed properties, as they were signed."""
    config = SignatureConfiguration(
        location="./",
        expect_references=2,
        signature_methods=frozenset({method}),
        digest_algorithms=frozenset(_DIGESTS),
        verification_time=now,
        default_reference_c14n_method=CanonicalizationMethod.CANONICAL_XML_1_0,
    )
    try:
        found = XMLVerifier().verify(
            octets, x509_cert=signer, id_attribute="Id", validate_schema=False, expect_config=config
        )
    except Exception as problem:  # noqa: BLE001 - signxml lets errors of its libraries through (binascii, lxml)
        raise Refused(Reason.SIGNATURE, type(problem).__name__) from None
    results = [] if isinstance(found, VerifyResult) else found
    signed = [parse(one.signed_data, limits=_LIMITS) for one in results]
    by_tag = {str(one.tag): one for one in signed}
    if by_tag.keys() != {_MANIFEST, f"{{{XADES}}}SignedProperties"}:
        raise Refused(Reason.SIGNATURE, "something else than manifest and signed properties was signed")
    return by_tag[_MANIFEST], by_tag[f"{{{XADES}}}SignedProperties"]


def _signing_time(properties: etree._Element, signer: x509.Certificate) -> datetime:
    """SigningTime, once SigningCertificate names the signer. A path listed after it is accepted. DMP W22"""
    digests = [
        (one.find("{*}DigestMethod"), one.find("{*}DigestValue")) for one in properties.iter(f"{{{XADES}}}CertDigest")
    ]
    der = signer.public_bytes(Encoding.DER)
    for method, value in digests[:1]:
        name = "" if method is None else _ALGORITHMS.get(method.get("Algorithm", ""), "")
        if not name or value is None or strict_base64(value) != hashlib.new(name, der).digest():
            raise Refused(Reason.KEY, "SigningCertificate is another than the certificate in KeyInfo")
    time = properties.find(f".//{{{XADES}}}SigningTime")
    if not digests or time is None:
        raise Refused(Reason.SIGNATURE_SHAPE, "expected SigningTime and SigningCertificate")
    return read_time(simple_text(time))


def _references(manifest: etree._Element) -> Iterator[tuple[str, ManifestReference]]:
    seen: set[str] = set()
    for one in manifest.iterchildren(_REFERENCE):
        uri, method, value = one.get("URI", ""), one.find(f"{{{DS}}}DigestMethod"), one.find(f"{{{DS}}}DigestValue")
        algorithm = "" if method is None else _ALGORITHMS.get(method.get("Algorithm", ""), "")
        transforms = [each.get("Algorithm", "") for each in one.iter(f"{{{DS}}}Transform")]
        if uri in seen or value is None or not algorithm:
            raise Refused(Reason.SIGNATURE_SHAPE, f"the manifest's reference to {uri[:80]} is repeated or incomplete")
        if len(transforms) > 1 or any(each not in _CANONICAL for each in transforms):
            raise Refused(Reason.ALGORITHM, "a transform of the manifest other than canonicalisation")
        seen.add(uri)
        found = "".join(transforms)
        yield uri, ManifestReference(algorithm=algorithm, digest=strict_base64(value), canonicalisation=found)


def canonical_octets(root: etree._Element, method: str) -> bytes:
    """A document as the manifest digests it. Raises Refused where that would cost too much."""
    top = root.getroottree().getroot()
    if _most_namespaces_in_scope(top) ** 2 * sum(1 for _ in top.iter()) > _MOST_WORK:
        raise Refused(Reason.SIZE, "too many namespaces in scope of too many elements")
    algorithm = CanonicalizationMethod(method)
    exclusive = "EXCLUSIVE" in algorithm.name
    try:
        return etree.tostring(
            root.getroottree(), method="c14n", exclusive=exclusive, with_comments="WITH_COMMENTS" in algorithm.name
        )
    except etree.LxmlError as problem:
        raise Refused(Reason.SIGNATURE_SHAPE, type(problem).__name__) from None


def _most_namespaces_in_scope(root: etree._Element) -> int:
    most = in_scope = 0
    for event, _ in etree.iterwalk(root, events=("start-ns", "end-ns")):
        in_scope += 1 if event == "start-ns" else -1
        most = max(most, in_scope)
    return most
