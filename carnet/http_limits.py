"""How long the server waits for a client, how much it takes from one, and who waits for whom."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

_OCTETS_PER_SECOND = 1000
# How much the last request counts in what requests took lately, and what one takes that says nothing unusual.
_WEIGHT, _USUAL_SECONDS = 0.1, 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpLimits:
    """Of one process; times in seconds. The meaning of each is in the setting of the same name."""

    threads: int
    queue: int
    queue_milliseconds: int
    uploads: int
    connections: int
    connections_per_client: int
    handshake_seconds: int
    head_seconds: int
    slow_seconds: int
    idle_seconds: int


class Turns:
    """As many requests as there are turns are worked on; one that waits for its client lends its turn to another.

    So a client that stalls costs a sleeping thread and nothing else.
    """

    def __init__(self, turns: int, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._turns, self._lock = threading.Semaphore(turns), threading.Lock()
        self._number, self._clock = turns, clock
        self._waiting: dict[object, float] = {}
        self._begun: dict[int, float] = {}
        self._held = 0.0
        self.lent = 0

    def __enter__(self) -> None:
        if self._waiting or not self._turns.acquire(blocking=False):
            self._wait()
        self._begun[threading.get_ident()] = self._clock()

    def _wait(self) -> None:
        ticket = object()
        self._waiting[ticket] = self._clock()
        try:
            self._turns.acquire()
        finally:
            del self._waiting[ticket]

    @property
    def expected_wait(self) -> float:
        """Seconds that one more request would wait for its first turn; 0 when none waits.

        As long as those before it take, if they take what requests took lately; at least as long as one has waited.
        """
        waiting = list(self._waiting.copy().values())
        if not waiting:
            return 0.0
        return max(self._clock() - waiting[0], (len(waiting) + 1) * self._held / self._number)

    def __exit__(self, *_problem: object) -> None:
        held = self._clock() - self._begun.pop(threading.get_ident())
        with self._lock:  # one that took long says little of those that wait
            self._held += (min(held, 2 * self._held + _USUAL_SECONDS) - self._held) * _WEIGHT
        self._turns.release()

    def lend(self, wait: Callable[[], None]) -> None:
        """Wait without a turn, then have one again."""
        lent = self._clock()
        with self._lock:
            self.lent += 1
        self._turns.release()
        try:
            wait()
        finally:
            self._turns.acquire()
            with self._lock:
                self.lent -= 1
            self._begun[threading.get_ident()] += self._clock() - lent


class Pace:
    """A client that was waited for `seconds` must have moved 1 kB for each of them. Counts waiting alone.

    What the server itself takes, and a turn that is not free, is never held against a client.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds, self._waited, self._octets = seconds, 0.0, 0

    @property
    def left(self) -> float:
        return self._seconds - self._waited

    def moved(self, octets: int) -> None:
        self._octets += octets

    def waited(self, seconds: float) -> None:
        """Raises TimeoutError."""
        self._waited += seconds
        if self._waited < self._seconds:
            return
        if self._octets < self._seconds * _OCTETS_PER_SECOND:
            raise TimeoutError("the client is too slow")
        self._waited, self._octets = 0.0, 0


class RequestRates:
    """Requests of each client: as many a second as allowed, twice as many at once. Threads may share it."""

    _KEPT = 10_000

    def __init__(self, per_second: int, *, clock: Callable[[], float] = time.monotonic) -> None:
        """`per_second` 0 allows everything."""
        self._per_second, self._clock, self._lock = per_second, clock, threading.Lock()
        self._left: dict[bytes, tuple[float, float]] = {}

    def allows(self, client: bytes) -> bool:
        """Whether one more request may come now; it is counted when it may."""
        if not self._per_second:
            return True
        now, most = self._clock(), 2.0 * self._per_second
        with self._lock:
            left, since = self._left.get(client, (most, now))
            left = min(most, left + (now - since) * self._per_second)
            if len(self._left) >= self._KEPT and client not in self._left:
                self._left.clear()
            self._left[client] = (left - 1 if left >= 1 else left, now)
        return left >= 1
