"""The recorder: a server that ends TLS, keeps every octet of request and answer, and hands requests to another one.

It asks for a client certificate and takes whoever comes without one: that is for a rule to judge, not to hide. Memory
and disk are bounded: a message is kept up to `MOST_OCTETS`, what exceeds is refused with 413 and said so.
"""

import http.client
import logging
import socket
import ssl
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from typing import Protocol
from urllib.parse import quote

from conformance.client.http_reading import (
    Ask,
    Connection,
    Incomplete,
    hangs_up_within,
    plain_answer,
    read_request,
    said,
)
from conformance.sentence import Sentence, sentence_of

_CONNECTIONS = 32
_HOPS = frozenset({"connection", "keep-alive", "transfer-encoding", "te", "upgrade", "content-length", "expect"})
_OURS = frozenset({"x-client-certificate"})
_NO_ANSWER = Sentence("aucune réponse n'a été donnée", "no answer was given")
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """What came over a connection: request and answer as octets, and why one of them is not whole."""

    time: datetime
    connection: Connection
    request: bytes
    answer: bytes = b""
    problem: str = ""


class Answering(Protocol):
    """Gives the octets of an answer; b"" ends the connection without one."""

    def __call__(self, ask: Ask, forward: Callable[[Ask], bytes]) -> bytes: ...


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
            self._keep(connection, b"", problem=f"TLS: {said(problem)}")
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
            ask.hangs_up_within = partial(hangs_up_within, secured)
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
            return plain_answer(502, "Bad Gateway", f"the server behind gives no answer: {said(problem)}")
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
