"""A second PostgreSQL server that follows a first one, as a streaming standby."""

import shutil
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from types import MappingProxyType

from tests import postgresql

# What a primary is started with.
PRIMARY: Mapping[str, str] = {"wal_level": "replica", "max_wal_senders": "4"}


class Line:
    """Between a standby and its primary: what it carries ends when it is cut, as when a machine is gone."""

    def __init__(self, primary: int) -> None:
        self._primary, self._ends = primary, list[socket.socket]()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self) -> None:
        """Nothing goes through any more, whatever was under way, and nobody is connected again."""
        for end in (self._listener, *self._ends):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)  # unlike `close` it wakes who waits for it

    def _accept(self) -> None:
        with self._listener, suppress(OSError):
            while True:
                there, here = self._listener.accept()[0], socket.create_connection(("127.0.0.1", self._primary))
                self._ends += (there, here)
                for ends in ((there, here), (here, there)):
                    threading.Thread(target=_carry, args=ends, daemon=True).start()


def _carry(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while octets := source.recv(65536):
            target.sendall(octets)
    with suppress(OSError):
        target.shutdown(socket.SHUT_RDWR)
    source.close()


@contextmanager
def line(primary: int) -> Iterator[Line]:
    """One, until the end."""
    made = Line(primary)
    try:
        yield made
    finally:
        made.cut()


@contextmanager
def following(
    primary: int, port: int, folder: Path, *, settings: Mapping[str, str] = MappingProxyType({})
) -> Iterator[None]:
    """A copy of the server at the port `primary`, in a new folder, from when it streams until the end."""
    binaries, user = postgresql.binaries(), postgresql.ordinary_user()
    assert binaries is not None
    folder.mkdir(mode=0o700)
    if user is not None:
        shutil.chown(folder, user)
    source = f"host=127.0.0.1 port={primary} user=carnet application_name=standby"
    # A commit of the copy itself would wait for the standby that it makes.
    command = [str(binaries / "pg_basebackup"), "-D", str(folder), "-R", "-X", "stream", "-c", "fast", "-d", source]
    subprocess.run(command, check=True, user=user, cwd=folder)
    options = ["-h", "127.0.0.1", "-p", str(port), "-k", str(folder), "-c", "max_connections=120"]
    options += [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [str(binaries / "postgres"), "-D", str(folder), *options], stdout=log, stderr=log, user=user, cwd=folder
        )
    try:
        _wait(primary, folder / "log")
        yield
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(timeout=30)


def said(port: int, statement: str) -> str:
    """What the server answers, in columns without a frame."""
    command = ["psql", "-h", "127.0.0.1", "-p", str(port), "-U", "carnet", "-d", "postgres", "-Atc", statement]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout


def _wait(primary: int, log: Path) -> None:
    deadline = time.monotonic() + 30
    while "streaming" not in said(primary, "SELECT state FROM pg_stat_replication"):
        assert time.monotonic() < deadline, log.read_text()[-2000:]
        time.sleep(0.1)
