"""A closed loop over HTTP: some connections, kept alive, each sends its next request when its answer is whole.

One thread and a selector, so that the client costs as little as it can; run it in a process of its own.
"""

import re
import selectors
import socket
import ssl
import time
from collections.abc import Iterator
from dataclasses import dataclass

_RECEIVE = 512 * 1024
_TIMEOUT_SECONDS = 60


_REASON = re.compile(r'(?:errorCode|codeContext)="([^"]*)"')


class WrongAnswer(Exception):
    """The server did not answer what it must; the measurement counts for nothing."""


@dataclass(frozen=True, slots=True)
class Call:
    """One request as octets, and the length its answer must have."""

    octets: bytes
    answer_length: int


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
    host: str, port: int, calls: Iterator[Call], *, connections: int, seconds: float, tls: ssl.SSLContext | None = None
) -> Sample:
    """Send requests for so many seconds; answers still missing then are waited for and counted.

    Handshakes are done before the first request, so their time does not count. Raises WrongAnswer for another status
    than 200, another length, a closed connection or silence.
    """
    selector = selectors.DefaultSelector()
    opened = [_Connection(host, port, tls) for _ in range(connections)]
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
    began = time.perf_counter()
    for one in opened:
        one.send(next(calls))
    waiting = len(opened)
    while waiting:
        ready = selector.select(_TIMEOUT_SECONDS)
        if not ready:
            raise WrongAnswer(f"no answer within {_TIMEOUT_SECONDS} s")
        for key, _ in ready:
            one = key.data
            if not one.receive():
                continue
            now = time.perf_counter()
            times.append(now - one.began)
            if now - began < seconds:
                one.send(next(calls))
            else:
                waiting -= 1
    return sample_of(times, time.perf_counter() - began)


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
        self.began = 0.0
        self._head, self._missing, self._expected = b"", -1, 0

    def send(self, call: Call) -> None:
        self._head, self._missing, self._expected = b"", -1, call.answer_length
        self.began = time.perf_counter()
        self.socket.sendall(call.octets)

    def receive(self) -> bool:
        """Take what has come; true when the answer is whole."""
        while not self._take():
            if not isinstance(self.socket, ssl.SSLSocket) or not self.socket.pending():
                return False
        return True

    def _take(self) -> bool:
        count = self.socket.recv_into(self._buffer)
        if not count:
            raise WrongAnswer("the server closed the connection")
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
        if lines[0].split()[1] != b"200" or length != self._expected:
            reasons = ", ".join(sorted(set(_REASON.findall(self._head[end:].decode("utf-8", "replace")))))
            raise WrongAnswer(
                f"found {lines[0].decode()} with {length} octets{reasons and f' ({reasons})'}, "
                f"expected 200 with {self._expected} octets"
            )
        return length
