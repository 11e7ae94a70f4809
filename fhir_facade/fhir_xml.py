"""FHIR XML <-> the dict that JSON is, by the table of elements: any order in, the standard's out. FHIR R4 2.6.1."""

import codecs
from collections.abc import Iterator, Mapping
from typing import Any
from xml.sax.saxutils import escape, quoteattr

from lxml import etree

from fhir_facade.fhir_json import Literal
from fhir_facade.operation_outcome import bad_request
from schemas.fhir_structures import Element, elements
from xds.xml import BadXml, XmlLimits, parse

FHIR, XHTML = "http://hl7.org/fhir", "http://www.w3.org/1999/xhtml"
_WHOLE = frozenset({"integer", "unsignedInt", "positiveInt"})
_LIMITS = XmlLimits(octets=64 * 10**6)  # the door has its own, smaller one
_TRUTH = {"true": True, "false": False}
_EMPTY_DIV = f'<div xmlns="{XHTML}"/>'


# --- reading ---------------------------------------------------------------------------------


def read_xml(octets: bytes) -> dict[str, Any]:
    """The resource of a request body. Raises FhirProblem 400 for what is no FHIR XML.

    What FHIR R4 does not have stays in the dict, where the structural rules find it: elements, those of other
    namespaces by their whole name, and text beside elements and values as `#text`.
    """
    check_encoding(octets)
    try:
        root = parse(octets, limits=_LIMITS)
    except BadXml as problem:
        raise bad_request(f"the body is not well-formed XML: {problem}", code="structure") from None
    if not isinstance(root.tag, str) or not root.tag.startswith(f"{{{FHIR}}}"):
        raise bad_request(f"expected a resource in the namespace {FHIR}", code="structure")
    return _read_resource(root)


def check_encoding(octets: bytes) -> None:
    """UTF-8, which is all that FHIR has; XML may be in UTF-16 elsewhere. Raises FhirProblem 400. FHIR R4 3.1.0.1.9"""
    if octets.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise bad_request("found XML in UTF-16, expected UTF-8, the one encoding of FHIR", code="structure")


def _read_resource(element: etree._Element) -> dict[str, Any]:
    name = _name_of(element)
    return {"resourceType": name, **_read_children(element, name)}


def _name_of(element: etree._Element) -> str:
    return str(element.tag).removeprefix(f"{{{FHIR}}}")


def _read_children(element: etree._Element, type_path: str) -> dict[str, Any]:
    known = elements(type_path)
    read: dict[str, Any] = {str(name): str(value) for name, value in element.attrib.items() if name in ("id", "url")}
    found: dict[str, list[tuple[Any, Any]]] = {}
    if _has_text(element):
        read["#text"] = True
    for child in element.iterchildren(tag=etree.Element):
        name = "div" if child.tag == f"{{{XHTML}}}div" else _name_of(child)
        row = known.get(name)
        found.setdefault(name, []).append((True, None) if row is None else _read_value(child, row))
    for name, pairs in found.items():
        read |= _in_json(name, known.get(name), pairs)
    return read


def _has_text(element: etree._Element) -> bool:
    """Whether there is text beside its elements, of which FHIR has none."""
    return any(one and one.strip() for one in (element.text, *(child.tail for child in element)))


def _in_json(name: str, row: Element | None, pairs: list[tuple[Any, Any]]) -> Iterator[tuple[str, Any]]:
    """One value, or an array with the places of values that have extensions only. FHIR R4 2.6.2.3"""
    values, companions = [one for one, _ in pairs], [one for _, one in pairs]
    is_single = len(pairs) == 1 and not (row is not None and row.many)
    if any(one is not None for one in values):
        yield name, values[0] if is_single else values
    if any(one is not None for one in companions):
        yield f"_{name}", companions[0] if is_single else companions


