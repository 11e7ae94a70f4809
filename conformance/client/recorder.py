"""The recorder: a server that ends TLS, keeps every octet of request and answer, and hands requests to another one.

It asks for a client certificate and takes whoever comes without one: that is for a rule to judge, not to hide. Memory
and disk are bounded: a message is kept up to `MOST_OCTETS`, what exceeds is refused with 413 and said so.
"""

import http.client
import logging
import re
import socket
import ssl
import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from typing import Protocol
from urllib.parse import quote

from cryptography import x509

from conformance.sentence import Sentence, sentence_of

MOST_OCTETS, MOST_HEAD = 64 * 2**20, 64 * 2**10
_CONNECTIONS, _CHUNK = 32, 2**16
_LONGEST_SIZE = 15  # digits
_CHUNK_SIZE = re.compile(rb"[0-9A-Fa-f]{1,%d}" % _LONGEST_SIZE)
_HOPS = frozenset({"connection", "keep-alive", "transfer-encoding", "te", "upgrade", "content-length", "expect"})
_OURS = frozenset({"x-client-certificate"})
_NO_ANSWER = Sentence("aucune réponse n'a été donnée", "no answer was given")
_log = logging.getLogger(__name__)


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
        subject = "no certificate"
        if self.certificate:
            subject = x509.load_der_x509_certificate(self.certificate).subject.rfc4514_string()
        return ", ".join(one for one in (self.address, f"{self.version} {self.suite}".strip(), subject) if one)


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """What came over a connection: request and answer as octets, and why one of them is not whole."""

    time: datetime
    connection: Connection
    request: bytes
    answer: bytes = b""
    problem: str = ""


@dataclass(slots=True)
class Ask:
    """A request on its way to an answer."""

    connection: Connection
    head: bytes
    body: bytes
    time: datetime = field(default_factory=lambda: datetime.now(UTC))

    @property
    def octets(self) -> bytes:
        return self.head + b"\r\n\r\n" + self.body


class Answering(Protocol):
    """Gives the octets of an answer; b"" ends the connection without one."""

    def __call__(self, ask: Ask, forward: Callable[[Ask], bytes]) -> bytes: ...


class Incomplete(Exception):
    """The client stopped, or sent what cannot be read as HTTP: `octets` is what came, `answer` what it is told."""

    def __init__(self, problem: Sentence, octets: bytes, answer: bytes = b"") -> None:
        super().__init__(problem)
        self.octets, self.answer = octets, answer


