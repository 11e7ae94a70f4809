"""Is a certificate of the test IGC, valid, and for signing? IGC-Santé; RFC 5280."""

from collections.abc import Iterable
from datetime import datetime

from cryptography import x509
from cryptography.exceptions import InvalidSignature

from conformance.client.exchanges import Problem, Problems


def signature_certificate_problems(
    certificate: x509.Certificate, authorities: Iterable[x509.Certificate], time: datetime, location: str
) -> Problems:
    """Issued by an authority, in its dates, with the usage of a signature (nonRepudiation)."""
    shown = certificate.subject.rfc4514_string()
    if not any(_is_issued_by(certificate, one) for one in authorities):
        fr, en = "autorité non reconnue", "issued by no trusted authority"
        yield Problem(fr=fr, en=en, location=location, evidence=f"{shown}, {certificate.issuer.rfc4514_string()}")
    if not certificate.not_valid_before_utc <= time <= certificate.not_valid_after_utc:
        yield Problem(fr="certificat hors de ses dates", en="outside its dates", location=location, evidence=shown)
    if not _signs(certificate):
        fr, en = "ce n'est pas un certificat de signature", "this is no signature certificate"
        yield Problem(fr=fr, en=en, location=location, evidence=shown)


def _is_issued_by(certificate: x509.Certificate, authority: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(authority)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True


def _signs(certificate: x509.Certificate) -> bool:
    try:
        return certificate.extensions.get_extension_for_class(x509.KeyUsage).value.content_commitment
    except x509.ExtensionNotFound:
        return False
