"""Which web pages of other sites may use the FHIR door from a browser: those of the setting, by default none.

Fetch 3.2, "CORS protocol"; FHIR R4 3.1.0.1.9. Pages prove who calls by token: a browser sends no certificate along.
"""

from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import urlsplit
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from carnet.settings import SettingsError

_SENT = "Accept, Authorization, Content-Type, If-Match, If-Modified-Since, If-None-Exist, If-None-Match, Prefer, Range"
_SHOWN = "Content-Location, Content-Range, ETag, Last-Modified, Location, X-Request-Id"
_METHODS = "GET, HEAD, POST, PUT, PATCH, DELETE"
_SECONDS = 600  # that a browser need not ask again


def origins(text: str) -> frozenset[str]:
    """`https://app.example.org`, several separated by blanks. Raises SettingsError."""
    for one in text.split():
        parts = urlsplit(one)
        if parts.scheme not in ("http", "https") or one != f"{parts.scheme}://{parts.netloc}" or "@" in one:
            raise SettingsError(f"setting fhir_origins: found {one}, expected https://HOST[:PORT]")
    return frozenset(text.split())


class CrossOrigin:
    """In front of the doors: tells browsers that pages of these origins may use `/fhir`."""

    def __init__(self, behind: WSGIApplication, allowed: frozenset[str]) -> None:
        self._behind, self._allowed = behind, allowed

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        if environ["PATH_INFO"] != "/fhir" and not environ["PATH_INFO"].startswith("/fhir/"):
            return self._behind(environ, start_response)
        origin = environ.get("HTTP_ORIGIN", "")
        headers = [("Vary", "Origin")]
        if origin in self._allowed:
            headers += [("Access-Control-Allow-Origin", origin), ("Access-Control-Expose-Headers", _SHOWN)]
            if environ["REQUEST_METHOD"] == "OPTIONS" and "HTTP_ACCESS_CONTROL_REQUEST_METHOD" in environ:
                return _permitted(headers, start_response)

        def start(status: str, others: list[tuple[str, str]], exc_info: Any = None, /) -> Callable[[bytes], object]:
            return start_response(status, [*others, *headers], exc_info)

        return self._behind(environ, start)


def _permitted(headers: list[tuple[str, str]], start_response: StartResponse) -> Iterable[bytes]:
    """What a browser asks before it sends the request itself."""
    allowed = [
        ("Access-Control-Allow-Methods", _METHODS),
        ("Access-Control-Allow-Headers", _SENT),
        ("Access-Control-Max-Age", str(_SECONDS)),
    ]
    start_response("204 No Content", [*headers, *allowed])
    return []
