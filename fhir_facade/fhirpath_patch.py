"""FHIRPath Patch: operations in a Parameters resource, each place a path. FHIR R4 3.1.0.6.1 (fhirpatch.html)."""

import copy
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fhir_facade.json_patch import MOST_OPERATIONS, impossible, is_same
from fhir_facade.operation_outcome import bad_request
from fhir_facade.structural_rules import structural_rules
from schemas.fhir_structures import Element, elements

_LONGEST = 500
_TOKEN = re.compile(r"\s*(?:([A-Za-z_]\w*)|'((?:[^'\\]|\\.)*)'|(\d+)|([.()\[\]=]))")
_PARTS = "Parts"  # in place of a type: the value is said part by part


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """A place in a resource: the object or array that has it, its key there, and the type of what is there."""

    parent: Any
    key: Any
    type: str

    @property
    def value(self) -> Any:
        return self.parent[self.key]


Nodes = list[Node]
Step = Callable[[Nodes], Nodes]


@dataclass(frozen=True, slots=True, kw_only=True)
class PatchOperation:
    """One operation: its type, its path, and the other parts by name, `value` as (suffix of its type, value)."""

    number: int
    type: str
    path: str
    name: str = ""
    value: tuple[str, Any] = ("", None)
    index: int = -1
    source: int = -1
    destination: int = -1


def read_fhirpath_patch(parameters: Mapping[str, Any]) -> tuple[PatchOperation, ...]:
    """The operations of a Parameters resource. Raises FhirProblem 400 for what is no FHIRPath Patch."""
    if parameters.get("resourceType") != "Parameters":
        raise bad_request("expected a FHIRPath Patch: a Parameters resource", code="structure")
    issues = [one for one in structural_rules(parameters) if one.is_error]
    if issues:
        raise bad_request(issues[0].diagnostics, code=issues[0].code, expression=issues[0].expression)
    given = [one for one in parameters.get("parameter", ()) if one.get("name") == "operation"]
    if not 0 < len(given) <= MOST_OPERATIONS:
        raise bad_request(f"expected 1 to {MOST_OPERATIONS} parameters called operation", code="required")
    return tuple(_operation(number, one.get("part", ())) for number, one in enumerate(given))


def _operation(number: int, parts: Sequence[Mapping[str, Any]]) -> PatchOperation:
    by_name = {part["name"]: part for part in parts}
    kind, path = str(_plain(by_name, "type", "")), str(_plain(by_name, "path", ""))
    at = f"Parameters.parameter[{number}]"
    if kind not in _NEEDED:
        raise bad_request(f"type: expected one of {', '.join(_NEEDED)}", code="value", expression=at)
    missing = [name for name in ("path", *_NEEDED[kind]) if name not in by_name]
    if missing or len(path) > _LONGEST:
        raise bad_request(f"{kind}: expected the part {(missing or ['path'])[0]}", code="required", expression=at)
    places = {name: _plain(by_name, name, -1) for name in ("index", "source", "destination")}
    if not all(isinstance(one, int) and one >= -1 for one in places.values()):
        raise bad_request(f"{kind}: expected whole numbers as its places", code="value", expression=at)
    name, value = str(_plain(by_name, "name", "")), _value(by_name.get("value", {}))
    return PatchOperation(number=number, type=kind, path=path, name=name, value=value, **places)


def _plain(by_name: Mapping[str, Mapping[str, Any]], name: str, otherwise: Any) -> Any:
    suffix, value = _value(by_name.get(name, {}))
    return value if suffix else otherwise


def _value(part: Mapping[str, Any]) -> tuple[str, Any]:
    """(suffix of value[x], value); nested parts are an element without a type of its own."""
    for name, value in part.items():
        if name.startswith("value"):
            return name.removeprefix("value"), value
    if "part" not in part:
        return "", None
    found: dict[str, list[tuple[str, Any]]] = {}
    for one in part["part"]:
        found.setdefault(one["name"], []).append(_value(one))
    return _PARTS, found


