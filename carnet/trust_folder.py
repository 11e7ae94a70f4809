"""Trust anchors, authorities and revocation lists from a folder, identity providers from a TOML file.

[[provider]]
issuer = "https://sts.example.org/"
format = "urn:oasis:names:tc:SAML:2.0:nameid-format:entity"   # exactly as in the assertions; default none
certificates = ["sts.pem"]                                    # beside the file; several while a key is rolled over
audiences = ["urn:oid:1.2.3"]
"""

import time
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from cryptography import x509

from access_policy.refusals import Refused
from access_policy.trust import Trust, check_readable
from access_policy.xua import IdentityProvider
from carnet.reloading import Reloading
from carnet.settings import Settings, SettingsError

_PEM = b"-----BEGIN "
_CERTIFICATES = (".pem", ".crt", ".cer", ".der")
_PROVIDER_KEYS = {"issuer": str, "format": str, "certificates": list, "audiences": list}


class TrustFolder:
    """What the settings `trust` and `crl` name, read again when a file changes; without them nobody is believed."""

    def __init__(self, settings: Settings, *, seconds: Callable[[], float] = time.monotonic) -> None:
        """Raises SettingsError. `seconds` is a clock that never goes back."""
        files = (settings.trust, settings.crl)
        self._read = Reloading(lambda: open_trust(settings), files, clock=seconds)

    def __call__(self) -> Trust:
        """The same object while nothing changed. A folder that cannot be read leaves what was known."""
        return self._read.current


def open_trust(settings: Settings) -> Trust:
    """What the settings name now; without them nobody is believed. Raises SettingsError."""
    return read_trust(Path(settings.trust), settings.crl) if settings.trust else Trust(())


def read_trust(folder: Path, lists_folder: str = "") -> Trust:
    """Every authority and list in the folder, and every list in the other one. Raises SettingsError with the file.

    A certificate that issued itself is an anchor, any other authority an intermediate one.
    """
    if not folder.is_dir():
        raise SettingsError(f"setting trust: {folder} is not a folder")
    files = _files(folder)
    certificates = [one for file in files if file.suffix in _CERTIFICATES for one in read_certificates(file)]
    lists = [_read_list(file) for file in (*files, *_lists_in(lists_folder)) if file.suffix == ".crl"]
    anchors = [one for one in certificates if one.subject == one.issuer]
    if not anchors:
        raise SettingsError(f"setting trust: {folder} holds no root certificate")
    return Trust(anchors, [one for one in certificates if one.subject != one.issuer], lists)


def _lists_in(folder: str) -> list[Path]:
    if folder and not Path(folder).is_dir():
        raise SettingsError(f"setting crl: {folder} is not a folder")
    return _files(Path(folder)) if folder else []


def _files(folder: Path) -> list[Path]:
    return sorted(one for one in folder.iterdir() if one.is_file())


def read_certificates(file: Path) -> list[x509.Certificate]:
    """All certificates of a PEM file, or the one of a DER file. Raises SettingsError."""
    octets = file.read_bytes()
    try:
        found = x509.load_pem_x509_certificates(octets) if _PEM in octets else [x509.load_der_x509_certificate(octets)]
    except (ValueError, x509.InvalidVersion) as problem:
        raise SettingsError(f"{file}: found no certificate in PEM or DER") from problem
    for one in found:
        _check(file, "certificate", one)
    return found


def _read_list(file: Path) -> x509.CertificateRevocationList:
    octets = file.read_bytes()
    try:
        found = x509.load_pem_x509_crl(octets) if _PEM in octets else x509.load_der_x509_crl(octets)
    except (ValueError, x509.InvalidVersion) as problem:
        raise SettingsError(f"{file}: found no revocation list in PEM or DER") from problem
    _check(file, "revocation list", found)
    return found


def _check(file: Path, name: str, found: x509.Certificate | x509.CertificateRevocationList) -> None:
    try:
        check_readable(found)
    except Refused as problem:
        raise SettingsError(f"{file}: found a {name} that is of no use: {problem.detail}") from None


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