def _read_value(element: etree._Element, row: Element) -> tuple[Any, Any]:
    """The value, and what stands beside a primitive one."""
    if row.type == "xhtml":
        return _read_xhtml(element), None
    if row.type == "Resource":
        inner = list(element.iterchildren(tag=etree.Element))
        return (_read_resource(inner[0]) if len(inner) == 1 else {}), None
    if not row.is_primitive:
        return _read_children(element, row.type), None
    has_more = len(element) or element.get("id") or _has_text(element)
    companion = _read_children(element, "Extension") if has_more else {}
    return _primitive(element.get("value"), row.type), companion or None


def _primitive(text: str | None, kind: str) -> Any:
    """A text that is no value of its type stays text, which the structural rules find."""
    if text is None:
        return None
    if kind == "boolean":
        return _TRUTH.get(text, text)
    try:
        return int(text) if kind in _WHOLE and len(text) < 20 else Literal(text) if kind == "decimal" else text
    except ValueError:
        return text


def _read_xhtml(element: etree._Element) -> str:
    return etree.tostring(element, encoding="unicode", with_tail=False)


# --- writing ---------------------------------------------------------------------------------


def write_xml(resource: Mapping[str, Any]) -> bytes:
    """The resource as XML. It is one that keeps to the structural rules."""
    name = resource["resourceType"]
    parts = [f'<?xml version="1.0" encoding="UTF-8"?><{name} xmlns="{FHIR}">']
    parts += _written_children(resource, name, is_attributed=False)
    return "".join([*parts, f"</{name}>"]).encode()


def _written_children(value: Mapping[str, Any], type_path: str, *, is_attributed: bool) -> Iterator[str]:
    for name, row in elements(type_path).items():
        if is_attributed and name in _ATTRIBUTES.get(type_path, _ID):
            continue
        if name in value or f"_{name}" in value:
            yield from _written(name, row, value.get(name), value.get(f"_{name}"))


_ID = ("id",)
_ATTRIBUTES = {"Extension": ("id", "url")}  # what is an attribute in XML


def _written(name: str, row: Element, value: Any, companion: Any) -> Iterator[str]:
    values = value if isinstance(value, list) else [value]
    companions = companion if isinstance(companion, list) else [companion]
    for number in range(max(len(values), len(companions))):
        one = values[number] if number < len(values) else None
        beside = companions[number] if number < len(companions) else None
        if one is not None or beside is not None:
            yield from _written_one(name, row, one, beside)


def _written_one(name: str, row: Element, value: Any, companion: Any) -> Iterator[str]:
    if row.type == "xhtml":
        yield _written_xhtml(value)
    elif row.type == "Resource":
        kind = value["resourceType"]
        yield f"<{name}><{kind}>"
        yield from _written_children(value, kind, is_attributed=False)
        yield f"</{kind}></{name}>"
    elif row.is_primitive:
        yield from _written_primitive(name, value, companion or {})
    else:
        yield f"<{name}{_attributes(value, row.type)}>"
        yield from _written_children(value, row.type, is_attributed=True)
        yield f"</{name}>"


def _attributes(value: Mapping[str, Any], type_path: str) -> str:
    names = _ATTRIBUTES.get(type_path, _ID)
    return "".join(f" {name}={_quoted(value[name])}" for name in names if name in value)


def _written_primitive(name: str, value: Any, companion: Mapping[str, Any]) -> Iterator[str]:
    text = "" if value is None else f" value={_quoted(_text(value))}"
    identifier = f" id={_quoted(companion['id'])}" if "id" in companion else ""
    yield f"<{name}{identifier}{text}>"
    extension = Element(name="extension", type="Extension", required=False, many=True)
    yield from _written("extension", extension, companion.get("extension"), None)
    yield f"</{name}>"


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return value.text if isinstance(value, Literal) else str(value)


def _quoted(text: str) -> str:
    return quoteattr(text, {"\n": "&#10;", "\r": "&#13;", "\t": "&#9;"})


def _written_xhtml(text: str) -> str:
    """The div as it stands, once it is well-formed; what is not is shown as text."""
    try:
        root = parse(text.encode())
    except BadXml:
        return f'<div xmlns="{XHTML}">{escape(text)}</div>'
    return etree.tostring(root, encoding="unicode") if root.tag == f"{{{XHTML}}}div" else _EMPTY_DIV
