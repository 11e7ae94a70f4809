"""Clients that begin and do not go on, and one that wants too much. Row M15 of the attack matrix."""

import contextlib
import http.client
import select
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

LIVE = b"GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n"
_HEAD = b"POST /xds/registry HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/soap+xml\r\n"
# Opens a connection to the server; `secure` after the handshake.
Connect = Callable[[bool], socket.socket]


def silent(connect: Connect) -> socket.socket:
    return connect(False)


def half_a_handshake(connect: Connect) -> socket.socket:
    """The first octets of a ClientHello that announces more of them."""
    plain = connect(False)
    plain.sendall(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 32)
    return plain


def partial_headers(connect: Connect) -> socket.socket:
    made = connect(True)
    made.sendall(_HEAD)
    return made


def stalled_body(connect: Connect) -> socket.socket:
    made = connect(True)
    made.sendall(_HEAD + b"Content-Length: 100000\r\n\r\n" + b"<" * 1000)
    return made


def stalled_chunk(connect: Connect) -> socket.socket:
    made = connect(True)
    made.sendall(_HEAD + b"Transfer-Encoding: chunked\r\n\r\nffff\r\n" + b"<" * 1000)
    return made


def answered_and_kept_open(connect: Connect) -> socket.socket:
    """A refusal that closes, and a client that never does."""
    made = connect(True)
    made.sendall(b"GET /health/live HTTP/1.0\r\nHost: localhost\r\n\r\n")
    while made.recv(65536):
        pass
    return made


def answers_never_read(connect: Connect) -> socket.socket:
    """Many requests on one connection, whose answers nobody takes."""
    made = connect(True)
    with contextlib.suppress(OSError):
        made.settimeout(0.5)
        for _ in range(50):
            made.sendall(b"GET /xds/registry?wsdl HTTP/1.1\r\nHost: localhost\r\n\r\n" * 20)
    return made


KINDS: dict[str, Callable[[Connect], socket.socket]] = {
    "silent": silent,
    "half a handshake": half_a_handshake,
    "partial headers": partial_headers,
    "stalled body": stalled_body,
    "stalled chunk": stalled_chunk,
    "dripping octets": partial_headers,
    "answered, never closed": answered_and_kept_open,
    "answers never read": answers_never_read,
}
# What shows that the server ended a connection whose answers nobody takes; of the others anything that comes.
_ENDS = {"answers never read": select.POLLRDHUP}


@contextmanager
def stalling(connect: Connect, count: int, kinds: Sequence[str] = tuple(KINDS)) -> Iterator[list[str]]:
    """So many connections, of these kinds by turns, held until the end; those that the server ends are opened anew.

    Yields the kinds that are open; dripping ones send an octet of a header each half second.
    """
    names = [kinds[number % len(kinds)] for number in range(count)]
    stop = threading.Event()
    ready = threading.Event()
    thread = threading.Thread(target=_hold, args=(connect, names, stop, ready), daemon=True)
    thread.start()
    ready.wait(120)
    try:
        yield names
    finally:
        stop.set()
        thread.join()


def _hold(connect: Connect, names: list[str], stop: threading.Event, ready: threading.Event) -> None:
    held: dict[int, tuple[socket.socket, str]] = {}
    ended = select.poll()
    for name in names:
        _open(connect, name, held, ended)
    ready.set()
    dripped = time.monotonic()
    while not stop.wait(0.05):
        if time.monotonic() - dripped > 0.5:
            dripped = time.monotonic()
            for one in [one for one, name in held.values() if name == "dripping octets"]:
                with contextlib.suppress(OSError):
                    one.sendall(b"X")
        for number, _ in ended.poll(0):
            _reopen(connect, number, held, ended)
    for one, _ in held.values():
        one.close()


def _open(connect: Connect, name: str, held: dict[int, tuple[socket.socket, str]], ended: select.poll) -> None:
    try:
        made = KINDS[name](connect)
    except OSError:
        return
    held[made.fileno()] = made, name
    if name != "answered, never closed":
        ended.register(made, _ENDS.get(name, select.POLLIN))


def _reopen(connect: Connect, number: int, held: dict[int, tuple[socket.socket, str]], ended: select.poll) -> None:
    """The server said something or ended the connection: both are the end of this one."""
    ended.unregister(number)
    one, name = held.pop(number)
    one.close()
    _open(connect, name, held, ended)


def connect_to(host: str, port: int, context: ssl.SSLContext | None) -> Connect:
    """Connections to a port; secured where there is a context and the kind of client wants a handshake."""

    def connect(secure: bool) -> socket.socket:
        plain = socket.create_connection((host, port), timeout=20)
        if context is None or not secure:
            return plain
        try:
            return context.wrap_socket(plain, server_hostname="localhost")
        except BaseException:
            plain.close()
            raise

    return connect


@contextmanager
def wanting_much(port: int, context: ssl.SSLContext, connections: int) -> Iterator[list[int]]:
    """A client that asks at once, on so many connections, whatever it is answered; yields the statuses as they come."""
    stop, found = threading.Event(), list[int]()

    def ask() -> None:
        kept = http.client.HTTPSConnection("localhost", port, timeout=60, context=context)
        with contextlib.closing(kept):
            while not stop.is_set():
                kept.request("GET", "/fhir/metadata")
                answer = kept.getresponse()
                answer.read()
                found.append(answer.status)

    threads = [threading.Thread(target=ask, daemon=True) for _ in range(connections)]
    for one in threads:
        one.start()
    try:
        yield found
    finally:
        stop.set()
        for one in threads:
            one.join()