def fhirpath_patched(resource: Mapping[str, Any], operations: Sequence[PatchOperation]) -> dict[str, Any]:
    """The resource after all of them. Raises FhirProblem 422 for the first that cannot be carried out."""
    root = {"": copy.deepcopy(dict(resource))}
    for operation in operations:
        _OPERATIONS[operation.type](root, operation)
    return root[""]


# --- operations ------------------------------------------------------------------------------


def _add(root: Any, operation: PatchOperation) -> None:
    parent = _one(root, operation, operation.path)
    key, row = _property(parent, operation)
    value = _shaped(row.type, *operation.value)
    if row.many:
        parent.value.setdefault(key, []).append(value)
    elif key in parent.value:
        raise _failed(operation, "found a value already")
    else:
        parent.value[key] = value


def _insert(root: Any, operation: PatchOperation) -> None:
    array = _array(root, operation)
    if not 0 <= operation.index <= len(array):
        raise _failed(operation, f"index: found {operation.index}, expected 0 to {len(array)}")
    array.insert(operation.index, _shaped(_found(root, operation.path)[0].type, *operation.value))


def _delete(root: Any, operation: PatchOperation) -> None:
    """What is not there is deleted already. FHIR R4 fhirpatch"""
    found = _found(root, operation.path)
    if len(found) > 1:
        raise _failed(operation, f"found {len(found)} elements, expected one")
    for node in found:
        if node.key == "":
            raise _failed(operation, "path: found the resource, expected a part of it")
        del node.parent[node.key]
        _without_empty(root[""])


def _replace(root: Any, operation: PatchOperation) -> None:
    node = _one(root, operation, operation.path)
    if node.key == "":
        raise _failed(operation, "path: found the resource, expected a part of it")
    node.parent[node.key] = _shaped(node.type, *operation.value)


def _move(root: Any, operation: PatchOperation) -> None:
    array = _array(root, operation)
    if not (0 <= operation.source < len(array) and 0 <= operation.destination < len(array)):
        raise _failed(operation, f"expected places of 0 to {len(array) - 1}")
    array.insert(operation.destination, array.pop(operation.source))


_OPERATIONS: Mapping[str, Callable[[Any, PatchOperation], None]] = {
    "add": _add,
    "insert": _insert,
    "delete": _delete,
    "replace": _replace,
    "move": _move,
}
_NEEDED: Mapping[str, tuple[str, ...]] = {
    "add": ("name", "value"),
    "insert": ("index", "value"),
    "delete": (),
    "replace": ("value",),
    "move": ("source", "destination"),
}


def _failed(operation: PatchOperation, sentence: str) -> Exception:
    return impossible(f"operation {operation.number} ({operation.type}): {sentence}")


def _one(root: Any, operation: PatchOperation, path: str) -> Node:
    found = _found(root, path)
    if len(found) != 1:
        raise _failed(operation, f"path: found {len(found)} elements, expected one")
    return found[0]


def _array(root: Any, operation: PatchOperation) -> list[Any]:
    """The array that a path without index leads to."""
    found = _found(root, operation.path)
    arrays = [one.parent for one in found if isinstance(one.parent, list)]
    if not found or len(arrays) != len(found) or any(one is not arrays[0] for one in arrays):
        raise _failed(operation, "path: expected the elements of one list")
    return arrays[0]


def _property(parent: Node, operation: PatchOperation) -> tuple[str, Element]:
    """The name in JSON, which for a choice ends with the type."""
    if not isinstance(parent.value, dict):
        raise _failed(operation, "path: found a value without elements")
    known = elements(parent.type)
    name = operation.name if operation.name in known else f"{operation.name}{operation.value[0]}"
    if name not in known:
        raise _failed(operation, "name: found an element that FHIR R4 does not have there")
    return name, known[name]


def _shaped(kind: str, suffix: str, value: Any) -> Any:
    """A value of this type; one that is said in parts, with single elements by themselves and lists as lists."""
    if suffix != _PARTS:
        return copy.deepcopy(value)
    known, found = elements(kind), dict[str, Any]()
    for name, several in value.items():
        key = name if name in known else f"{name}{several[0][0]}"
        row = known.get(key)
        shaped = [_shaped("" if row is None else row.type, *one) for one in several]
        found[key] = shaped if row is not None and row.many else shaped[0]
    return found


