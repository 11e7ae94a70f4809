"""The FHIR front door `/fhir`: negotiation and errors in one place, transactions elsewhere. FHIR R4 3.1.0."""

from collections.abc import Callable
from datetime import UTC, datetime
from functools import lru_cache
from importlib.metadata import version
from wsgiref.types import WSGIEnvironment

import flask
from werkzeug.datastructures import MIMEAccept
from werkzeug.exceptions import HTTPException
from werkzeug.http import parse_accept_header

from access_policy.caller import Caller
from access_policy.permission import permits
from audit.objects import a_document
from audit.occurrence import Occurrence
from audit.record import Outcome
from carnet.auditing import Auditor
from carnet.failures import log_unexpected
from fhir_facade import iti67_find_document_references as iti67
from fhir_facade import iti68_retrieve_document as iti68
from fhir_facade.capability_statement import capability_statement
from fhir_facade.operation_outcome import RETRY_AFTER_SECONDS, FhirProblem, operation_outcome, unavailable
from registry.store import Registry
from repository.store import Repository
from storage.unit_of_work import StorageFailed
from xds.identifiers import UUID_PREFIX

FHIR_JSON = "application/fhir+json"
_JSON_TYPES = (FHIR_JSON, "application/json", "application/json+fhir", "text/json")
_FORMATS = ("json", *_JSON_TYPES)
_METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
_DOCUMENT_HEADERS = {
    "Content-Disposition": "attachment",
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; sandbox",
    "Cache-Control": "no-store",
}


def fhir_blueprint(
    registry: Registry,
    repository: Repository | None,
    *,
    base_url: str,
    caller_of: Callable[[WSGIEnvironment], Caller],
    auditor: Auditor,
    elsewhere: iti68.Elsewhere = iti68.nowhere_else,
) -> flask.Blueprint:
    """The resources under the FHIR base; `base_url` stands in every URL, never the Host of a request.

    Documents of other repositories come from `elsewhere`, or are found and not retrieved here.
    """
    door = flask.Blueprint("fhir", __name__, url_prefix="/fhir")
    started = datetime.now(UTC).date().isoformat()

    def permitted(transaction: str) -> Caller:
        """The caller, who may run the transaction. FHIR has one answer for whoever may not: no token would do."""
        caller = caller_of(flask.request.environ)
        if not permits(caller, transaction):
            refusal = Occurrence(event=transaction, outcome=Outcome.SERIOUS, description="forbidden")
            auditor.told(refusal, caller)
            raise FhirProblem(403, "forbidden", "the caller may not do this")
        return caller

    @door.get("/metadata")
    def metadata() -> flask.Response:
        _check_json()
        return _json(capability_statement(base_url=base_url, version=version("carnet"), date=started))

    @door.get("/DocumentReference")
    def search() -> flask.Response:
        return _search(list(flask.request.args.items(multi=True)))

    @door.post("/DocumentReference/_search")
    def search_by_post() -> flask.Response:
        flask.request.get_data()  # kept for the audit record; reading the form consumes it
        parameters = [*flask.request.args.items(multi=True), *flask.request.form.items(multi=True)]
        return _search(parameters)

    def _search(parameters: list[tuple[str, str]]) -> flask.Response:
        _check_json()
        strict = "handling=strict" in flask.request.headers.get("Prefer", "").replace(" ", "")
        caller = permitted("ITI-67")
        with auditor.interaction(auditor.search("ITI-67", "DocumentReference", _asked(), parameters), caller):
            return _json(iti67.handle(registry, parameters, caller, base_url=base_url, strict=strict))

    @door.get("/DocumentReference/<fhir_id>")
    def read(fhir_id: str) -> flask.Response:
        _check_json()
        caller = permitted("ITI-67")
        with auditor.interaction(auditor.read("read", f"{UUID_PREFIX}{fhir_id}"), caller):
            return _json(iti67.read(registry, fhir_id, caller, base_url=base_url))

    @door.get("/Binary/<fhir_id>")
    def retrieve(fhir_id: str) -> flask.Response:
        caller = permitted("ITI-68")
        document: iti68.RetrievedDocument | None = None
        try:
            with auditor.interaction(auditor.read("ITI-68", f"{UUID_PREFIX}{fhir_id}"), caller) as about:
                document = iti68.handle(registry, repository, fhir_id, caller, elsewhere)
                about.objects = (a_document(document.unique_id, document.repository_unique_id),)
        except StorageFailed:
            if document is not None:
                document.octets.close()
            raise
        return _document(fhir_id, document)

    _serve_nothing_else(door, "this interaction is not served")
    door.register_error_handler(FhirProblem, _refused)
    door.register_error_handler(StorageFailed, lambda _: _refused(unavailable("transient")))
    door.register_error_handler(HTTPException, http_problem)
    door.register_error_handler(Exception, _unexpected)
    return door


def fhir_elsewhere(sentence: str) -> flask.Blueprint:
    """The FHIR base of a process without the role: everything answers 404 with this sentence."""
    door = flask.Blueprint("fhir", __name__, url_prefix="/fhir")
    _serve_nothing_else(door, sentence)
    door.register_error_handler(FhirProblem, _refused)
    return door


def _serve_nothing_else(door: flask.Blueprint, sentence: str) -> None:
    @door.route("/", defaults={"path": ""}, methods=_METHODS, strict_slashes=False)
    @door.route("/<path:path>", methods=_METHODS)
    def nothing_here(path: str) -> flask.Response:
        raise FhirProblem(404, "not-supported", sentence)


def _asked() -> str:
    """Request line and body of a search, as they came. MHD 2:3.67.5.1"""
    request = flask.request
    query = request.query_string.decode("utf-8", "replace")
    line = f"{request.method} {request.path}{'?' if query else ''}{query}"
    body = request.get_data(as_text=True)
    return f"{line}\n\n{body}" if body else line


def _json(body: bytes, status: int = 200) -> flask.Response:
    return flask.Response(body, status=status, content_type=f"{FHIR_JSON}; charset=utf-8")


def _refused(problem: FhirProblem) -> flask.Response:
    response = _json(operation_outcome(problem), problem.status)
    if problem.status == 401:
        response.headers["WWW-Authenticate"] = "Bearer"
    if problem.status == 503:
        response.headers["Retry-After"] = str(RETRY_AFTER_SECONDS)
    return response


def http_problem(problem: HTTPException) -> flask.Response:
    """404, 405 and their like, as every error of this door an OperationOutcome."""
    response = _refused(FhirProblem(problem.code or 400, "not-supported", problem.name))
    allow = problem.get_response().headers.get("Allow")
    if allow:
        response.headers["Allow"] = allow
    return response


def _unexpected(problem: Exception) -> flask.Response:
    """Never 500, never a detail: 503 and the number under which the log tells more."""
    diagnostics = f"unexpected failure, reported as {log_unexpected(problem)}"
    return _refused(FhirProblem(503, "exception", diagnostics))


def _check_json() -> None:
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
    return not kinds or any(kinds[kind] > 0 for kind in _JSON_TYPES)


def _document(fhir_id: str, document: iti68.RetrievedDocument) -> flask.Response:
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