class Recorder:
    """Listens on HOST:PORT. `on_recorded` is told of everything that came, before the client reads its answer."""

    def __init__(
        self,
        address: tuple[str, int],
        *,
        context: Callable[[], ssl.SSLContext],
        backend: str,
        answering: Answering,
        on_recorded: Callable[[Recorded], None],
        patience: float = 30.0,
    ) -> None:
        """`context` is asked for each connection; `backend` is a unix socket; `patience`: seconds of silence."""
        self._context, self._backend, self._patience = context, backend, patience
        self._answering, self._on_recorded = answering, on_recorded
        self._listening = socket.create_server(address, backlog=128)
        self._turns = threading.BoundedSemaphore(_CONNECTIONS)
        self._thread = threading.Thread(target=self._accept, name="recorder", daemon=True)

    @property
    def port(self) -> int:
        found: int = self._listening.getsockname()[1]
        return found

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """No new connection; those that are open end by themselves."""
        try:
            self._listening.shutdown(socket.SHUT_RDWR)
        except OSError:
            _log.debug("the recorder was not listening any more")
        self._listening.close()
        if self._thread.is_alive():
            self._thread.join(timeout=5)

    def _accept(self) -> None:
        while True:
            try:
                plain, peer = self._listening.accept()
            except OSError:
                return
            self._turns.acquire()
            threading.Thread(target=self._serve, args=(plain, str(peer[0])), daemon=True).start()

    def _serve(self, plain: socket.socket, address: str) -> None:
        plain.settimeout(self._patience)
        try:
            with plain:
                self._speak(plain, Connection(address=address))
        except OSError as problem:
            _log.debug("a connection ended: %s", problem)
        finally:
            self._turns.release()

    def _speak(self, plain: socket.socket, connection: Connection) -> None:
        try:
            secured = self._context().wrap_socket(plain, server_side=True)
        except OSError as problem:
            self._keep(connection, b"", problem=f"TLS: {_said(problem)}")
            return
        with secured:
            self._exchanges(secured, _with_tls(connection, secured))

    def _exchanges(self, secured: ssl.SSLSocket, connection: Connection) -> None:
        rest = b""
        while True:
            try:
                ask, rest = read_request(secured, connection, rest)
            except Incomplete as problem:
                if problem.octets:  # else a connection that was kept open and not used again
                    self._keep(connection, problem.octets, answer=problem.answer, problem=sentence_of(problem))
                    secured.sendall(problem.answer)
                return
            if ask is None:
                return
            answer = self._answering(ask, self.forward)
            self._keep(connection, ask.octets, answer=answer, problem="" if answer else _NO_ANSWER, ask=ask)
            if not answer:
                return
            secured.sendall(answer)
            if b"connection: close" in (ask.head + answer.partition(b"\r\n\r\n")[0]).lower():
                return

    def _keep(
        self, connection: Connection, request: bytes, *, answer: bytes = b"", problem: str = "", ask: Ask | None = None
    ) -> None:
        time = datetime.now(UTC) if ask is None else ask.time
        self._on_recorded(Recorded(time=time, connection=connection, request=request, answer=answer, problem=problem))

    def forward(self, ask: Ask) -> bytes:
        """The answer of the server behind, as octets; 502 when it gives none."""
        line, *lines = ask.head.decode("latin-1").split("\r\n")
        method, path, _ = line.split(" ")
        behind = UnixConnection(self._backend)
        try:
            behind.putrequest(method, path, skip_accept_encoding=True)
            for name, _, value in (one.partition(":") for one in lines):
                if name.strip().lower() not in _HOPS | _OURS | {"host"}:
                    behind.putheader(name.strip(), value.strip().encode("latin-1"))
            if ask.connection.certificate:
                pem = ssl.DER_cert_to_PEM_cert(ask.connection.certificate)
                behind.putheader("X-Client-Certificate", quote(pem, safe=""))
            behind.putheader("Content-Length", str(len(ask.body)))
            behind.endheaders(ask.body)
            return written(behind.getresponse())
        except ValueError:  # what the client sent is no header, or no address, of HTTP
            return plain_answer(400, "Bad Request", "a header or the address cannot be read")
        except (OSError, http.client.HTTPException) as problem:
            return plain_answer(502, "Bad Gateway", f"the server behind gives no answer: {_said(problem)}")
        finally:
            behind.close()


class UnixConnection(http.client.HTTPConnection):
    """HTTP over a unix socket."""

    def __init__(self, path: str) -> None:
        super().__init__("localhost", timeout=120)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(120)
        self.sock.connect(self._path)


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
        said = _said(problem)
        told = Sentence(f"la connexion s'est rompue : {said}", f"the connection broke: {said}")
        raise Incomplete(told, so_far()) from None


def _with_tls(connection: Connection, secured: ssl.SSLSocket) -> Connection:
    cipher = secured.cipher()
    return replace(
        connection,
        version=secured.version() or "",
        suite=cipher[0] if cipher else "",
        certificate=secured.getpeercert(binary_form=True) or b"",
    )


def written(response: http.client.HTTPResponse) -> bytes:
    """An answer of the server behind, with its length."""
    body = response.read()
    lines = [f"HTTP/1.1 {response.status} {response.reason}"]
    lines += [f"{name}: {value}" for name, value in response.getheaders() if name.lower() not in _HOPS]
    return "\r\n".join([*lines, f"Content-Length: {len(body)}", "", ""]).encode("latin-1") + body


def plain_answer(status: int, reason: str, text: str, *headers: str) -> bytes:
    """An answer without SOAP, after which the connection ends."""
    body = f"{text}\n".encode()
    lines = [f"HTTP/1.1 {status} {reason}", "Content-Type: text/plain; charset=utf-8", f"Content-Length: {len(body)}"]
    return "\r\n".join([*lines, *headers, "Connection: close", "", ""]).encode() + body


def _said(problem: BaseException) -> str:
    return " ".join(str(problem).split()) or type(problem).__name__
