"""What becomes of a request body that is not read to its end, or breaks off. RFC 9112: 9.3, 9.6.

A refusal often comes before the body was read. Its rest is read and dropped, so that the client gets to
see the answer and may use the connection again; where the rest is long, the answer says that the
connection is closed.
"""

from collections.abc import Callable, Iterable
from typing import Any
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from gunicorn.http.errors import ParseException
from werkzeug.exceptions import ClientDisconnected, RequestTimeout

LONGEST_REST = 16 * 10**6
# In the environ of a request: what a server that drops the header `Connection` is told by, as gunicorn does.
CLOSE_AFTERWARDS = "carnet.close_afterwards"
_READ = 64 * 1024


class RequestBody:
    """`wsgi.input` that knows whether it was read to its end.

    A body that breaks off raises ClientDisconnected, one that comes too slowly RequestTimeout.
    """

    def __init__(self, stream: Any, length: int | None) -> None:
        """`length` in octets, None for a body that says itself where it ends."""
        self._stream, self._left, self._ended = stream, length, False

    @property
    def is_read(self) -> bool:
        return self._ended if self._left is None else self._left <= 0

    def read(self, size: int = -1, /) -> bytes:
        return self._counted(self._stream.read, size)

    def readline(self, size: int = -1, /) -> bytes:
        return self._counted(self._stream.readline, size)

    def __iter__(self) -> "RequestBody":
        return self

    def __next__(self) -> bytes:
        line = self.readline()
        if not line:
            raise StopIteration
        return line

    def drop_rest(self) -> bool:
        """Read what is left, unless it is long; whether the body is read now."""
        dropped = 0
        while not self.is_read and dropped + (self._left or 0) <= LONGEST_REST:
            try:
                chunk = self.read(_READ)
            except (ClientDisconnected, RequestTimeout):
                return False
            dropped += len(chunk) if self._left is None else 0
        return self.is_read

    def _counted(self, read: Callable[[int], bytes], size: int) -> bytes:
        if size == 0 or self.is_read:
            return b""
        if self._left is not None and (size < 0 or size > self._left):
            size = self._left
        try:
            chunk = read(size)
        except TimeoutError:
            raise RequestTimeout from None
        except (OSError, ParseException):
            raise ClientDisconnected from None
        if self._left is not None:
            self._left -= len(chunk)
            if not chunk:
                raise ClientDisconnected
        self._ended = not chunk
        return chunk


def read_to_the_end(application: WSGIApplication) -> WSGIApplication:
    """The application, with every request body read before its answer, or the connection closed after it."""

    def answered(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        body = RequestBody(environ["wsgi.input"], _length(environ))
        environ["wsgi.input"], environ["wsgi.input_terminated"] = body, True

        def start(status: str, headers: list[tuple[str, str]], exc_info: Any = None, /) -> Callable[[bytes], object]:
            if not body.drop_rest():
                environ.get(CLOSE_AFTERWARDS, _nothing)()
                headers = [*(one for one in headers if one[0].lower() != "connection"), ("Connection", "close")]
            return start_response(status, headers, exc_info)

        return application(environ, start)

    return answered


def _length(environ: WSGIEnvironment) -> int | None:
    if environ.get("HTTP_TRANSFER_ENCODING"):
        return None
    length = environ.get("CONTENT_LENGTH") or "0"
    return int(length) if length.isascii() and length.isdigit() else 0


def _nothing() -> None:
    """What a server is told that obeys the header."""
