"""Single-fault variants of documents, as the reference corpus describes them, and small ones of our own."""

import copy
from collections.abc import Callable, Mapping
from pathlib import Path

from lxml import etree

Element = etree._Element
NAMESPACES = {
    "h": "urn:hl7-org:v3",
    "sdtc": "urn:hl7-org:sdtc",
    "lab": "urn:oid:1.3.6.1.4.1.19376.1.3.2",
    "pharm": "urn:ihe:pharm:medication",
    "ps": "urn:dicom-org:ps3-20",
    "xsi": "http://www.w3.org/2001/XMLSchema-instance",
}
EXAMPLES = Path(__file__).resolve().parents[2] / "examples" / "reports"


def example(name: str) -> Element:
    return etree.fromstring((EXAMPLES / name).read_bytes(), etree.XMLParser(remove_comments=True))


def mutated(root: Element, xpath: str, operation: str, attribute: str = "", value: str = "") -> Element:
    """A copy of the document with one fault."""
    changed = copy.deepcopy(root)
    found = changed.xpath(xpath, namespaces=NAMESPACES)
    assert isinstance(found, list)
    element = found[0]
    assert isinstance(element, etree._Element)
    _OPERATIONS[operation](element, _name(attribute), value)
    return changed


def _name(attribute: str) -> str:
    prefix, colon, local = attribute.rpartition(":")
    return f"{{{NAMESPACES[prefix]}}}{local}" if colon else attribute


def _parent(element: Element) -> Element:
    parent = element.getparent()
    assert parent is not None
    return parent


def _delete(element: Element, _attribute: str, _value: str) -> None:
    _parent(element).remove(element)


def _set_text(element: Element, _attribute: str, value: str) -> None:
    for child in list(element):
        element.remove(child)
    element.text = value


def _set_attribute(element: Element, attribute: str, value: str) -> None:
    element.set(attribute, value)


def _delete_attribute(element: Element, attribute: str, _value: str) -> None:
    del element.attrib[attribute]


def _duplicate(element: Element, _attribute: str, _value: str) -> None:
    element.addnext(copy.deepcopy(element))


def _rename(element: Element, _attribute: str, value: str) -> None:
    element.tag = f"{{{etree.QName(element).namespace}}}{value}"


def _swap(element: Element, _attribute: str, _value: str) -> None:
    following = element.getnext()
    assert following is not None
    element.addprevious(following)


_OPERATIONS: Mapping[str, Callable[[Element, str, str], None]] = {
    "delete": _delete,
    "set_text": _set_text,
    "set_attribute": _set_attribute,
    "delete_attribute": _delete_attribute,
    "duplicate": _duplicate,
    "rename": _rename,
    "swap": _swap,
}
