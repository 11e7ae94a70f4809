"""The same HTTP server without Carnet: nothing is parsed, no database is asked.

`POST` or `GET /canned/N` is answered with N octets that never change, after the body was read. What stays of
a request is the server itself, so it is the measure for everything else. `POST /copy/NAME` keeps the body as
a file as safely as a repository must: written aside, synced, moved into place, the folder synced. `POST
/copied/NAME` is answered with that file.
"""

import os
import re
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import click

from carnet.front import Front, open_front
from carnet.server import HttpServer
from carnet.settings import Settings, load
from storage.durable_folders import sync_folder

PATH, COPY, COPIED = "/canned/", "/copy/", "/copied/"
_LENGTH = re.compile(r"/canned/(\d{1,9})\Z")
_COPY, _COPIED = re.compile(r"/copy/(\w{1,40})\Z"), re.compile(r"/copied/(\w{1,40})\Z")
_READ, _SEND = 64 * 1024, 1024 * 1024
StartResponse = Callable[[str, list[tuple[str, str]]], object]


class CannedApplication:
    """WSGI without a framework; files are kept in `folder`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._answers: dict[int, bytes] = {}

    def __call__(self, environ: Mapping[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        path, body = environ["PATH_INFO"], iter(partial(environ["wsgi.input"].read, _READ), b"")
        copy, copied, canned = _COPY.match(path), _COPIED.match(path), _LENGTH.match(path)
        if copy:
            self._keep(copy[1], body)
        for _ in body:
            continue
        if copied:
            return _sent(self._folder / copied[1], start_response)
        found = canned or copy
        answer = self._answer(int(canned[1]) if canned else 0)
        headers = [("Content-Type", "text/plain"), ("Content-Length", str(len(answer)))]
        start_response("200 OK" if found else "404 Not Found", headers)
        return [answer]

    def _answer(self, length: int) -> bytes:
        if length not in self._answers:
            self._answers[length] = b"x" * length
        return self._answers[length]

    def _keep(self, name: str, body: Iterable[bytes]) -> None:
        descriptor, aside = tempfile.mkstemp(dir=self._folder)
        with os.fdopen(descriptor, "wb") as file:
            file.writelines(body)
            file.flush()
            os.fsync(file.fileno())
        Path(aside).rename(self._folder / name)
        sync_folder(self._folder)


def _sent(file: Path, start_response: StartResponse) -> Iterator[bytes]:
    """The file in pieces: read and sent, nothing else."""
    opened = file.open("rb")
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(file.stat().st_size))])
    with opened:
        yield from iter(partial(opened.read, _SEND), b"")


class CannedServer(HttpServer):
    """Carnet's server with the canned application in it."""

    def __init__(self, settings: Settings, front: Front, on_ready: Callable[[str], None], folder: Path) -> None:
        self._folder = folder
        super().__init__(settings, front, on_ready)

    def load_config(self) -> None:
        super().load_config()
        self.cfg.set("worker_exit", lambda arbiter, worker: None)

    def load(self) -> Any:
        return CannedApplication(self._folder)


@click.command()
@click.option("--port", type=int, required=True)
@click.option("--workers", type=int, default=Settings().workers)
@click.option("--folder", default=".", help="Where files are kept.")
@click.option("--threads", type=int, default=Settings().threads)
def main(port: int, workers: int, folder: str, threads: int) -> None:
    """Serve canned bytes on loopback until SIGTERM."""
    # The number of processes is that of the server beside it, which may have PostgreSQL.
    given = {"port": port, "workers": workers, "threads": threads, "security": "open", "database": "postgresql://"}
    settings = load(given)

    def told(url: str) -> None:
        click.echo(f"canned bytes on {url}", err=True)

    CannedServer(settings, open_front(settings), told, Path(folder)).run()


if __name__ == "__main__":
    sys.exit(main())
