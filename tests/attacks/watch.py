"""The instruments that every attack is watched with: what was reached, how long it took, what memory it left.

A canary that listens, the interpreter's audit hook, and the kernel's word on a file that only an attack would open.
"""

import ctypes
import gc
import os
import select
import socket
import struct
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.conftest import ROOT

SLOWEST_SECONDS = 2.0
MOST_MEMORY = 64 * 2**20
_IN_OPEN = 0x20
_CONNECTIONS = ("socket.connect", "socket.getaddrinfo", "socket.gethostbyname")
_PROGRAMS = ("subprocess.Popen", "os.system", "os.exec", "os.posix_spawn")
_libc = ctypes.CDLL(None, use_errno=True)


class Canary:
    """Ports of loopback that nobody has a reason to call, TCP and UDP, and a file nobody has a reason to read."""

    def __init__(self, folder: Path) -> None:
        self.calls: list[str] = []
        self.file = folder / "canary.txt"
        self.file.write_text("the canary sang")
        self._tcp = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._tcp.getsockname()[1]
        self._udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._udp.bind(("127.0.0.1", self.port))
        self._opened = _libc.inotify_init1(os.O_CLOEXEC | os.O_NONBLOCK)
        if self._opened < 0 or _libc.inotify_add_watch(self._opened, bytes(self.file), _IN_OPEN) < 0:
            raise OSError(ctypes.get_errno(), "no inotify")
        self._ends, self._end = os.pipe()
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/canary"

    @property
    def file_url(self) -> str:
        return self.file.as_uri()

    def _listen(self) -> None:
        watched = [self._tcp, self._udp, self._opened, self._ends]
        while True:
            for ready in select.select(watched, [], [])[0]:
                if ready == self._ends:
                    return
                if ready is self._tcp:
                    connection, peer = self._tcp.accept()
                    connection.close()
                    self.calls.append(f"TCP from {peer}")
                elif ready is self._udp:
                    self.calls.append(f"UDP from {self._udp.recvfrom(1)[1]}")
                else:
                    mask = struct.unpack_from("=iI", os.read(self._opened, 4096))[1]
                    self.calls.append(f"file opened ({mask:#x})")

    def close(self) -> None:
        os.write(self._end, b"x")
        self._thread.join()
        for descriptor in (self._opened, self._ends, self._end):
            os.close(descriptor)
        self._tcp.close()
        self._udp.close()


class Reached:
    """What the interpreter was asked to open or connect to, beside what it has business with.

    A hook stays for the life of the process, so there is one, which does nothing between tests.
    """

    def __init__(self) -> None:
        self.seen: list[str] = []
        self.folders: tuple[str, ...] = ()
        self.ports: tuple[int, ...] = ()
        self.is_watching = False
        sys.addaudithook(self._hook)

    def _hook(self, event: str, arguments: tuple[Any, ...]) -> None:
        if not self.is_watching:
            return
        if event in _PROGRAMS or (event in _CONNECTIONS and not self._is_known(event, arguments)):
            self.seen.append(f"{event} {arguments}")
        elif event == "open" and isinstance(arguments[0], str | bytes):
            path = os.path.abspath(os.fsdecode(arguments[0]))  # noqa: PTH100 - not resolved: that would open it
            if not path.startswith(self.folders):
                self.seen.append(f"open {path}")

    def _is_known(self, event: str, arguments: tuple[Any, ...]) -> bool:
        address = arguments[1] if event == "socket.connect" else arguments[:2]
        return isinstance(address, tuple) and address[0] == "127.0.0.1" and address[1] in self.ports


_reached: list[Reached] = []


@contextmanager
def watched(data: Path, ports: tuple[int, ...] = ()) -> Iterator[Reached]:
    """From here to the end of the block files are opened below `data`, the program and Python alone."""
    if not _reached:
        _reached.append(Reached())
    reached = _reached[0]
    # What programs open lazily: their own modules, the system's list of time zones, and the memory of this process.
    reached.folders = (str(data), str(ROOT), sys.prefix, sys.base_prefix, "/proc/self/", "/usr/share/zoneinfo")
    reached.folders += (f"{tempfile.gettempdir()}/tmp", "/dev/urandom")
    reached.seen, reached.ports, reached.is_watching = [], ports, True
    try:
        yield reached
    finally:
        reached.is_watching = False


def memory() -> int:
    """Resident octets, after everything that is not used was given back."""
    gc.collect()
    _libc.malloc_trim(0)
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


class Stopwatch:
    """Processor time, for the machine may be busy; the clock where nothing is computed is the test's own time-out."""

    def __init__(self) -> None:
        self.slowest, self.what = 0.0, ""

    @contextmanager
    def timing(self, what: str) -> Iterator[None]:
        began = time.process_time()
        yield
        taken = time.process_time() - began
        if taken > self.slowest:
            self.slowest, self.what = taken, what
