"""Every request of a process as monitors see it: how many, how long, by whom; and the id that finds it in the log.

Labels are few by construction: transactions and routes, classes of status, at most 100 clients by the fingerprint of
their certificate. None names a patient.
"""

import hashlib
import os
import re
import threading
import time
import uuid
from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

import structlog

CORRELATION_HEADER = "X-Request-Id"
# Upper bounds in seconds: those of the goals (100, 250, 300 ms) among them.
BOUNDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.3, 0.5, 1.0, 2.5, 5.0, 10.0)
_MOST_CLIENTS, _OTHERS, _NOBODY = 100, "others", "none"
_GIVEN_ID = re.compile(r"[A-Za-z0-9._-]{8,64}")


@dataclass(slots=True)
class _Current:
    """The request that a thread serves."""

    transaction: str = ""
    seen: dict[str, Any] = field(default_factory=dict)


_current: ContextVar[_Current | None] = ContextVar("carnet_request", default=None)


def is_about(transaction: str) -> None:
    """Name the transaction (ITI-18) or route of the request that this thread serves; the first name stays."""
    current = _current.get()
    if current is not None and not current.transaction:
        current.transaction = transaction


def seen_in_request() -> dict[str, Any]:
    """What is remembered until the request that this thread serves has ended; outside of one nothing is."""
    current = _current.get()
    return {} if current is None else current.seen


def correlation_id() -> str:
    """The id of the request that this thread serves; empty outside of one."""
    return str(structlog.contextvars.get_contextvars().get("correlation_id", ""))


@dataclass(slots=True)
class _Times:
    buckets: list[int] = field(default_factory=lambda: [0] * (len(BOUNDS) + 1))
    seconds: float = 0.0

    def add(self, seconds: float) -> None:
        self.buckets[bisect_left(BOUNDS, seconds)] += 1
        self.seconds += seconds


class Traffic:
    """What one process has served. Threads may share it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._times: dict[tuple[str, str], _Times] = defaultdict(_Times)
        self._clients: Counter[str] = Counter()
        self._refused: Counter[str] = Counter()
        self.in_progress = 0

    def begins(self) -> None:
        """One more is being served."""
        with self._lock:
            self.in_progress += 1

    def ended(self, transaction: str, status: int, client: bytes | None, seconds: float) -> None:
        """One was answered; `client` is its certificate (DER)."""
        with self._lock:
            self.in_progress -= 1
            self._times[transaction, f"{status // 100}xx"].add(seconds)
            self._clients[self._known(client)] += 1

    @contextmanager
    def message(self, transaction: str) -> Iterator[Callable[[int], None]]:
        """One that comes by another door than HTTP, under an id of its own; to be told its status there, else 500."""
        began, statuses = time.perf_counter(), [500]
        self.begins()
        try:
            with structlog.contextvars.bound_contextvars(correlation_id=str(uuid.uuid4())):
                yield statuses.append
        finally:
            self.ended(transaction, statuses[-1], None, time.perf_counter() - began)

    def refused(self, reason: str) -> None:
        """One was turned away before anybody looked at it."""
        with self._lock:
            self._refused[reason] += 1

    def _known(self, client: bytes | None) -> str:
        name = hashlib.sha256(client).hexdigest()[:16] if client else _NOBODY
        return name if name in self._clients or len(self._clients) < _MOST_CLIENTS else _OTHERS

    def text(self) -> str:
        """Prometheus text exposition format 0.0.4."""
        with self._lock:
            return "\n".join(self._lines()) + "\n"

    def _lines(self) -> Iterator[str]:
        process = f'process="{os.getpid()}"'
        yield from _head("carnet_requests_in_progress", "gauge", "Requests being served now.")
        yield f"carnet_requests_in_progress{{{process}}} {self.in_progress}"
        yield from _head("carnet_request_seconds", "histogram", "Requests by transaction and class of status.")
        for (transaction, status), times in sorted(self._times.items()):
            labels = f'{process},transaction="{transaction}",status="{status}"'
            yield from _histogram(labels, times)
        yield from _head("carnet_client_requests_total", "counter", "Requests by client: begin of its fingerprint.")
        for client, number in sorted(self._clients.items()):
            yield f'carnet_client_requests_total{{{process},client="{client}"}} {number}'
        yield from _head("carnet_refused_total", "counter", "Requests answered 503 before they were looked at.")
        for reason in ("busy", *sorted(self._refused.keys() - {"busy"})):
            yield f'carnet_refused_total{{{process},reason="{reason}"}} {self._refused[reason]}'


def _head(name: str, kind: str, meaning: str) -> Iterator[str]:
    yield f"# HELP {name} {meaning}"
    yield f"# TYPE {name} {kind}"


def _histogram(labels: str, times: _Times) -> Iterator[str]:
    upto = 0
    for bound, number in zip((*map(str, BOUNDS), "+Inf"), times.buckets, strict=True):
        upto += number
        yield f'carnet_request_seconds_bucket{{{labels},le="{bound}"}} {upto}'
    yield f"carnet_request_seconds_sum{{{labels}}} {times.seconds:.6f}"
    yield f"carnet_request_seconds_count{{{labels}}} {upto}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """A request that has ended, as traces show it. `traceparent`: as the client sent it, empty without."""

    transaction: str
    correlation_id: str
    status: int
    seconds: float
    traceparent: str


def observed(
    application: WSGIApplication,
    traffic: Traffic,
    certificate_of: Callable[[WSGIEnvironment], bytes | None],
    trace: Callable[[Served], None] | None = None,
) -> WSGIApplication:
    """The application, each of its requests counted, timed up to its last octet, and under an id of its own.

    A proxy may give the id (`X-Request-Id`); it is in every line of the log about the request and in the answer.
    """

    def answered(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        given, began, current = environ.get("HTTP_X_REQUEST_ID", ""), time.perf_counter(), _Current()
        name = given if _GIVEN_ID.fullmatch(given) else str(uuid.uuid4())
        statuses: list[int] = []

        def ended(status: int) -> None:
            served = Served(
                transaction=current.transaction or "other",
                correlation_id=name,
                status=status,
                seconds=time.perf_counter() - began,
                traceparent=environ.get("HTTP_TRACEPARENT", ""),
            )
            traffic.ended(served.transaction, status, certificate_of(environ), served.seconds)
            if trace is not None:
                trace(served)

        def start(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Any:
            statuses.append(int(status[:3]))
            return start_response(status, [*headers, (CORRELATION_HEADER, name)], exc_info)

        structlog.contextvars.bind_contextvars(correlation_id=name)
        token = _current.set(current)
        traffic.begins()
        try:
            body = application(environ, start)
        except BaseException:
            ended(500)
            raise
        finally:
            _current.reset(token)
            structlog.contextvars.clear_contextvars()
        return _Body(body, lambda: ended((statuses or [500])[-1]))

    return answered


class _Body:
    """An answer that tells when it is closed, once."""

    def __init__(self, body: Iterable[bytes], on_close: Callable[[], None]) -> None:
        self._body, self._on_close, self._is_open = body, on_close, True

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._body)

    def close(self) -> None:
        """What the server of WSGI calls at the end, whatever happened. PEP 3333"""
        try:
            if hasattr(self._body, "close"):
                self._body.close()
        finally:
            if self._is_open:
                self._is_open = False
                self._on_close()
