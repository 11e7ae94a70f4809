"""What the XHTML of a narrative may hold: text and its formatting, nothing that acts. FHIR R4 2.4.0, txt-1, txt-2."""

import re
from collections.abc import Iterator

from lxml import etree

from fhir_facade.issues import Issue
from xds.xml import BadXml, parse

_XHTML, _XML = "{http://www.w3.org/1999/xhtml}", "{http://www.w3.org/XML/1998/namespace}"
_ELEMENTS = frozenset(
    f"{_XHTML}{name}"
    for name in (
        *("a", "abbr", "acronym", "b", "big", "blockquote", "br", "caption", "cite", "code", "col", "colgroup", "dd"),
        *("dfn", "div", "dl", "dt", "em", "h1", "h2", "h3", "h4", "h5", "h6", "hr", "i", "img", "li", "ol", "p", "pre"),
        *("q", "samp", "small", "span", "strong", "sub", "sup", "table", "tbody", "td", "tfoot", "th", "thead", "tr"),
        *("tt", "ul", "var"),
    )
)
_ATTRIBUTES = frozenset(
    {
        *("abbr", "accesskey", "align", "alt", "axis", "bgcolor", "border", "cellhalign", "cellpadding", "cellspacing"),
        *("cellvalign", "char", "charoff", "charset", "cite", "class", "colspan", "compact", "coords", "dir", "frame"),
        *("headers", "height", "href", "hreflang", "hspace", "id", "lang", "longdesc", "name", "nowrap", "rel", "rev"),
        *(
            "rowspan",
            "rules",
            "scope",
            "shape",
            "span",
            "src",
            "start",
            "style",
            "summary",
            "tabindex",
            "title",
            "type",
        ),
        *("type", "valign", "value", "vspace", "width", f"{_XML}lang", f"{_XML}space"),
    }
)
_ACTIVE = re.compile(
    r"<\s*(script|iframe|object|embed|form|link|base|svg|input|button)\b|\son\w+\s*=|javascript:", re.IGNORECASE
)


def narrative_rules(value: object, path: str) -> Iterator[Issue]:
    """The findings in the `div` of a narrative."""
    div = _read(value) if isinstance(value, str) else None
    if div is None:
        yield Issue("structure", "expected well-formed XHTML in a div", path)
    elif _ACTIVE.search(str(value)):
        yield Issue("security", "found active content in a narrative, which FHIR does not allow", path)
    elif any(one.tag not in _ELEMENTS or not _ATTRIBUTES.issuperset(one.attrib) for one in div.iter(etree.Element)):
        yield Issue("invariant", "found more than the text and formatting of XHTML (txt-1)", path)
    elif not "".join(map(str, div.itertext(etree.Element))).strip() and div.find(f".//{_XHTML}img[@src]") is None:
        yield Issue("invariant", "found neither text nor image in a narrative (txt-2)", path)


def _read(text: str) -> etree._Element | None:
    try:
        root = parse(text.encode())
    except (BadXml, UnicodeEncodeError):
        return None
    return root if root.tag == f"{_XHTML}div" else None
