"""What the HTTP server needs before it reads a request: limits, TLS, and the port of the health checks."""

from dataclasses import dataclass, field, fields

from carnet.address import address_of
from carnet.elsewhere_settings import is_loopback
from carnet.http_limits import HttpLimits
from carnet.refused_handshakes import RefusedHandshakes
from carnet.reloading import Reloading
from carnet.settings import Settings, SettingsError
from carnet.tls import ServerTls, watched_tls


@dataclass(frozen=True, slots=True, kw_only=True)
class Front:
    """Made before worker processes are forked; `tls` is None on a plain port. `health`: HOST and port, or None.

    `is_behind_proxy`: clients come by a proxy on this machine, which tells their certificates.
    """

    limits: HttpLimits
    tls: Reloading[ServerTls] | None
    scheme: str
    health: tuple[str, int] | None
    is_behind_proxy: bool = False
    refused_handshakes: RefusedHandshakes = field(default_factory=RefusedHandshakes)

    def is_health(self, server: object) -> bool:
        """Whether a listener, by its address, is the one for health checks."""
        return self.health is not None and isinstance(server, tuple) and server[:2] == self.health


def open_front(settings: Settings) -> Front:
    """What the settings describe, with every file read. Raises SettingsError."""
    return Front(
        limits=HttpLimits(**{one.name: getattr(settings, one.name) for one in fields(HttpLimits)}),
        tls=watched_tls(settings) if settings.has_tls else None,
        scheme=settings.public_url.partition(":")[0],
        health=_health(settings),
        is_behind_proxy=settings.is_behind_proxy,
    )


def _health(settings: Settings) -> tuple[str, int] | None:
    if not settings.health:
        return None
    host, port = address_of(settings.health, "health")
    if not is_loopback(host) or host == "localhost" or not port:
        raise SettingsError(
            f"setting health: found {settings.health!r}, expected an address of loopback and a port, 127.0.0.1:8081"
        )
    return host, port
