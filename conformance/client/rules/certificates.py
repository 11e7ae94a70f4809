"""Is a certificate of the test IGC, valid, not revoked, and for signing? IGC-Santé; RFC 5280."""

from datetime import datetime

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from conformance.client.exchanges import Laboratory, Problem, Problems


def signature_certificate_problems(
    certificate: x509.Certificate, laboratory: Laboratory, time: datetime, location: str
) -> Problems:
    """Issued by an authority, in its dates, on none of its lists, with the usage of a signature (nonRepudiation)."""
    shown = certificate.subject.rfc4514_string()
    issuer = next((one for one in laboratory.authorities if _is_issued_by(certificate, one)), None)
    if issuer is None:
        fr, en = "autorité non reconnue", "issued by no trusted authority"
        yield Problem(fr=fr, en=en, location=location, evidence=f"{shown}, {certificate.issuer.rfc4514_string()}")
    if not certificate.not_valid_before_utc <= time <= certificate.not_valid_after_utc:
        yield Problem(fr="certificat hors de ses dates", en="outside its dates", location=location, evidence=shown)
    if issuer is not None and (since := _revoked_since(certificate, issuer, laboratory)) is not None:
        fr, en = f"certificat révoqué depuis {since}", f"revoked since {since}"
        yield Problem(fr=fr, en=en, location=location, evidence=shown)
    if not _signs(certificate):
        fr, en = "ce n'est pas un certificat de signature", "this is no signature certificate"
        yield Problem(fr=fr, en=en, location=location, evidence=shown)


def _is_issued_by(certificate: x509.Certificate, authority: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(authority)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True


def _revoked_since(certificate: x509.Certificate, issuer: x509.Certificate, laboratory: Laboratory) -> str | None:
    """The instant on a list that its issuer signed; None when it is on none."""
    lists = (one for one in laboratory.revocations if _is_list_of(one, issuer))
    found = (one.get_revoked_certificate_by_serial_number(certificate.serial_number) for one in lists)
    return next((f"{one.revocation_date_utc:%Y-%m-%dT%H:%M:%SZ}" for one in found if one is not None), None)


def _is_list_of(revocations: x509.CertificateRevocationList, issuer: x509.Certificate) -> bool:
    key = issuer.public_key()
    if not isinstance(key, rsa.RSAPublicKey | ec.EllipticCurvePublicKey):
        return False
    return revocations.issuer == issuer.subject and revocations.is_signature_valid(key)


def _signs(certificate: x509.Certificate) -> bool:
    try:
        return certificate.extensions.get_extension_for_class(x509.KeyUsage).value.content_commitment
    except x509.ExtensionNotFound:
        return False
