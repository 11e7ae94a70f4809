"""The same HTTP server answering canned bytes: the body is read, nothing is parsed, no database is asked.

`POST` or `GET /canned/N` is answered with N octets that never change. What stays of a request is the
server itself, so it is the measure for everything else.
"""

import re
import sys
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import click

from carnet.server import HttpServer
from carnet.settings import Settings, load

PATH = "/canned/"
_LENGTH = re.compile(r"/canned/(\d{1,9})\Z")
_READ = 64 * 1024
StartResponse = Callable[[str, list[tuple[str, str]]], object]


class CannedApplication:
    """WSGI without a framework."""

    def __init__(self) -> None:
        self._answers: dict[int, bytes] = {}

    def __call__(self, environ: Mapping[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        while environ["wsgi.input"].read(_READ):
            continue
        found = _LENGTH.match(environ["PATH_INFO"])
        status, body = ("200 OK", self._answer(int(found[1]))) if found else ("404 Not Found", b"")
        start_response(status, [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
        return [body]

    def _answer(self, length: int) -> bytes:
        if length not in self._answers:
            self._answers[length] = b"x" * length
        return self._answers[length]


class CannedServer(HttpServer):
    """Carnet's server with the canned application in it."""

    def load_config(self) -> None:
        super().load_config()
        self.cfg.set("worker_exit", lambda arbiter, worker: None)

    def load(self) -> Any:
        return CannedApplication()


@click.command()
@click.option("--port", type=int, required=True)
@click.option("--workers", type=int, default=Settings().workers)
@click.option("--threads", type=int, default=Settings().threads)
def main(port: int, workers: int, threads: int) -> None:
    """Serve canned bytes on loopback until SIGTERM."""
    # The number of processes is that of the server beside it, which may have PostgreSQL.
    given = {"port": port, "workers": workers, "threads": threads, "security": "open", "database": "postgresql://"}
    CannedServer(load(given), lambda url: click.echo(f"canned bytes on {url}", err=True)).run()


if __name__ == "__main__":
    sys.exit(main())
