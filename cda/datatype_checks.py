"""Checks of the HL7 V3 data types on single elements: HL7 Data Types R1, CI-SIS Structuration minimale.

Each answers whether an element keeps one rule; which type has which rules is in `datatype_rules.py`.
"""

import re
from collections.abc import Callable, Iterator

from lxml import etree

from cda.schematron.functions import is_date_time

Element = etree._Element
_V3 = "{urn:hl7-org:v3}"
_XSI_TYPE = "{http://www.w3.org/2001/XMLSchema-instance}type"

OID = re.compile(r"[0-2](\.(0|[1-9]\d*))*")
UUID = re.compile(r"[0-9A-Fa-f]{8}-([0-9A-Fa-f]{4}-){3}[0-9A-Fa-f]{12}")
_TIMESTAMP = re.compile(r"(\d{4})(\d\d)?(\d\d)?(\d\d)?(\d\d)?(\d\d)?(\.\d+)?([+-]\d{1,4})?")
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
    return found is not None and is_date_time(_iso(found))


def _iso(found: re.Match[str]) -> str:
    year, month, day, hour, minute, second, fraction, offset = found.groups()
    zone = f"{offset[:3]:0<3}:{offset[3:]:0<2}" if offset else ""
    return (
        f"{year}-{month or '01'}-{day or '01'}T{hour or '00'}:{minute or '00'}:{second or '00'}{fraction or ''}{zone}"
    )


def is_null(element: Element) -> bool:
    return element.get("nullFlavor") is not None


def _children(element: Element, name: str) -> Iterator[Element]:
    return element.iterchildren(_V3 + name)


def has(element: Element, name: str) -> bool:
    return element.find(_V3 + name) is not None


def _own_text(element: Element) -> str:
    text = (element.text or "").strip()
    if text or not len(element):
        return text
    return next((tail for child in element if (tail := (child.tail or "").strip())), "")


def _siblings(element: Element) -> list[Element]:
    """Elements of the same name beside it."""
    tag = element.tag
    return [*element.itersiblings(tag, preceding=True), *element.itersiblings(tag)]


def null_is_alone(element: Element) -> bool:
    """A null element says nothing else, here and below. DT01"""
    if not len(element) and not is_null(element):
        return True
    return all(_is_bare(each) or _is_partly_null(each) for each in element.iter() if is_null(each))


def _is_bare(element: Element) -> bool:
    if len(element) or _own_text(element):
        return False
    return all(name in _BESIDE_NULL or _DEFAULTS.get(str(name)) == value for name, value in element.attrib.items())


def _is_partly_null(element: Element) -> bool:
    """OTH, NA and UNC leave place for what is known: a code system, an extension, original text."""
    if element.get("nullFlavor") not in _PARTLY_NULL:
        return False
    allowed = _BESIDE_NULL | _BESIDE_PARTLY_NULL
    rest = (name for name, value in element.attrib.items() if name not in allowed and _DEFAULTS.get(str(name)) != value)
    if any(not str(name).endswith(("}valueSet", "}valueSetVersion")) for name in rest):
        return False
    has_attribute = element.get("extension") is not None or element.get("codeSystem") is not None
    return has_attribute or has(element, "originalText") or has(element, "translation")


def root_is_identifier(element: Element) -> bool:
    root = element.get("root")
    return root is None or OID.fullmatch(root) is not None or UUID.fullmatch(root) is not None


def identifier_is_single(element: Element) -> bool:
    root, extension = element.get("root"), element.get("extension")
    return root is None or not any(
        each.get("root") == root and (extension is None or each.get("extension") == extension)
        for each in _siblings(element)
    )


def code_is_single(element: Element) -> bool:
    key = element.get("code"), element.get("codeSystem")
    return None in key or not any((each.get("code"), each.get("codeSystem")) == key for each in _siblings(element))


def code_or_text(element: Element) -> bool:
    if is_null(element) or element.get("code") is not None:
        return True
    text = element.find(_V3 + "originalText")
    return text is not None and not is_null(text)


def translations_are_codes(element: Element) -> bool:
    if not len(element):
        return True
    found = list(element.iter(_V3 + "translation"))
    keys = [(each.get("code") or "") + (each.get("codeSystem") or "") for each in found]
    return len(set(keys)) == len(keys) and all(_translation_is_code(each) for each in found if each is not element)


def _translation_is_code(element: Element) -> bool:
    code, system = element.get("code"), element.get("codeSystem")
    named = element.get("codeSystemName") is not None or element.get("codeSystemVersion") is not None
    if is_null(element) or (system is not None and code is None):
        return False
    return (system is not None or not named) and (code is not None or element.get("displayName") is None)


def plain_code(element: Element) -> bool:
    if (element.get("codeSystem"), element.get("codeSystemName")) not in (
        (None, None),
        (_DEFAULTS["codeSystem"], None),
        (None, _DEFAULTS["codeSystemName"]),
        (_DEFAULTS["codeSystem"], _DEFAULTS["codeSystemName"]),
    ):
        return False
    return element.get("codeSystemVersion") is None and element.get("displayName") is None


