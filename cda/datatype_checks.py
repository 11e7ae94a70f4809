"""Checks of the HL7 V3 data types on single elements: HL7 Data Types R1, CI-SIS Structuration minimale.

Each answers whether an element keeps one rule; which type has which rules is in `datatype_rules.py`.
"""

import re
from collections.abc import Callable, Sequence
from datetime import date, time

from cda.schematron.nodes import Node, Nodes

Check = Callable[[Node, Nodes], bool]
_V3 = "{urn:hl7-org:v3}"
_XSI_TYPE = "{http://www.w3.org/2001/XMLSchema-instance}type"
_TRANSLATION = f"{_V3}translation"

OID = re.compile(r"[0-2](\.(0|[1-9]\d*))*")
UUID = re.compile(r"[0-9A-Fa-f]{8}-([0-9A-Fa-f]{4}-){3}[0-9A-Fa-f]{12}")
_TIMESTAMP = re.compile(r"(\d{4})(\d\d)?(\d\d)?(\d\d)?(\d\d)?(\d\d)?(?:\.\d+)?([+-]\d{1,4})?")
_OFFSET = re.compile(r"(0\d|1[0-3])[0-5]\d|1400")
_LANGUAGE = re.compile(r"[a-z]{2,3}(-[a-z]{2})?|[ix](-[a-z\d]{2,8})+", re.IGNORECASE)
_WIDTH_UNITS = frozenset({"us", "ms", "s", "min", "h", "d", "wk", "mo", "a", ""})

# Attributes with a fixed or structural value, that may stand beside a nullFlavor. DT01
_BESIDE_NULL = frozenset({"classCode", "typeCode", "determinerCode", "moodCode", "nullFlavor", "partType", _XSI_TYPE})
_DEFAULTS = {
    "codeSystem": "2.16.840.1.113883.5.139",
    "codeSystemName": "TimingEvent",
    "integrityCheckAlgorithm": "SHA-1",
    "inverted": "false",
    "mediaType": "text/plain",
    "operator": "I",
    "representation": "TXT",
    "inclusive": "true",
    "unit": "1",
}
_PARTLY_NULL = frozenset({"OTH", "NA", "UNC"})
_BESIDE_PARTLY_NULL = frozenset({"codeSystem", "codeSystemName", "codeSystemVersion", "extension"})


def timestamp_is_real(value: str) -> bool:
    """Whether a TS value is a real date and time once padded: 2023 is, 20230230 is not. DT05"""
    found = _TIMESTAMP.fullmatch(value)
    if found is None:
        return False
    year, month, day, hour, minute, second, offset = found.groups()
    if hour == "24" and not int(minute or 0) and not int(second or 0):
        hour = "00"
    try:
        date(int(year), int(month or 1), int(day or 1))
        time(int(hour or 0), int(minute or 0), int(second or 0))
    except ValueError:
        return False
    return offset is None or _OFFSET.fullmatch(offset[1:].ljust(4, "0")) is not None


def is_null(node: Node) -> bool:
    return "nullFlavor" in node.attributes


def _first(node: Node, name: str) -> Node | None:
    found = node.children.get(_V3 + name)
    return found[0] if found else None


def _has_child(node: Node, name: str) -> bool:
    return _V3 + name in node.children


def _own_text(node: Node) -> str:
    element = node.element
    text = element.text
    if (text and not text.isspace()) or not node.children:
        return (text or "").strip()
    for child in element:
        tail = child.tail
        if tail and not tail.isspace():
            return tail
    return ""


def null_is_alone(node: Node, _nodes: Nodes) -> bool:
    """A null element says nothing else, here and below. DT01"""
    if not node.children and not is_null(node):
        return True
    for each in node.walk():
        if "nullFlavor" in each.attributes and not _is_bare(each) and not _is_partly_null(each):
            return False
    return True


def _is_bare(node: Node) -> bool:
    if node.children or _own_text(node):
        return False
    return all(name in _BESIDE_NULL or _DEFAULTS.get(name) == value for name, value in node.attributes.items())


def _is_partly_null(node: Node) -> bool:
    """OTH, NA and UNC leave place for what is known: a code system, an extension, original text."""
    said = node.attributes
    if said.get("nullFlavor") not in _PARTLY_NULL:
        return False
    allowed = _BESIDE_NULL | _BESIDE_PARTLY_NULL
    rest = (name for name, value in said.items() if name not in allowed and _DEFAULTS.get(name) != value)
    if any(not name.endswith(("}valueSet", "}valueSetVersion")) for name in rest):
        return False
    has_attribute = "extension" in said or "codeSystem" in said
    return has_attribute or _has_child(node, "originalText") or _has_child(node, "translation")


