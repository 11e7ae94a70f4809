"""One connection of a client: its phases, the head of its next request, and how it is closed. RFC 9112: 9."""

import socket
import ssl
import sys
import time
from contextlib import suppress
from dataclasses import dataclass, field
from enum import Enum, auto
from fcntl import ioctl
from http import HTTPStatus

from gunicorn.http.parser import RequestParser

from carnet.address import network_of
from carnet.client_stream import ClientStream
from carnet.http_refusals import BARE_LINE_FEED, END_OF_HEAD, plain_body_length, refusal

_LONGEST_HEAD = 32 * 1024
_READ = 16 * 1024
_CLOSING_SECONDS, _CLOSING_OCTETS = 2.0, 64 * 1024
# Reading so many octets and dropping them costs less than the handshake of the connection that a client opens instead.
_LONGEST_DROPPED = 1024 * 1024
# Answers that wait in the kernel for their client; without a bound it takes megabytes for one who reads nothing.
_UNSENT_OCTETS = 256 * 1024
# <linux/sockios.h>: octets of a socket that have not been sent.
_SIOCOUTQNSD = 0x894B


class Phase(Enum):
    """What a connection waits for."""

    HANDSHAKE = auto()
    HEAD = auto()
    IDLE = auto()
    REQUEST = auto()
    UNTAKEN = auto()
    DROPPING = auto()
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

    `network`: its client's address as it is counted. `dropping`: octets of the body of a refused request that are still
    to come. `is_ahead`: its client sent a request before it had the answer to the one before. `client`: who sent the
    request that is worked for. One thread at a time has it: the loop, a handshake, or a request.
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
    dropping: int = 0
    is_ahead: bool = False
    client: object = None
    network: str = field(init=False)

    def __post_init__(self) -> None:
        self.network = network_of(self.address)

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
        end = self.head.find(END_OF_HEAD, max(start - 2, 0))
        if end > _LONGEST_HEAD or (end < 0 and len(self.head) > _LONGEST_HEAD):
            return Head.TOO_LONG
        return Head.WHOLE if end >= 0 or BARE_LINE_FEED.search(self.head) else Head.PARTIAL

    def refuse(self, status: HTTPStatus) -> None:
        """Tell the client, as far as its socket takes it at once, and begin to close."""
        with suppress(OSError):  # it is gone, or takes nothing: closing is all that is left
            self.sock.send(refusal(status, bytes(self.head), closes=True))
        self.begin_closing()

    def turn_away(self) -> None:
        """503 at once, whatever of the body has come. What is left of it is going to be dropped; the connection stays.

        It is closed where the head does not say plainly how long that is, where it is long, or where more has come.
        """
        end = self.head.find(END_OF_HEAD) + len(END_OF_HEAD)
        left = plain_body_length(bytes(self.head[:end])) - (len(self.head) - end)
        if not 0 <= left <= _LONGEST_DROPPED or not self._sends_whole(HTTPStatus.SERVICE_UNAVAILABLE):
            self.refuse(HTTPStatus.SERVICE_UNAVAILABLE)
            return
        self.head.clear()
        self.phase, self.dropping = Phase.DROPPING, left

    def _sends_whole(self, status: HTTPStatus) -> bool:
        """Whether the socket took a refusal that leaves the connection open."""
        octets = refusal(status, bytes(self.head), closes=False)
        try:
            return self.sock.send(octets) == len(octets)
        except OSError:
            return False

    def drop(self) -> Head:
        """Read what has come of a body that is dropped: WHOLE when that was all of it."""
        try:
            while self.dropping:
                octets = self.sock.recv(min(self.dropping, _CLOSING_OCTETS))
                if not octets:
                    return Head.GONE
                self.dropping -= len(octets)
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError, BlockingIOError):
            return Head.PARTIAL
        except OSError:
            return Head.GONE
        return Head.WHOLE

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
