"""What a request reads from its client and writes to it: a socket that never blocks longer than its client may take.

gunicorn's parser and response use it as they use a socket.
"""

import select
import socket
import ssl
import time

from carnet.http_limits import Pace, Turns

_SLICE = 64 * 1024
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


class ClientStream:
    """A connected socket that does not block. While it waits, the turn of its thread is lent to another request."""

    def __init__(self, sock: socket.socket, turns: Turns, slow_seconds: float) -> None:
        self._sock, self._turns, self._slow_seconds = sock, turns, slow_seconds
        self._expects_continue = False
        self.begin()

    def begin(self, *, expects_continue: bool = False) -> None:
        """A new request: what its client took for an earlier one is forgotten.

        `expects_continue`: the client is told to send its body when somebody reads it. RFC 9110: 10.1.1
        """
        self._incoming, self._outgoing = Pace(self._slow_seconds), Pace(self._slow_seconds)
        self._expects_continue = expects_continue

    def recv(self, size: int) -> bytes:
        """As of a socket. Raises TimeoutError when the client is too slow, OSError."""
        if self._expects_continue:
            self._expects_continue = False
            self.sendall(_CONTINUE)
        while True:
            try:
                octets = self._sock.recv(size)
            except (ssl.SSLWantReadError, BlockingIOError):
                self._wait(select.POLLIN, self._incoming)
            except ssl.SSLWantWriteError:
                self._wait(select.POLLOUT, self._incoming)
            else:
                self._incoming.moved(len(octets))
                return octets

    def sendall(self, octets: bytes) -> None:
        """As of a socket. Raises TimeoutError when the client does not take the octets, OSError."""
        view = memoryview(octets)
        while view:
            try:
                sent = self._sock.send(view[:_SLICE])
            except (ssl.SSLWantWriteError, BlockingIOError):
                self._wait(select.POLLOUT, self._outgoing)
            except ssl.SSLWantReadError:
                self._wait(select.POLLIN, self._outgoing)
            else:
                self._outgoing.moved(sent)
                view = view[sent:]

    def send(self, octets: bytes) -> int:
        self.sendall(octets)
        return len(octets)

    def holds_octets(self) -> bool:
        """Whether the client has sent something that nobody has read."""
        if isinstance(self._sock, ssl.SSLSocket) and self._sock.pending():
            return True
        waiting = select.poll()
        waiting.register(self._sock, select.POLLIN)
        return bool(waiting.poll(0))

    def _wait(self, event: int, pace: Pace) -> None:
        waiting = select.poll()
        waiting.register(self._sock, event)

        def wait() -> None:
            waiting.poll(max(pace.left, 0) * 1000)

        began = time.monotonic()
        ready = waiting.poll(0)
        if not ready:
            self._turns.lend(wait)
            pace.waited(time.monotonic() - began)
