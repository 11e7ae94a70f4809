"""Where the server listens: a free port, and a clear refusal before anything is started."""

import socket
from dataclasses import replace

from carnet.settings import Settings


class CannotListen(Exception):
    """The address is taken or not to be had; the text is one sentence."""


def with_port(settings: Settings) -> Settings:
    """Port 0 becomes a free port, so that the public URL is known before the server starts."""
    return settings if settings.port else replace(settings, port=_bound(settings))


def check_address(settings: Settings) -> None:
    """Raises CannotListen. The HTTP server would try five times and tell each."""
    _bound(settings)


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
