"""One connection of a client: its phases, the head of its next request, and how it is closed. RFC 9112: 9."""

import re
import socket
import ssl
import sys
import time
from contextlib import suppress
from dataclasses import dataclass, field
from enum import Enum, auto
from fcntl import ioctl
from http import HTTPStatus

import orjson
from gunicorn.http.parser import RequestParser

from carnet.client_stream import ClientStream

_LONGEST_HEAD = 32 * 1024
_READ = 16 * 1024
_CLOSING_SECONDS, _CLOSING_OCTETS = 2.0, 64 * 1024
# Answers that wait in the kernel for their client; without a bound it takes megabytes for one who reads nothing.
_UNSENT_OCTETS = 256 * 1024
# <linux/sockios.h>: octets of a socket that have not been sent.
_SIOCOUTQNSD = 0x894B
_BARE_LINE_FEED = re.compile(rb"(?<!\r)\n")
_FHIR = re.compile(rb"[A-Z]{3,20} /fhir[/? ]")
_RETRY_SECONDS = 1
_CAUSES = {
    HTTPStatus.BAD_REQUEST: "this is not HTTP/1.1",
    HTTPStatus.REQUEST_TIMEOUT: "the request did not come in time",
    HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE: "the request line or the headers are too long",
    HTTPStatus.SERVICE_UNAVAILABLE: "more requests wait than are served",
}


class Phase(Enum):
    """What a connection waits for."""

    HANDSHAKE = auto()
    HEAD = auto()
    IDLE = auto()
    REQUEST = auto()
    UNTAKEN = auto()
    CLOSING = auto()


class Head(Enum):
    """How far the head of a request has come."""

    PARTIAL = auto()
    WHOLE = auto()
    BROKEN = auto()
    TOO_LONG = auto()
    GONE = auto()


@dataclass(slots=True, kw_only=True, eq=False)
class Connection:
    """`deadline` is when its client must have done what the phase waits for; `certificate` what TLS has proved (DER).

    One thread at a time has it: the loop, a handshake, or a request.
    """

    sock: socket.socket
    address: str
    server: object
    phase: Phase
    deadline: float
    is_health: bool = False
    certificate: bytes | None = None
    head: bytearray = field(default_factory=bytearray)
    stream: ClientStream | None = None
    parser: RequestParser | None = None
    drained: int = 0

    @property
    def has_begun(self) -> bool:
        """Whether something of a request has come; empty lines before it are nothing. RFC 9112: 2.2"""
        return bool(self.head.strip(b"\r\n"))

    def read_head(self) -> Head:
        """Read what has come, no further than a whole head needs."""
        while True:
            if self.head:
                found = self._found()
                if found is not Head.PARTIAL:
                    return found
            try:
                octets = self.sock.recv(_READ)
            except (ssl.SSLWantReadError, ssl.SSLWantWriteError, BlockingIOError):
                return Head.PARTIAL
            except OSError:
                return Head.GONE
            if not octets:
                return Head.BROKEN if self.has_begun else Head.GONE
            self.head += octets

    def bound_unsent(self, octets: int = _UNSENT_OCTETS) -> None:
        """Make the kernel say that the socket takes no more while so many octets have not been sent."""
        with suppress(OSError):  # a unix socket has a small bound of its own
            self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, octets)

    def owes_answers(self) -> bool:
        """Whether octets of answers before have not even left, as its client takes none; known on Linux."""
        if sys.platform != "linux":
            return False
        try:
            return any(ioctl(self.sock, _SIOCOUTQNSD, bytes(4)))
        except OSError:  # a unix socket
            return False

    def _found(self) -> Head:
        """A line that does not end in CRLF is never going to be a head: the parser says so at once."""
        start = 2 if self.head.startswith(b"\r\n") else 0
        end = self.head.find(b"\r\n\r\n", max(start - 2, 0))
        if end > _LONGEST_HEAD or (end < 0 and len(self.head) > _LONGEST_HEAD):
            return Head.TOO_LONG
        return Head.WHOLE if end >= 0 or _BARE_LINE_FEED.search(self.head) else Head.PARTIAL

    def refuse(self, status: HTTPStatus) -> None:
        """Tell the client, as far as its socket takes it at once, and begin to close."""
        with suppress(OSError):  # it is gone, or takes nothing: closing is all that is left
            self.sock.send(_refusal(status, is_fhir=bool(_FHIR.match(self.head))))
        self.begin_closing()

    def begin_closing(self) -> None:
        """Send the end and wait a little for the client's: closing at once would take the answer back. RFC 9112: 9.6"""
        self.phase, self.deadline = Phase.CLOSING, time.monotonic() + _CLOSING_SECONDS
        try:
            self.sock.setblocking(False)
            if isinstance(self.sock, ssl.SSLSocket):
                _say_goodbye(self.sock)
            self.sock.shutdown(socket.SHUT_WR)
        except OSError:
            self.drained = _CLOSING_OCTETS

    def is_closed(self) -> bool:
        """Read what the client still sends while closing; whether that is over."""
        while self.drained < _CLOSING_OCTETS:
            try:
                octets = self.sock.recv(_READ)
            except BlockingIOError:
                return False
            except OSError:
                return True
            if not octets:
                return True
            self.drained += len(octets)
        return True


def _say_goodbye(sock: ssl.SSLSocket) -> None:
    """close_notify, without waiting for the client's."""
    with suppress(ssl.SSLError, ValueError):  # the client's has not come yet, or there never was a session
        sock.unwrap()


def _refusal(status: HTTPStatus, *, is_fhir: bool) -> bytes:
    """A whole answer; an OperationOutcome where FHIR was asked for and the head was read."""
    cause = _CAUSES[status]
    body, kind = f"{cause}\n".encode(), "text/plain"
    retry = ""
    if status is HTTPStatus.SERVICE_UNAVAILABLE:
        retry = f"Retry-After: {_RETRY_SECONDS}\r\n"
        if is_fhir:
            issue = {"severity": "error", "code": "transient", "diagnostics": cause}
            body = orjson.dumps({"resourceType": "OperationOutcome", "issue": [issue]})
            kind = "application/fhir+json; charset=utf-8"
    head = (
        f"HTTP/1.1 {status.value} {status.phrase}\r\nConnection: close\r\n{retry}"
        f"Content-Type: {kind}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body