def _without_empty(value: Any) -> None:
    if not isinstance(value, dict):
        return
    for name in [name for name, one in value.items() if one in ([], {})]:
        del value[name]
    for one in value.values():
        for part in one if isinstance(one, list) else [one]:
            _without_empty(part)


# --- paths -----------------------------------------------------------------------------------


def _found(root: Any, path: str) -> Nodes:
    """What a path leads to; the resource itself has the key \"\"."""
    tokens = list(_tokens(path))
    name = str(root[""].get("resourceType", ""))
    if not tokens or tokens[0] != name:
        raise bad_request(f"path: expected one that begins with {name}", code="value")
    nodes = [Node(parent=root, key="", type=name)]
    position = 1
    while position < len(tokens):
        step, position = _step(tokens, position)
        nodes = step(nodes)
    return nodes


def _tokens(path: str) -> Iterator[str]:
    """Names, numbers and signs as they are, texts with a quote before them."""
    position = 0
    while path[position:].strip():
        match = _TOKEN.match(path, position)
        if match is None:
            raise bad_request("path: expected names, indexes, where(…), first(), last() and extension(…)", code="value")
        name, text, digits, sign = match.groups()
        yield f"'{text}" if text is not None else name or digits or sign
        position = match.end()


def _step(tokens: Sequence[str], at: int) -> tuple[Step, int]:
    """One step and where the next begins."""
    match list(tokens[at : at + 4]):
        case ["[", digits, "]", *_] if digits.isdigit():
            return _indexed(int(digits)), at + 3
        case [".", ("first" | "last") as end, "(", ")"]:
            return _indexed(0 if end == "first" else -1), at + 4
        case [".", "extension", "(", text] if text.startswith("'") and tokens[at + 4 : at + 5] == [")"]:
            return _extension(text[1:]), at + 5
        case [".", "where", "(", *_]:
            return _where(tokens, at + 3)
        case [".", name, *_] if name.isidentifier():
            return _children(name), at + 2
    raise bad_request("path: expected names, indexes, where(…), first(), last() and extension(…)", code="value")


def _where(tokens: Sequence[str], at: int) -> tuple[Step, int]:
    """`where(a.b = 'text' and …)`"""
    conditions: list[tuple[list[str], str]] = []
    while True:
        names = [tokens[at]] if at < len(tokens) else [""]
        while tokens[at + 1 : at + 2] == ["."]:
            names, at = [*names, *tokens[at + 2 : at + 3]], at + 2
        sign, text, after = (*tokens[at + 1 : at + 4], "", "", "")[:3]
        if sign != "=" or not all(name.isidentifier() for name in names) or after not in ("and", ")"):
            raise bad_request("path: where: expected name = 'text', joined by and", code="value")
        conditions.append((names, text.removeprefix("'")))
        at += 4
        if after == ")":
            return lambda nodes: [one for one in nodes if all(_holds(one, *each) for each in conditions)], at


def _holds(node: Node, names: Sequence[str], text: str) -> bool:
    nodes = [node]
    for name in names:
        nodes = _children(name)(nodes)
    return any(is_same(one.value, text) or (one.value is True and text == "true") for one in nodes)


def _indexed(index: int) -> Step:
    return lambda nodes: nodes[index : index + 1 or None]


def _extension(url: str) -> Step:
    return lambda nodes: [one for one in _children("extension")(nodes) if _has_url(one.value, url)]


def _has_url(value: Any, url: str) -> bool:
    """An operation before may have put there what is no extension."""
    return isinstance(value, dict) and value.get("url") == url


def _children(name: str) -> Step:
    return lambda nodes: [found for node in nodes for found in _named(node, name)]


def _named(node: Node, name: str) -> Iterator[Node]:
    if not isinstance(node.value, dict):
        return
    kind = str(node.value.get("resourceType", node.type)) if node.type == "Resource" else node.type
    for key, row in elements(kind).items():
        if (name not in (key, row.choice)) or key not in node.value:
            continue
        value = node.value[key]
        if isinstance(value, list):
            yield from (Node(parent=value, key=number, type=row.type) for number in range(len(value)))
        else:
            yield Node(parent=node.value, key=key, type=row.type)
