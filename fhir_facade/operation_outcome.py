"""Errors of the FHIR door: OperationOutcome and the one table that says which HTTP status. MHD 2:3.65.4.1.3."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import islice

import orjson

from fhir_facade.issues import Issue
from xds.errors import ErrorCode

_MOST_ISSUES = 100
_POSITION = re.compile(r"\[(\d+)\]")
_RESOURCES_IN = ("resource", "contained")  # elements that hold a resource
# XDS error code -> (HTTP status, issue.code)
XDS_ERRORS: dict[ErrorCode, tuple[int, str]] = {
    ErrorCode.REGISTRY_METADATA: (400, "invariant"),
    ErrorCode.REPOSITORY_METADATA: (400, "invariant"),
    ErrorCode.MISSING_DOCUMENT: (400, "required"),
    ErrorCode.MISSING_DOCUMENT_METADATA: (400, "required"),
    ErrorCode.UNKNOWN_PATIENT_ID: (400, "not-found"),
    ErrorCode.PATIENT_ID_DOES_NOT_MATCH: (400, "business-rule"),
    ErrorCode.REGISTRY_DEPRECATED_DOCUMENT: (400, "business-rule"),
    ErrorCode.REGISTRY_DUPLICATE_UNIQUE_ID_IN_MESSAGE: (400, "business-rule"),
    ErrorCode.UNRESOLVED_REFERENCE: (400, "not-found"),
    ErrorCode.DUPLICATE_UNIQUE_ID_IN_REGISTRY: (400, "duplicate"),
    ErrorCode.NON_IDENTICAL_HASH: (400, "conflict"),
    ErrorCode.NON_IDENTICAL_SIZE: (400, "conflict"),
    ErrorCode.TOO_MANY_RESULTS: (400, "too-costly"),
    ErrorCode.LOCAL_POLICY_RESTRICTION: (400, "forbidden"),
    ErrorCode.UNMODIFIABLE_METADATA: (400, "business-rule"),
    ErrorCode.METADATA_UPDATE: (400, "business-rule"),
    ErrorCode.METADATA_UPDATE_OPERATION: (400, "business-rule"),
    ErrorCode.METADATA_VERSION: (400, "conflict"),
    ErrorCode.REGISTRY_BUSY: (503, "throttled"),
    ErrorCode.REPOSITORY_BUSY: (503, "throttled"),
    ErrorCode.REGISTRY_OUT_OF_RESOURCES: (503, "no-store"),
    ErrorCode.REPOSITORY_OUT_OF_RESOURCES: (503, "no-store"),
    ErrorCode.REGISTRY: (503, "exception"),
    ErrorCode.REPOSITORY: (503, "exception"),
}
RETRY_AFTER_SECONDS = 5
# Neither MHD nor XDS names a code system for these codes. MHD open issue MHD_065
ERROR_CODES = "urn:ihe:iti:error-codes"


@dataclass(eq=False)
class FhirProblem(Exception):
    """A request refused: HTTP status, issue code, one sentence without patient data, where it stands.

    Where several things are wrong, `issues` are all of them. `headers` of the answer tell more.
    """

    status: int
    code: str
    diagnostics: str
    expression: str = ""
    issues: tuple[Issue, ...] = field(default=())
    headers: Mapping[str, str] = field(default_factory=dict)


def operation_outcome(problem: FhirProblem) -> bytes:
    """The resource as JSON, with everything that was found."""
    issues = problem.issues or (Issue(problem.code, problem.diagnostics, problem.expression),)
    return orjson.dumps(outcome_of(issues))


def outcome_of(issues: Iterable[Issue]) -> dict[str, object]:
    """OperationOutcome of findings; an error code of XDS or MHD stands in `details`. MHD 2:3.65.4.2"""
    return {"resourceType": "OperationOutcome", "issue": [_written(issue) for issue in issues]}


def _written(issue: Issue) -> dict[str, object]:
    written: dict[str, object] = {"severity": issue.severity, "code": issue.code}
    if issue.error_code:
        written["details"] = {"coding": [{"system": ERROR_CODES, "code": issue.error_code}]}
    written["diagnostics"] = issue.diagnostics
    if not issue.expression:
        return written
    location = {"location": [to_xpath(issue.expression)]} if issue.expression[0].isupper() else {}
    return written | location | {"expression": [issue.expression]}


def to_xpath(expression: str) -> str:
    """The same place in XML, where a resource has an element of its name and places are counted from 1. FHIR R4 2.28"""
    counted = _POSITION.sub(lambda match: f"[{int(match[1]) + 1}]", expression)
    steps = [f"f:{step}" + ("/*" if step.partition("[")[0] in _RESOURCES_IN else "") for step in counted.split(".")]
    return f"/{'/'.join(steps)}".removesuffix("/*")


def refusal(issues: Iterable[Issue], status: int = 400) -> FhirProblem:
    """A request refused for all of these; for the first hundred, where there are more."""
    found = tuple(islice(issues, _MOST_ISSUES))
    return FhirProblem(status, found[0].code, found[0].diagnostics, found[0].expression, found)


def bad_request(diagnostics: str, *, code: str = "invalid", expression: str = "") -> FhirProblem:
    return FhirProblem(400, code, diagnostics, expression)


def unknown_community(parameter: str) -> FhirProblem:
    """A search of a community that is not this one."""
    sentence = f"{parameter}: found another community than this one, whose homeCommunityId alone can be asked here"
    return refusal([Issue("not-supported", sentence, parameter, str(ErrorCode.UNKNOWN_COMMUNITY))])


def not_found() -> FhirProblem:
    """The same for what does not exist and what the caller may not see."""
    return FhirProblem(404, "not-found", "no such resource is available to this requester")


def kept_elsewhere(repository_unique_id: str) -> FhirProblem:
    """For a document that the caller may see and that a repository of another process or maker keeps."""
    sentence = (
        f"the document is kept by the repository {repository_unique_id}, whose documents are not served here: "
        "retrieve it there by Retrieve Document Set [ITI-43]"
    )
    return FhirProblem(404, "not-supported", sentence)


def unavailable(code: str = "exception") -> FhirProblem:
    return FhirProblem(503, code, "the resource cannot be served now; try again later")