def root_or_null(node: Node, _nodes: Nodes) -> bool:
    return is_null(node) != ("root" in node.attributes)


def root_is_identifier(node: Node, _nodes: Nodes) -> bool:
    root = node.attributes.get("root")
    return root is None or OID.fullmatch(root) is not None or UUID.fullmatch(root) is not None


def identifier_is_single(node: Node, nodes: Nodes) -> bool:
    root, extension = node.attributes.get("root"), node.attributes.get("extension")
    return root is None or not any(
        each.attributes.get("root") == root and (extension is None or each.attributes.get("extension") == extension)
        for each in nodes.siblings(node)
    )


def code_is_single(node: Node, nodes: Nodes) -> bool:
    key = _coded(node)
    return None in key or not any(_coded(each) == key for each in nodes.siblings(node))


def _coded(node: Node) -> tuple[str | None, str | None]:
    return node.attributes.get("code"), node.attributes.get("codeSystem")


def code_or_text(node: Node, _nodes: Nodes) -> bool:
    if is_null(node) or "code" in node.attributes:
        return True
    text = _first(node, "originalText")
    return text is not None and not is_null(text)


def translations_are_codes(node: Node, _nodes: Nodes) -> bool:
    if not node.children:
        return True
    found = [each for each in node.walk() if each.tag == _TRANSLATION]
    keys = [each.attributes.get("code", "") + each.attributes.get("codeSystem", "") for each in found]
    return len(set(keys)) == len(keys) and all(_translation_is_code(each) for each in found if each is not node)


def _translation_is_code(node: Node) -> bool:
    code, system = _coded(node)
    named = "codeSystemName" in node.attributes or "codeSystemVersion" in node.attributes
    if is_null(node) or (system is not None and code is None):
        return False
    return (system is not None or not named) and (code is not None or "displayName" not in node.attributes)


def code_xor_null(node: Node, _nodes: Nodes) -> bool:
    return is_null(node) != ("code" in node.attributes or "typeCode" in node.attributes)


def plain_code(node: Node, _nodes: Nodes) -> bool:
    said = node.attributes
    if any(said.get(name, _DEFAULTS[name]) != _DEFAULTS[name] for name in ("codeSystem", "codeSystemName")):
        return False
    return "codeSystemVersion" not in said and "displayName" not in said


def value_or_null(node: Node, _nodes: Nodes) -> bool:
    has_value = "value" in node.attributes
    return (is_null(node) or has_value or len(node.children) > 0) and not (is_null(node) and has_value)


def value_xor_null(node: Node, _nodes: Nodes) -> bool:
    return is_null(node) != ("value" in node.attributes)


def value_is_real(node: Node, _nodes: Nodes) -> bool:
    value = node.attributes.get("value")
    return value is None or timestamp_is_real(value)


def null_beside_value(node: Node, nodes: Nodes) -> bool:
    return not is_null(node) or all(is_null(each) for each in nodes.siblings(node))


def interval_bounds(node: Node, _nodes: Nodes) -> bool:
    low, high, center = (_bound(node, name) for name in ("low", "high", "center"))
    if any(value is not None and not timestamp_is_real(value) for value in (low, high, center)):
        return False
    return low is None or high is None or (low != high and _moment(low) <= _moment(high))


def interval_is_in_order(node: Node) -> bool:
    """That the low bound is not the later one, as far as both are told: a day has every hour of it."""
    low, high = (_TIMESTAMP.fullmatch(_bound(node, name) or "") for name in ("low", "high"))
    if low is None or high is None:
        return True
    same = 14 if low[7] == high[7] else 8
    ours, theirs = ("".join(each or "" for each in found.groups()[:6]) for found in (low, high))
    told = min(same, len(ours), len(theirs))
    return ours[:told] <= theirs[:told]


def _bound(node: Node, name: str) -> str | None:
    found = _first(node, name)
    return None if found is None else found.attributes.get("value")


def _moment(value: str) -> str:
    """Digits that sort like the moments they name, offsets left aside."""
    return re.sub(r"[+-].*|\..*", "", value).ljust(14, "0")


