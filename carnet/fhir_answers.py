"""How the FHIR door reads requests and writes answers: formats, errors, documents. FHIR R4 3.1.0."""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import flask
from werkzeug.datastructures import MIMEAccept
from werkzeug.exceptions import HTTPException
from werkzeug.http import parse_accept_header

from carnet.failures import log_unexpected
from fhir_facade import iti68_retrieve_document as iti68
from fhir_facade.fhir_json import read_json
from fhir_facade.operation_outcome import RETRY_AFTER_SECONDS, FhirProblem, operation_outcome

FHIR_JSON = "application/fhir+json"
JSON_TYPES = (FHIR_JSON, "application/json", "application/json+fhir", "text/json")
_FORMATS = ("json", *JSON_TYPES)
LARGEST_BODY = 32 * 10**6  # octets of a resource that is kept in memory; a larger document goes by ITI-41
_DOCUMENT_HEADERS = {
    "Content-Disposition": "attachment",
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; sandbox",
    "Cache-Control": "no-store",
}


def read_resource() -> dict[str, Any]:
    """The resource of the request body. Raises FhirProblem 400, 413 or 415."""
    request = flask.request
    kind = request.mimetype
    if kind not in JSON_TYPES:
        raise FhirProblem(415, "not-supported", f"found a body of type {kind or 'none'}, expected {FHIR_JSON}")
    if request.headers.get("Content-Encoding", "identity") != "identity":
        raise FhirProblem(415, "not-supported", "found a Content-Encoding, expected none")
    body = request.stream.read(LARGEST_BODY + 1)
    if len(body) > LARGEST_BODY:
        raise FhirProblem(413, "too-long", f"expected a body of at most {LARGEST_BODY} octets")
    return read_json(body)


def is_strict() -> bool:
    """Whether unknown search parameters are refused. FHIR R4 3.1.1.2"""
    return "handling=strict" in flask.request.headers.get("Prefer", "").replace(" ", "")


def json_answer(body: bytes, status: int = 200, headers: Mapping[str, str] | None = None) -> flask.Response:
    return flask.Response(body, status=status, headers=headers, content_type=f"{FHIR_JSON}; charset=utf-8")


def refused(problem: FhirProblem) -> flask.Response:
    response = json_answer(operation_outcome(problem), problem.status)
    if problem.status == 401:
        response.headers["WWW-Authenticate"] = "Bearer"
    if problem.status == 503:
        response.headers["Retry-After"] = str(RETRY_AFTER_SECONDS)
    return response


def http_problem(problem: HTTPException) -> flask.Response:
    """404, 405 and their like, as every error of this door an OperationOutcome."""
    response = refused(FhirProblem(problem.code or 400, "not-supported", problem.name))
    allow = problem.get_response().headers.get("Allow")
    if allow:
        response.headers["Allow"] = allow
    return response


def unexpected(problem: Exception) -> flask.Response:
    """Never 500, never a detail: 503 and the number under which the log tells more."""
    diagnostics = f"unexpected failure, reported as {log_unexpected(problem)}"
    return refused(FhirProblem(503, "exception", diagnostics))


def check_format() -> None:
    """`_format` overrides Accept; anything but JSON is 406. FHIR R4 3.1.0.1.11"""
    wanted = flask.request.args.get("_format", "").replace(" ", "+")
    if wanted:
        acceptable = wanted.partition(";")[0] in _FORMATS
    else:
        acceptable = _accepts_json(flask.request.headers.get("Accept", ""))
    if not acceptable:
        raise FhirProblem(406, "not-supported", f"only {FHIR_JSON} is served")


@lru_cache(maxsize=64)
def _accepts_json(accept: str) -> bool:
    """A client sends the same header each time."""
    kinds = parse_accept_header(accept, MIMEAccept)
    return not kinds or any(kinds[kind] > 0 for kind in JSON_TYPES)


def document_answer(fhir_id: str, document: iti68.RetrievedDocument) -> flask.Response:
    """The document as stored; a Binary resource only when Accept names FHIR JSON and not `*/*`."""
    accept = flask.request.accept_mimetypes
    headers = {**_DOCUMENT_HEADERS, "ETag": document.etag}
    if flask.request.headers.get("If-None-Match", "") in (document.etag, "*"):
        document.octets.close()
        return flask.Response(status=304, headers=headers)
    wants_resource = bool(accept) and accept.best.startswith(FHIR_JSON) if accept.best else False
    if wants_resource and not document.mime_type.startswith(FHIR_JSON):
        return flask.Response(iti68.binary_resource(fhir_id, document), headers=headers, content_type=FHIR_JSON)
    headers["Content-Length"] = str(document.size)
    return flask.Response(document.octets, headers=headers, content_type=document.mime_type)
