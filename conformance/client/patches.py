"""What a PATCH of a DocumentReference says, in each of its formats, read as far as it can be.

FHIR R4 3.1.0.6; RFC 6902 (JSON Patch), RFC 5261 (XML Patch), fhirpatch.html (FHIRPath Patch); PDSm flows 3 and 4.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lxml import etree

from conformance.client.fhir_messages import JSON, XML, Resource, each, first, resource_of, value_of
from conformance.nist.xml import BadXml, local_name, parse

IS_ARCHIVED = "https://interop.esante.gouv.fr/ig/fhir/pdsm/StructureDefinition/pdsm-ext-is-archived"
ARCHIVED = "isArchived"
ADD, REPLACE, REMOVE, TEST = "add", "replace", "remove", "test"
_RESOURCE = "DocumentReference"
_POINTER = re.compile(r"(/([^/~\[]|~[01])*)+")
_PREDICATE = re.compile(r"\[[^\]]*\]")
_TRUTHS = {"true": True, "false": False}
# Operation -> what it must have beside itself. RFC 6902: 4
_OF_JSON = {
    **dict.fromkeys((ADD, REPLACE, TEST), ("path", "value")),
    REMOVE: ("path",),
    **dict.fromkeys(("move", "copy"), ("from", "path")),
}
_OF_XML = (ADD, REPLACE, REMOVE)
# Operation -> what it does, and the parts it must have. FHIR R4 fhirpatch.html
_OF_FHIRPATH: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "add": (ADD, ("path", "name", "value")),
    "insert": (ADD, ("path", "index", "value")),
    "replace": (REPLACE, ("path", "value")),
    "delete": (REMOVE, ("path",)),
    "move": ("move", ("path", "source", "destination")),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One operation on one element: `status`, `securityLabel`, `isArchived`, or the name of another.

    `place` is where, in the words of the client; `has_index`: it counts what is there. `value` is None without one, a
    truth where one is meant. `wanted` says what its format asks for and is not there; empty when it is well made.
    """

    operation: str
    element: str
    place: str
    has_index: bool = False
    value: Any = None
    wanted: str = ""


def changes_of(octets: bytes, media: str) -> tuple[Change, ...]:
    """Every operation of a body of this type; nothing where it is no patch."""
    read = _FORMATS.get(media)
    try:
        return () if read is None else tuple(read(octets))
    except (ValueError, RecursionError, BadXml):
        return ()


# --- JSON Patch ------------------------------------------------------------------------------


def _of_json(octets: bytes) -> Iterator[Change]:
    operations = json.loads(octets)
    for one in operations if isinstance(operations, list) else ():
        yield _json_change(one if isinstance(one, dict) else {})


def _json_change(one: Mapping[str, Any]) -> Change:
    operation, path, value = str(one.get("op", "")), str(one.get("path", "")), one.get("value")
    name = path.lstrip("/").partition("/")[0].partition("[")[0]
    return Change(
        operation=operation,
        element=_element(name, value, is_named="rchived" in path),
        place=path,
        has_index=any(step.isdigit() for step in f"{path}/{one.get('from', '')}".split("/")),
        value=value,
        wanted=_wanted_of_json(one, operation, path),
    )


def _wanted_of_json(one: Mapping[str, Any], operation: str, path: str) -> str:
    if operation not in _OF_JSON:
        return f"op: {', '.join(_OF_JSON)}"
    missing = [name for name in _OF_JSON[operation] if name not in one]
    if missing:
        return missing[0]
    return "" if _POINTER.fullmatch(path) else "path: JSON Pointer (RFC 6901)"


def _element(name: str, value: Any, *, is_named: bool) -> str:
    """Of extensions the one that is meant, where the place or the value tells; an index alone tells nothing."""
    url = first(value, "url") if isinstance(value, Mapping) else ""
    return ARCHIVED if name == "extension" and (is_named or not url or url == IS_ARCHIVED) else name


# --- XML Patch -------------------------------------------------------------------------------


