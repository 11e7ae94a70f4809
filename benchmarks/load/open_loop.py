"""An open loop: every request has its time, and waits in the client when no connection is free, with the clock running.

Latency is counted from the intended start, so a server that stalls is charged for all requests that came
meanwhile, not for the one alone that it held (coordinated omission).
"""

import selectors
import ssl
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import cycle
from typing import Protocol

from benchmarks.load.answers import Answer
from benchmarks.load.arrivals import Arrival
from benchmarks.load.connection import Connection, Lost, Phase
from benchmarks.load.counted import Counted, Outcome

_BUSY = (429, 503)
_SILENCE_SECONDS = 60.0
# A server closes a connection that says nothing for a minute; who sends at that moment has no answer.
_IDLE_SECONDS = 45.0


class Requests(Protocol):
    """What is sent at an arrival, and what its answer must be."""

    def octets(self, arrival: Arrival) -> bytes:
        """The whole request."""

    def problem(self, arrival: Arrival, answer: Answer) -> str:
        """What is wrong with the answer; empty when nothing is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where the server is and how it is spoken to. Connections go to `port` and the `others` in turn.

    One that nobody listens at is passed over, as clients pass over an address of a name, or a balancer a host.
    """

    host: str
    port: int
    others: tuple[int, ...] = ()
    tls: ssl.SSLContext | None = None


@dataclass(slots=True, kw_only=True)
class _Busy:
    """A request on its way: since when, `since` the time its connection was free."""

    arrival: Arrival
    since: float


