"""What happens again and again is on record once a minute, with how often: nobody fills the spool by trying.

The first of a kind is on record by itself; those after it are counted.
"""

import threading
import time
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")
QUIET_SECONDS = 60.0
MOST_KINDS = 1_000


@dataclass(slots=True)
class _Seen(Generic[T]):
    """When it was last on record, what was told, and how often it has happened since."""

    recorded: float
    told: T
    since: int = 0


class Repeats(Generic[T]):
    """Kinds of what happened, each with what its first record tells. Threads may share it."""

    def __init__(self, *, quiet_seconds: float = QUIET_SECONDS, clock: Callable[[], float] = time.monotonic) -> None:
        self.quiet_seconds, self._clock = quiet_seconds, clock
        self._seen: dict[Hashable, _Seen[T]] = {}
        self._lock = threading.Lock()

    def is_new(self, kind: Hashable, told: T, *, broadly: Hashable = None) -> bool:
        """The first of its kind, which is to be recorded now; another one is counted.

        `broadly`: the kind that it is of where there are a thousand: of those whose names a client chooses.
        """
        with self._lock:
            if broadly is not None and len(self._seen) >= MOST_KINDS and kind not in self._seen:
                kind = broadly
            known = self._seen.setdefault(kind, _Seen(self._clock(), told, -1))
            known.since += 1
            return known.since == 0

    def forget(self, told: T) -> None:
        """What was new could not be recorded: the next one is the first."""
        with self._lock:
            self._seen = {kind: one for kind, one in self._seen.items() if one.told is not told}

    def due(self, *, everything: bool = False) -> list[tuple[T, int]]:
        """What was counted for a minute, and how often; what did not happen again is forgotten."""
        with self._lock:
            now = self._clock()
            old = [
                (kind, one)
                for kind, one in self._seen.items()
                if everything or one.recorded <= now - self.quiet_seconds
            ]
            for kind, one in old:
                del self._seen[kind]
                if one.since:
                    self._seen[kind] = _Seen(now, one.told)
            return [(one.told, one.since) for _, one in old if one.since]


def repeated(description: str, more: int) -> str:
    """What a record says of those that were counted."""
    return f"{description}; {more} more times"
