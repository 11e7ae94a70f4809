"""Trust anchors, authorities and revocation lists from a folder, identity providers from a TOML file.

[[provider]]
issuer = "https://sts.example.org/"
format = "urn:oasis:names:tc:SAML:2.0:nameid-format:entity"   # exactly as in the assertions; default none
certificates = ["sts.pem"]                                    # beside the file; several while a key is rolled over
audiences = ["urn:oid:1.2.3"]
"""

import threading
import time
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import structlog
from cryptography import x509

from access_policy.trust import Trust
from access_policy.xua import IdentityProvider
from carnet.settings import Settings, SettingsError

_LOOK_SECONDS = 5.0
_PEM = b"-----BEGIN "
_CERTIFICATES = (".pem", ".crt", ".cer", ".der")
_PROVIDER_KEYS = {"issuer": str, "format": str, "certificates": list, "audiences": list}


class TrustFolder:
    """What the setting `trust` names, read again when a file of it changes; without it nobody is believed."""

    def __init__(self, settings: Settings, *, seconds: Callable[[], float] = time.monotonic) -> None:
        """Raises SettingsError. `seconds` is a clock that never goes back."""
        self._folder = Path(settings.trust) if settings.trust else None
        self._seconds, self._lock = seconds, threading.Lock()
        self._seen = _listing(self._folder)
        self._trust = Trust(()) if self._folder is None else read_trust(self._folder)
        self._next_look = seconds() + _LOOK_SECONDS

    def __call__(self) -> Trust:
        """The same object while nothing changed. Looked for every few seconds, by one thread.

        A folder that cannot be read leaves what was known: the log tells, and revocation lists end by themselves.
        """
        if self._folder is not None and self._seconds() >= self._next_look and self._lock.acquire(blocking=False):
            try:
                self._look(self._folder)
            finally:
                self._lock.release()
        return self._trust

    def _look(self, folder: Path) -> None:
        self._next_look = self._seconds() + _LOOK_SECONDS
        try:
            found = _listing(folder)
            if found != self._seen:
                self._trust, self._seen = read_trust(folder), found
                structlog.get_logger().info("certificate authorities read again", folder=str(folder))
        except (SettingsError, OSError) as problem:
            structlog.get_logger().error("certificate authorities not read again", problem=str(problem))


def _listing(folder: Path | None) -> tuple[tuple[str, int, int], ...]:
    """Names, times and sizes of the files: what tells that one of them changed."""
    if folder is None or not folder.is_dir():
        return ()
    found = ((one.name, one.stat()) for one in sorted(folder.iterdir()))
    return tuple((name, stat.st_mtime_ns, stat.st_size) for name, stat in found)


def read_trust(folder: Path) -> Trust:
    """Every authority and list in the folder. Raises SettingsError that names the file.

    A certificate that issued itself is an anchor, any other authority an intermediate one.
    """
    if not folder.is_dir():
        raise SettingsError(f"setting trust: {folder} is not a folder")
    files = sorted(one for one in folder.iterdir() if one.is_file())
    certificates = [one for file in files if file.suffix in _CERTIFICATES for one in read_certificates(file)]
    lists = [_read_list(file) for file in files if file.suffix == ".crl"]
    anchors = [one for one in certificates if one.subject == one.issuer]
    if not anchors:
        raise SettingsError(f"setting trust: {folder} holds no root certificate")
    return Trust(anchors, [one for one in certificates if one.subject != one.issuer], lists)


def read_certificates(file: Path) -> list[x509.Certificate]:
    """All certificates of a PEM file, or the one of a DER file. Raises SettingsError."""
    octets = file.read_bytes()
    try:
        if _PEM in octets:
            return x509.load_pem_x509_certificates(octets)
        return [x509.load_der_x509_certificate(octets)]
    except ValueError as problem:
        raise SettingsError(f"{file}: found no certificate in PEM or DER") from problem


def _read_list(file: Path) -> x509.CertificateRevocationList:
    octets = file.read_bytes()
    try:
        return x509.load_pem_x509_crl(octets) if _PEM in octets else x509.load_der_x509_crl(octets)
    except ValueError as problem:
        raise SettingsError(f"{file}: found no revocation list in PEM or DER") from problem


def read_providers(file: Path) -> tuple[IdentityProvider, ...]:
    """The identity providers of a TOML file. Raises SettingsError."""
    try:
        found = tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as problem:
        raise SettingsError(f"setting xua: {file}: {problem}") from problem
    tables = found.get("provider", [])
    if found.keys() - {"provider"} or not isinstance(tables, list) or not tables:
        raise SettingsError(f"setting xua: {file}: expected [[provider]] tables and nothing else")
    providers = tuple(_provider(file, table) for table in tables)
    if len({one.issuer for one in providers}) != len(providers):
        raise SettingsError(f"setting xua: {file}: found one issuer twice")
    return providers


def _provider(file: Path, table: dict[str, Any]) -> IdentityProvider:
    for problem in _problems(table):
        raise SettingsError(f"setting xua: {file}: {problem}")
    certificates = [one for name in table["certificates"] for one in read_certificates(file.parent / name)]
    return IdentityProvider(
        issuer=table["issuer"],
        issuer_format=table.get("format", ""),
        certificates=tuple(certificates),
        audiences=tuple(table.get("audiences", ())),
    )


def _problems(table: dict[str, Any]) -> Iterator[str]:
    for key, value in table.items():
        if key not in _PROVIDER_KEYS:
            yield f"unknown key {key}; known are {', '.join(_PROVIDER_KEYS)}"
        elif not isinstance(value, _PROVIDER_KEYS[key]):
            yield f"{key}: found {value!r}, expected {_PROVIDER_KEYS[key].__name__}"
    for key in ("issuer", "certificates"):
        if not table.get(key):
            yield f"{key} is missing"
