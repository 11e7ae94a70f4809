"""Signed statements about the chain: its end, and what was purged. Who can write to the database cannot make them.

A statement is signed with RSASSA-PSS or ECDSA, SHA-256, by the key of a certificate of the node. RFC 8017: 8.1.
"""

from dataclasses import dataclass

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa

_PSS = padding.PSS(mgf=padding.MGF1(hashes.SHA256()), salt_length=hashes.SHA256.digest_size)


@dataclass(frozen=True, slots=True, kw_only=True)
class Signer:
    """The key that signs statements."""

    key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey

    def sign(self, statement: bytes) -> bytes:
        if isinstance(self.key, rsa.RSAPrivateKey):
            return self.key.sign(statement, _PSS, hashes.SHA256())
        return self.key.sign(statement, ec.ECDSA(hashes.SHA256()))


def is_signed(statement: bytes, signature: bytes, certificate: x509.Certificate) -> bool:
    """Whether the key of the certificate has signed the statement."""
    key = certificate.public_key()
    try:
        if isinstance(key, rsa.RSAPublicKey):
            key.verify(signature, statement, _PSS, hashes.SHA256())
        elif isinstance(key, ec.EllipticCurvePublicKey):
            key.verify(signature, statement, ec.ECDSA(hashes.SHA256()))
        else:
            return False
    except InvalidSignature:
        return False
    return True


def anchor_statement(*, sequence: int, seal: bytes, time: str) -> bytes:
    """At this time the chain ended with this sequence and seal."""
    return f"carnet audit anchor\n{sequence}\n{seal.hex()}\n{time}\n".encode()


def purge_statement(*, first: int, last: int, seal: bytes, octets: int, time: str) -> bytes:
    """At this time the records from the first to the last sequence were purged, the last with this seal."""
    return f"carnet audit purge\n{first}\n{last}\n{seal.hex()}\n{octets}\n{time}\n".encode()
