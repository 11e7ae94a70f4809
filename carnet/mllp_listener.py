"""The port of the identity feed: connections, time-outs and a graceful stop, one thread for each connection."""

import selectors
import socket
import ssl
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Protocol

import structlog

from access_policy.caller import OPEN_CALLER, Caller
from carnet.mllp_framing import Framer, FramingError, frame
from carnet.mllp_tls import NotAllowed, TlsPolicy
from carnet.reloading import Reloading
from carnet.tls import is_refusal, reason_of

_READ = 64 * 1024
_STOP_SECONDS = 10.0
_PAUSE_SECONDS = 0.05
_LEAVE_SECONDS = 1.0

Receive = Callable[[bytes, Caller], bytes]
Refuse = Callable[[bytes, str], bytes]


class OnFailedHandshake(Protocol):
    """Told why a handshake failed, with whom, and whether it was for what the client is or offers."""

    def __call__(self, reason: str, address: str, *, is_refusal: bool) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class MllpLimits:
    """Octets of a message, connections at once; seconds idle, and for a message, a handshake, an answer."""

    message: int = 10**6
    connections: int = 50
    idle: float = 600.0
    receiving: float = 60.0
    handshake: float = 10.0
    sending: float = 30.0


class MllpListener:
    """Answers every message on a listening socket until it is stopped."""

    def __init__(
        self,
        listening: socket.socket,
        *,
        receive: Receive,
        refuse: Refuse,
        limits: MllpLimits,
        on_failed_handshake: OnFailedHandshake,
        tls: Reloading[TlsPolicy] | None = None,
    ) -> None:
        """`receive` answers a message, `refuse` answers octets that are none, given a reason. Neither may raise."""
        self._listening, self._receive, self._refuse = listening, receive, refuse
        self._limits, self._tls, self._log = limits, tls, structlog.get_logger()
        self._on_failed_handshake = on_failed_handshake
        self._stopping, self._running, self._ended = threading.Event(), threading.Event(), threading.Event()
        self._wake, self._woken = socket.socketpair()
        self._lock = threading.Lock()
        self._open: set[threading.Thread] = set()

    def run(self) -> None:
        """Accept connections until `stop`, called from another thread."""
        self._running.set()
        try:
            self._accept_until_stopped()
        finally:
            self._ended.set()

    def _accept_until_stopped(self) -> None:
        self._listening.setblocking(False)
        with selectors.DefaultSelector() as selector:
            selector.register(self._listening, selectors.EVENT_READ)
            selector.register(self._woken, selectors.EVENT_READ)
            while not self._stopping.is_set():
                selector.select()
                if not self._stopping.is_set():
                    self._accept()

    def stop(self) -> None:
        """Take no more messages; those being answered are answered first."""
        if self._stopping.is_set():
            return
        self._stopping.set()
        self._wake.send(b"x")
        with self._lock:
            connections = list(self._open)
        deadline = time.monotonic() + _STOP_SECONDS
        for thread in connections:
            thread.join(max(0.0, deadline - time.monotonic()))
        if self._running.is_set():
            self._ended.wait(_STOP_SECONDS)
        self._wake.close()
        self._woken.close()

    def _accept(self) -> None:
        try:
            connection, _ = self._listening.accept()
        except OSError:  # gone before it was taken, or no file descriptor is left for it
            self._stopping.wait(_PAUSE_SECONDS)
            return
        thread = threading.Thread(target=self._attend, args=(connection,), name="mllp-connection", daemon=True)
        with self._lock:
            is_full = len(self._open) >= self._limits.connections
            if not is_full:
                self._open.add(thread)
        if is_full:
            self._log.warning("mllp connection refused", reason=f"more than {self._limits.connections} connections")
            connection.close()
        else:
            thread.start()

    def _attend(self, connection: socket.socket) -> None:
        try:
            connection.settimeout(self._limits.handshake)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            address = str(connection.getpeername()[0])
            stream, caller = self._secured(connection, address)
            caller = replace(caller, peer=replace(caller.peer, address=address))
            with stream, selectors.DefaultSelector() as selector:
                selector.register(stream, selectors.EVENT_READ)
                selector.register(self._woken, selectors.EVENT_READ)
                self._converse(stream, caller, selector)
                _take_leave(stream)
        except NotAllowed as refused:
            self._log.warning("mllp connection refused", reason="certificate not allowed", subject=str(refused))
        except OSError as problem:
            self._log.info("mllp connection lost", reason=type(problem).__name__)
        finally:
            connection.close()
            with self._lock:
                self._open.discard(threading.current_thread())

    def _secured(self, connection: socket.socket, address: str) -> tuple[socket.socket, Caller]:
        """Raises OSError, NotAllowed; a client that is refused is on record. ITI TF-2: 3.19.6.3"""
        if self._tls is None:
            return connection, OPEN_CALLER
        try:
            return self._tls.current.secured(connection)
        except NotAllowed:
            self._on_failed_handshake("certificate not allowed", address, is_refusal=True)
            raise
        except OSError as problem:
            self._on_failed_handshake(reason_of(problem), address, is_refusal=is_refusal(problem))
            raise

    def _converse(self, stream: socket.socket, caller: Caller, selector: selectors.BaseSelector) -> None:
        """Messages and answers in turn, until the other side, the clock or `stop` ends it."""
        framer = Framer(longest_message=self._limits.message)
        deadline = time.monotonic() + self._limits.idle
        while not self._stopping.is_set():
            octets = self._next(stream, selector, deadline)
            if octets is None:
                self._log.info("mllp connection closed", reason="no end of message" if framer.is_inside else "idle")
            if not octets:
                return
            was_inside = framer.is_inside
            try:
                for message in framer.feed(octets):
                    self._send(stream, self._receive(message, caller))
                    was_inside = False
                    if self._stopping.is_set():
                        return
            except FramingError as problem:
                self._log.warning("mllp connection closed", reason=str(problem))
                self._send(stream, self._refuse(problem.head, str(problem)))
                return
            if not (was_inside and framer.is_inside):
                deadline = time.monotonic() + (self._limits.receiving if framer.is_inside else self._limits.idle)

    def _next(self, stream: socket.socket, selector: selectors.BaseSelector, deadline: float) -> bytes | None:
        """The next octets: none when there are no more or `stop` was called, None when the deadline has passed."""
        remaining = deadline - time.monotonic()
        if remaining <= 0:
            return None
        if not (isinstance(stream, ssl.SSLSocket) and stream.pending()) and not selector.select(remaining):
            return None
        if self._stopping.is_set():
            return b""
        stream.settimeout(max(_PAUSE_SECONDS, deadline - time.monotonic()))
        try:
            return stream.recv(_READ)
        except TimeoutError:
            return None

    def _send(self, stream: socket.socket, answer: bytes) -> None:
        stream.settimeout(self._limits.sending)
        stream.sendall(frame(answer))


def _take_leave(stream: socket.socket) -> None:
    """Tell a TLS client that this is the end and no attack. RFC 8446: 6.1"""
    if isinstance(stream, ssl.SSLSocket):
        stream.settimeout(_LEAVE_SECONDS)
        with suppress(OSError):
            stream.unwrap()
