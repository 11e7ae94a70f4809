"""The IPF server as a process of its own: a registry and repository of another maker, in memory, on loopback."""

import re
import subprocess
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from conformance.peers.maven_build import IPF, PeerError, java_command

SERVER = "peers.ipf.Server"
START_SECONDS, STOP_SECONDS = 120, 30
_LISTENING = re.compile(r"listening on (\S+) .*feed mllp://([\d.]+):(\d+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """Where the server listens."""

    url: str
    feed: tuple[str, int]

    @property
    def registry(self) -> str:
        return f"{self.url}/xds/registry"

    @property
    def repository(self) -> str:
        return f"{self.url}/xds/repository"


@contextmanager
def running(*, log: Path, arguments: Sequence[str] = ()) -> Iterator[Address]:
    """A server on free ports, stopped by SIGTERM; `log` takes what it prints. Raises PeerError."""
    command = java_command(IPF, SERVER, *arguments)
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output)
    try:
        yield _address(process, log)
    finally:
        process.terminate()
        process.wait(timeout=STOP_SECONDS)


def _address(process: subprocess.Popen[bytes], log: Path) -> Address:
    """Once its first line is there. Raises PeerError."""
    tick = threading.Event()
    for _ in range(START_SECONDS * 10):
        found = _LISTENING.search(log.read_text(encoding="utf-8", errors="replace"))
        if found:
            return Address(url=found[1], feed=(found[2], int(found[3])))
        if process.poll() is not None:
            break
        tick.wait(0.1)
    raise PeerError(f"the IPF server does not listen: {log.read_text(encoding='utf-8', errors='replace')[-2000:]}")
