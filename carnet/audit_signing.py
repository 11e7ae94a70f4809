"""Who signs what is said about the audit chain, and whose signatures on it are believed. ITI TF-2: 3.20.4.1.1."""

import base64
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from audit.chain import Segment
from audit.signature import Signer, anchor_statement, is_signed, purge_statement
from carnet.settings import Settings, SettingsError


class BadAnchor(ValueError):
    """A line that is no anchor, or one that its signer did not write; the text says which."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Anchors:
    """Seals by sequence, and how many of the lines were signed."""

    seals: Mapping[int, bytes] = field(default_factory=dict)
    signed: int = 0
    unsigned: int = 0


def open_signer(settings: Settings) -> Signer | None:
    """None where no certificate is configured. Raises SettingsError when its key cannot be had."""
    certificate = signing_certificate(settings)
    if certificate is None:
        return None
    beside = certificate.with_suffix(".key")
    given = settings.audit_signing_key if settings.audit_signing_certificate else settings.key
    file = Path(given) if given else beside if beside.is_file() else certificate
    try:
        key = serialization.load_pem_private_key(file.read_bytes(), password=None)
    except (OSError, ValueError, TypeError) as problem:
        raise SettingsError(f"setting audit_signing_key: {file}: {problem}") from problem
    if not isinstance(key, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey):
        raise SettingsError(f"setting audit_signing_key: {file}: expected a key of RSA or an elliptic curve")
    return Signer(key=key)


def signing_certificate(settings: Settings) -> Path | None:
    """The file of the certificate that signs: its own, else that of the server."""
    name = settings.audit_signing_certificate or settings.certificate
    return Path(name) if name else None


def read_certificates(files: tuple[Path, ...]) -> tuple[x509.Certificate, ...]:
    """The first certificate of each file. Raises SettingsError."""
    try:
        return tuple(x509.load_pem_x509_certificates(file.read_bytes())[0] for file in files)
    except (OSError, ValueError) as problem:
        raise SettingsError(f"setting audit_signing_certificate: {problem}") from problem


def written_anchor(*, sequence: int, seal: bytes, time: str, signer: Signer | None) -> str:
    """One line of JSON."""
    anchor = {"sequence": sequence, "seal": seal.hex(), "time": time}
    if signer is not None:
        signature = signer.sign(anchor_statement(sequence=sequence, seal=seal, time=time))
        anchor["signature"] = base64.b64encode(signature).decode()
    return json.dumps(anchor)


def read_anchors(text: str, believed: tuple[x509.Certificate, ...]) -> Anchors:
    """Every line, those of `believed` verified; unsigned ones count, and cannot contradict others.

    Raises BadAnchor for a line that is none, whose signature is not of a believed certificate, or that names another
    seal than a line before it.
    """
    seals: dict[int, bytes] = {}
    signed = unsigned = 0
    for number, (sequence, seal, is_proved) in enumerate(_anchors(text, believed), start=1):
        if seals.setdefault(sequence, seal) != seal:
            raise BadAnchor(f"line {number}: another seal for the sequence {sequence} than a line before")
        signed, unsigned = signed + is_proved, unsigned + (not is_proved)
    return Anchors(seals=seals, signed=signed, unsigned=unsigned)


def _anchors(text: str, believed: tuple[x509.Certificate, ...]) -> Iterator[tuple[int, bytes, bool]]:
    for number, line in enumerate(text.splitlines(), start=1):
        try:
            anchor = json.loads(line)
            sequence, seal = int(anchor["sequence"]), bytes.fromhex(anchor["seal"])
            signature = base64.b64decode(anchor.get("signature", ""), validate=True)
            statement = anchor_statement(sequence=sequence, seal=seal, time=str(anchor.get("time", "")))
        except (ValueError, KeyError, TypeError, AttributeError):
            raise BadAnchor(f"line {number}: expected an anchor as `carnet audit anchor` prints it") from None
        is_proved = bool(signature) and bool(believed)
        if is_proved and not any(is_signed(statement, signature, one) for one in believed):
            raise BadAnchor(f"line {number}: the signature is not one of the certificates that are believed")
        yield sequence, seal, is_proved


def is_believed(one: Segment, believed: tuple[x509.Certificate, ...]) -> bool:
    """Whether a purge was signed by one of these; anything is believed where no certificate is known."""
    statement = purge_statement(first=one.first, last=one.last, seal=one.seal, octets=one.octets, time=one.time)
    return not believed or any(is_signed(statement, one.signature, certificate) for certificate in believed)
