"""What the FHIR door answers: errors, and documents. FHIR R4 3.1.0, MHD 2:3.68."""

import flask
from werkzeug.exceptions import HTTPException

from carnet.failures import log_unexpected
from carnet.fhir_formats import JSON, Format, answer, wanted
from fhir_facade import iti68_retrieve_document as iti68
from fhir_facade.operation_outcome import RETRY_AFTER_SECONDS, FhirProblem, operation_outcome

_DOCUMENT_HEADERS = {
    "Content-Disposition": "attachment",
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; sandbox",
    "Cache-Control": "no-store",
}


def is_strict() -> bool:
    """Whether unknown search parameters are refused. FHIR R4 3.1.1.2"""
    return "handling=strict" in flask.request.headers.get("Prefer", "").replace(" ", "")


def refused(problem: FhirProblem) -> flask.Response:
    response = answer(operation_outcome(problem), problem.status, form=_wanted_or_json())
    if problem.status == 401:
        response.headers["WWW-Authenticate"] = "Bearer"
    if problem.status == 503:
        response.headers["Retry-After"] = str(RETRY_AFTER_SECONDS)
    return response


def _wanted_or_json() -> Format:
    """An error is told in JSON to whom no format can be given that was asked for."""
    try:
        return wanted()
    except FhirProblem:
        return JSON


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


def document_answer(fhir_id: str, document: iti68.RetrievedDocument) -> flask.Response:
    """The document as stored; a Binary resource only when Accept names FHIR JSON and not `*/*`."""
    accept = flask.request.accept_mimetypes
    headers = {**_DOCUMENT_HEADERS, "ETag": document.etag}
    if flask.request.headers.get("If-None-Match", "") in (document.etag, "*"):
        document.octets.close()
        return flask.Response(status=304, headers=headers)
    wants_resource = bool(accept) and accept.best.startswith(JSON.content_type) if accept.best else False
    if wants_resource and not document.mime_type.startswith(JSON.content_type):
        return flask.Response(iti68.binary_resource(fhir_id, document), headers=headers, content_type=JSON.content_type)
    headers["Content-Length"] = str(document.size)
    return flask.Response(document.octets, headers=headers, content_type=document.mime_type)