def interval_shape(node: Node, _nodes: Nodes) -> bool:
    low, high, center, width = (_has_child(node, name) for name in ("low", "high", "center", "width"))
    if "value" in node.attributes and node.children:
        return False
    if (center and (low or high or width)) or (low and high and width):
        return False
    return not is_null(node) or not (low or high or center or width or "value" in node.attributes)


def interval_limits(node: Node, _nodes: Nodes) -> bool:
    low, high, width = (_first(node, name) for name in ("low", "high", "width"))
    if low is not None and low.attributes.get("nullFlavor") == "PINF":
        return False
    if high is not None and high.attributes.get("nullFlavor") == "NINF":
        return False
    if width is None:
        return True
    unit = width.attributes.get("unit")
    return (unit or "") in _WIDTH_UNITS and (unit is None or "value" in width.attributes)


def positive(node: Node, _nodes: Nodes) -> bool:
    value = node.attributes.get("value")
    return is_null(node) or (value is not None and re.fullmatch(r"\+?\d+", value) is not None and int(value) > 0)


def plain_text(node: Node, _nodes: Nodes) -> bool:
    said = node.attributes
    if _has_child(node, "reference") or _has_child(node, "thumbnail") or "compression" in said:
        return False
    if "integrityCheck" in said:
        return False
    return said.get("mediaType", "text/plain") == "text/plain" and said.get("representation", "TXT") == "TXT"


def data_shape(node: Node, _nodes: Nodes) -> bool:
    said = node.attributes
    if "compression" in said and not (
        _has_child(node, "reference") or (said.get("representation") == "B64" and node.element.text)
    ):
        return False
    excluded = ("charset", "language", "compression", "integrityCheck")
    return not is_null(node) or not (any(said.get(name) for name in excluded) or _has_child(node, "translation"))


def says_something(node: Node, _nodes: Nodes) -> bool:
    """Text of its own, or parts, or a nullFlavor. DT09"""
    return is_null(node) or bool(node.children) or bool(_own_text(node))


def language(node: Node, _nodes: Nodes) -> bool:
    language = node.attributes.get("language")
    return language is None or _LANGUAGE.fullmatch(language) is not None


def text_or_parts(node: Node, _nodes: Nodes) -> bool:
    return is_null(node) or bool(node.children) != bool(_own_text(node))


def parts_say_something(node: Node, _nodes: Nodes) -> bool:
    """Every part has a value, no two parts the same one."""
    for same in node.children.values():  # noqa: SIM110 - a loop is faster, and this runs for every address
        if not _are_said(same):
            return False
    return True


def _are_said(parts: Sequence[Node]) -> bool:
    """Parts of one name: each has text of its own, or one of them has parts."""
    texts = [each.element.text for each in parts if "nullFlavor" not in each.attributes]
    if len(texts) > 1 and len(set(texts)) != len(texts):
        return False
    for text in texts:
        if not text or text.isspace():
            return any(each.children for each in parts)
    return True


def parts_are_single(node: Node, nodes: Nodes) -> bool:
    siblings = nodes.siblings(node)
    return not siblings or _whole(node) not in map(_whole, siblings)


def _whole(node: Node) -> str:
    return "".join(each.attributes.get("use", "") for each in node.walk()) + node.string()


def qualifiers_are_single(node: Node, _nodes: Nodes) -> bool:
    if not node.children:
        return True
    tokens = (part.attributes.get("qualifier", "").split() for same in node.children.values() for part in same)
    return any(len(set(each)) == len(each) for each in tokens)


def no_legal_suffix(node: Node, _nodes: Nodes) -> bool:
    parts = (part for same in node.children.values() for part in same)
    return not any("LS" in part.attributes.get("qualifier", "").split() for part in parts)


def telecom_is_single(node: Node, nodes: Nodes) -> bool:
    key = _addressed(node)
    return key[1] is None or not any(_addressed(each) == key for each in nodes.siblings(node))


def _addressed(node: Node) -> tuple[str | None, str | None]:
    return node.attributes.get("use"), node.attributes.get("value")


def without(*names: str) -> Check:
    tags = [_V3 + name for name in names]
    return lambda node, _nodes: not any(tag in node.children for tag in tags)


def needs(name: str, needed: str) -> Check:
    return lambda node, _nodes: name not in node.attributes or needed in node.attributes


def null_has_no_code(node: Node, _nodes: Nodes) -> bool:
    return not (is_null(node) and (node.attributes.get("code") or node.attributes.get("displayName")))


def has_no_children(node: Node, _nodes: Nodes) -> bool:
    return not node.children
