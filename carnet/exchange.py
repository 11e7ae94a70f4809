"""One HTTP request of a client and its answer, and the ways it fails."""

import hashlib
import http.client
import socket
import ssl
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from urllib.parse import SplitResult, urlsplit

from xds.failure import Failure


class ClientError(Failure):
    """The server could not be reached, or answered something else than a registry response."""


class NotTaken(ClientError):
    """The server was not reached, or refused the request as such: nothing was carried out."""


class AnswerLost(ClientError):
    """The connection broke once a request was under way: whether it was carried out is unknown."""


def check_content(content: bytes, *, size: int | None, sha1: str) -> None:
    """Octets that came against what their metadata say, where they say it; `sha1` in hex. Raises ClientError."""
    if size is not None and len(content) != size:
        raise ClientError(f"the document is damaged: found {len(content)} octets, expected the {size} of its metadata")
    found = hashlib.sha1(content, usedforsecurity=False).hexdigest()
    if sha1 and found != sha1.lower():
        raise ClientError(f"the document is damaged: found the hash {found}, expected {sha1.lower()} of its metadata")


def one_line(problem: Exception) -> str:
    return " ".join(str(problem).split()) or type(problem).__name__


def exchange(
    url: SplitResult,
    path: str,
    message: Iterable[bytes] | bytes,
    headers: Mapping[str, str],
    *,
    timeout: float,
    context: ssl.SSLContext | None = None,
) -> tuple[int, str, bytes]:
    """One POST: status, Content-Type, body. Raises NotTaken when the server is not reached, AnswerLost afterwards."""
    connection = connection_to(url, timeout=timeout, context=context)
    try:
        connection.connect()
    except OSError as problem:
        raise NotTaken(f"{url.geturl()} cannot be reached: {problem}") from problem
    try:
        chunked = "Content-Length" not in headers
        connection.request("POST", f"{url.path}{path}", body=message, headers=headers, encode_chunked=chunked)
        response = connection.getresponse()
        return response.status, response.getheader("Content-Type", ""), response.read()
    except (OSError, http.client.HTTPException) as problem:
        raise AnswerLost(f"{url.geturl()} gave no answer: {one_line(problem)}") from problem
    finally:
        connection.close()


def connection_to(url: SplitResult, *, timeout: float, context: ssl.SSLContext | None) -> http.client.HTTPConnection:
    """Not open yet; over TLS where the URL says so."""
    host = url.hostname or ""
    if url.scheme == "https":
        return http.client.HTTPSConnection(host, url.port or 443, timeout=timeout, context=context)
    return http.client.HTTPConnection(host, url.port or 80, timeout=timeout)


def brief_exchange(
    url: SplitResult,
    method: str,
    *,
    seconds: float,
    most: int,
    body: bytes | None = None,
    headers: Mapping[str, str] | None = None,
    context: ssl.SSLContext | None = None,
) -> tuple[int, bytes]:
    """One request to an address of the settings: status, and the answer up to `most` octets and one more.

    So many seconds for each address that the name has, for the handshake, and for all the rest together, however slowly
    it comes. No redirect is followed and no proxy of the environment used. Raises OSError, HTTPException.
    """
    connection = connection_to(url, timeout=seconds, context=context)
    try:
        connection.connect()
        with _cut_after(connection.sock, seconds) as is_cut:
            query = f"?{url.query}" if url.query else ""
            connection.request(method, f"{url.path or '/'}{query}", body=body, headers=dict(headers or {}))
            answer = connection.getresponse()
            if is_cut.is_set():
                raise TimeoutError(f"no whole head within {seconds:g} seconds")
            return answer.status, answer.read(most + 1)
    finally:
        connection.close()


@contextmanager
def _cut_after(connection: socket.socket, seconds: float) -> Iterator[threading.Event]:
    """Ends both directions after a time: who waits on the connection goes on with what came by then. Says whether."""
    is_cut = threading.Event()

    def cut() -> None:
        is_cut.set()
        with suppress(OSError):  # it was closed meanwhile
            socket.socket.shutdown(connection, socket.SHUT_RDWR)

    timer = threading.Timer(seconds, cut)
    timer.daemon = True
    timer.start()
    try:
        yield is_cut
    finally:
        timer.cancel()


def base_url(url: str, context: ssl.SSLContext | None = None) -> SplitResult:
    """http://HOST:PORT or https:// in its parts. Raises ClientError when a certificate lacks or would not be shown."""
    parts = urlsplit(url.rstrip("/"))
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ClientError(f"{url}: expected http://HOST:PORT or https://HOST:PORT")
    if (parts.scheme == "https") != (context is not None):
        raise ClientError(f"{url}: https goes with a client certificate and authorities, http with neither")
    return parts
