"""How the FHIR door tells errors. FHIR R4 3.1.0."""

from collections.abc import Collection, Mapping
from typing import Any

import flask
from werkzeug.exceptions import HTTPException

from access_policy.caller import Caller
from access_policy.permission import has_scope
from carnet.failures import log_unexpected
from carnet.fhir_formats import JSON, Format, answer, wanted
from fhir_facade.fhir_json import read_own_json, write_json
from fhir_facade.issues import Issue
from fhir_facade.operation_outcome import RETRY_AFTER_SECONDS, FhirProblem, operation_outcome, outcome_of
from fhir_facade.times import to_http_date
from fhir_facade.version_tags import is_known, version_tag

# The issue type of a token without the scope that a request needs.
OUT_OF_SCOPE = "security"


def is_strict() -> bool:
    """Whether unknown search parameters are refused. FHIR R4 3.1.1.2"""
    return "handling=strict" in flask.request.headers.get("Prefer", "").replace(" ", "")


def preferred_return() -> str:
    """`minimal`, `representation` or `OperationOutcome`; empty where nothing of the kind is preferred. RFC 7240"""
    preferences = (one.strip().partition("=") for one in flask.request.headers.get("Prefer", "").split(","))
    return next((value.strip().strip('"') for name, _, value in preferences if name.strip() == "return"), "")


def versioned_answer(rendering: bytes) -> flask.Response:
    """A resource with the headers of its state; 304 for who has it. FHIR R4 3.1.0.2"""
    resource = read_own_json(rendering.decode())
    headers = _headers(resource)
    if is_known(flask.request.headers.get("If-None-Match", ""), resource):
        return flask.Response(status=304, headers=headers)
    return answer(rendering, headers=headers)


def versioned(rendering: bytes) -> dict[str, str]:
    """The headers that say which state of a resource this is."""
    return _headers(read_own_json(rendering.decode()))


def _headers(resource: Mapping[str, Any]) -> dict[str, str]:
    return {"ETag": version_tag(resource), "Last-Modified": to_http_date(resource["meta"]["lastUpdated"])}


def changed(resource: Mapping[str, Any]) -> flask.Response:
    """A resource as it was changed, or what else of it the client prefers. FHIR R4 3.1.0.1.12"""
    headers, wish = _headers(resource), preferred_return()
    if wish == "minimal":
        return flask.Response(status=200, headers=headers)
    if wish == "OperationOutcome":
        outcome = outcome_of([Issue("informational", "changed", severity="information")])
        return answer(write_json(outcome), headers=headers)
    return answer(write_json(resource), headers=headers)


def refused(problem: FhirProblem) -> flask.Response:
    response = answer(operation_outcome(problem), problem.status, form=_wanted_or_json())
    if problem.code == OUT_OF_SCOPE:
        response.headers["WWW-Authenticate"] = 'Bearer error="insufficient_scope"'
    elif problem.status == 401:
        response.headers["WWW-Authenticate"] = "Bearer"
    if problem.status == 503:
        response.headers["Retry-After"] = str(RETRY_AFTER_SECONDS)
    return response


def forbidden(caller: Caller, transaction: str, letters: Collection[str], *, scope_status: int) -> FhirProblem:
    """What a caller who may not run a transaction reads: no token would do, or one with another scope. RFC 6750: 3.1"""
    if not has_scope(caller, transaction, letters):
        return FhirProblem(scope_status, OUT_OF_SCOPE, "the token has no scope for this")
    return FhirProblem(403, "forbidden", "the caller may not do this")


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
