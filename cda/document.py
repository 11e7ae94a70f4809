"""A CDA document read from its bytes, in whichever of its forms. CI-SIS Structuration minimale 1.16.8.

The bytes come from outside. What the XML standard allows and a CDA never needs is refused
before a tree is built: a document type, entities, an XML version other than 1.0, deep nesting.
Base64 bodies make text nodes of many megabytes, so the tree itself is built with `huge_tree`.
"""

import re
from dataclasses import dataclass
from xml.parsers import expat

from lxml import etree

from cda import unreadable
from cda.unreadable import UnreadableDocument
from xds.xml import forget_names

CDA = "urn:hl7-org:v3"
MAX_BYTES = 100 * 1024 * 1024
MAX_DEPTH = 256
_ENTITY = re.compile(rb"&(?!amp;|lt;|gt;|quot;|apos;|#)")
_PLAIN_BYTES = 8 * 1024 * 1024
_ASCII_STARTS = (b"<", b"\xef", b"\n", b" ", b"\r", b"\t")
_CLINICAL_DOCUMENT = f"{{{CDA}}}ClinicalDocument"

# Root element -> mimeType of the metadata. The style sheet of a self-presentable document is never run.
_MIME_TYPES = {
    _CLINICAL_DOCUMENT: "text/xml",
    "{http://www.w3.org/1999/XSL/Transform}stylesheet": "application/xslt+xml",
    "{http://www.w3.org/1999/XSL/Transform}transform": "application/xslt+xml",
    "{http://www.w3.org/2000/09/xmldsig#}Signature": "text/xml",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """The ClinicalDocument element, and the mimeType of the file around it."""

    clinical_document: etree._Element
    mime_type: str


def read_document(data: bytes, *, max_bytes: int = MAX_BYTES) -> Document:
    """Parse a document that nobody has vouched for. UnreadableDocument when it is refused.

    `max_bytes` counts the file as it came, base64 included.
    """
    if len(data) > max_bytes:
        raise unreadable.too_large(len(data), max_bytes)
    root = _plain_tree(data)
    if root is None:
        _check_structure(data)
        root = _tree(data, huge=True)
    mime_type = _MIME_TYPES.get(str(root.tag))
    if mime_type is None:
        raise unreadable.other_root(_shown(root.tag), CDA)
    clinical_document = next(root.iter(_CLINICAL_DOCUMENT), None)
    if clinical_document is None:
        raise unreadable.no_document_inside(_shown(root.tag), CDA)
    return Document(clinical_document=clinical_document, mime_type=mime_type)


def read_whole(data: bytes, *, max_bytes: int = MAX_BYTES) -> etree._Element:
    """The root element of any XML document, its comments and instructions kept: what a signature covers.

    UnreadableDocument when it is refused.
    """
    if len(data) > max_bytes:
        raise unreadable.too_large(len(data), max_bytes)
    _check_structure(data)
    return _tree(data, huge=True, whole=True)


def _plain_tree(data: bytes) -> etree._Element | None:
    """The tree in one parse, where libxml2's own limits are enough: no document type, no entity, shallow, small texts.

    None otherwise: the long way then reads it or says why not.
    """
    is_ascii = data[:1] in _ASCII_STARTS and b"\x00" not in data[:64]
    if len(data) > _PLAIN_BYTES or not is_ascii or b"<!DOCTYPE" in data or _ENTITY.search(data):
        return None
    try:
        return _tree(data, huge=False)
    except UnreadableDocument:
        return None


class _Depth:
    """Counts open elements, which nothing else bounds once `huge_tree` is on."""

    __slots__ = ("_open", "_parser")

    def __init__(self, parser: expat.XMLParserType) -> None:
        self._open = 0
        self._parser = parser

    def start(self, _name: str, _attributes: list[str]) -> None:
        self._open += 1
        if self._open > MAX_DEPTH:
            raise unreadable.too_deep(MAX_DEPTH, self._parser.CurrentLineNumber, self._parser.CurrentColumnNumber + 1)

    def end(self, _name: str) -> None:
        self._open -= 1


def _refuse_document_type(*_declaration: object) -> None:
    raise unreadable.document_type()


def _check_version(version: str, _encoding: str | None, _standalone: int) -> None:
    if version != "1.0":
        raise unreadable.other_version()


def _check_structure(data: bytes) -> None:
    """Walk the bytes once without keeping anything; a document type stops it at its first character."""
    parser = expat.ParserCreate(namespace_separator="}")
    depth = _Depth(parser)
    parser.ordered_attributes = True
    parser.XmlDeclHandler = _check_version
    parser.StartDoctypeDeclHandler = _refuse_document_type
    parser.StartElementHandler = depth.start
    parser.EndElementHandler = depth.end
    try:
        parser.Parse(data, True)
    except expat.ExpatError as error:
        raise unreadable.refused_by_expat(error) from error
    except (LookupError, ValueError) as error:
        raise unreadable.unknown_encoding() from error


def _tree(data: bytes, *, huge: bool, whole: bool = False) -> etree._Element:
    """Comments and processing instructions are left out, unless asked for: a value with one inside stays one text."""
    parser = etree.XMLParser(
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        dtd_validation=False,
        attribute_defaults=False,
        huge_tree=huge,
        remove_comments=not whole,
        remove_pis=not whole,
    )
    try:
        root = etree.fromstring(data, parser)
    except etree.XMLSyntaxError as error:
        line, column = error.position
        raise unreadable.not_well_formed(line=line or 0, column=column or 0) from error
    except ValueError as error:
        raise unreadable.not_well_formed() from error
    finally:
        forget_names(data)
    docinfo = root.getroottree().docinfo
    if docinfo.internalDTD is not None:
        _refuse_document_type()
    _check_version(docinfo.xml_version or "1.0", None, 0)
    return root


def _shown(outside: object) -> str:
    """Something from outside, cut short for a message."""
    return str(outside)[:120]
