"""HTTP requests as they come over a connection, read as far as they go. RFC 9112

Memory is bounded: a request longer than `MOST_OCTETS` is refused with 413 and said so.
"""

import re
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial

from cryptography import x509

from conformance.sentence import Sentence

MOST_OCTETS, MOST_HEAD = 64 * 2**20, 64 * 2**10
_CHUNK = 2**16
_LONGEST_SIZE = 15  # digits
_CHUNK_SIZE = re.compile(rb"[0-9A-Fa-f]{1,%d}" % _LONGEST_SIZE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Connection:
    """Who is at the other end: address, TLS version and suite, certificate (DER) whose key was proved; empty without.

    A certificate of an authority that is not trusted ends the handshake: it is never here.
    """

    address: str
    version: str = ""
    suite: str = ""
    certificate: bytes = b""

    def __str__(self) -> str:
        subject = ""
        if self.certificate:
            subject = x509.load_der_x509_certificate(self.certificate).subject.rfc4514_string()
        return ", ".join(one for one in (self.address, f"{self.version} {self.suite}".strip(), subject) if one)


@dataclass(slots=True)
class Ask:
    """A request on its way to an answer. `hangs_up_within`: waits so many seconds, or until its client hangs up."""

    connection: Connection
    head: bytes
    body: bytes
    time: datetime = field(default_factory=lambda: datetime.now(UTC))
    hangs_up_within: Callable[[float], bool] = lambda seconds: False

    @property
    def octets(self) -> bytes:
        return self.head + b"\r\n\r\n" + self.body


class Incomplete(Exception):
    """The client stopped, or sent what cannot be read as HTTP: `octets` is what came, `answer` what it is told."""

    def __init__(self, problem: Sentence, octets: bytes, answer: bytes = b"") -> None:
        super().__init__(problem)
        self.octets, self.answer = octets, answer


def read_request(connection: socket.socket, peer: Connection, rest: bytes = b"") -> tuple[Ask | None, bytes]:
    """The next request and what came after it; None when the client is done. Raises Incomplete."""
    octets = rest
    while b"\r\n\r\n" not in octets:
        if len(octets) > MOST_HEAD:
            told = Sentence("l'en-tête HTTP dépasse 64 ko", "the head is longer than 64 kB")
            raise Incomplete(told, octets, plain_answer(431, "Too Large", "head too large"))
        more = _received(connection, partial(bytes, octets))
        if not more:
            if octets:
                told = Sentence("le client s'est arrêté dans l'en-tête HTTP", "the client stopped within the head")
                raise Incomplete(told, octets)
            return None, b""
        octets += more
    head, _, body = octets.partition(b"\r\n\r\n")
    line = head.split(b"\r\n")[0].split(b" ")
    if len(line) != 3 or not line[2].startswith(b"HTTP/1."):
        told = Sentence("ce n'est pas du HTTP", "this is not HTTP")
        raise Incomplete(told, octets, plain_answer(400, "Bad Request", "this is not HTTP/1.1"))
    return _with_body(connection, Ask(peer, head, b""), body)


def _with_body(connection: socket.socket, ask: Ask, start: bytes) -> tuple[Ask, bytes]:
    if _header(ask.head, b"expect").lower() == b"100-continue":
        connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
    if _header(ask.head, b"transfer-encoding"):
        ask.body = _chunks(connection, ask.head, start)
        return ask, b""
    length = _length(ask)
    body = bytearray(start)

    def so_far() -> bytes:
        return ask.octets + bytes(body)

    while len(body) < length:
        more = _received(connection, so_far)
        if not more:
            told = Sentence(
                f"le client s'est arrêté après {len(body)} octets sur {length}",
                f"the client stopped after {len(body)} of {length} octets",
            )
            raise Incomplete(told, so_far())
        body += more
    ask.body = bytes(body[:length])
    return ask, bytes(body[length:])


def _header(head: bytes, name: bytes) -> bytes:
    """The value of the first header of this name; empty without one."""
    pairs = (line.partition(b":") for line in head.split(b"\r\n")[1:])
    return next((value.strip() for found, _, value in pairs if found.strip().lower() == name), b"")


def _length(ask: Ask) -> int:
    """Content-Length. Raises Incomplete."""
    text = _header(ask.head, b"content-length") or b"0"
    if not text.isdigit():
        told = Sentence("Content-Length n'est pas un nombre", "Content-Length is no number")
        raise Incomplete(told, ask.octets, plain_answer(400, "Bad Request", "Content-Length"))
    if len(text) > _LONGEST_SIZE or int(text) > MOST_OCTETS:
        problem = Sentence(
            f"la demande dépasse {MOST_OCTETS} octets et n'a pas été lue",
            f"the request is longer than {MOST_OCTETS} octets and was not read",
        )
        raise Incomplete(problem, ask.octets, plain_answer(413, "Content Too Large", problem))
    return int(text)


def _chunks(connection: socket.socket, head: bytes, start: bytes) -> bytes:
    """The body of a chunked request, without its chunking. RFC 9112: 7.1. Raises Incomplete."""
    body, buffer = bytearray(), bytearray(start)

    def so_far() -> bytes:
        return head + b"\r\n\r\n" + bytes(body + buffer)

    def need(size: int) -> None:
        while len(buffer) < size:
            more = _received(connection, so_far)
            if not more:
                told = Sentence("le client s'est arrêté dans un fragment", "the client stopped within a chunk")
                raise Incomplete(told, so_far())
            buffer.extend(more)

    while True:
        while b"\r\n" not in buffer[:_CHUNK]:
            if len(buffer) > _CHUNK:
                raise _no_size(so_far())
            need(len(buffer) + 1)
        line, _, _ = bytes(buffer[:_CHUNK]).partition(b"\r\n")
        text = line.split(b";")[0].strip()
        if not _CHUNK_SIZE.fullmatch(text):
            raise _no_size(so_far())
        size = int(text, 16)
        if len(body) + size > MOST_OCTETS:
            told = Sentence("les fragments sont trop longs", "the chunks are too many")
            raise Incomplete(told, so_far(), plain_answer(413, "Content Too Large", "too many octets"))
        need(len(line) + 2 + size + 2)
        body += buffer[len(line) + 2 : len(line) + 2 + size]
        del buffer[: len(line) + 2 + size + 2]
        if not size:
            return bytes(body)


def _no_size(octets: bytes) -> Incomplete:
    told = Sentence("un fragment n'a pas de taille", "a chunk has no size")
    return Incomplete(told, octets, plain_answer(400, "Bad Request", "no size"))


def _received(connection: socket.socket, so_far: Callable[[], bytes]) -> bytes:
    try:
        return connection.recv(_CHUNK)
    except TimeoutError:
        told = Sentence("le client n'envoie plus rien", "the client fell silent")
        raise Incomplete(told, so_far(), plain_answer(408, "Request Timeout", "no more octets came")) from None
    except OSError as problem:
        told = Sentence(f"la connexion s'est rompue : {said(problem)}", f"the connection broke: {said(problem)}")
        raise Incomplete(told, so_far()) from None


def hangs_up_within(connection: socket.socket, seconds: float) -> bool:
    """Does the client end the connection before so many seconds are over? What it sends meanwhile is not read."""
    patience, deadline = connection.gettimeout(), time.monotonic() + seconds
    try:
        while (left := deadline - time.monotonic()) > 0:
            connection.settimeout(left)
            if not connection.recv(_CHUNK):
                return True
    except TimeoutError:
        return False
    except OSError:
        return True
    finally:
        connection.settimeout(patience)
    return False


def plain_answer(status: int, reason: str, text: str, *headers: str) -> bytes:
    """An answer without SOAP, after which the connection ends."""
    body = f"{text}\n".encode()
    lines = [f"HTTP/1.1 {status} {reason}", "Content-Type: text/plain; charset=utf-8", f"Content-Length: {len(body)}"]
    return "\r\n".join([*lines, *headers, "Connection: close", "", ""]).encode() + body


def said(problem: BaseException) -> str:
    return " ".join(str(problem).split()) or type(problem).__name__
