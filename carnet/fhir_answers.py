"""How the FHIR door tells errors. FHIR R4 3.1.0."""

import flask
from werkzeug.exceptions import HTTPException

from carnet.failures import log_unexpected
from carnet.fhir_formats import JSON, Format, answer, wanted
from fhir_facade.operation_outcome import RETRY_AFTER_SECONDS, FhirProblem, operation_outcome


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
