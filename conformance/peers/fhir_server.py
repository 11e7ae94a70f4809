"""The HAPI server as a process of its own: a plain FHIR R4 server of another maker, in memory, on loopback."""

import re
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from conformance.peers.maven_build import FHIR_SERVER, PeerError, java_command

SERVER = "peers.fhir.Server"
START_SECONDS, STOP_SECONDS = 120, 30
_LISTENING = re.compile(r"listening on (\S+)")


@contextmanager
def running(*, log: Path) -> Iterator[str]:
    """The base of a server on a free port, stopped by SIGTERM; `log` takes what it prints. Raises PeerError."""
    command = java_command(FHIR_SERVER, SERVER)
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output)
    try:
        yield _base(process, log)
    finally:
        process.terminate()
        process.wait(timeout=STOP_SECONDS)


def _base(process: subprocess.Popen[bytes], log: Path) -> str:
    """Once its first line is there. Raises PeerError."""
    tick = threading.Event()
    for _ in range(START_SECONDS * 10):
        found = _LISTENING.search(log.read_text(encoding="utf-8", errors="replace"))
        if found:
            return found[1]
        if process.poll() is not None:
            break
        tick.wait(0.1)
    raise PeerError(f"the HAPI server does not listen: {log.read_text(encoding='utf-8', errors='replace')[-2000:]}")
