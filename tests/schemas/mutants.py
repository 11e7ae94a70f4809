"""Mutants of a message: one small change each, in a fixed order, for comparing verdicts of two schemas."""

import random
from collections.abc import Callable, Iterator
from copy import deepcopy

from lxml import etree

Element = etree._Element
Mutation = Callable[[Element], None]

_VALUES = (
    "",
    " ",
    "not a uri %%",
    "http://[",
    "x" * 300,
    *("é" * length for length in (4, 5, 8, 9, 16, 17, 32, 33, 64, 65, 256, 257, 1024, 1025)),
    "1",
    "-3",
    "1.5",
    "true",
    "TRUE",
    "P1D",
    "P1X",
    "2026-01-02T03:04:05",
    "2026-13-02",
    "fr-FR",
    "no language",
    "registryLite",
    "ObjectRef",
    "OR",
    "Like",
    "QQ==",
    "QQ=",
)


def mutants(root: Element, *, most: int) -> Iterator[tuple[str, Element]]:
    """Labelled mutants of `root`; when there are more than `most`, a sample that is always the same."""
    plans = list(_plans(root))
    if len(plans) > most:
        plans = random.Random(0).sample(plans, most)
    for index, label, mutation in plans:
        copy = deepcopy(root)
        element = next(item for number, item in enumerate(_elements(copy)) if number == index)
        mutation(element)
        yield f"{etree.QName(element).localname} {index}: {label}", copy


def _elements(root: Element) -> list[Element]:
    return [item for item in root.iter() if isinstance(item.tag, str)]


def _plans(root: Element) -> Iterator[tuple[int, str, Mutation]]:
    for index, element in enumerate(_elements(root)):
        for label, mutation in (_ANYWHERE | (_INSIDE if index else {})).items():
            yield index, label, mutation
        for name in element.attrib:
            yield index, f"no @{name}", _without(str(name))
            for value in _VALUES:
                yield index, f"@{name}={value[:30]!r}", _with(str(name), value)
        if len(element) == 0:
            for value in _VALUES:
                yield index, f"text {value[:30]!r}", _text(value)


def _without(name: str) -> Mutation:
    return lambda element: element.attrib.__delitem__(name)


def _with(name: str, value: str) -> Mutation:
    return lambda element: element.set(name, value)


def _text(value: str) -> Mutation:
    return lambda element: setattr(element, "text", value)


def _parent(element: Element) -> Element:
    parent = element.getparent()
    assert parent is not None
    return parent


def _delete(element: Element) -> None:
    _parent(element).remove(element)


def _duplicate(element: Element) -> None:
    element.addnext(deepcopy(element))


def _swap(element: Element) -> None:
    following = element.getnext()
    if following is not None:
        following.addnext(element)


def _to_the_end(element: Element) -> None:
    _parent(element).append(element)


def _rename(element: Element) -> None:
    element.tag = f"{element.tag}X"


def _take_parent_name(element: Element) -> None:
    element.tag = _parent(element).tag


def _lose_namespace(element: Element) -> None:
    element.tag = etree.QName(element).localname


def _empty(element: Element) -> None:
    for child in list(element):
        element.remove(child)


def _child(tag: str, position: int) -> Mutation:
    return lambda element: element.insert(position if position >= 0 else len(element), etree.Element(tag))


_RIM = "urn:oasis:names:tc:ebxml-regrep:xsd:rim:3.0"
_XML = "http://www.w3.org/XML/1998/namespace"
_XSI = "http://www.w3.org/2001/XMLSchema-instance"

_ANYWHERE: dict[str, Mutation] = {
    "renamed": _rename,
    "without namespace": _lose_namespace,
    "without children": _empty,
    "with an unknown first child": _child("{urn:example}unknown", 0),
    "with an unknown last child": _child("{urn:example}unknown", -1),
    "with a child of no namespace": _child("unknown", -1),
    "with a rim:Slot first": _child(f"{{{_RIM}}}Slot", 0),
    "with a rim:Name last": _child(f"{{{_RIM}}}Name", -1),
    "with a rim:AdhocQuery last": _child(f"{{{_RIM}}}AdhocQuery", -1),
    "with text": _text("text"),
    "with @unknown": _with("unknown", "x"),
    "with @id": _with("id", "x"),
    "with @home": _with("home", "x"),
    "with @comment": _with("comment", "x"),
    "with a foreign attribute": _with("{urn:example}unknown", "x"),
    "with @xml:lang": _with(f"{{{_XML}}}lang", "fr"),
    "with a wrong @xml:space": _with(f"{{{_XML}}}space", "wide"),
    "with @xsi:nil": _with(f"{{{_XSI}}}nil", "true"),
    "with an unknown @xsi:type": _with(f"{{{_XSI}}}type", "Unknown"),
}

_INSIDE: dict[str, Mutation] = {
    "deleted": _delete,
    "duplicated": _duplicate,
    "after its next sibling": _swap,
    "at the end": _to_the_end,
    "named like its parent": _take_parent_name,
}
