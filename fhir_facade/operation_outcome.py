"""Errors of the FHIR door: OperationOutcome and the one table that says which HTTP status. MHD 2:3.65.4.1.3."""

from dataclasses import dataclass

import orjson

from xds.errors import ErrorCode

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
    ErrorCode.REGISTRY_BUSY: (503, "throttled"),
    ErrorCode.REPOSITORY_BUSY: (503, "throttled"),
    ErrorCode.REGISTRY_OUT_OF_RESOURCES: (503, "no-store"),
    ErrorCode.REPOSITORY_OUT_OF_RESOURCES: (503, "no-store"),
    ErrorCode.REGISTRY: (503, "exception"),
    ErrorCode.REPOSITORY: (503, "exception"),
}
RETRY_AFTER_SECONDS = 5


@dataclass(eq=False)
class FhirProblem(Exception):
    """A request refused: HTTP status, issue code, one sentence without patient data, where it stands."""

    status: int
    code: str
    diagnostics: str
    expression: str = ""


def operation_outcome(problem: FhirProblem) -> bytes:
    """The resource as JSON."""
    issue: dict[str, object] = {"severity": "error", "code": problem.code, "diagnostics": problem.diagnostics}
    if problem.expression:
        issue["expression"] = [problem.expression]
    return orjson.dumps({"resourceType": "OperationOutcome", "issue": [issue]})


def bad_request(diagnostics: str, *, code: str = "invalid", expression: str = "") -> FhirProblem:
    return FhirProblem(400, code, diagnostics, expression)


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
