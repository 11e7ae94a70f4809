"""What the settings about other processes of the record must say to fit together, and how those are reached."""

import ipaddress
from collections.abc import Iterator
from typing import Protocol
from urllib.parse import urlsplit

from xds.identifiers import is_oid


class ElsewhereSettings(Protocol):
    """The settings that concern other processes."""

    @property
    def registry_url(self) -> str: ...
    @property
    def repositories(self) -> str: ...
    @property
    def internal_secret_file(self) -> str: ...
    @property
    def internal_certificate(self) -> str: ...
    @property
    def trust(self) -> str: ...


def elsewhere(settings: ElsewhereSettings) -> Iterator[tuple[str, str]]:
    """Setting and URL of each process that this one asks."""
    if settings.registry_url:
        yield "registry_url", settings.registry_url
    for url in read_repositories(settings.repositories).values():
        yield "repositories", url


def read_repositories(text: str) -> dict[str, str]:
    """`OID=URL OID=URL`, by OID; `elsewhere_rules` says what is wrong with another text."""
    return {oid: url for oid, _, url in (one.partition("=") for one in text.split())}


def elsewhere_rules(settings: ElsewhereSettings) -> Iterator[str]:
    """What does not fit together, one sentence each."""
    found = read_repositories(settings.repositories)
    if not all(is_oid(oid) for oid in found) or len(found) != len(settings.repositories.split()):
        yield (
            f"setting repositories: found {settings.repositories!r}, expected OID=URL, each OID once, between blanks"
        )
    for name, url in elsewhere(settings):
        yield from _way_rules(settings, name, url)


def _way_rules(settings: ElsewhereSettings, name: str, url: str) -> Iterator[str]:
    """How another process is reached: without TLS on this machine, with the secret; else with a certificate."""
    scheme = scheme_of(url)
    if scheme == "https":
        for needed, value in {"internal_certificate": settings.internal_certificate, "trust": settings.trust}.items():
            if not value:
                yield f"setting {needed}: {name} under https:// is shown a client certificate and believed by trust"
    elif scheme != "http":
        yield (
            f"setting {name}: found {url!r}, expected https://HOST:PORT, or http://127.0.0.1:PORT: "
            "without TLS other processes are asked on this machine only"
        )
    elif not settings.internal_secret_file:
        yield f"setting internal_secret_file: {name} under http:// is shown the secret that both share"


def scheme_of(url: str) -> str:
    """Of a URL that can be asked; empty for any other, and for http beyond this machine."""
    try:
        parts = urlsplit(url)
        is_asked = bool(parts.hostname) and parts.port != 0
    except ValueError:
        return ""
    is_safe = parts.scheme == "https" or is_loopback(parts.hostname or "")
    return parts.scheme if is_asked and is_safe else ""


def is_loopback(host: str) -> bool:
    """Whether an address, or the name localhost, reaches this machine only."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
