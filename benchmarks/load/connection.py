"""A kept-alive connection that never blocks: handshake, sending and receiving go as far as the socket lets them."""

import errno
import selectors
import socket
import ssl
from enum import Enum, auto

from benchmarks.load.answers import Answer, whole_length

_RECEIVE = 256 * 1024
_READ, _WRITE = selectors.EVENT_READ, selectors.EVENT_WRITE


class Phase(Enum):
    """What the connection does."""

    CONNECTING = auto()
    SHAKING = auto()
    IDLE = auto()
    SENDING = auto()
    RECEIVING = auto()


class Lost(Exception):
    """The server ended the connection, or never took it."""


class Connection:
    """To one server. `wants` is the event of the socket that `advance` is to be called at."""

    def __init__(self, host: str, port: int, tls: ssl.SSLContext | None) -> None:
        self._tls, self._host = tls, host
        self.socket: socket.socket = socket.socket()
        self.socket.setblocking(False)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        found = self.socket.connect_ex((host, port))
        if found not in (0, errno.EINPROGRESS):
            raise Lost(f"no connection: {errno.errorcode.get(found, found)}")
        self.phase, self.wants = Phase.CONNECTING, _WRITE
        self._octets, self._sent = memoryview(b""), 0
        self._received = bytearray()
        self._whole = -1

    def send(self, octets: bytes) -> None:
        """Begin a request on an idle connection."""
        self._octets, self._sent = memoryview(octets), 0
        self._received, self._whole = bytearray(), -1
        self.phase, self.wants = Phase.SENDING, _WRITE

    def advance(self) -> Answer | None:
        """Go on; the answer when it is whole. Raises Lost."""
        try:
            return self._steps()
        except (ssl.SSLWantReadError, BlockingIOError):
            self.wants = _READ
        except ssl.SSLWantWriteError:
            self.wants = _WRITE
        except OSError as problem:
            raise Lost(str(problem)) from problem
        return None

    def close(self) -> None:
        self.socket.close()

    def _steps(self) -> Answer | None:
        if self.phase is Phase.CONNECTING:
            self._connected()
        if self.phase is Phase.SHAKING:
            assert isinstance(self.socket, ssl.SSLSocket)
            self.socket.do_handshake()
            self.phase, self.wants = Phase.IDLE, _READ
        if self.phase is Phase.SENDING:
            self._send()
        if self.phase is Phase.RECEIVING:
            return self._receive()
        if self.phase is Phase.IDLE and self.wants == _READ:
            self._look_for_the_end()
        return None

    def _connected(self) -> None:
        problem = self.socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if problem:
            raise Lost(f"no connection: {errno.errorcode.get(problem, problem)}")
        if self._tls is None:
            self.phase, self.wants = Phase.IDLE, _READ
            return
        self.socket = self._tls.wrap_socket(self.socket, server_hostname=self._host, do_handshake_on_connect=False)
        self.phase = Phase.SHAKING

    def _send(self) -> None:
        """A server that refuses may answer and close before it has read everything: its answer is read then."""
        try:
            while self._sent < len(self._octets):
                self._sent += self.socket.send(self._octets[self._sent :])
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError, BlockingIOError):
            self.wants = _READ | _WRITE
            self._read_early()
            return
        except OSError:
            pass
        self.phase, self.wants = Phase.RECEIVING, _READ

    def _read_early(self) -> None:
        try:
            octets = self.socket.recv(_RECEIVE)
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError, BlockingIOError):
            return
        self._received += octets
        if not octets or self._is_to_be_closed():
            self.phase, self.wants = Phase.RECEIVING, _READ

    def _is_to_be_closed(self) -> bool:
        """Whether the server says already that it will not read the rest; else it does, and all has to be sent."""
        return whole_length(self._received) >= 0 and Answer(bytes(self._received)).closes

    def _receive(self) -> Answer | None:
        while True:
            answer = self._whole_answer()
            if answer is not None:
                self.phase, self.wants = Phase.IDLE, _READ
                return answer
            octets = self.socket.recv(_RECEIVE)
            if not octets:
                raise Lost("the server closed the connection before its answer was whole")
            self._received += octets

    def _whole_answer(self) -> Answer | None:
        if self._whole < 0:
            self._whole = whole_length(self._received)
        return Answer(bytes(self._received)) if 0 <= self._whole <= len(self._received) else None

    def has_ended(self) -> bool:
        """Whether the server has closed the idle connection since it was last looked at."""
        try:
            self._look_for_the_end()
        except (ssl.SSLWantReadError, BlockingIOError):
            return False
        except (Lost, OSError):
            return True
        return False

    def _look_for_the_end(self) -> None:
        if not self.socket.recv(1):
            raise Lost("the server closed the idle connection")
        raise Lost("the server sent octets that nobody asked for")
