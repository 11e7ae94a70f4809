"""Batch: several requests in one, each answered as if it had come by itself. FHIR R4 3.1.0.11.

Each goes through the same door, with its own decision and its own audit record, for the caller of the whole.
"""

import base64
import binascii
import io
import string
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import quote, unquote, urlsplit
from wsgiref.types import WSGIEnvironment

import flask
from werkzeug.datastructures import Headers

from access_policy.caller import Caller
from carnet.failures import log_unexpected
from fhir_facade.base64_text import OctetsApart
from fhir_facade.documents_apart import LONGEST_INLINE
from fhir_facade.fhir_json import read_own_json, write_json
from fhir_facade.issues import Issue
from fhir_facade.operation_outcome import outcome_of, refusal
from fhir_facade.structural_rules import structural_rules

CALLER = "carnet.batch.caller"  # in the environment of a request that is part of a batch; no client can set it
MOST_ENTRIES = 100
_LARGEST = 32 * 10**6  # octets of all answers
_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")
_JSON = "application/fhir+json"
_HEADERS = {
    "ifMatch": "HTTP_IF_MATCH",
    "ifNoneMatch": "HTTP_IF_NONE_MATCH",
    "ifNoneExist": "HTTP_IF_NONE_EXIST",
    "ifModifiedSince": "HTTP_IF_MODIFIED_SINCE",
}
# What of the whole request is not of each of its parts.
_OF_WHOLE = (
    *_HEADERS.values(),
    "HTTP_ACCEPT",
    "HTTP_ACCEPT_ENCODING",
    "HTTP_CONTENT_ENCODING",
    "HTTP_TRANSFER_ENCODING",
)


def is_batch(bundle: Mapping[str, Any]) -> bool:
    return bundle.get("resourceType") == "Bundle" and bundle.get("type") == "batch"


def batch(bundle: Mapping[str, Any], caller: Caller, *, base_url: str) -> bytes:
    """The batch-response: an entry for each, in their order. Raises FhirProblem 400 for what is no batch."""
    return _response("batch-response", _entries(bundle, caller, base_url))


def is_reading(bundle: Mapping[str, Any]) -> bool:
    """Whether this is a transaction that changes nothing."""
    entries = bundle.get("entry")
    if bundle.get("resourceType") != "Bundle" or bundle.get("type") != "transaction" or not isinstance(entries, list):
        return False
    requests = [one.get("request") if isinstance(one, dict) else None for one in entries]
    return bool(requests) and all(isinstance(one, dict) and one.get("method") in ("GET", "HEAD") for one in requests)


def reading(bundle: Mapping[str, Any], caller: Caller, *, base_url: str) -> bytes:
    """The transaction-response: every part is answered, or the whole is refused. FHIR R4 3.1.0.11.2

    Raises FhirProblem 400 with what is wrong with each part.
    """
    entries = _entries(bundle, caller, base_url)
    issues = list(_failures(entries))
    if issues:
        raise refusal(issues)
    return _response("transaction-response", entries)


def _failures(entries: Sequence[bytes]) -> Iterator[Issue]:
    for number, one in enumerate(entries):
        response = read_own_json(one.decode())["response"]
        if response["status"][:1] not in "23":
            told = response.get("outcome", {}).get("issue", [{}])[0]
            text = told.get("diagnostics", response["status"])
            yield Issue(told.get("code", "processing"), text, f"Bundle.entry[{number}]")


def _entries(bundle: Mapping[str, Any], caller: Caller, base_url: str) -> list[bytes]:
    issues = list(structural_rules(_without_resources(bundle))) or list(_rules(bundle))
    if issues:
        raise refusal(issues)
    entries, octets = list[bytes](), 0
    for entry in bundle.get("entry", ()):
        told = _too_large() if octets > _LARGEST else _answered(entry, caller, base_url)
        octets += len(told)
        entries.append(told)
    return entries


def _response(kind: str, entries: Sequence[bytes]) -> bytes:
    head = f'{{"resourceType":"Bundle","type":"{kind}"'.encode()
    return head + (b',"entry":[' + b",".join(entries) + b"]}" if entries else b"}")


def _without_resources(bundle: Mapping[str, Any]) -> dict[str, Any]:
    """What is wrong in a resource is told where it stands, and keeps no other part from its answer."""
    entries = bundle.get("entry")
    if not isinstance(entries, list):
        return dict(bundle)
    bare = [
        {name: value for name, value in one.items() if name != "resource"} if isinstance(one, dict) else one
        for one in entries
    ]
    return {**bundle, "entry": bare}


def _rules(bundle: Mapping[str, Any]) -> Iterator[Issue]:
    entries = bundle.get("entry", ())
    if len(entries) > MOST_ENTRIES:
        yield Issue("too-costly", f"found {len(entries)} entries, expected at most {MOST_ENTRIES}", "Bundle.entry")
    for number, entry in enumerate(entries):
        if "request" not in entry:
            yield Issue("required", "found no request", f"Bundle.entry[{number}].request")


