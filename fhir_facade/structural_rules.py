"""What every FHIR R4 resource must keep to: elements, cardinalities, types, closed lists of codes. FHIR R4 2.1.28.

A resource is a plain dict. All findings are given, each with the FHIRPath of where it stands.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from fhir_facade.base64_text import OctetsApart, octets_of
from fhir_facade.issues import Issue
from fhir_facade.narrative_rules import narrative_rules
from schemas.fhir_structures import Element, elements, is_resource, required_elements

_ZONE = r"(Z|[+-]((0\d|1[0-3]):[0-5]\d|14:00))"
_DATE = r"\d{4}(-(0[1-9]|1[0-2])(-(0[1-9]|[12]\d|3[01]))?)?"
_TIME = r"([01]\d|2[0-3]):[0-5]\d:([0-5]\d|60)(\.\d+)?"
_FORMS: Mapping[str, tuple[re.Pattern[str], str]] = {
    name: (re.compile(rf"(?:{form})\Z"), meaning)
    for name, form, meaning in (
        ("code", r"[^\s]+( [^\s]+)*", "a code without needless white space"),
        ("date", _DATE, "a date such as 2026-03-10"),
        (
            "dateTime",
            rf"\d{{4}}|\d{{4}}-(0[1-9]|1[0-2])|{_DATE}(T{_TIME}{_ZONE})?",
            "a dateTime, with a zone if a time",
        ),
        ("id", r"[A-Za-z0-9\-.]{1,64}", "1 to 64 letters, digits, - and ."),
        ("instant", rf"\d{{4}}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])T{_TIME}{_ZONE}", "an instant with a time zone"),
        ("oid", r"urn:oid:[0-2](\.(0|[1-9]\d*))+", "urn:oid: and an OID"),
        ("time", _TIME, "a time such as 09:30:00"),
        ("uuid", r"urn:uuid:[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "urn:uuid: and a UUID in lower case"),
        ("uri", r"\S*", "a URI, without white space"),
        ("url", r"\S*", "a URL, without white space"),
        ("canonical", r"\S*", "a canonical URL, without white space"),
    )
}
_WHOLE = {"integer": -(2**31), "unsignedInt": 0, "positiveInt": 1}
_DEEPEST = 60
_NOT_IN_FHIR = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")


def structural_rules(resource: Any, path: str = "") -> Iterator[Issue]:
    """Every finding in a resource that stands at this path, by default its own type."""
    if not isinstance(resource, dict):
        yield Issue("structure", f"found {_kind(resource)}, expected a resource", path or "Resource")
        return
    name = resource.get("resourceType")
    if not isinstance(name, str) or not is_resource(name):
        yield Issue("structure", "resourceType: expected the name of a resource of FHIR R4", path or "Resource")
        return
    yield from _children(resource, name, path or name, 0)


def _children(value: Mapping[str, Any], type_path: str, path: str, depth: int) -> Iterator[Issue]:
    known = elements(type_path)
    if depth > _DEEPEST:
        yield Issue("too-costly", f"found elements more than {_DEEPEST} deep", path)
        return
    if not value:
        yield Issue("structure", "found an empty object, expected at least one element", path)
    chosen: dict[str, str] = {}
    for name, one in value.items():
        if name in known and known[name].is_single_primitive:  # most of them
            element = known[name]
            if element.choice:
                yield from _chosen(element, chosen, f"{path}.{name}")
            problem = _problem(element, one)
            if problem:
                yield _of_value(one, problem, f"{path}.{name}")
        elif name != "resourceType" or "." in type_path:
            yield from _named(known, value, name, chosen, type_path, path, depth)
    yield from _absent(known, value, type_path, path)


def _named(
    known: Mapping[str, Element],
    value: Mapping[str, Any],
    name: str,
    chosen: dict[str, str],
    type_path: str,
    path: str,
    depth: int,
) -> Iterator[Issue]:
    """One element of `value`, or what stands beside a primitive one."""
    one, is_companion = value[name], name.startswith("_")
    element = known.get(name.removeprefix("_"))
    if element is None or (is_companion and not element.is_primitive):
        yield Issue("structure", f"found the element {name[:64]!r}, which {type_path} does not have", path)
        return
    at = f"{path}.{element.name}"
    yield from _chosen(element, chosen, at)
    yield from _element(element, one, at, depth, is_companion=is_companion)
    if element.many and element.is_primitive and isinstance(one, list):
        beside = value.get(element.name if is_companion else f"_{name}")
        yield from _places_of_nothing(one, beside, at)


def _chosen(element: Element, chosen: dict[str, str], path: str) -> Iterator[Issue]:
    """Of an element that has a choice of types there is one. FHIR R4 2.24.0.1.1"""
    if element.choice and chosen.setdefault(element.choice, element.name) != element.name:
        yield Issue("structure", f"found {element.name} beside {chosen[element.choice]}, expected one of them", path)


def _places_of_nothing(values: Sequence[Any], beside: Any, path: str) -> Iterator[Issue]:
    """A null keeps the place of what stands in the array beside it, and of nothing else. FHIR R4 2.6.2.3"""
    others = beside if isinstance(beside, list) else []
    for number, one in enumerate(values):
        if one is None and (number >= len(others) or others[number] is None):
            yield Issue("structure", "found null, expected a value, or extensions beside it", f"{path}[{number}]")


def _absent(known: Mapping[str, Element], value: Mapping[str, Any], type_path: str, path: str) -> Iterator[Issue]:
    for name, forms in required_elements(type_path).items():
        if not any(one in value or f"_{one}" in value for one in forms):
            yield Issue("required", f"found no {name}, which {type_path} requires", f"{path}.{name}")


def _element(element: Element, value: Any, path: str, depth: int, *, is_companion: bool) -> Iterator[Issue]:
    if element.many != isinstance(value, list):
        expected = "an array" if element.many else "a single value"
        yield Issue("structure", f"found {_kind(value)}, expected {expected}", path)
        return
    if value == []:
        yield Issue("structure", "found an empty array, expected at least one value", path)
    for number, one in enumerate(value if element.many else [value]):
        at = f"{path}[{number}]" if element.many else path
        if one is None and element.many and element.is_primitive:
            continue  # the place of a value that has extensions only, or none; see `_places_of_nothing`
        yield from _companion(one, at, depth) if is_companion else _value(element, one, at, depth)


def _companion(value: Any, path: str, depth: int) -> Iterator[Issue]:
    """What stands beside a primitive: id and extensions. FHIR R4 2.6.2.3"""
    if not isinstance(value, dict) or not value.keys() <= {"id", "extension", "fhir_comments"}:
        yield Issue("structure", "expected an object with id or extension beside a primitive", path)
    elif "extension" in value:
        yield from _element(
            Element(name="extension", type="Extension", required=False, many=True),
            value["extension"],
            f"{path}.extension",
            depth + 1,
            is_companion=False,
        )


def _value(element: Element, value: Any, path: str, depth: int) -> Iterator[Issue]:
    if element.is_primitive:
        problem = _problem(element, value)
        if problem:
            yield _of_value(value, problem, path)
    elif element.type == "xhtml":
        yield from narrative_rules(value, path)
    elif not isinstance(value, dict):
        yield Issue("structure", f"found {_kind(value)}, expected an object", path)
    elif element.type == "Resource":
        yield from _resource(value, path, depth)
    else:
        yield from _children(value, element.type, path, depth + 1)
        if element.type == "Extension" and "extension" in value and any(one.startswith("value") for one in value):
            yield Issue("invariant", "found a value beside nested extensions, expected one of them", path)


def _resource(value: Mapping[str, Any], path: str, depth: int) -> Iterator[Issue]:
    name = value.get("resourceType")
    if not isinstance(name, str) or not is_resource(name):
        yield Issue("structure", "resourceType: expected the name of a resource of FHIR R4", path)
    else:
        yield from _children(value, name, path, depth + 1)


def _of_value(value: Any, problem: str, path: str) -> Issue:
    return Issue("value" if not isinstance(value, dict | list) else "structure", problem, path)


def _problem(element: Element, value: Any) -> str:
    """What is wrong with the value of a primitive, empty for nothing."""
    if element.type == "boolean":
        return "" if isinstance(value, bool) else "expected true or false"
    if element.type in _WHOLE:
        is_whole = isinstance(value, int) and not isinstance(value, bool)
        lowest = _WHOLE[element.type]
        return "" if is_whole and lowest <= value < 2**31 else f"expected a whole number from {lowest} to 2147483647"
    if element.type == "decimal":
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        return "" if is_number else "expected a number"
    return _text_problem(element, value)


def _text_problem(element: Element, value: Any) -> str:
    if not isinstance(value, str):
        return f"found {_kind(value)}, expected a string"
    if element.type == "base64Binary" and value:  # may be large, and is read once
        return "" if _is_base64(value) else "expected base64"
    if _NOT_IN_FHIR.search(value):
        return "found a control character, which FHIR does not allow"
    if not value.strip():
        return "found an empty string, expected a value or none"
    if element.type in _FORMS and not _FORMS[element.type][0].match(value):
        return f"expected {_FORMS[element.type][1]}"
    if element.codes and value not in element.codes:
        return f"found a code that is not of {', '.join(sorted(element.codes)[:12])}"
    return ""


def _is_base64(text: str) -> bool:
    if isinstance(text, OctetsApart):
        return text.is_base64
    try:
        octets_of(text)
    except ValueError:
        return False
    return True


def _kind(value: Any) -> str:
    names = {dict: "an object", list: "an array", str: "a string", bool: "a boolean", type(None): "null"}
    return names.get(type(value), "a number")