def value_or_null(element: Element) -> bool:
    has_value = element.get("value") is not None
    return (is_null(element) or has_value or len(element) > 0) and not (is_null(element) and has_value)


def value_is_real(element: Element) -> bool:
    value = element.get("value")
    return value is None or timestamp_is_real(value)


def null_beside_value(element: Element) -> bool:
    return not is_null(element) or all(is_null(each) for each in _siblings(element))


def interval_bounds(element: Element) -> bool:
    low, high = (_bound(element, name) for name in ("low", "high"))
    if any(value is not None and not timestamp_is_real(value) for value in (low, high, _bound(element, "center"))):
        return False
    return low is None or high is None or (low != high and _moment(low) <= _moment(high))


def _bound(element: Element, name: str) -> str | None:
    found = element.find(_V3 + name)
    return None if found is None else found.get("value")


def _moment(value: str) -> str:
    """Digits that sort like the moments they name, offsets left aside."""
    return re.sub(r"[+-].*|\..*", "", value).ljust(14, "0")


def interval_shape(element: Element) -> bool:
    low, high, center, width = (has(element, name) for name in ("low", "high", "center", "width"))
    if element.get("value") is not None and len(element):
        return False
    if (center and (low or high or width)) or (low and high and width):
        return False
    return not is_null(element) or not (low or high or center or width or element.get("value") is not None)


def interval_limits(element: Element) -> bool:
    low, high, width = (element.find(_V3 + name) for name in ("low", "high", "width"))
    if low is not None and low.get("nullFlavor") == "PINF":
        return False
    if high is not None and high.get("nullFlavor") == "NINF":
        return False
    if width is None:
        return True
    return (width.get("unit") or "") in _WIDTH_UNITS and (width.get("unit") is None or width.get("value") is not None)


def positive(element: Element) -> bool:
    value = element.get("value")
    return is_null(element) or (value is not None and re.fullmatch(r"\+?\d+", value) is not None and int(value) > 0)


def plain_text(element: Element) -> bool:
    if any(has(element, name) for name in ("reference", "thumbnail")):
        return False
    if any(element.get(name) is not None for name in ("compression", "integrityCheck")):
        return False
    return element.get("mediaType", "text/plain") == "text/plain" and element.get("representation", "TXT") == "TXT"


def data_shape(element: Element) -> bool:
    if element.get("compression") is not None and not (
        has(element, "reference") or (element.get("representation") == "B64" and element.text)
    ):
        return False
    said = ("charset", "language", "compression", "integrityCheck")
    return not is_null(element) or not (any(element.get(name) for name in said) or has(element, "translation"))


def language(element: Element) -> bool:
    language = element.get("language")
    return language is None or _LANGUAGE.fullmatch(language) is not None


def text_or_parts(element: Element) -> bool:
    return is_null(element) or (len(element) > 0) != bool(_own_text(element))


def _text_xor_parts(element: Element) -> bool:
    return not (len(element) and _own_text(element))


def parts_say_something(element: Element) -> bool:
    """Every part has a value, no two parts the same one."""
    said = [(each.tag, each.text) for each in element if each.get("nullFlavor") is None]
    if len(set(said)) != len(said):
        return False
    return all((text and not text.isspace()) or _part_has_more(element, tag) for tag, text in said)


def _part_has_more(element: Element, tag: object) -> bool:
    return any(len(each) for each in element if each.tag == tag)


def parts_are_single(element: Element) -> bool:
    siblings = _siblings(element)
    return not siblings or _whole(element) not in map(_whole, siblings)


def _whole(element: Element) -> str:
    uses = "".join(each.get("use") or "" for each in element.iter())
    return uses + "".join(element.itertext())  # type: ignore[arg-type]


def qualifiers_are_single(element: Element) -> bool:
    if not len(element):
        return True
    tokens = ((each.get("qualifier") or "").split() for each in element)
    return any(len(set(each)) == len(each) for each in tokens)


def no_legal_suffix(element: Element) -> bool:
    return not any("LS" in (each.get("qualifier") or "").split() for each in element)


def telecom_is_single(element: Element) -> bool:
    key = element.get("use"), element.get("value")
    return key[1] is None or not any((each.get("use"), each.get("value")) == key for each in _siblings(element))


def without(*names: str) -> Callable[[Element], bool]:
    return lambda element: not any(has(element, name) for name in names)


def needs(name: str, needed: str) -> Callable[[Element], bool]:
    return lambda element: element.get(name) is None or element.get(needed) is not None


def root_or_null(element: Element) -> bool:
    return is_null(element) != (element.get("root") is not None)


def value_xor_null(element: Element) -> bool:
    return is_null(element) != (element.get("value") is not None)


def code_xor_null(element: Element) -> bool:
    return is_null(element) != (element.get("code") is not None or element.get("typeCode") is not None)


def null_has_no_code(element: Element) -> bool:
    return not (is_null(element) and (element.get("code") or element.get("displayName")))


def has_no_children(element: Element) -> bool:
    return not len(element)
