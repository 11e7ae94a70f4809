"""XPath functions that published rules call and XPath 1.0 has not. XQuery and XPath Functions 1.0.

They answer what XPath 2.0 answers, for the arguments that libxml2 hands over: strings, numbers,
truth values, and node-sets as lists (attributes and texts come as strings).
"""

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import cache
from typing import Any

from lxml import etree

_XSI_QNAME = re.compile(r"^(?:([\w.\-]+):)?([\w.\-]+)$")
_DATE_TIME = re.compile(r"^-?\d{4,}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]((0\d|1[0-3]):[0-5]\d|14:00))?$")

Functions = Mapping[tuple[str | None, str], Callable[..., Any]]
OpenDocument = Callable[[str], "etree._Element | None"]


def functions(open_document: OpenDocument, namespaces: Mapping[str, str]) -> Functions:
    """Extension functions for one schema. `open_document` answers the root of a file of the rules, or None."""

    def document(_context: Any, path: Any) -> list[Any]:
        root = open_document(text(path))
        return [] if root is None else [root]

    def document_available(_context: Any, path: Any) -> bool:
        return open_document(text(path)) is not None

    def each(context: Any, nodes: list[Any], expression: str) -> list[Any]:
        evaluate = _compiled(expression, tuple(namespaces.items()))
        return values_as_nodes([text(evaluate(node)) for node in nodes])

    named: dict[str, Callable[..., Any]] = {
        **_PURE,
        "document": document,
        "doc": document,
        "doc-available": document_available,
        "each": each,
    }
    return {(None, name): function for name, function in named.items()}


@cache
def _compiled(expression: str, namespaces: tuple[tuple[str, str], ...]) -> etree.XPath:
    extensions = {(None, name): function for name, function in _PURE.items()}
    return etree.XPath(expression, namespaces=dict(namespaces), extensions=extensions, regexp=False)


def values_as_nodes(values: list[str]) -> list[etree._Element]:
    """Strings as a node-set, the only sequence that XPath 1.0 has."""
    nodes = []
    for value in values:
        node = etree.Element("value")
        node.text = _xml_text(value)
        nodes.append(node)
    return nodes


def _xml_text(value: str) -> str:
    return re.sub(r"[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]", "", value)


def text(value: Any) -> str:
    """The string value of what libxml2 hands over."""
    if isinstance(value, list):
        return text(value[0]) if value else ""
    if isinstance(value, etree._Element):
        return "".join(value.itertext())  # type: ignore[arg-type]
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return f"{value:.15g}"
    return str(value)


def _texts(value: Any) -> list[str]:
    return [text(each) for each in value] if isinstance(value, list) else [text(value)]


@cache
def regular_expression(pattern: str, flags: str = "") -> re.Pattern[str]:
    """A regular expression of XPath 2.0. An anchor that is repeated, which XPath allows, is one anchor."""
    return re.compile(re.sub(r"(^|\|)\^[+*]\??", r"\1^", pattern), re.IGNORECASE if "i" in flags else 0)


def _matches(_context: Any, value: Any, pattern: Any, flags: Any = "") -> bool:
    return regular_expression(text(pattern), text(flags)).search(text(value)) is not None


def _replace(_context: Any, value: Any, pattern: Any, by: Any) -> str:
    return regular_expression(text(pattern), "").sub(re.sub(r"\$(\d)", r"\\\1", text(by)), text(value))


def _is_empty(value: Any) -> bool:
    return isinstance(value, list) and not value


def _castable(_context: Any, value: Any, kind: Any) -> bool:
    if _is_empty(value):
        return False
    cast = _CASTS.get(text(kind).rpartition(":")[2])
    return cast is None or cast(text(value).strip())


def is_date_time(value: str) -> bool:
    """Whether a string is an xs:dateTime of a real day."""
    return _date_time(value) is not None


def _date_time(value: str) -> float | None:
    if not _DATE_TIME.match(value):
        return None
    whole = re.sub(r"\.\d+", "", value.removeprefix("-")).replace("Z", "+00:00")
    try:
        zoned = datetime.fromisoformat(whole.replace("T24:00:00", "T00:00:00"))
        offset = zoned.utcoffset()
        naive = zoned.replace(tzinfo=UTC)
        return naive.timestamp() - (offset.total_seconds() if offset else 0)
    except ValueError:
        return None


_CASTS: Mapping[str, Callable[[str], bool]] = {
    "integer": lambda value: re.fullmatch(r"[+-]?\d+", value) is not None,
    "decimal": lambda value: re.fullmatch(r"[+-]?(\d+(\.\d*)?|\.\d+)", value) is not None,
    "dateTime": is_date_time,
}


def _to_number(value: Any) -> float:
    try:
        return float(text(value))
    except ValueError:
        return float("nan")


def _not_a_number(value: float | None) -> float:
    return float("nan") if value is None else value


def _distinct(_context: Any, value: Any) -> list[etree._Element]:
    return values_as_nodes(list(dict.fromkeys(_texts(value))))


def _tokenize(_context: Any, value: Any, pattern: Any) -> list[etree._Element]:
    whole = text(value)
    return values_as_nodes(regular_expression(text(pattern), "").split(whole) if whole else [])


def _resolve_qname(_context: Any, name: Any, element: Any) -> Any:
    """`{namespace}local` of a name as the element binds its prefix; nothing when there is no name."""
    if _is_empty(name):
        return []
    found = _XSI_QNAME.match(text(name))
    node = element[0] if isinstance(element, list) else element
    if found is None or not isinstance(node, etree._Element):
        return text(name)
    return f"{{{node.nsmap.get(found.group(1), '')}}}{found.group(2)}"


def _choose(_context: Any, condition: Any, then: Any, otherwise: Any) -> Any:
    return then if condition else otherwise


_PURE: Mapping[str, Callable[..., Any]] = {
    "matches": _matches,
    "replace": _replace,
    "empty": lambda _context, value: _is_empty(value),
    "exists": lambda _context, value: not _is_empty(value),
    "ends-with": lambda _context, value, end: text(value).endswith(text(end)),
    "upper-case": lambda _context, value: text(value).upper(),
    "lower-case": lambda _context, value: text(value).lower(),
    "castable": _castable,
    "count-items": lambda _context, value: len(value) if isinstance(value, list) else 1,
    "choose": _choose,
    "distinct-values": _distinct,
    "tokenize": _tokenize,
    "string-join": lambda _context, values, separator: text(separator).join(_texts(values)),
    "join-values": lambda _context, separator, *values: text(separator).join(
        each for value in values for each in _texts(value)
    ),
    "resolve-QName": _resolve_qname,
    "QName": lambda _context, namespace, name: f"{{{text(namespace)}}}{text(name).rpartition(':')[2]}",
    "iri-to-uri": lambda _context, value: text(value),
    "xs-dateTime": lambda _context, value: _not_a_number(_date_time(text(value))),
    "xs-decimal": lambda _context, value: _to_number(value),
    "xs-integer": lambda _context, value: _to_number(value),
}