@dataclass(slots=True)
class OpenLoop:
    """Sends arrivals to a server until the last one is answered.

    Connections are opened when there is none free, `connections` at most, and kept alive.
    `step_of` names the step of the profile a moment belongs to; arrivals before `warm_up` are not measured.
    An arrival that finds no free connection within `patience` seconds has failed. Arrivals that are all due at once,
    with patience without end, make a closed loop.
    """

    place: Place
    requests: Requests
    connections: int
    warm_up: float = 0.0
    patience: float = _SILENCE_SECONDS
    step_of: Callable[[float], str] = lambda _at: ""
    on_second: Callable[[int], None] = lambda _second: None
    counted: Counted = field(default_factory=Counted)
    _selector: selectors.BaseSelector = field(default_factory=selectors.DefaultSelector)
    _idle: deque[tuple[Connection, float]] = field(default_factory=deque)
    _busy: dict[Connection, _Busy] = field(default_factory=dict)
    _watched: dict[Connection, int] = field(default_factory=dict)
    _waiting: deque[Arrival] = field(default_factory=deque)
    _opening: int = 0
    _began: float = 0.0
    _second: int = -1
    _ports: Iterator[int] = field(init=False)

    def __post_init__(self) -> None:
        self._ports = cycle((self.place.port, *self.place.others))

    def run(self, arrivals: Sequence[Arrival], *, begin: float = 0.0) -> Counted:
        """`begin` is the monotonic time of second 0 of the arrivals, so that several processes begin together."""
        self._began = begin or time.monotonic()
        coming = iter(arrivals)
        try:
            self._loop(coming, next(coming, None))
        finally:
            for connection in list(self._watched):
                self._forget(connection)
            self._selector.close()
        return self.counted

    @property
    def _now(self) -> float:
        return time.monotonic() - self._began

    def _loop(self, coming: Iterator[Arrival], upcoming: Arrival | None) -> None:
        heard = time.monotonic()
        while upcoming is not None or self._waiting or self._busy:
            now = self._now
            while upcoming is not None and upcoming.at <= now:
                self._waiting.append(upcoming)
                upcoming = next(coming, None)
            self._start()
            pause = 0.1 if upcoming is None else min(0.1, max(0.0, upcoming.at - self._now))
            heard = time.monotonic() if self._turn(pause) or not self._busy else heard
            if time.monotonic() - heard > _SILENCE_SECONDS:
                self._give_up()
            self._tell()

    def _start(self) -> None:
        """Send what waits, as far as connections are free, as many clients would; open others for the rest.

        The one that has been free longest is first: so all processes of a server have their part.
        """
        self._retire()
        while self._waiting and self._idle:
            connection, _ = self._idle.popleft()
            if connection.has_ended():
                self._forget(connection)
                continue
            arrival = self._waiting.popleft()
            self._busy[connection] = _Busy(arrival=arrival, since=self._now)
            self.counted.sent += 1
            connection.send(self.requests.octets(arrival))
            self._advance(connection)
        while self._waiting and self._now - self._waiting[0].at > self.patience:
            busy = _Busy(arrival=self._waiting.popleft(), since=self._now)
            self._record(busy, Outcome.FAILED, f"no connection within {self.patience:.0f} s", self._now)
        self.counted.longest_queue = max(self.counted.longest_queue, len(self._waiting))
        room = self.connections - len(self._watched)
        for _ in range(min(room, len(self._waiting) - self._opening)):
            self._open()

    def _retire(self) -> None:
        while self._idle and self._now - self._idle[0][1] > _IDLE_SECONDS:
            self._forget(self._idle.popleft()[0])

    def _turn(self, pause: float) -> bool:
        """Wait for the sockets; whether one of them moved."""
        ready = self._selector.select(pause)
        for key, _ in ready:
            self._advance(key.data)
        return bool(ready)

    def _open(self) -> None:
        try:
            connection = Connection(self.place.host, next(self._ports), self.place.tls)
        except Lost as problem:
            self.counted.problems[f"while connecting: {problem}"] += 1
            return
        self._opening += 1
        self._watch(connection)

    def _advance(self, connection: Connection) -> None:
        was_opening = connection.phase in (Phase.CONNECTING, Phase.SHAKING)
        socket = connection.socket
        try:
            answer = connection.advance()
        except Lost as problem:
            self._opening -= was_opening
            self._lost(connection, str(problem))
            return
        if connection.socket is not socket:  # TLS has taken the socket over
            self._watched.pop(connection)
            self._selector.unregister(socket)
        self._watch(connection)
        if was_opening and connection.phase is Phase.IDLE:
            self._opening -= 1
            self._idle.append((connection, self._now))
        if answer is not None:
            self._answered(connection, answer)

    def _answered(self, connection: Connection, answer: Answer) -> None:
        busy = self._busy.pop(connection)
        ended = self._now
        outcome, problem = self._outcome(busy.arrival, answer)
        self._record(busy, outcome, problem, ended)
        if answer.closes:
            self._forget(connection)
        else:
            self._idle.append((connection, ended))

    def _outcome(self, arrival: Arrival, answer: Answer) -> tuple[Outcome, str]:
        if answer.status in _BUSY:
            return Outcome.REFUSED, ""
        problem = f"status {answer.status}" if answer.status != 200 else self.requests.problem(arrival, answer)
        return (Outcome.FAILED, f"{arrival.key}: {problem}") if problem else (Outcome.ACCEPTED, "")

    def _lost(self, connection: Connection, problem: str) -> None:
        """An idle connection may be closed by either side; with a request on it the request has failed."""
        busy = self._busy.pop(connection, None)
        self._idle = deque(one for one in self._idle if one[0] is not connection)
        self._forget(connection)
        if busy is not None:
            self._record(busy, Outcome.FAILED, f"{busy.arrival.key}: {problem}", self._now)

    def _record(self, busy: _Busy, outcome: Outcome, problem: str, ended: float) -> None:
        arrival = busy.arrival
        if outcome is Outcome.ACCEPTED and arrival.key == "iti41":
            self.counted.acknowledged.append(arrival.number)
        if problem:
            self.counted.problems[problem] += 1
        if arrival.at < self.warm_up and outcome is not Outcome.FAILED:
            self.counted.warm += 1
            self.counted.late[outcome] += ended >= self.warm_up
            return
        key = (self.step_of(arrival.at), arrival.key, outcome)
        self.counted.record(key, at=ended, taken=ended - arrival.at, served=ended - busy.since)

    def _give_up(self) -> None:
        for connection in list(self._busy):
            self._lost(connection, f"no answer within {_SILENCE_SECONDS:.0f} s")

    def _watch(self, connection: Connection) -> None:
        known = self._watched.get(connection)
        if known is None:
            self._selector.register(connection.socket, connection.wants, connection)
        elif known != connection.wants:
            self._selector.modify(connection.socket, connection.wants, connection)
        self._watched[connection] = connection.wants

    def _forget(self, connection: Connection) -> None:
        if self._watched.pop(connection, None) is not None:
            self._selector.unregister(connection.socket)
        connection.close()

    def _tell(self) -> None:
        second = int(self._now)
        if second > self._second:
            self._second = second
            self.on_second(second)
