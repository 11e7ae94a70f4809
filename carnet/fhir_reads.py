"""Searches and documents asked for by GET, in front of the framework that serves everything else under `/fhir`.

Nearly every request of a reader is one of these, and a framework's request takes longer than the question to the
database. What is special about a request goes on to the framework: XML, compression, a condition, a part of a document.
"""

import time
from collections.abc import Callable, Iterable
from functools import lru_cache
from http import HTTPStatus
from urllib.parse import parse_qsl
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from carnet.fhir_documents import HEADERS, resource_wanted
from carnet.fhir_formats import JSON, best_format, takes_gzip
from carnet.fhir_reader import SEARCHES, FhirReader, Search
from carnet.traffic import is_about
from carnet.xds_door import LogRequest

_SEARCHES = {f"/fhir/{name}": search for name, search in SEARCHES.items()}
_BINARY = "/fhir/Binary/"
# Of a request that has any of these, the framework reads more than is read here.
_SPECIAL_HEADERS = ("HTTP_PREFER", "HTTP_TRANSFER_ENCODING", "HTTP_CONTENT_ENCODING")
_CONDITIONS = ("HTTP_RANGE", "HTTP_IF_NONE_MATCH", "HTTP_IF_MODIFIED_SINCE", "HTTP_IF_MATCH")
_SPECIAL_PARAMETERS = frozenset({"_format", "_pretty", "_summary", "_elements"})
_OF_SEARCH = [("Content-Type", f"{JSON.content_type}; charset=utf-8"), ("Vary", "Accept, Accept-Encoding")]
_OF_DOCUMENT = list(HEADERS.items())
_OK = f"200 {HTTPStatus.OK.phrase}"
# What the framework answers to a request that failed so.
Failed = Callable[[WSGIEnvironment, Exception], WSGIApplication]


class FhirReads:
    """`behind` gets all other requests, and what is special among these; `failed` makes the answer to a failure."""

    def __init__(self, behind: WSGIApplication, reader: FhirReader, failed: Failed, log: LogRequest) -> None:
        self._behind, self._reader, self._failed, self._log = behind, reader, failed, log

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        path = environ["PATH_INFO"]
        if not path.startswith("/fhir/") or not _is_plain(environ):
            return self._behind(environ, start_response)
        search = _SEARCHES.get(path)
        if search is not None:
            parameters = _parameters(environ)
            if parameters is not None:
                return self._answered(environ, start_response, path, lambda: self._search(environ, search, parameters))
        elif path.startswith(_BINARY) and _is_of_one(path) and _is_about_document(environ):
            return self._answered(environ, start_response, f"{_BINARY}<fhir_id>", lambda: self._document(environ))
        return self._behind(environ, start_response)

    def _answered(
        self,
        environ: WSGIEnvironment,
        start_response: StartResponse,
        route: str,
        answer: Callable[[], tuple[list[tuple[str, str]], Iterable[bytes]]],
    ) -> Iterable[bytes]:
        """Whatever fails is told as the framework tells it."""
        began, statuses = time.perf_counter(), [_OK]
        is_about(f"GET {route}")
        try:
            headers, body = answer()
        except Exception as problem:  # noqa: BLE001 - the framework knows how each kind is answered
            body = self._failed(environ, problem)(environ, _noting(statuses, start_response))
        else:
            start_response(_OK, headers)
        self._log("GET", route, int(statuses[-1][:3]), began)
        return body

    def _search(
        self, environ: WSGIEnvironment, search: Search, parameters: list[tuple[str, str]]
    ) -> tuple[list[tuple[str, str]], Iterable[bytes]]:
        caller = self._reader.permitted(environ, search.transaction, f"{search.resource}.s")
        query = environ["QUERY_STRING"]
        raw = f"GET {environ['PATH_INFO']}{'?' if query else ''}{query}"
        body = self._reader.searched(search, caller, raw, parameters, strict=False, answer=bytes)
        return [*_OF_SEARCH, ("Content-Length", str(len(body)))], [body]

    def _document(self, environ: WSGIEnvironment) -> tuple[list[tuple[str, str]], Iterable[bytes]]:
        caller = self._reader.permitted(environ, "ITI-68")
        document = self._reader.document(environ["PATH_INFO"].removeprefix(_BINARY), caller)
        resource_wanted(document, environ.get("HTTP_ACCEPT", ""))
        headers = [("Content-Type", document.mime_type), ("Content-Length", str(document.size))]
        return [*headers, ("ETag", document.etag), *_OF_DOCUMENT], document.octets


def _noting(statuses: list[str], start_response: StartResponse) -> StartResponse:
    """Whoever answers, with which status is for the log."""

    def start(status: str, headers: list[tuple[str, str]], exc_info: object = None, /) -> Callable[[bytes], object]:
        statuses.append(status)
        return start_response(status, headers)

    return start


def _is_plain(environ: WSGIEnvironment) -> bool:
    """GET without a body, and nothing in its head that would be read elsewhere."""
    if environ["REQUEST_METHOD"] != "GET" or environ.get("CONTENT_LENGTH", "") not in ("", "0"):
        return False
    return environ["QUERY_STRING"].isascii() and not any(name in environ for name in _SPECIAL_HEADERS)


def _parameters(environ: WSGIEnvironment) -> list[tuple[str, str]] | None:
    """Those of a search that is answered in JSON as it is; None where anything else is asked for."""
    if best_format(environ.get("HTTP_ACCEPT", "")) is not JSON or takes_gzip(environ.get("HTTP_ACCEPT_ENCODING", "")):
        return None
    given = parse_qsl(environ["QUERY_STRING"], keep_blank_values=True, errors="werkzeug.url_quote")
    return None if any(name in _SPECIAL_PARAMETERS for name, _ in given) else given


def _is_of_one(path: str) -> bool:
    return path.isascii() and path.count("/") == _BINARY.count("/") and len(path) > len(_BINARY)


def _is_about_document(environ: WSGIEnvironment) -> bool:
    """The whole document, not a Binary with it inside."""
    is_conditional = any(name in environ for name in _CONDITIONS)
    return not (is_conditional or environ["QUERY_STRING"]) and not _may_want_resource(environ.get("HTTP_ACCEPT", ""))


@lru_cache(maxsize=256)
def _may_want_resource(accept: str) -> bool:
    return "fhir" in accept.lower()
