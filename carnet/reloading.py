"""Values made from files, made again when the files change: certificates and revocation lists without a restart."""

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Generic, TypeVar

import structlog

from carnet.settings import SettingsError

T = TypeVar("T")
_SECONDS = 2.0
# Name, time of the last change, size and inode of every file; a file that is replaced changes at least one.
State = tuple[tuple[str, int, int, int], ...]


class Reloading(Generic[T]):
    """The value that some files and folders describe now; they are looked at every two seconds at most.

    Files that do not do leave the value as it was and are told to the log once: a broken list must not stop a
    server that runs.
    """

    def __init__(
        self, make: Callable[[], T], files: Iterable[str], *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """`files`: files and folders, empty names left out. Raises SettingsError or OSError as `make` does."""
        self._make, self._files, self._clock = make, tuple(Path(one) for one in files if one), clock
        self._state = self._failed = tuple(_state(self._files))
        self._value, self._next, self._turn = make(), clock() + _SECONDS, threading.Lock()

    @property
    def current(self) -> T:
        """The value of now. One thread makes a new one; the others go on with the old one meanwhile."""
        if self._clock() >= self._next and self._turn.acquire(blocking=False):
            try:
                self._next = self._clock() + _SECONDS
                self._look()
            finally:
                self._turn.release()
        return self._value

    def _look(self) -> None:
        state = tuple(_state(self._files))
        if state in (self._state, self._failed):
            return
        names = [str(one) for one in self._files]
        try:
            self._value, self._state = self._make(), state
            structlog.get_logger().info("read again", files=names)
        except (SettingsError, OSError) as problem:
            self._failed = state
            structlog.get_logger().error("changed files not taken", files=names, problem=str(problem))


def _state(files: Iterable[Path]) -> Iterator[tuple[str, int, int, int]]:
    """A file that is away has no line; a folder has one for each file in it."""
    for path in files:
        for one in sorted(path.iterdir()) if path.is_dir() else [path]:
            try:
                found = one.stat()
            except FileNotFoundError:
                continue
            yield str(one), found.st_mtime_ns, found.st_size, found.st_ino
