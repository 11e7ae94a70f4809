"""A proxy before PostgreSQL that sees what a server sends, and each time the server waits for an answer."""

import socket
import struct
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from sqlalchemy import make_url

WAIT = "(waits)"
_PROTOCOL_3 = 3


@dataclass(slots=True)
class Conversation:
    """One connection: statements as they were sent, and `WAIT` wherever the answer to what was sent before it came."""

    said: list[str] = field(default_factory=list)
    _unread: bytes = b""
    _has_begun: bool = False
    _named: dict[bytes, str] = field(default_factory=lambda: defaultdict(str))

    def sent(self, octets: bytes) -> None:
        """Messages of the client, whole or in parts. PostgreSQL, Frontend/Backend Protocol, Message Formats."""
        self._unread += octets
        while True:
            kind_octets = 1 if self._has_begun else 0
            if len(self._unread) < kind_octets + 4:
                return
            (length,) = struct.unpack_from("!I", self._unread, kind_octets)
            if len(self._unread) < kind_octets + length:
                return
            kind, body = self._unread[:kind_octets], self._unread[kind_octets + 4 : kind_octets + length]
            self._unread = self._unread[kind_octets + length :]
            self._note(kind, body)

    def _note(self, kind: bytes, body: bytes) -> None:
        if kind == b"":
            self._has_begun = struct.unpack_from("!H", body)[0] == _PROTOCOL_3
        elif kind == b"P":
            name, text = body.split(b"\0")[:2]
            self._named[name] = text.decode()
        elif kind == b"B":
            self.said.append(self._named[body.split(b"\0")[1]])
        elif kind == b"Q":
            self.said.append(body.rstrip(b"\0").decode())

    def answered(self, _octets: bytes) -> None:
        """Something of an answer came."""
        if self.said and self.said[-1] != WAIT:
            self.said.append(WAIT)

    def transactions(self) -> Iterator[list[str]]:
        """What was said from each BEGIN to its COMMIT and the answer to it."""
        said = list(self.said)
        begins = [at for at, text in enumerate(said) if text.startswith("BEGIN")]
        for begin in begins:
            ends = [at for at in range(begin, len(said)) if said[at] == "COMMIT"]
            if ends:
                yield said[begin : ends[0] + 2]


@contextmanager
def overheard(url: str) -> Iterator[tuple[str, list[Conversation]]]:
    """The URL of the proxy, and what is said through it."""
    target, found = make_url(url), list[Conversation]()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=_accept, args=(listener, (target.host, target.port), found), daemon=True).start()
        told = target.set(port=listener.getsockname()[1]).update_query_dict({"sslmode": "disable"})
        yield told.render_as_string(hide_password=False), found
        listener.shutdown(socket.SHUT_RDWR)


def _accept(listener: socket.socket, target: tuple[str, int], found: list[Conversation]) -> None:
    while True:
        try:
            client = listener.accept()[0]
        except OSError:  # the end
            return
        server, conversation = socket.create_connection(target), Conversation()
        found.append(conversation)
        for one in (client, server):
            one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for thread in (
            threading.Thread(target=_carry, args=(client, server, conversation.sent), daemon=True),
            threading.Thread(target=_carry, args=(server, client, conversation.answered), daemon=True),
        ):
            thread.start()


def _carry(source: socket.socket, target: socket.socket, tell: Callable[[bytes], None]) -> None:
    """Until one of them ends; then the other does."""
    try:
        while octets := source.recv(65536):
            tell(octets)
            target.sendall(octets)
    except OSError:
        pass
    finally:
        for one in (source, target):
            one.close()
