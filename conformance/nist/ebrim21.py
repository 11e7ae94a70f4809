"""ebRIM 2.1 → 3.0: most submissions of the kit are in the old form. Applied to every object of the list, in order.

It normalises ebRIM 3.0 input too. The input is not validated: it is not valid against the 2.1 schema either.
"""

import itertools
from collections.abc import Iterator

from lxml import etree

from conformance.nist.vocabulary import (
    ASSOCIATION_PREFIX,
    IHE_ASSOCIATION_PREFIX,
    LCM,
    OBJECT_TYPE_PREFIX,
    RIM,
    STATUS_PREFIX,
    XML,
)
from conformance.nist.xml import elements, local_name, raw_text_of

_LANG = f"{{{XML}}}lang"
_IHE_TYPES = frozenset(("RPLC", "XFRM", "APND", "XFRM_RPLC", "signs"))
_CHILD_ORDER = ("Slot", "Name", "Description", "VersionInfo", "Classification", "ExternalIdentifier")
_REORDERED = frozenset(
    ("ExtrinsicObject", "RegistryPackage", "Association", "Classification", "ExternalIdentifier", "ClassificationNode")
)
_TYPED = frozenset(("RegistryPackage", "Association", "Classification", "ExternalIdentifier"))
_NEEDS_ID = frozenset(("Association", "Classification", "ExternalIdentifier"))
_DROPPED_ATTRIBUTES = frozenset(("minorVersion", "majorVersion"))


def to_ebrim3(request: etree._Element) -> etree._Element:
    """`lcm:SubmitObjectsRequest` in ebRIM 3.0 for a SubmitObjectsRequest of either version."""
    numbers = itertools.count(1)
    converted = etree.Element(f"{{{LCM}}}SubmitObjectsRequest", nsmap={"lcm": LCM, "rim": RIM})
    objects = etree.SubElement(converted, f"{{{RIM}}}RegistryObjectList")
    for listed in _objects(request):
        objects.append(_convert(listed, numbers))
    for identifier in objects.iter(f"{{{RIM}}}ExternalIdentifier"):
        parent = identifier.getparent()
        if parent is not None and parent.get("id"):
            identifier.set("registryObject", parent.get("id", ""))
    return converted


def _objects(request: etree._Element) -> Iterator[etree._Element]:
    for child in elements(request):
        if local_name(child) in ("LeafRegistryObjectList", "RegistryObjectList"):
            yield from (one for one in elements(child) if local_name(one) != "ObjectRef")


def _convert(element: etree._Element, numbers: Iterator[int]) -> etree._Element:
    name = local_name(element)
    made = etree.Element(f"{{{RIM}}}{name}")
    _write_attributes(made, element, numbers)
    if name == "Value":
        made.text = raw_text_of(element)
    for child in _ordered(element):
        made.append(_convert(child, numbers))
    return made


def _ordered(element: etree._Element) -> list[etree._Element]:
    children = [one for one in elements(element) if local_name(one) != "ObjectRef"]
    if local_name(element) not in _REORDERED:
        return children
    places = {name: place for place, name in enumerate(_CHILD_ORDER)}
    return sorted(children, key=lambda child: places.get(local_name(child), len(places)))


def _write_attributes(made: etree._Element, element: etree._Element, numbers: Iterator[int]) -> None:
    name = local_name(element)
    for attribute, value in element.attrib.items():
        if attribute not in _DROPPED_ATTRIBUTES:
            made.set(_LANG if attribute == "lang" else attribute, _converted_value(str(attribute), str(value)))
    if name in _TYPED:
        made.set("objectType", OBJECT_TYPE_PREFIX + name)
    if name in _NEEDS_ID and not made.get("id"):
        made.set("id", f"generated_{name}_{next(numbers)}")


def _converted_value(attribute: str, value: str) -> str:
    if ":" in value:
        return value
    if attribute == "status":
        return STATUS_PREFIX + value
    if attribute == "associationType":
        return (IHE_ASSOCIATION_PREFIX if value in _IHE_TYPES else ASSOCIATION_PREFIX) + value
    return value
