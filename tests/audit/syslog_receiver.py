"""An audit record repository for tests, written from RFC 5424 and RFC 5425 alone: nothing of the product is used.

It keeps what it has read. Killed, it resets its connections and loses what it had not read.
"""

import re
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

_HEADER = re.compile(
    rb"<(?P<pri>[1-9]\d{0,2})>1 (?P<time>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?Z) (?P<host>[\x21-\x7e]{1,255}) "
    rb"(?P<app>[\x21-\x7e]{1,48}) (?P<proc>[\x21-\x7e]{1,128}) (?P<id>[\x21-\x7e]{1,32}) - (?P<msg>.*)\Z",
    re.DOTALL,
)


@dataclass(frozen=True)
class Syslog:
    """A message taken apart."""

    pri: int
    time: str
    host: str
    message_id: str
    message: bytes


class FrameError(Exception):
    """Octets that are no frame of RFC 5425."""


class FrameReader:
    """Frames out of octets, however they are cut."""

    def __init__(self) -> None:
        self._digits, self._body, self._length = b"", bytearray(), -1

    def feed(self, octets: bytes) -> list[Syslog]:
        found, at = [], 0
        while at < len(octets):
            if self._length < 0:
                self._count(octets[at])
                at += 1
                continue
            piece = octets[at : at + self._length - len(self._body)]
            self._body += piece
            at += len(piece)
            if len(self._body) == self._length:
                found.append(parse(bytes(self._body)))
                self._digits, self._body, self._length = b"", bytearray(), -1
        return found

    def _count(self, octet: int) -> None:
        if octet == 0x20 and self._digits:
            self._length = int(self._digits)
        elif 0x30 <= octet <= 0x39 and (self._digits or octet != 0x30):
            self._digits += bytes([octet])
        else:
            raise FrameError(f"octet {octet:#x} where a length was expected, after {self._digits!r}")


def parse(message: bytes) -> Syslog:
    found = _HEADER.match(message)
    if found is None:
        raise FrameError(message[:80])
    return Syslog(
        pri=int(found["pri"]),
        time=found["time"].decode(),
        host=found["host"].decode(),
        message_id=found["id"].decode(),
        message=found["msg"],
    )


class Receiver:
    """Listens with TLS and a demand for a client certificate; may be killed and started again on its port."""

    def __init__(
        self,
        certificate: Path,
        trust: Path,
        *,
        closes_orderly: bool = True,
        refuses: Callable[[bytes], bool] = lambda _: False,
        chunk: int = 65536,
    ) -> None:
        """`refuses`: the connection is reset on such a message; `chunk`: octets read at once."""
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(certificate)
        self.context.load_verify_locations(trust)
        self.context.verify_mode = ssl.CERT_REQUIRED
        self._closes_orderly, self._refuses, self._chunk = closes_orderly, refuses, chunk
        self.received: list[Syslog] = []
        self.problems: list[str] = []
        self.port = 0
        self._listening: socket.socket | None = None
        self._connections: list[socket.socket] = []
        self._lock = threading.Lock()
        self.start()

    def start(self) -> None:
        listening = socket.create_server(("127.0.0.1", self.port))
        self.port = listening.getsockname()[1]
        self._listening = listening
        threading.Thread(target=self._accept, args=(listening,), daemon=True).start()

    def kill(self) -> None:
        """Gone at once: connections are reset."""
        with self._lock:
            listening, self._listening = self._listening, None
            connections, self._connections = self._connections, []
        if listening is not None:
            with suppress(OSError):
                listening.shutdown(socket.SHUT_RDWR)
            listening.close()
        for one in connections:
            _reset(one)

    def wait_for(self, is_there: Callable[["Receiver"], bool], seconds: float = 90.0) -> None:
        deadline = time.monotonic() + seconds
        while not is_there(self):
            assert time.monotonic() < deadline, (len(self.received), self.problems[-3:])
            time.sleep(0.02)

    def _accept(self, listening: socket.socket) -> None:
        while self._listening is listening:
            try:
                plain, _ = listening.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(plain,), daemon=True).start()

    def _serve(self, plain: socket.socket) -> None:
        with self._lock:
            self._connections.append(plain)
        try:
            secured = self.context.wrap_socket(plain, server_side=True)
        except (OSError, ValueError) as problem:
            self.problems.append(f"handshake: {problem}")
            plain.close()
            return
        with self._lock:
            self._connections.append(secured)
        try:
            self._read(secured)
        except (OSError, ValueError, FrameError) as problem:
            self.problems.append(repr(problem))
        finally:
            with suppress(OSError):
                secured.close()

    def _read(self, connection: ssl.SSLSocket) -> None:
        frames = FrameReader()
        while octets := connection.recv(self._chunk):
            for one in frames.feed(octets):
                if self._refuses(one.message):
                    _reset(connection)
                    return
                self.received.append(one)
        if self._closes_orderly:
            connection.unwrap()


def _reset(connection: socket.socket) -> None:
    """The thread that reads it wakes and closes it: closed here, TLS might still write to whoever got its number."""
    with suppress(OSError):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    with suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
