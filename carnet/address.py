"""Where the server listens: a free port, and a clear refusal before anything is started. What counts as one address."""

import ipaddress
import socket
from dataclasses import replace
from pathlib import Path

from carnet.settings import UNIX, Settings, SettingsError
from xds.failure import Failure


class CannotListen(Failure):
    """The address is taken or not to be had; the text is one sentence."""


def with_port(settings: Settings) -> Settings:
    """Port 0 becomes a free port, so that the public URL is known before the server starts."""
    return settings if settings.port or settings.is_behind_proxy else replace(settings, port=_bound(settings))


def check_address(settings: Settings) -> None:
    """Raises CannotListen. The HTTP server would try five times and tell each."""
    if settings.is_behind_proxy:
        _check_socket(Path(settings.host.removeprefix(UNIX)))
    else:
        _bound(settings)


def _check_socket(path: Path) -> None:
    """A socket that nobody listens on is left from before and is replaced."""
    if not path.parent.is_dir():
        raise CannotListen(f"cannot listen on {path}: {path.parent} is not a folder")
    if path.exists() and not path.is_socket():
        raise CannotListen(f"cannot listen on {path}: it is a file; remove it or give --host")
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(str(path))
        except OSError:
            return
    raise CannotListen(f"cannot listen on {path}: another server does; stop it or give --host")


def address_of(text: str, setting: str) -> tuple[str, int]:
    """HOST:PORT, an IPv6 host in brackets; port 0 takes a free one. Raises SettingsError that names the setting."""
    host, separator, port = text.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not separator or not host or not (port.isascii() and port.isdigit()) or int(port) > 65535:
        raise SettingsError(f"setting {setting}: found {text!r}, expected HOST:PORT, such as 127.0.0.1:2575")
    return host, int(port)


def network_of(address: str) -> str:
    """What one client has at will: its address, of IPv6 the network of 64 bits that it is in. RFC 4291: 2.5.4"""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:  # a unix socket has none
        return address
    if isinstance(found, ipaddress.IPv4Address) or found.ipv4_mapped is not None:
        return address
    return str(ipaddress.ip_network((found, 64), strict=False))


def _bound(settings: Settings) -> int:
    """The port that a short-lived socket got."""
    with socket.socket(socket.AF_INET6 if ":" in settings.host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((settings.host, settings.port))
        except OSError as problem:
            raise CannotListen(
                f"cannot listen on {settings.address}: {problem.strerror}; stop what listens there or give --port"
            ) from problem
        port: int = probe.getsockname()[1]
        return port
