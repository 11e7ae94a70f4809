"""How the FHIR door tells errors. FHIR R4 3.1.0."""

import re
from collections.abc import Collection, Mapping
from typing import Any

import flask
from werkzeug.exceptions import HTTPException

from access_policy.caller import Caller
from access_policy.permission import has_scope
from carnet.failures import log_unexpected
from carnet.fhir_formats import JSON, Format, answer, general_parameters, wanted
from fhir_facade.fhir_json import read_own_json, write_json
from fhir_facade.issues import Issue
from fhir_facade.operation_outcome import RETRY_AFTER_SECONDS, FhirProblem, operation_outcome, outcome_of
from fhir_facade.search_shape import read_shape
from fhir_facade.times import to_http_date
from fhir_facade.version_tags import is_unchanged, version_tag

# The issue type of a token without the scope that a request needs.
OUT_OF_SCOPE = "security"
_PREFERENCE = re.compile(r'(?:\A|[,;])\s*([\w-]+)\s*=\s*"?([^",;]*)')


def is_strict() -> bool:
    """Whether unknown search parameters are refused. FHIR R4 3.1.1.2"""
    return _preferred("handling") == "strict"


def preferred_return() -> str:
    """`minimal`, `representation` or `OperationOutcome`; empty where nothing of the kind is preferred. RFC 7240"""
    return _preferred("return")


def _preferred(wish: str) -> str:
    told = _PREFERENCE.findall(flask.request.headers.get("Prefer", ""))
    return next((value.strip() for name, value in told if name.lower() == wish), "")


def versioned_answer(rendering: bytes) -> flask.Response:
    """A resource, or the part that is wanted, with the headers of its state; 304 for who has it. FHIR R4 3.1.0.2"""
    resource = read_own_json(rendering.decode())
    return read_answer(resource["resourceType"], rendering, _headers(resource))


def read_answer(kind: str, rendering: bytes, headers: Mapping[str, str]) -> flask.Response:
    """What a read gets of a resource with these headers. FHIR R4 3.1.0.5"""
    shape = read_shape(kind, [one for one in general_parameters().items() if one[0] in ("_summary", "_elements")])
    if shape.counts_only:
        raise FhirProblem(400, "value", "_summary: count is of searches", "_summary")
    if is_unchanged(flask.request.headers, headers):
        return flask.Response(status=304, headers=headers)
    return answer(shape.shown(kind, rendering), headers=headers)


def versioned(rendering: bytes) -> dict[str, str]:
    """The headers that say which state of a resource this is."""
    return _headers(read_own_json(rendering.decode()))


def _headers(resource: Mapping[str, Any]) -> dict[str, str]:
    return {"ETag": version_tag(resource), "Last-Modified": to_http_date(resource["meta"]["lastUpdated"])}


def changed(resource: Mapping[str, Any]) -> flask.Response:
    """A resource as it was changed."""
    return written(write_json(resource), 200, _headers(resource))


def written(rendering: bytes, status: int, headers: Mapping[str, str]) -> flask.Response:
    """A resource that was made or changed, or what else of it the client prefers. FHIR R4 3.1.0.1.12"""
    wish = preferred_return()
    if wish == "minimal":
        return flask.Response(status=status, headers=headers)
    if wish == "OperationOutcome":
        outcome = outcome_of([Issue("informational", "made" if status == 201 else "changed", severity="information")])
        return answer(write_json(outcome), status, headers)
    return answer(rendering, status, headers)


def refused(problem: FhirProblem) -> flask.Response:
    response = answer(operation_outcome(problem), problem.status, form=_wanted_or_json())
    response.headers.extend(problem.headers)
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
