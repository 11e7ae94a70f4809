"""The narrative block as HTML: an allow list of elements, nothing of the document's own markup. HL7 CDA R2 4.3.5.

Only text, tables, lists and emphasis come through. Links stay text, images come from the document alone and only
when their bytes are those of an image.
"""

import base64
import binascii
from collections.abc import Callable, Iterator, Mapping
from html import escape

from lxml import etree

from cda.document import CDA
from cda.schematron.nodes import Element

_ELEMENTS: Mapping[str, str] = {
    "paragraph": "p",
    "table": "table",
    "thead": "thead",
    "tbody": "tbody",
    "tfoot": "tfoot",
    "tr": "tr",
    "th": "th",
    "td": "td",
    "caption": "caption",
    "item": "li",
    "sub": "sub",
    "sup": "sup",
    "content": "span",
    "footnote": "small",
}
_STYLES: Mapping[str, str] = {"Bold": "b", "Italics": "i", "Underline": "u", "Emphasis": "em"}
_IMAGES: Mapping[str, bytes] = {"image/png": b"\x89PNG\r\n", "image/jpeg": b"\xff\xd8\xff", "image/gif": b"GIF8"}
_LARGEST_SPAN = 1000
_DEEPEST = 100

FindMedia = Callable[[str], Element | None]


def narrative_html(text: Element, media: FindMedia) -> str:
    """HTML of a section text. `media` answers the observationMedia of an @ID."""
    return "".join(_content(text, media, 0))


def _content(element: Element, media: FindMedia, depth: int) -> Iterator[str]:
    yield escape(element.text or "")
    for child in element:
        if depth < _DEEPEST and isinstance(child.tag, str):
            yield from _element(child, media, depth + 1)
        yield escape(child.tail or "")


def _element(element: Element, media: FindMedia, depth: int) -> Iterator[str]:
    name = etree.QName(element)
    if name.namespace != CDA:
        return
    match name.localname:
        case "br":
            yield "<br>"
        case "list":
            yield from _list(element, media, depth)
        case "renderMultiMedia":
            for reference in (element.get("referencedObject") or "").split():
                yield image_html(media(reference))
            yield from _content(element, media, depth)
        case known if known in _ELEMENTS:
            yield from _tagged(element, _ELEMENTS[known], media, depth)
        case _:
            yield from _content(element, media, depth)


def _tagged(element: Element, tag: str, media: FindMedia, depth: int) -> Iterator[str]:
    styles = [_STYLES[each] for each in (element.get("styleCode") or "").split() if each in _STYLES]
    yield f"<{tag}{_spans(element)}>" + "".join(f"<{each}>" for each in styles)
    yield from _content(element, media, depth)
    yield "".join(f"</{each}>" for each in reversed(styles)) + f"</{tag}>"


def _spans(element: Element) -> str:
    """colspan and rowspan where they are small numbers."""
    shown = ""
    for name in ("colspan", "rowspan"):
        value = element.get(name) or ""
        if value.isascii() and value.isdigit() and 1 < int(value[:6]) <= _LARGEST_SPAN:
            shown += f' {name}="{int(value[:6])}"'
    return shown


def _list(element: Element, media: FindMedia, depth: int) -> Iterator[str]:
    tag = "ol" if element.get("listType") == "ordered" else "ul"
    yield f"<{tag}>"
    for child in element:
        if isinstance(child.tag, str):
            yield from _element(child, media, depth)
    yield f"</{tag}>"


def image_html(observation_media: Element | None) -> str:
    """An image embedded in the document; nothing when its bytes are not those of its type."""
    value = None if observation_media is None else observation_media.find(f"{{{CDA}}}value")
    if value is None or value.get("representation") != "B64":
        return ""
    media = value.get("mediaType") or ""
    content = decoded(value.text or "")
    if media not in _IMAGES or not content.startswith(_IMAGES[media]):
        return ""
    return f'<img alt="Image du document" src="data:{media};base64,{base64.b64encode(content).decode()}">'


def decoded(text: str) -> bytes:
    """Base64 with white space in it; empty when it is none."""
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError):
        return b""
