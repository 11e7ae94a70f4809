"""The two servers of a measurement, each a process of its own on loopback: Carnet, and canned bytes."""

import http.client
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields, replace
from pathlib import Path

from benchmarks.canned import PATH
from benchmarks.layered_server import Layer
from benchmarks.machine import ROOT
from carnet.settings import Settings

# A server reads a large SQLite file whole before it listens.
_START_SECONDS, _STOP_SECONDS = 600, 40


class ServerFailed(Exception):
    """A server did not start; the text ends with its log."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """A server that listens: its port and that of its feed, and the process whose descendants answer."""

    port: int
    process: int
    feed: int = 0


@contextmanager
def carnet(settings: Settings) -> Iterator[Server]:
    """`carnet serve` with these settings, each as an option."""
    command = ["carnet", "serve"]
    for one in fields(Settings):
        value = getattr(settings, one.name)
        if isinstance(value, bool):
            command.append(f"--{'' if value else 'no-'}{one.name.replace('_', '-')}")
        elif value != "":
            command += [f"--{one.name.replace('_', '-')}", str(value)]
    health = int(settings.health.rpartition(":")[2]) if settings.health else settings.port
    with _running(command, health, "/health/ready", settings.data_folder / "server.log") as server:
        feed = int(settings.mllp.rpartition(":")[2]) if settings.mllp else 0
        yield replace(server, port=settings.port, feed=feed)


@contextmanager
def canned(settings: Settings, port: int) -> Iterator[Server]:
    """The same server with as many processes and threads, without Carnet in it; its files lie beside Carnet's."""
    copies = settings.data_folder / "copies"
    copies.mkdir(exist_ok=True)
    command = ["benchmarks.canned", "--port", str(port), "--folder", str(copies)]
    command += ["--workers", str(settings.workers), "--threads", str(settings.threads)]
    with _running(command, port, f"{PATH}0", settings.data_folder / "canned.log") as server:
        yield server


@contextmanager
def layered(layer: Layer, settings: Settings) -> Iterator[Server]:
    """Carnet with the layers of security up to this one; `settings` name data, database and certificates."""
    port, health = free_port(), free_port()
    command = ["benchmarks.layered_server", "--layer", layer.name, "--port", str(port)]
    command += ["--health", f"127.0.0.1:{health}", "--data", settings.data, "--workers", str(settings.workers)]
    command += ["--certificate", settings.certificate, "--trust", settings.trust, "--database", settings.database]
    log = settings.data_folder / f"layer-{layer.name.lower()}.log"
    with _running(command, health, "/health/ready", log) as server:
        yield replace(server, port=port)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def _running(module: Sequence[str], port: int, path: str, log: Path) -> Iterator[Server]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("CARNET_")}
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", *module], stdout=output, stderr=output, env=environment, cwd=ROOT
        )
    try:
        _wait(process, port, path, log)
        yield Server(port=port, process=process.pid)
    finally:
        process.terminate()
        process.wait(timeout=_STOP_SECONDS)


def _wait(process: subprocess.Popen[bytes], port: int, path: str, log: Path) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        try:
            connection.request("GET", path)
            if connection.getresponse().status == 200:
                return
        except OSError:
            threading.Event().wait(0.05)
        finally:
            connection.close()
    raise ServerFailed(f"no server on port {port} after {_START_SECONDS} s: {log.read_text()[-2000:]}")