def _of_xml(octets: bytes) -> Iterator[Change]:
    for one in parse(octets).iterchildren("*"):
        yield from _xml_changes(one)


def _xml_changes(one: etree._Element) -> Iterator[Change]:
    operation, place = local_name(one), one.get("sel", "")
    steps = [step.rpartition(":")[2] for step in _PREDICATE.sub("", place).strip("/").split("/")]
    steps = [step for step in steps if step not in ("", _RESOURCE)]
    is_beside = one.get("pos") in ("before", "after")
    inside: Sequence[etree._Element] = list(one.iterchildren("*"))
    targets = [(local_name(child), _truth(value_of(child))) for child in inside]
    if steps and not is_beside:
        targets = [(steps[0], targets[0][1] if targets else _truth((one.text or "").strip() or None))]
    for name, value in targets or [("", None)]:
        yield Change(
            operation=operation,
            element=_element(name, value, is_named=IS_ARCHIVED in place),
            place=place,
            has_index=bool(re.search(r"\[\s*\d+\s*\]", place)),
            value=value,
            wanted=_wanted_of_xml(operation, place),
        )


def _wanted_of_xml(operation: str, place: str) -> str:
    if operation not in _OF_XML:
        return ", ".join(_OF_XML)
    try:
        etree.XPath(place)
    except etree.XPathError:
        return "sel: XPath (RFC 5261)"
    return ""


def _truth(value: Any) -> Any:
    """XML says every value as a text."""
    if isinstance(value, Mapping):
        return {name: _truth(one) for name, one in value.items()}
    if isinstance(value, list):
        return [_truth(one) for one in value]
    return _TRUTHS.get(value, value) if isinstance(value, str) else value


# --- FHIRPath Patch --------------------------------------------------------------------------


def _of_fhirpath(media: str) -> Callable[[bytes], Iterator[Change]]:
    def changes(octets: bytes) -> Iterator[Change]:
        for one in each(resource_of(octets, media), "parameter"):
            if first(one, "name") == "operation":
                yield _fhirpath_change({first(part, "name"): part for part in each(one, "part")}, media)

    return changes


def _fhirpath_change(parts: Mapping[str, Resource], media: str) -> Change:
    kind, path, name = (str(_part(parts, one) or "") for one in ("type", "path", "name"))
    operation, needed = _OF_FHIRPATH.get(kind, (kind, ()))
    value = _part(parts, "value")
    steps = path.removeprefix(_RESOURCE).removeprefix(".")
    found = re.match(r"\w+", steps)
    missing = [one for one in needed if one not in parts]
    return Change(
        operation=operation,
        element=_element(found[0] if found else name, value, is_named=IS_ARCHIVED in path),
        place=path,
        has_index=kind in ("insert", "move") or bool(re.search(r"\[\d+\]", path)),
        value=_truth(value) if media == XML else value,
        wanted=(missing or [""])[0] if kind in _OF_FHIRPATH else f"type: {', '.join(_OF_FHIRPATH)}",
    )


def _part(parts: Mapping[str, Resource], name: str) -> Any:
    """The value of a part; parts within it are the elements of a value without a type of its own."""
    return _value_of_part(parts.get(name, {}))


def _value_of_part(part: Resource) -> Any:
    for key, value in part.items():
        if key.startswith("value"):
            return value[0] if isinstance(value, list) and value else value
    inside = [one for one in each(part, "part") if isinstance(one, Mapping)]
    names = {first(one, "name"): one for one in inside}
    return {_typed(name): _value_of_part(one) for name, one in names.items()} if inside else None


def _typed(name: str) -> str:
    """`value` of an extension stands without its type in a part."""
    return "valueBoolean" if name in ("value", "value[x]") else name


_FORMATS: Mapping[str, Callable[[bytes], Iterator[Change]]] = {
    "application/json-patch+json": _of_json,
    "application/xml-patch+xml": _of_xml,
    JSON: _of_fhirpath(JSON),
    XML: _of_fhirpath(XML),
}
TYPES = tuple(_FORMATS)
