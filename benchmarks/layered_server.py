"""Carnet's server with its first layers of security: `carnet serve` has the first alone, or all of them.

`--security open` is the first, `--security mtls` all; those between exist here, to be measured.
"""

import ssl
import sys
from collections.abc import Callable
from dataclasses import replace
from enum import IntEnum

import click

from access_policy.policy import OPEN_POLICY
from carnet.front import Front, open_front
from carnet.reloading import Reloading
from carnet.server import HttpServer
from carnet.settings import Settings, load
from carnet.tls import ServerTls, read_tls
from carnet.wiring import Actors


class Layer(IntEnum):
    """What a request passes through: this and everything before it."""

    OPEN = 0
    TLS = 1
    CERTIFICATE = 2
    VIHF = 3
    POLICY = 4
    AUDIT = 5


class _AnyClient(ServerTls):
    """TLS that asks nobody for a certificate."""

    def check_client(self, octets: bytes | None) -> None:
        """Whoever comes is served."""


class LayeredServer(HttpServer):
    """Carnet's server, its layers after `layer` left out."""

    def __init__(self, settings: Settings, front: Front, on_ready: Callable[[str], None], layer: Layer) -> None:
        self._layer = layer
        super().__init__(settings, front, on_ready)

    def open(self) -> Actors:
        actors = super().open()
        if self._layer < Layer.POLICY and actors.registry is not None:
            actors.registry.policy = OPEN_POLICY
        return actors


def settings_of(layer: Layer, secured: Settings) -> Settings:
    """The settings of a layer; `secured` are those of all of them."""
    is_open = layer < Layer.VIHF
    return replace(secured, security="open" if is_open else "mtls", audit="on" if layer >= Layer.AUDIT else "off")


def front_of(layer: Layer, secured: Settings) -> Front:
    """What the server does before it reads a request, as far as the layer goes."""
    if layer is Layer.OPEN:
        return open_front(replace(secured, security="open"))
    front = open_front(secured)
    return front if layer >= Layer.CERTIFICATE else replace(front, tls=Reloading(lambda: _one_sided(secured), ()))


def _one_sided(secured: Settings) -> ServerTls:
    tls = read_tls(secured)
    tls.context.verify_mode = ssl.CERT_NONE
    return _AnyClient(context=tls.context, trust=tls.trust)


@click.command()
@click.option("--layer", type=click.Choice([one.name for one in Layer]), required=True)
@click.option("--port", type=int, required=True)
@click.option("--health", required=True, help="HOST:PORT of the health checks.")
@click.option("--data", required=True)
@click.option("--database", default="")
@click.option("--certificate", required=True)
@click.option("--trust", required=True)
@click.option("--workers", type=int, default=1)
def main(layer: str, **given: object) -> None:
    """Serve on loopback until SIGTERM."""
    wanted = Layer[layer]
    secured = load({"security": "mtls", "requests_per_second": 10**6, "audit_reserve_mb": 0, **given})

    def told(url: str) -> None:
        click.echo(f"{wanted.name} on {url}", err=True)

    LayeredServer(settings_of(wanted, secured), front_of(wanted, secured), told, wanted).run()


if __name__ == "__main__":
    sys.exit(main())
