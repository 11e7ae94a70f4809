"""JSON as FHIR allows it: no key twice, no NaN, no lone surrogate, numbers as they stand. FHIR R4 2.6.2; RFC 8259."""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import orjson

from fhir_facade.operation_outcome import bad_request

_LONGEST_NUMBER = 100


class _Twice(ValueError):
    """A key that an object has twice."""


def read_json(octets: bytes) -> dict[str, Any]:
    """The resource of a request body. Raises FhirProblem 400 for what is no JSON object."""
    found = read_json_value(octets)
    if not isinstance(found, dict):
        raise bad_request("expected a JSON object, a FHIR resource", code="structure")
    return found


def read_json_value(octets: bytes) -> Any:
    """What a request body holds. Raises FhirProblem 400 for what is no JSON."""
    try:
        found = json.loads(
            octets.decode("utf-8-sig"),
            object_pairs_hook=_object,
            parse_constant=_constant,
            parse_int=_whole,
            parse_float=_decimal,
        )
        if rb"\u" in octets:  # alone an escape may stand for half a character
            json.dumps(found, ensure_ascii=False, default=str).encode()
    except (ValueError, RecursionError) as problem:
        raise bad_request(f"the body is not well-formed JSON: {_place(problem)}", code="structure") from None
    return found


def _object(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise _Twice("found the same key twice in an object")
    return found


def _constant(_text: str) -> None:
    raise ValueError("found NaN or Infinity, which JSON does not have")


def _whole(text: str) -> int:
    if len(text) > _LONGEST_NUMBER:
        raise ValueError("found a number of more than 100 characters")
    return int(text)


def _decimal(text: str) -> float:
    if len(text) > _LONGEST_NUMBER:
        raise ValueError("found a number of more than 100 characters")
    return Literal(text)


class Literal(float):
    """A decimal that is written as it was read: 1.10 stays 1.10. FHIR R4 2.24.0.1"""

    __slots__ = ("text",)
    text: str

    def __new__(cls, text: str) -> "Literal":
        made = super().__new__(cls, text)
        made.text = text
        return made


def write_json(resource: object) -> bytes:
    """The resource as JSON, its decimals as they were read."""
    return orjson.dumps(resource, default=_as_read)


def read_own_json(text: str) -> Any:
    """What `write_json` wrote."""
    return json.loads(text, parse_float=Literal)


def _as_read(value: object) -> orjson.Fragment:
    if isinstance(value, Literal):
        return orjson.Fragment(value.text.encode())
    raise TypeError


def _place(problem: Exception) -> str:
    """Where it is, and never what stands there."""
    if isinstance(problem, json.JSONDecodeError):
        return f"line {problem.lineno}, column {problem.colno}"
    if isinstance(problem, UnicodeError):
        return "expected UTF-8 without lone surrogates"
    return "nested too deeply" if isinstance(problem, RecursionError) else str(problem)


def without_empty(resource: dict[str, Any]) -> dict[str, Any]:
    """FHIR has no empty values: absent ones are left out."""
    return {key: value for key, value in resource.items() if value not in (None, [], {}, "")}


def text_alone(text: str | None) -> str | None:
    """A text without its language and other wordings, for which the elements have no place."""
    return None if text is None else str(text)


def texts_of(element: Mapping[str, Any], name: str) -> list[str]:
    """The texts of an array; null stands in it where there are extensions alone. FHIR R4 2.6.2.3"""
    return [one for one in element.get(name, ()) if one is not None]


def first(resources: Iterable[Mapping[str, Any]]) -> Mapping[str, Any]:
    """The first of them, or an empty one."""
    return next(iter(resources), {})
