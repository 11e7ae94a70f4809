"""A closed loop over HTTP or MLLP: some connections, kept alive, each sends its next request when its answer is whole.

One thread and a selector, so that the client costs as little as it can; run it in a process of its own.
"""

import re
import selectors
import socket
import ssl
import time
from collections.abc import Iterator
from dataclasses import dataclass

from carnet.mllp_framing import END, START

_RECEIVE = 512 * 1024
_TIMEOUT_SECONDS = 60
_TAKEN = b"\rMSA|AA|"
_REASON = re.compile(r'(?:errorCode|codeContext)="([^"]*)"')


class WrongAnswer(Exception):
    """The server did not answer what it must; the measurement counts for nothing."""


@dataclass(frozen=True, slots=True)
class Call:
    """One request as octets, and the status and the length its answer must have: of a block of MLLP, 200.

    `subject`: what it changes, if that bears one change after the other: the next call about it waits for this answer.
    """

    octets: bytes
    answer_length: int
    subject: int | None = None
    status: int = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """What a run counted: requests answered, how long it lasted, the time of each in milliseconds."""

    requests: int
    seconds: float
    p50: float
    p95: float
    p99: float

    @property
    def per_second(self) -> float:
        return self.requests / self.seconds


def drive(
    host: str,
    port: int,
    calls: Iterator[Call],
    *,
    connections: int,
    seconds: float,
    tls: ssl.SSLContext | None = None,
    by_mllp: bool = False,
) -> Sample:
    """Send requests for so many seconds; answers still missing then are waited for and counted.

    Handshakes are done before the first request, so their time does not count. Raises WrongAnswer for another status,
    another length, a closed connection or silence.
    """
    selector = selectors.DefaultSelector()
    kind = _Feed if by_mllp else _Connection
    opened = [kind(host, port, tls) for _ in range(connections)]
    try:
        for one in opened:
            selector.register(one.socket, selectors.EVENT_READ, one)
        return _loop(selector, opened, calls, seconds)
    finally:
        selector.close()
        for one in opened:
            one.socket.close()


def _loop(
    selector: selectors.BaseSelector, opened: list["_Connection"], calls: Iterator[Call], seconds: float
) -> Sample:
    times: list[float] = []
    idle, line = list(opened), _Line(calls)
    began = now = time.perf_counter()
    while True:
        while idle and (line.sent < len(opened) or line.is_held_up or now - began < seconds):
            call = line.take()
            if call is None:
                break
            idle.pop().send(call)
        if len(idle) == len(opened):
            return sample_of(times, time.perf_counter() - began)
        ready = selector.select(_TIMEOUT_SECONDS)
        if not ready:
            raise WrongAnswer(f"no answer within {_TIMEOUT_SECONDS} s")
        for key, _ in ready:
            one = key.data
            if one.receive():
                now = time.perf_counter()
                times.append(now - one.began)
                line.answered(one.call)
                idle.append(one)


class _Line:
    """Calls in their order: one about a subject that an answer is still missing for holds up those behind it.

    A server may take up a request later than many that were sent after it. None is left in the line at the end.
    """

    def __init__(self, calls: Iterator[Call]) -> None:
        self._calls, self._subjects = calls, set[int]()
        self._first: Call | None = None
        self.sent = 0

    @property
    def is_held_up(self) -> bool:
        return self._first is not None

    def take(self) -> Call | None:
        """The next call to send, None while it must wait."""
        call = self._first or next(self._calls)
        self._first = call if call.subject in self._subjects else None
        if self._first is not None:
            return None
        if call.subject is not None:
            self._subjects.add(call.subject)
        self.sent += 1
        return call

    def answered(self, call: Call) -> None:
        if call.subject is not None:
            self._subjects.remove(call.subject)


def sample_of(times: list[float], seconds: float) -> Sample:
    """The sample of requests that took so many seconds each."""
    times.sort()
    p50, p95, p99 = (times[min(len(times) - 1, int(len(times) * share))] * 1000 for share in (0.5, 0.95, 0.99))
    return Sample(requests=len(times), seconds=seconds, p50=p50, p95=p95, p99=p99)


class _Connection:
    """One kept-alive connection and the answer that is coming in on it."""

    def __init__(self, host: str, port: int, tls: ssl.SSLContext | None) -> None:
        plain = socket.create_connection((host, port), timeout=_TIMEOUT_SECONDS)
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket = plain if tls is None else tls.wrap_socket(plain, server_hostname=host)
        self._buffer = bytearray(_RECEIVE)
        self.began, self.call = 0.0, Call(b"", 0)
        self._head, self._missing = b"", -1

    def send(self, call: Call) -> None:
        self.call, self._head, self._missing = call, b"", -1
        self.began = time.perf_counter()
        self.socket.sendall(call.octets)

    def receive(self) -> bool:
        """Take what has come; true when the answer is whole."""
        while not self._take():
            if not isinstance(self.socket, ssl.SSLSocket) or not self.socket.pending():
                return False
        return True

    def _come(self) -> int:
        """Octets of the answer that were put into the buffer."""
        count = self.socket.recv_into(self._buffer)
        if not count:
            raise WrongAnswer("the server closed the connection")
        return count

    def _take(self) -> bool:
        count = self._come()
        if self._missing >= 0:
            self._missing -= count
        else:
            self._head += self._buffer[:count]
            end = self._head.find(b"\r\n\r\n")
            if end < 0:
                return False
            self._missing = self._length(end) - (len(self._head) - end - 4)
        if self._missing < 0:
            raise WrongAnswer("the answer is longer than its Content-Length")
        return self._missing == 0

    def _length(self, end: int) -> int:
        lines = self._head[:end].lower().split(b"\r\n")
        length = next((int(line[15:]) for line in lines if line.startswith(b"content-length:")), -1)
        if lines[0].split()[1] != b"%d" % self.call.status or length != self.call.answer_length:
            reasons = ", ".join(sorted(set(_REASON.findall(self._head[end:].decode("utf-8", "replace")))))
            raise WrongAnswer(
                f"found {lines[0].decode()} with {length} octets{reasons and f' ({reasons})'}, "
                f"expected {self.call.status} with {self.call.answer_length} octets"
            )
        return length


class _Feed(_Connection):
    """A connection by MLLP: an answer ends where its block does."""

    def _take(self) -> bool:
        self._head += self._buffer[: self._come()]
        if not self._head.endswith(END):
            return False
        found = len(self._head) - len(START) - len(END)
        if found != self.call.answer_length or _TAKEN not in self._head:
            shown = self._head[:600].decode(errors="replace")
            raise WrongAnswer(f"found {shown!r}, expected AA with {self.call.answer_length} octets")
        return True
