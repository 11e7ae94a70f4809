"""Records to an audit record repository by syslog over TLS. RFC 5425; ITI TF-2: 3.20.4.1.2.

The protocol has no acknowledgement: octets in a socket die with the connection. So each portion ends with a
close_notify that the receiver must answer, which it does after it has read everything before it. With a receiver
that never answers one the connection stays open, and what was written counts as taken once the connection has lived
for 30 s after it with nothing left in its queue.
"""

import ssl
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from audit.chain import Link
from audit.delivery import ReceiverFailed
from audit.syslog import Origin, framed
from audit.tls_connection import TlsConnection

_CONNECT_SECONDS, _WRITE_SECONDS, _CLOSE_SECONDS = 10.0, 60.0, 10.0
_ALIVE_SECONDS = 30.0
_MOMENT_SECONDS = 1.0
_DISORDERLY_BEFORE_STAYING_OPEN = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class SyslogTarget:
    """Where a receiver listens, and how its certificate and ours are proved."""

    host: str
    port: int
    context: ssl.SSLContext
    origin: Origin

    @property
    def name(self) -> str:
        return f"syslog://{self.host}:{self.port}"


class SyslogTransport:
    """`audit.delivery.Transport` over TLS."""

    def __init__(self, target: SyslogTarget, *, alive_seconds: float = _ALIVE_SECONDS) -> None:
        self._target, self._alive_seconds = target, alive_seconds
        self._connection: TlsConnection | None = None
        self._disorderly = 0
        self._written: deque[tuple[int, float]] = deque()

    @property
    def receiver(self) -> str:
        return self._target.name

    def send(self, records: Sequence[Link]) -> int:
        connection = self._open()
        try:
            octets = b"".join(framed(self._target.origin, one.recorded, one.message) for one in records)
            connection.write_all(octets, seconds=_WRITE_SECONDS)
        except OSError as problem:
            raise ReceiverFailed(_kind(problem), took_connection=True) from problem
        last = records[-1].sequence
        if self._disorderly >= _DISORDERLY_BEFORE_STAYING_OPEN:
            self._written.append((last, time.monotonic()))
            return self.settle()
        self._end(connection)
        return last

    def settle(self) -> int:
        """What has been alive for long enough; a connection that ended meanwhile took all of it with it."""
        connection = self._connection
        if connection is None or not self._written:
            return 0
        try:
            connection.check_alive()
        except OSError as problem:
            self._disorderly = 0
            raise ReceiverFailed(f"ended: {_kind(problem)}", took_connection=True) from problem
        if connection.octets_queued():
            return 0
        sure, now = 0, time.monotonic()
        while self._written and now - self._written[0][1] >= self._alive_seconds:
            sure = self._written.popleft()[0]
        return sure

    def takes(self, record: Link) -> bool:
        """First with a close_notify; a receiver that answers none must let the connection live for a moment."""
        for self._disorderly in (0, _DISORDERLY_BEFORE_STAYING_OPEN):
            self.close()
            try:
                self.send([record])
                if self._connection is not None:
                    time.sleep(_MOMENT_SECONDS)
                    self.settle()
            except ReceiverFailed:
                continue
            return True
        self._disorderly = 0
        return False

    def close(self) -> None:
        """Drop the connection; what was not sure is written again."""
        self._written.clear()
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _open(self) -> TlsConnection:
        if self._connection is None:
            target = self._target
            try:
                self._connection = TlsConnection(target.host, target.port, target.context, seconds=_CONNECT_SECONDS)
            except OSError as problem:
                raise ReceiverFailed(f"no connection: {_kind(problem)}") from problem
        return self._connection

    def _end(self, connection: TlsConnection) -> None:
        """Exchange close_notify. Raises ReceiverFailed when the receiver goes without, which happens when it dies."""
        try:
            connection.finish(seconds=_CLOSE_SECONDS)
        except OSError as problem:
            self._disorderly += 1
            raise ReceiverFailed(f"no close_notify: {_kind(problem)}", took_connection=True) from problem
        finally:
            self.close()
        self._disorderly = 0


def client_context(*, certificate: str, key: str, trust: str) -> ssl.SSLContext:
    """TLS 1.2 or later with our certificate; the receiver's must be of `trust`. PEM files. Raises OSError."""
    context = ssl.create_default_context(cafile=trust or None)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if certificate:
        context.load_cert_chain(certificate, key or None)
    return context


def _kind(problem: Exception) -> str:
    """What went wrong, without an address or anything a receiver wrote."""
    named = (getattr(problem, name, "") for name in ("verify_message", "reason", "strerror"))
    return f"{type(problem).__name__} {next(filter(None, named), '')}".strip()
