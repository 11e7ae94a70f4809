"""The test IGC as a folder: `trust/` for the server, `authorities/` with the keys that issue, `issued/` for holders."""

import os
import re
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from carnet.pki import Credential, Igc, Use, revocation_list
from xds.failure import Failure

_NAMES = ("root", "persons", "organisations")
_UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")


class PkiFailed(Failure):
    """The folder does not hold what is needed; the text says what."""


def write_igc(folder: Path, igc: Igc, *, now: datetime) -> None:
    """Certificates and lists to `trust/`, keys to `authorities/`. Raises PkiFailed when there is one already."""
    if (folder / "authorities").exists():
        raise PkiFailed(f"{folder} holds an IGC already; give another folder")
    for name in ("trust", "authorities", "issued"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    for name, authority in zip(_NAMES, igc.authorities, strict=True):
        (folder / "trust" / f"{name}.pem").write_bytes(authority.certificate_pem)
        _write_secret(folder / "authorities" / f"{name}.key", authority.key_pem)
        _write_list(folder, name, revocation_list(authority, (), now=now))


def read_igc(folder: Path) -> Igc:
    """The authorities of a folder. Raises PkiFailed."""
    root, persons, organisations = (
        read_credential(folder / "trust" / f"{name}.pem", folder / "authorities" / f"{name}.key") for name in _NAMES
    )
    return Igc(root=root, persons=persons, organisations=organisations)


def write_credentials(folder: Path, name: str, issued: Mapping[Use, Credential]) -> list[Path]:
    """Each certificate with its issuer's, and its key beside it, under `issued/`; returns the certificates' files."""
    stem, files = _UNSAFE.sub("-", name).strip("-."), []
    for use, credential in issued.items():
        file = folder / "issued" / f"{stem}-{use}.pem"
        file.write_bytes(credential.certificate_pem + _issuer_pem(folder, credential.certificate))
        _write_secret(file.with_suffix(".key"), credential.key_pem)
        files.append(file)
    return files


def revoke(folder: Path, certificate: x509.Certificate, *, now: datetime) -> Path:
    """Add a certificate to the list of its authority; returns the list's file. Raises PkiFailed."""
    for name, authority in zip(_NAMES, read_igc(folder).authorities, strict=True):
        if certificate.issuer == authority.certificate.subject:
            old = x509.load_pem_x509_crl((folder / "trust" / f"{name}.crl").read_bytes())
            serials = {one.serial_number for one in old} | {certificate.serial_number}
            return _write_list(folder, name, revocation_list(authority, sorted(serials), now=now))
    raise PkiFailed(f"the certificate was not issued by the IGC in {folder}")


def read_credential(certificate: Path, key: Path | None = None) -> Credential:
    """The first certificate of a PEM file with its key, by default in the `.key` file beside it. Raises PkiFailed."""
    key = key or certificate.with_suffix(".key")
    try:
        found = x509.load_pem_x509_certificates(certificate.read_bytes())[0]
        private = serialization.load_pem_private_key(key.read_bytes(), password=None)
    except OSError as problem:
        raise PkiFailed(f"{problem.filename}: {problem.strerror}") from problem
    except (ValueError, TypeError) as problem:
        raise PkiFailed(f"{certificate} and {key}: expected a certificate and its key, PEM, no password") from problem
    if not isinstance(private, rsa.RSAPrivateKey) or private.public_key() != found.public_key():
        raise PkiFailed(f"{key} is not the RSA key of {certificate}")
    return Credential(certificate=found, key=private)


def _issuer_pem(folder: Path, certificate: x509.Certificate) -> bytes:
    for name, authority in zip(_NAMES, read_igc(folder).authorities, strict=True):
        if name != "root" and authority.certificate.subject == certificate.issuer:
            return authority.certificate_pem
    return b""


def _write_list(folder: Path, name: str, revocations: x509.CertificateRevocationList) -> Path:
    """Replaced at once: a server may read it meanwhile."""
    file = folder / "trust" / f"{name}.crl"
    new = file.with_suffix(".new")
    new.write_bytes(revocations.public_bytes(serialization.Encoding.PEM))
    return new.replace(file)


def _write_secret(file: Path, octets: bytes) -> None:
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as opened:
        opened.write(octets)
