"""XML Patch: add, replace and remove nodes of a document, each place an XPath. RFC 5261, FHIR R4 3.1.0.6.

The XPath is one of a few forms, so that what a client sends cannot cost more than the document is long.
"""

import copy
import re
from collections.abc import Callable, Mapping
from typing import Any

from lxml import etree

from fhir_facade.fhir_xml import FHIR, check_encoding, read_xml, write_xml
from fhir_facade.json_patch import MOST_OPERATIONS, impossible
from fhir_facade.operation_outcome import bad_request
from xds.xml import BadXml, XmlLimits, parse

_NAME = r"(?:[A-Za-z_][\w.-]*:)?[A-Za-z_][\w.-]*"
_TEXT = r"""(?:'[^'"]*'|"[^'"]*")"""
_PREDICATE = rf"\[\s*(?:\d+|(?:{_NAME}/)*@{_NAME}\s*=\s*{_TEXT}|{_NAME}\s*=\s*{_TEXT})\s*\]"
_STEP = rf"(?:{_NAME}|\*)(?:{_PREDICATE})*"
_LAST = rf"(?:{_STEP}|@{_NAME}|text\(\)(?:\[\d+\])?|comment\(\)(?:\[\d+\])?)"
_SELECTOR = re.compile(rf"/?{_STEP}(?:/{_STEP})*(?:/{_LAST})?")
_BARE = re.compile(r"""(?<![\w@:.'"-])([A-Za-z_][\w.-]*)(?![\w.:(-])(?=(?:[^'"]|'[^']*'|"[^"]*")*\Z)""")
_ATTRIBUTE = re.compile(r"@[A-Za-z_][\w.-]*")  # FHIR has none with a prefix
_LONGEST = 500
_OPERATIONS = ("add", "replace", "remove")


def read_xml_patch(octets: bytes) -> etree._Element:
    """The patch of a request body. Raises FhirProblem 400 for what is none."""
    check_encoding(octets)
    try:
        patch = parse(octets, limits=XmlLimits(octets=10**6))
    except BadXml as problem:
        raise bad_request(f"the body is not well-formed XML: {problem}", code="structure") from None
    return check_xml_patch(patch)


def check_xml_patch(patch: etree._Element) -> etree._Element:
    """The same for an element. Raises FhirProblem 400."""
    operations = list(patch.iterchildren(tag=etree.Element))
    if not 0 < len(operations) <= MOST_OPERATIONS:
        raise bad_request(f"expected an XML Patch of 1 to {MOST_OPERATIONS} operations", code="structure")
    for number, one in enumerate(operations):
        if etree.QName(one).localname not in _OPERATIONS:
            sentence = f"operation {number}: expected one of {', '.join(_OPERATIONS)}"
            raise bad_request(sentence, code="structure")
        selector = one.get("sel", "")
        if len(selector) > _LONGEST or not _SELECTOR.fullmatch(selector):
            raise bad_request(f"operation {number}: sel: expected an XPath of names and predicates", code="structure")
    return patch


def xml_patched(resource: Mapping[str, Any], patch: etree._Element) -> dict[str, Any]:
    """The resource after all operations. Elements that no operation touches are as they were.

    Raises FhirProblem 422 for the first that cannot be carried out.
    """
    written = write_xml(resource)
    same, root = read_xml(written), parse(written)
    apply_operations(root, patch)
    after = read_xml(etree.tostring(root, encoding="UTF-8"))
    return {
        name: resource[name] if name in resource and same.get(name) == after[name] else after[name] for name in after
    }


def apply_operations(root: etree._Element, patch: etree._Element) -> None:
    for number, operation in enumerate(patch.iterchildren(tag=etree.Element)):
        node = _only(root, operation, number)
        _APPLY[etree.QName(operation).localname](node, operation)


def _only(root: etree._Element, operation: etree._Element, number: int) -> Any:
    """The one node that is meant. RFC 5261: 4.1"""
    selector = _BARE.sub(r"f:\1", operation.get("sel", ""))
    spaces = {"f": FHIR} | {prefix: uri for prefix, uri in operation.nsmap.items() if prefix}
    try:
        found: Any = root.getroottree().xpath(f"/{selector.removeprefix('/')}", namespaces=spaces)
    except etree.XPathError:
        raise bad_request(f"operation {number}: sel: expected an XPath", code="structure") from None
    if len(found) != 1:
        raise impossible(f"operation {number}: found {len(found)} nodes at its place, expected one")
    return found[0]


def _content(operation: etree._Element) -> tuple[str, list[etree._Element]]:
    """Text and nodes, without the white space that stands around nodes."""
    text, nodes = operation.text or "", [copy.deepcopy(one) for one in operation]
    if nodes and not text.strip():
        text = ""
    for one in nodes:
        one.tail = one.tail if one.tail and one.tail.strip() else None
    return text, nodes


def _add(node: Any, operation: etree._Element) -> None:
    """RFC 5261: 4.3"""
    kind, position = operation.get("type", ""), operation.get("pos", "")
    if not isinstance(node, etree._Element) or (kind and not _ATTRIBUTE.fullmatch(kind)):
        raise impossible("add: found no element at its place, or a kind of node that is not added here")
    text, nodes = _content(operation)
    if kind:
        node.set(kind[1:], text)
    elif position in ("before", "after"):
        parent = node.getparent()
        if parent is None:
            raise impossible("add: found the root, which has no neighbours")
        at = parent.index(node) + (position == "after")
        parent[at:at] = nodes
    else:
        at = 0 if position == "prepend" else len(node)
        node[at:at] = nodes
        if text:
            node.text = f"{node.text or ''}{text}"


def _replace(node: Any, operation: etree._Element) -> None:
    """RFC 5261: 4.4"""
    text, nodes = _content(operation)
    if isinstance(node, etree._Element):
        parent = node.getparent()
        if parent is None or len(nodes) != 1:
            raise impossible("replace: expected one node in the place of one")
        nodes[0].tail = node.tail
        parent.replace(node, nodes[0])
    else:
        _set_string(node, text)


def _remove(node: Any, operation: etree._Element) -> None:
    """RFC 5261: 4.5"""
    if not isinstance(node, etree._Element):
        _set_string(node, None)
        return
    parent = node.getparent()
    if parent is None:
        raise impossible("remove: found the root, expected a part of it")
    before, tail = node.getprevious(), node.tail or ""
    if before is None:
        parent.text = f"{parent.text or ''}{tail}" or None
    else:
        before.tail = f"{before.tail or ''}{tail}" or None
    parent.remove(node)


def _set_string(node: Any, text: str | None) -> None:
    """An attribute or a text, of which XPath gives the value and the element that has it."""
    owner = node.getparent()
    if node.is_attribute and text is None:
        del owner.attrib[node.attrname]
    elif node.is_attribute:
        owner.set(node.attrname, text)
    elif node.is_tail:
        owner.tail = text
    else:
        owner.text = text


_APPLY: Mapping[str, Callable[[Any, etree._Element], None]] = {"add": _add, "replace": _replace, "remove": _remove}
