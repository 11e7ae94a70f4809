"""Verifies the signature of an assertion with a key that is known to be its signer's, and gives what was signed.

Only the element parsed again from the canonical octets of the verified reference leaves this page.
"""

from dataclasses import dataclass
from datetime import datetime

from cryptography import x509
from lxml import etree
from signxml.verifier import SignatureConfiguration, VerifyResult, XMLVerifier

from access_policy.refusals import Reason, Refused
from access_policy.security_header import DS, SAML, FoundAssertion
from access_policy.signature_profile import Profile, read_profile
from xds.xml import BadXml, XmlLimits, parse, simple_text

_ASSERTION, _SIGNATURE, _ISSUER = f"{{{SAML}}}Assertion", f"{{{DS}}}Signature", f"{{{SAML}}}Issuer"
_LIMITS = XmlLimits(octets=2**20, elements=2_000, attributes_per_element=64, namespaces_per_element=64)


@dataclass(frozen=True, slots=True, kw_only=True)
class Unverified:
    """An assertion whose signature has a good shape. Issuer and KeyInfo only choose a key; nothing else is read."""

    octets: bytes
    id: str
    issuer: str
    issuer_format: str
    profile: Profile


def read_unverified(found: FoundAssertion) -> Unverified:
    """Parse the assertion alone, with the same parser. Raises Refused."""
    try:
        root = parse(found.octets, limits=_LIMITS)
        issuer = root.find(_ISSUER)
        signature = root.find(_SIGNATURE)
        if root.tag != _ASSERTION or root.get("ID") != found.id or issuer is None or signature is None:
            raise Refused(Reason.ASSERTION, "Issuer or Signature is missing")
        return Unverified(
            octets=found.octets,
            id=found.id,
            issuer=simple_text(issuer).strip(),
            issuer_format=issuer.get("Format", ""),
            profile=read_profile(signature, assertion_id=found.id),
        )
    except BadXml as problem:
        raise Refused(Reason.ASSERTION, str(problem)) from None


def verify(unverified: Unverified, signer: x509.Certificate, *, now: datetime) -> etree._Element:
    """The assertion as it was signed by this certificate's key. Raises Refused."""
    profile = unverified.profile
    config = SignatureConfiguration(
        location="./",
        expect_references=1,
        signature_methods=frozenset({profile.signature_method}),
        digest_algorithms=frozenset({profile.digest}),
        verification_time=now,
    )
    try:
        result = XMLVerifier().verify(
            unverified.octets, x509_cert=signer, id_attribute="ID", validate_schema=False, expect_config=config
        )
    except Exception as problem:  # noqa: BLE001 - signxml lets errors of its libraries through (binascii, lxml)
        raise Refused(Reason.SIGNATURE, type(problem).__name__) from None
    return _signed(result, unverified.id)


def _signed(result: VerifyResult | list[VerifyResult], identifier: str) -> etree._Element:
    if isinstance(result, list) or not result.signed_data:
        raise Refused(Reason.SIGNATURE, "nothing was signed")
    try:
        signed = parse(result.signed_data, limits=_LIMITS)
    except BadXml as problem:
        raise Refused(Reason.SIGNATURE, str(problem)) from None
    if signed.tag != _ASSERTION or signed.get("ID") != identifier or signed.find(_SIGNATURE) is not None:
        raise Refused(Reason.SIGNATURE, "something else than the assertion was signed")
    return signed