def _answered(entry: Mapping[str, Any], caller: Caller, base_url: str) -> bytes:
    """Whatever one part does, the others have their answers: some of them may have been written already."""
    try:
        return _dispatched(entry, caller, base_url)
    except Exception as problem:  # noqa: BLE001 - a part gets a correlation id, the log the rest
        return _told("503 SERVICE UNAVAILABLE", "exception", f"unexpected failure {log_unexpected(problem)}")


def _dispatched(entry: Mapping[str, Any], caller: Caller, base_url: str) -> bytes:
    request = entry["request"]
    try:
        path, query = _place(request["url"], base_url)
        kind, body = _body(entry.get("resource"))
    except (ValueError, TypeError):  # no URL; a number that JSON has and no system keeps
        return _told("400 BAD REQUEST", "invalid", "expected a URL and a resource that can be read")
    if _is_document(entry.get("resource")):
        sentence = f"resource.data: expected at most {LONGEST_INLINE} characters in a batch"
        return _told("413 REQUEST ENTITY TOO LARGE", "too-long", sentence)
    if request["method"] not in _METHODS:
        return _told("405 METHOD NOT ALLOWED", "not-supported", f"method: expected one of {', '.join(_METHODS)}")
    if path in ("", "/", "/metadata", "/openapi.json") or path.startswith("/Binary"):
        sentence = "url: found what is not answered in a batch, ask for it by itself"
        return _told("400 BAD REQUEST", "not-supported", sentence)
    environ = _environ(request, path, query, kind, body)
    environ[CALLER] = caller
    app: flask.Flask = flask.current_app
    with app.app_context(), app.request_context(environ):
        response = app.full_dispatch_request()
        return _entry(response.status, response.headers, response.get_data())


def _is_document(resource: Any) -> bool:
    """Whether it has a document that was cut from the body: it was no Provide Document Bundle after all."""
    return isinstance(resource, dict) and isinstance(resource.get("data"), OctetsApart)


def _place(url: str, base_url: str) -> tuple[str, str]:
    """Path below the base, and query; the URL may be relative or have the base of this server. All answers are JSON.

    Raises ValueError.
    """
    parts = urlsplit(url.removeprefix(base_url))
    asked = [one for one in parts.query.split("&") if one.partition("=")[0] != "_format"]
    return f"/{unquote(parts.path).lstrip('/')}", quote("&".join(asked), safe=string.printable)


def _body(resource: Any) -> tuple[str, bytes]:
    """A resource as JSON; a Binary is what it holds, as a patch is sent. FHIR R4 3.1.0.11.2"""
    if resource is None:
        return "", b""
    if not isinstance(resource, dict) or resource.get("resourceType") != "Binary":
        return _JSON, write_json(resource)
    try:
        return str(resource.get("contentType", "")), base64.b64decode(str(resource.get("data", "")), validate=True)
    except (binascii.Error, ValueError):
        return str(resource.get("contentType", "")), b""


def _environ(request: Mapping[str, Any], path: str, query: str, kind: str, body: bytes) -> WSGIEnvironment:
    """The request as it would be by itself: of the same client, in JSON and not compressed."""
    whole = flask.request.environ
    kept = {name: value for name, value in whole.items() if name not in _OF_WHOLE and not name.startswith("werkzeug.")}
    given = {header: request[name] for name, header in _HEADERS.items() if name in request}
    return kept | given | {
        "REQUEST_METHOD": request["method"],
        "PATH_INFO": f"/fhir{path}".encode().decode("latin-1"),
        "QUERY_STRING": query,
        "CONTENT_TYPE": kind,
        "CONTENT_LENGTH": str(len(body)),
        "HTTP_ACCEPT": _JSON,
        "wsgi.input": io.BytesIO(body),
    }  # fmt: skip


def _entry(status: str, headers: Headers, body: bytes) -> bytes:
    """What was answered: the OperationOutcome of a refusal beside the status, any other resource as the entry's."""
    resource = read_own_json(body.decode()) if body else None
    is_good = status[:1] in "23"
    told: dict[str, Any] = {"status": status}
    told |= {"location": headers["Location"]} if "Location" in headers else {}
    told |= {"etag": headers["ETag"]} if "ETag" in headers else {}
    if is_good and resource is not None and "lastUpdated" in resource.get("meta", {}):
        told["lastModified"] = resource["meta"]["lastUpdated"]
    if resource is not None and not is_good:
        told["outcome"] = resource
    return write_json(({"resource": resource} if resource is not None and is_good else {}) | {"response": told})


def _told(status: str, code: str, sentence: str) -> bytes:
    outcome = outcome_of([Issue(code, sentence)])
    return write_json({"response": {"status": status, "outcome": outcome}})


def _too_large() -> bytes:
    outcome = outcome_of([Issue("too-costly", f"the answers before have {_LARGEST} octets together: ask for fewer")])
    return write_json({"response": {"status": "413 REQUEST ENTITY TOO LARGE", "outcome": outcome}})
