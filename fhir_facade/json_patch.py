"""JSON Patch: operations on a document of objects and arrays, each place a JSON Pointer. RFC 6902, RFC 6901."""

import copy
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from fhir_facade.fhir_json import write_json
from fhir_facade.operation_outcome import FhirProblem, bad_request

MOST_OPERATIONS = 100
_LARGEST = 10**6  # octets of what a copy may make a document grow to
_INDEX = re.compile(r"0|[1-9]\d{0,8}")
_Pair = tuple[Any, Any]  # an object or array, and a key or index of it


def impossible(sentence: str) -> FhirProblem:
    """An operation that cannot be carried out on the resource it is for. FHIR R4 3.1.0.6"""
    return FhirProblem(422, "processing", sentence)


def check_operations(operations: Any) -> Sequence[Mapping[str, Any]]:
    """The operations of a request body. Raises FhirProblem 400 for what is no JSON Patch."""
    if not isinstance(operations, list) or not operations or not all(isinstance(one, dict) for one in operations):
        raise bad_request("expected a JSON Patch: an array of operations", code="structure")
    if len(operations) > MOST_OPERATIONS:
        raise bad_request(f"found {len(operations)} operations, expected at most {MOST_OPERATIONS}", code="too-costly")
    for number, one in enumerate(operations):
        needed = _NEEDED.get(one.get("op")) if isinstance(one.get("op"), str) else None
        if needed is None:
            raise bad_request(f"operation {number}: op: expected one of {', '.join(_NEEDED)}", code="structure")
        for name in needed:
            if name not in one or (name != "value" and not _is_pointer(one[name])):
                sentence = f"operation {number}: {name}: expected {'a JSON Pointer' if name != 'value' else 'it'}"
                raise bad_request(sentence, code="structure")
    return operations


def json_patched(document: Any, operations: Sequence[Mapping[str, Any]]) -> Any:
    """The document after all of them. Raises FhirProblem 422 for the first that cannot be carried out."""
    root = {"": copy.deepcopy(document)}  # so that the whole document has a place as well
    for number, operation in enumerate(operations):
        try:
            _OPERATIONS[operation["op"]](root, operation)
        except (KeyError, IndexError, TypeError):
            raise impossible(f"operation {number}: found nothing at its place, expected a value") from None
    return root[""]


def _is_pointer(text: Any) -> bool:
    return isinstance(text, str) and (text == "" or text.startswith("/"))


def _place(root: Any, pointer: str) -> _Pair:
    """The object or array that has the place, and the key; an index may be one past the end. RFC 6901: 4"""
    value, key = root, ""
    for part in pointer.split("/")[1:]:
        value, key = value[_key(value, key)], part.replace("~1", "/").replace("~0", "~")
    return value, len(value) if isinstance(value, list) and key == "-" else _key(value, key)


def _key(value: Any, key: str) -> Any:
    if isinstance(value, list):
        if not _INDEX.fullmatch(key):
            raise KeyError(key)
        return int(key)
    if not isinstance(value, dict):
        raise TypeError
    return key


def _add(root: Any, operation: Mapping[str, Any]) -> None:
    _put(_place(root, operation["path"]), copy.deepcopy(operation["value"]))


def _put(place: _Pair, value: Any) -> None:
    parent, key = place
    if not isinstance(parent, list):
        parent[key] = value
    elif key > len(parent):
        raise IndexError
    else:
        parent.insert(key, value)


def _remove(root: Any, operation: Mapping[str, Any]) -> None:
    parent, key = _place(root, operation["path"])
    del parent[key]


def _replace(root: Any, operation: Mapping[str, Any]) -> None:
    parent, key = _place(root, operation["path"])
    parent[key]
    parent[key] = copy.deepcopy(operation["value"])


def _move(root: Any, operation: Mapping[str, Any]) -> None:
    source, target = operation["from"], operation["path"]
    if target.startswith(f"{source}/"):
        raise impossible("move: found a place inside of what is moved")
    parent, key = _place(root, source)
    value = parent[key]
    del parent[key]
    _put(_place(root, target), value)


def _copy(root: Any, operation: Mapping[str, Any]) -> None:
    parent, key = _place(root, operation["from"])
    _put(_place(root, operation["path"]), copy.deepcopy(parent[key]))
    if len(write_json(root)) > _LARGEST:
        raise impossible(f"copy: expected a document of at most {_LARGEST} octets")


def _test(root: Any, operation: Mapping[str, Any]) -> None:
    parent, key = _place(root, operation["path"])
    if not is_same(parent[key], operation["value"]):
        raise impossible("test: found another value at its place")


def is_same(one: Any, other: Any) -> bool:
    """Equal as JSON: true is no 1. RFC 6902: 4.6"""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(is_same(one[name], other[name]) for name in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(is_same, one, other))
    return isinstance(one, bool) == isinstance(other, bool) and bool(one == other)


_OPERATIONS: Mapping[str, Callable[[Any, Mapping[str, Any]], None]] = {
    "add": _add,
    "remove": _remove,
    "replace": _replace,
    "move": _move,
    "copy": _copy,
    "test": _test,
}
_NEEDED: Mapping[str, tuple[str, ...]] = {
    "add": ("path", "value"),
    "remove": ("path",),
    "replace": ("path", "value"),
    "move": ("from", "path"),
    "copy": ("from", "path"),
    "test": ("path", "value"),
}
