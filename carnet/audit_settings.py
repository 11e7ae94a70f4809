"""What the settings of the audit must say to fit together."""

from collections.abc import Iterator
from typing import Protocol
from urllib.parse import urlsplit

from xds.identifiers import is_oid


class AuditSettings(Protocol):
    """The settings that concern the audit."""

    @property
    def audit(self) -> str: ...
    @property
    def audit_site(self) -> str: ...
    @property
    def audit_syslog(self) -> str: ...
    @property
    def audit_fhir(self) -> str: ...
    @property
    def audit_certificate(self) -> str: ...
    @property
    def audit_spool_mb(self) -> int: ...
    @property
    def security(self) -> str: ...


def is_audited(settings: AuditSettings) -> bool:
    """On, unless the server asks nobody who they are and was not told to record."""
    return settings.audit == "on" or (not settings.audit and settings.security != "open")


def syslog_addresses(text: str) -> list[tuple[str, int]]:
    """HOST:PORT,…; an IPv6 host in brackets. Raises ValueError."""
    return [_address(one.strip()) for one in text.split(",") if one.strip()]


def fhir_bases(text: str) -> list[str]:
    """URLs, separated by blanks. Raises ValueError."""
    return [_base(one) for one in text.split()]


def audit_rules(settings: AuditSettings) -> Iterator[str]:
    """One sentence for each setting that is not right."""
    if settings.audit == "off" and settings.security != "open":
        yield f"setting audit: found off, which --security open alone allows, and security is {settings.security}"
    if settings.audit_site and not is_oid(settings.audit_site):
        yield f"setting audit_site: found {settings.audit_site!r}, expected an OID"
    for name, read in (("audit_syslog", syslog_addresses), ("audit_fhir", fhir_bases)):
        try:
            receivers = read(getattr(settings, name))
        except ValueError as problem:
            yield f"setting {name}: {problem}"
            continue
        if receivers and not is_audited(settings):
            yield f"setting {name}: found a receiver of audit records, and audit is off"
    if settings.audit_syslog and not settings.audit_certificate:
        yield "setting audit_certificate: found none, and a receiver of audit_syslog asks for a client certificate"
    if settings.audit_spool_mb < 0:
        yield f"setting audit_spool_mb: found {settings.audit_spool_mb}, expected 0 or more"


def _address(text: str) -> tuple[str, int]:
    host, separator, port = text.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not separator or not host or not (port.isascii() and port.isdigit()) or not 0 < int(port) < 65536:
        raise ValueError(f"found {text!r}, expected HOST:PORT, such as arr.example.org:6514")
    return host, int(port)


def _base(text: str) -> str:
    parts = urlsplit(text)
    is_local = parts.hostname in ("localhost", "127.0.0.1", "::1")
    if (parts.scheme == "https" and parts.hostname) or (parts.scheme == "http" and is_local):
        return text
    raise ValueError(f"found {text!r}, expected an https URL of a FHIR base, or http on this machine")
