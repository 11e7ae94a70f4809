"""The FHIR door as an OpenAPI document, made from the tables that serve it: `/fhir/openapi.json`. OpenAPI 3.1."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from fhir_facade.capability_statement import PATCHED, Served
from fhir_facade.fhir_json import write_json
from fhir_facade.iti78_mobile_patient_demographics_query import PARAMETERS as PATIENT_PARAMETERS
from fhir_facade.iti81_retrieve_atna_audit_event import PARAMETERS as AUDIT_PARAMETERS
from fhir_facade.list_search_parameters import LIST_SEARCH_PARAMETERS
from fhir_facade.search_parameters import SEARCH_PARAMETERS
from fhir_facade.search_shape import INCLUDES, REVERSE_INCLUDES
from fhir_facade.search_values import SearchParameter
from fhir_facade.sorting import SORTS
from fhir_facade.validate import VALIDATED

_TYPES = ("application/fhir+json", "application/fhir+xml")
_ID = {"name": "id", "in": "path", "required": True, "schema": {"type": "string", "pattern": "^[A-Za-z0-9.-]{1,64}$"}}
_PREFER = {"name": "Prefer", "in": "header", "schema": {"enum": ["handling=strict", "handling=lenient"]}}
_COUNT = {"name": "_count", "in": "query", "schema": {"type": "integer", "minimum": 0}}
_SUMMARY = {"enum": ["true", "text", "data", "count", "false"]}
_RESOURCE = {"type": "object", "required": ["resourceType"], "properties": {"resourceType": {"type": "string"}}}
_REFUSALS = {
    "400": "what is wrong, and where",
    "401": "no token, or one that is not accepted",
    "403": "the caller may not do this",
    "404": "nothing that this requester may see",
    "405": "not a method of this resource",
    "406": "no format that is accepted",
    "503": "try again later",
}
_PATCHES = ("application/json-patch+json", "application/xml-patch+xml", *_TYPES)
_IF_MATCH = {"name": "If-Match", "in": "header", "schema": {"type": "string"}}
_IF_NONE_MATCH = {"name": "If-None-Match", "in": "header", "schema": {"type": "string"}}
_COUNT = {"name": "_count", "in": "query", "schema": {"type": "integer", "minimum": 0}}
_OF_HISTORY = (_COUNT, {"name": "_since", "in": "query", "schema": {"type": "string", "format": "date-time"}})
_OF_BODIES = {"413": "the body is too large", "415": "no format that is read"}
_SEARCHED: Mapping[str, Iterable[SearchParameter]] = {
    "DocumentReference": SEARCH_PARAMETERS,
    "List": LIST_SEARCH_PARAMETERS,
}
Operation = dict[str, Any]
_VERSION = {"name": "version", "in": "path", "required": True, "schema": {"type": "string", "pattern": "^[0-9]+$"}}


def open_api(*, base_url: str, version: str, served: Served) -> bytes:
    """The document as JSON: each path is served, with each of its parameters."""
    paths: dict[str, dict[str, Operation]] = {}
    for path, method, operation in _operations(served):
        paths.setdefault(path, {})[method] = operation
    return write_json(
        {
            "openapi": "3.1.0",
            "info": {"title": "Carnet: MHD on an XDS.b registry and repository", "version": version},
            "servers": [{"url": base_url}],
            "paths": paths,
            "components": {"schemas": {"Resource": _RESOURCE}},
        }
    )


def _operations(served: Served) -> Iterator[tuple[str, str, Operation]]:
    yield "/metadata", "get", _operation("what is served", [])
    for name, parameters in _SEARCHED.items():
        asked = [*map(_query, _shown(parameters)), *_shaping(name)]
        yield f"/{name}", "get", _operation(f"search of {name}", [*asked, _PREFER])
        yield f"/{name}/_search", "post", _form(name, asked)
        yield f"/{name}/{{id}}", "get", _operation(f"read of {name}", [_ID, _IF_NONE_MATCH])
        yield f"/{name}/{{id}}/_history", "get", _operation(f"versions of {name}", [_ID, *_OF_HISTORY])
        vread = _operation(f"vread of {name}", [_ID, _VERSION, _IF_NONE_MATCH])
        yield f"/{name}/{{id}}/_history/{{version}}", "get", vread
    by_identifier = _text("identifier", "system|value") | {"required": True}
    yield "/DocumentReference", "patch", _patch([by_identifier])
    yield "/DocumentReference/{id}", "patch", _patch([_ID])
    asked = [_text(one.name, one.documentation) for one in PATIENT_PARAMETERS]
    yield "/Patient", "get", _operation("search of Patient", [*asked, _PREFER])
    yield "/Patient/{id}", "get", _operation("read of Patient", [_ID, _IF_NONE_MATCH])
    source = _text("sourceIdentifier", "system|value") | {"required": True}
    cross_referenced = [source, _text("targetSystem", "the system of the identifiers that are wanted")]
    yield "/Patient/$ihe-pix", "get", _operation("cross-reference query [ITI-83]", cross_referenced)
    if served.takes_subscriptions:
        yield "/Subscription", "post", _taken("Resource Subscription [ITI-111]", "201")
        yield "/Subscription/{id}", "get", _operation("read of Subscription", [_ID])
        gone = {"204": {"description": "it has ended"}}
        ended = _operation("end of a Subscription", [_ID])
        yield "/Subscription/{id}", "delete", ended | {"responses": gone | ended["responses"]}
    if served.has_log:
        told = [_text(one.name, one.documentation) for one in AUDIT_PARAMETERS]
        yield "/AuditEvent", "get", _operation("Retrieve ATNA Audit Event [ITI-81]", [*told, _COUNT, _PREFER])
        yield "/AuditEvent/_search", "post", _form("AuditEvent", [*told, _COUNT])
        yield "/AuditEvent/{id}", "get", _operation("read of AuditEvent", [_ID])
    yield "/Binary/{id}", "get", _document()
    provided = " or Provide Document Bundle [ITI-65]" if served.takes_documents else ""
    typed = _text("_type", "DocumentReference or List, whose parameters these are") | {"required": True}
    yield "/", "get", _operation("search of one type", [typed, _COUNT, _PREFER])
    yield "/", "post", _taken(f"batch{provided}", "200")
    for place in ("", *(f"/{name}" for name in VALIDATED)):
        yield f"{place}/$validate", "post", _taken("what would be said of a resource that is submitted", "200")
    if served.takes_documents:
        yield "/DocumentReference", "post", _taken("Simplified Publish [ITI-105]", "201")
        yield "/DocumentReference/$generate-metadata", "post", _taken("Generate Metadata [ITI-106]", "200")
    if served.takes_patients:
        yield "/Patient", "post", _taken("create of Patient", "201")
        yield "/Patient", "put", _taken("Patient Identity Feed FHIR [ITI-104]", "200", [asked[0] | {"required": True}])
        yield "/Patient/{id}", "put", _taken("update of Patient", "200", [_ID])


def _shown(parameters: Iterable[SearchParameter]) -> Iterator[SearchParameter]:
    return (one for one in parameters if not one.hidden)


def _query(parameter: SearchParameter) -> dict[str, Any]:
    required = parameter.name == "code"
    return _text(parameter.name, parameter.documentation) | ({"required": True} if required else {})


def _text(name: str, description: str) -> dict[str, Any]:
    return {"name": name, "in": "query", "description": description, "schema": {"type": "string"}}


def _shaping(name: str) -> Iterator[dict[str, Any]]:
    yield _COUNT
    yield {"name": "_summary", "in": "query", "schema": _SUMMARY}
    sorted_by = ", ".join(SORTS[name])
    yield _text("_sort", f"{sorted_by}; several separated by commas, each with - before it or not")
    yield _text("_elements", "names of elements, separated by commas")
    for parameter, values in (("_include", INCLUDES[name]), ("_revinclude", REVERSE_INCLUDES[name])):
        yield {"name": parameter, "in": "query", "schema": {"enum": list(values)}}


def _operation(summary: str, parameters: list[dict[str, Any]]) -> Operation:
    responses = _responses("200")
    if _IF_NONE_MATCH in parameters:
        responses |= {"304": {"description": "the state that is known"}, "410": _refusal("it was deleted")}
    return {"summary": summary, "parameters": parameters, "responses": responses}


def _form(name: str, parameters: list[dict[str, Any]]) -> Operation:
    properties = {one["name"]: one["schema"] for one in parameters}
    body = {"content": {"application/x-www-form-urlencoded": {"schema": {"type": "object", "properties": properties}}}}
    return _operation(f"search of {name}", [_PREFER]) | {"requestBody": body}


def _taken(summary: str, status: str, parameters: list[dict[str, Any]] | None = None) -> Operation:
    body = {"required": True, "content": _content(_TYPES)}
    responses = _responses(status, "200", "201", **_OF_BODIES, **{"409": "it is there", "412": "several are meant"})
    responses |= {"422": _refusal("what the registry refuses")}
    return {"summary": summary, "parameters": parameters or [], "requestBody": body, "responses": responses}


def _patch(parameters: list[dict[str, Any]]) -> Operation:
    patch = _taken(f"patch of DocumentReference: {PATCHED}", "200", [*parameters, _IF_MATCH])
    patch["requestBody"]["content"] = _content(_PATCHES)
    patch["responses"] |= {"405": _refusal("not an element that is patched"), "410": _refusal("it was deleted")}
    return patch


def _document() -> Operation:
    responses = _responses("200", "206", "304", **{"416": "the document is shorter"})
    responses["200"] = responses["206"] = {"description": "the document, or a part of it", "content": {"*/*": {}}}
    responses["304"] = {"description": "the document that is known"}
    return {"summary": "Retrieve Document [ITI-68]", "parameters": [_ID], "responses": responses}


def _responses(*statuses: str, **refusals: str) -> dict[str, Any]:
    good = {"description": "a resource", "content": _content(_TYPES)}
    told = {status: _refusal(text) for status, text in (_REFUSALS | refusals).items()}
    return {**dict.fromkeys(statuses, good), **told}


def _refusal(text: str) -> dict[str, Any]:
    return {"description": text, "content": _content(_TYPES)}


def _content(types: Iterable[str]) -> dict[str, Any]:
    return {one: {"schema": {"$ref": "#/components/schemas/Resource"}} for one in types}
