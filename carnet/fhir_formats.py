"""Which format a FHIR client wants: JSON or XML, compressed or not. FHIR R4 3.1.0.1.11; RFC 9110: 12.5."""

import gzip
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import flask

from fhir_facade import documents_apart
from fhir_facade.documents_apart import Grammar
from fhir_facade.fhir_json import read_json, read_own_json
from fhir_facade.fhir_xml import read_xml, write_xml
from fhir_facade.operation_outcome import FhirProblem

_SHORTEST_COMPRESSED = 1000
FORM_PARAMETERS = "fhir_form"  # in `flask.g`: fields of the form of a search
_FASTEST = 1
GZIP = ("gzip", "x-gzip")  # two names of one coding. RFC 9110: 8.4.1.3


@dataclass(frozen=True, slots=True, kw_only=True)
class Format:
    """One format: how it is called, by itself and by older or general names, and how it is read."""

    content_type: str
    names: tuple[str, ...]
    read: Callable[[bytes], dict[str, Any]]
    grammar: Grammar


JSON = Format(
    content_type="application/fhir+json",
    names=("application/fhir+json", "application/json", "application/json+fhir", "text/json", "json"),
    read=read_json,
    grammar=documents_apart.JSON,
)
XML = Format(
    content_type="application/fhir+xml",
    names=("application/fhir+xml", "application/xml", "application/xml+fhir", "text/xml", "xml"),
    read=read_xml,
    grammar=documents_apart.XML,
)
FORMATS = {name: one for one in (JSON, XML) for name in one.names}
_RANGES = ("*/*", "application/*", "*")
_GENERAL = {
    "_pretty": frozenset({"true", "false"}),
    "_summary": frozenset({"true", "text", "data", "count", "false"}),
}
VERSIONS = ("", "4.0", "4.0.1")


def wanted() -> Format:
    """The format of the answer: `_format` overrides Accept. Raises FhirProblem 406."""
    given = general_parameters()
    _check_general_parameters(given)
    asked = given.get("_format", "").replace(" ", "+")
    found = best_format(asked or flask.request.headers.get("Accept", ""))
    if found is None:
        raise FhirProblem(
            406, "not-supported", f"only {JSON.content_type} and {XML.content_type} are served, in FHIR 4.0"
        )
    return found


def general_parameters() -> Mapping[str, str]:
    """What the URL says, and the form of a search that was read."""
    return {**flask.g.get(FORM_PARAMETERS, {}), **flask.request.args.to_dict()}


def _check_general_parameters(given: Mapping[str, str]) -> None:
    """FHIR R4 3.1.0.1.3: `_pretty` changes nothing here; what it and its like may be is checked all the same."""
    for name, values in _GENERAL.items():
        if name in given and given[name] not in values:
            raise FhirProblem(400, "value", f"{name}: expected one of {', '.join(sorted(values))}", name)
    if "_elements" in given and not all(part.strip() for part in given["_elements"].split(",")):
        raise FhirProblem(400, "value", "_elements: expected names of elements", "_elements")


@lru_cache(maxsize=256)
def best_format(accept: str) -> Format | None:
    """The format with the highest quality, JSON of two equal ones; JSON where nothing is asked for."""
    if not accept.strip():
        return JSON
    qualities: dict[str, float] = {}
    for name, parameters in media_types(accept):
        found = JSON if name in _RANGES else FORMATS.get(name)
        if found is None or parameters.get("fhirversion", "") not in VERSIONS:
            continue
        weight = quality(parameters.get("q", "1"))
        qualities[found.content_type] = max(weight, qualities.get(found.content_type, 0.0))
        if name in _RANGES:
            qualities.setdefault(XML.content_type, 0.0)
    best = max((JSON, XML), key=lambda one: qualities.get(one.content_type, 0.0))
    return best if qualities.get(best.content_type, 0.0) > 0 else None


def media_types(text: str) -> Iterator[tuple[str, Mapping[str, str]]]:
    for one in text.split(","):
        name, *parameters = (part.strip().lower() for part in one.split(";"))
        pairs = (part.partition("=") for part in parameters)
        yield name, {key.strip(): value.strip().strip('"') for key, _, value in pairs}


def quality(text: str) -> float:
    try:
        return min(max(float(text), 0.0), 1.0)
    except ValueError:
        return 0.0


def answer(
    body: bytes, status: int = 200, headers: Mapping[str, str] | None = None, *, form: Format | None = None
) -> flask.Response:
    """A resource that is rendered as JSON, in the format that is wanted."""
    form = form or wanted()
    octets = write_xml(read_own_json(body.decode())) if form is XML else body
    response = flask.Response(
        octets, status=status, headers=headers, content_type=f"{form.content_type}; charset=utf-8"
    )
    response.vary.update(("Accept", "Accept-Encoding"))
    if len(octets) >= _SHORTEST_COMPRESSED and takes_gzip(flask.request.headers.get("Accept-Encoding", "")):
        response.set_data(gzip.compress(octets, _FASTEST))
        response.headers["Content-Encoding"] = "gzip"
    return response


@lru_cache(maxsize=64)
def takes_gzip(accept_encoding: str) -> bool:
    kinds: Iterable[tuple[str, Mapping[str, str]]] = media_types(accept_encoding)
    return any(name in GZIP and quality(values.get("q", "1")) > 0 for name, values in kinds)
