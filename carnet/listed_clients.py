"""Client certificates that a setting lists: by SHA-256 fingerprint, or by subject (RFC 4514)."""

import hashlib
import re
from functools import lru_cache

from cryptography import x509

_FINGERPRINT = re.compile(r"[0-9a-f]{64}\Z")


def listed(text: str) -> frozenset[str]:
    """The parts of a setting that semicolons separate."""
    return frozenset(one.strip() for one in text.split(";") if one.strip())


def client_named(text: str) -> str:
    """A fingerprint with or without colons, or a subject with or without blanks behind its commas."""
    fingerprint = text.replace(":", "").lower()
    return fingerprint if _FINGERPRINT.match(fingerprint) else re.sub(r"(?<!\\),\s+", ",", text.strip())


class ListedClients:
    """Whether a certificate is one of those that a setting lists; an empty list has nobody."""

    def __init__(self, text: str) -> None:
        self._names = frozenset(client_named(one) for one in listed(text))

    def __contains__(self, certificate: bytes) -> bool:
        """`certificate`: DER."""
        return not self._names.isdisjoint(_names_of(certificate))


@lru_cache(maxsize=256)
def _names_of(certificate: bytes) -> tuple[str, ...]:
    """Fingerprint and subject; the fingerprint alone of what cannot be read."""
    fingerprint = hashlib.sha256(certificate).hexdigest()
    try:
        return fingerprint, x509.load_der_x509_certificate(certificate).subject.rfc4514_string()
    except ValueError:
        return (fingerprint,)
