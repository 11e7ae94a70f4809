"""The one parser of untrusted XML: every message of a stranger goes through `parse`.

No DTD, no entities, no network, no other encodings than UTF-8 and UTF-16 with a byte order mark, and
caps on what a small message can cost. A CDA document has its own parser, which allows large text.
"""

import ctypes
import re
import threading
from dataclasses import dataclass
from functools import cache

from lxml import etree

_DECLARATION = re.compile(rb"\A<\?xml[^>]*?\bencoding\s*=\s*[\"']([A-Za-z0-9._-]+)[\"']")
_BOMS = ((b"\xef\xbb\xbf", "utf-8"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"))
_UTF_16_MARKS = tuple(mark for mark, name in _BOMS if name == "utf-16")
_SHORTEST_ELEMENT = len(b"<a/>")
_ALIASES = {"utf8": "utf-8", "us-ascii": "utf-8", "ascii": "utf-8", "utf-16le": "utf-16", "utf-16be": "utf-16"}


_MOST_NAMES = 200_000
_NAMES = "_ParserDictionaryContext"
_thread_state = ctypes.pythonapi.PyThreadState_GetDict
_thread_state.restype = ctypes.c_void_p


class BadXml(ValueError):
    """XML that is refused; the text is one sentence that repeats nothing of the input."""


@dataclass(frozen=True, slots=True, kw_only=True)
class XmlLimits:
    """What one message may contain; larger is refused before anybody looks at it."""

    octets: int = 8 * 2**20
    elements: int = 500_000
    attributes_per_element: int = 256
    namespaces_per_element: int = 64


DEFAULT_LIMITS = XmlLimits()


class _Tools(threading.local):
    """Parser and counters; libxml2 contexts are not shared between threads. `names` may have been met so far."""

    def __init__(self) -> None:
        self.renew()

    def renew(self) -> None:
        """Anew, as in a thread that has not parsed yet."""
        self.names = 0
        self.parser = etree.XMLParser(
            resolve_entities=False,
            no_network=True,
            load_dtd=False,
            dtd_validation=False,
            attribute_defaults=False,
            huge_tree=False,
            recover=False,
            remove_comments=False,
            remove_pis=False,
            strip_cdata=True,
        )
        self.elements = etree.XPath("count(//*)")
        self.most_attributes = etree.XPath("boolean(/descendant::*[@*[$limit + 1]])")
        self.instructions = etree.XPath("boolean(//processing-instruction())")


@cache
def _tools() -> _Tools:
    return _Tools()


def parse(
    data: bytes,
    *,
    limits: XmlLimits = DEFAULT_LIMITS,
    charset: str | None = None,
    processing_instructions: bool = True,
) -> etree._Element:
    """The root element of a well-formed, harmless document. Raises BadXml.

    `charset` is what the transport said, and must agree with the document.
    """
    if len(data) > limits.octets:
        raise BadXml(f"the XML has more than {limits.octets} octets")
    _check_encoding(data, charset)
    tools = _tools()
    try:
        root = etree.fromstring(data, tools.parser)
    except (etree.LxmlError, ValueError, RecursionError, MemoryError) as problem:
        raise BadXml(_not_well_formed(problem)) from None
    finally:
        forget_names(data)
    _check_document(root.getroottree())
    if not processing_instructions and _may_have_instructions(data) and tools.instructions(root):
        raise BadXml("the XML has a processing instruction, which is not allowed here")
    _check_counts(tools, root, data, limits)
    return root


def forget_names(data: bytes) -> None:
    """Count the names that a message parsed in this thread may have, and let go of all once there were many.

    lxml keeps every name that a thread has met for as long as the thread lives, and a server's threads live as long as
    the server: messages of ever new names would fill the memory. Documents hold on to the names they use themselves.
    """
    tools = _tools()
    tools.names += len(data) // _SHORTEST_ELEMENT  # of an attribute, too: a=""
    if tools.names > _MOST_NAMES:
        ctypes.cast(_thread_state(), ctypes.py_object).value.pop(_NAMES, None)
        tools.renew()  # the old parser has the old names


def simple_text(element: etree._Element) -> str:
    """The text of an element with simple content; a comment or element inside it is refused."""
    if len(element):
        raise BadXml(f"line {element.sourceline}: found a comment or element inside a value")
    return element.text or ""


def text_of(element: etree._Element) -> str:
    """All text inside an element, comments left out, blanks around it trimmed."""
    if not len(element):
        return (element.text or "").strip()
    return "".join(str(text) for text in element.itertext(etree.Element)).strip()


def _check_encoding(data: bytes, charset: str | None) -> None:
    marked = next((name for mark, name in _BOMS if data.startswith(mark)), None)
    match = _DECLARATION.match(data)
    names = [_named(match[1].decode("ascii"))] if match else []
    if charset:
        names.append(_named(charset))
    encoding = marked or "utf-8"
    if not marked and b"\0" in data:
        raise BadXml("the XML is not UTF-8: found a zero octet, which UTF-16 without its mark has too")
    if any(name != encoding for name in names):
        raise BadXml("the XML is declared in another encoding than it has; expected UTF-8, or UTF-16 with its mark")
    try:
        data.decode(encoding)
    except UnicodeDecodeError:
        raise BadXml(f"the XML is not {encoding.upper()}") from None


def _named(name: str) -> str:
    name = name.lower().strip("\"' ")
    return _ALIASES.get(name, name)


def _not_well_formed(problem: Exception) -> str:
    line = getattr(problem, "lineno", None)
    return f"the XML is not well-formed (line {line})" if line else "the XML is not well-formed"


def _check_document(tree: etree._ElementTree) -> None:
    if tree.docinfo.internalDTD is not None or tree.docinfo.externalDTD is not None:
        raise BadXml("the XML has a document type declaration, which is not allowed")
    if tree.docinfo.xml_version != "1.0":
        raise BadXml("the XML is not of version 1.0")


def _may_have_instructions(data: bytes) -> bool:
    """Looked for in the octets first: the tree need not be searched for what is not there."""
    declarations = 1 if data.startswith(b"<?xml ") else 0
    return data.startswith(_UTF_16_MARKS) or data.count(b"<?") > declarations


def _check_counts(tools: _Tools, root: etree._Element, data: bytes, limits: XmlLimits) -> None:
    """The tree is searched only where the octets allow that a limit is passed."""
    if len(data) > limits.elements * _SHORTEST_ELEMENT:
        count = tools.elements(root)
        if isinstance(count, float) and count > limits.elements:
            raise BadXml(f"the XML has more than {limits.elements} elements")
    most = limits.attributes_per_element
    if data.count(b"=") > most and tools.most_attributes(root, limit=most):
        raise BadXml(f"an element has more than {limits.attributes_per_element} attributes")
    if data.count(b"xmlns") > limits.namespaces_per_element and _declares_too_many(root, limits.namespaces_per_element):
        raise BadXml(f"an element has more than {limits.namespaces_per_element} namespace declarations")


def _declares_too_many(root: etree._Element, limit: int) -> bool:
    """Declarations are told just before their element. Never `nsmap`, which climbs to the root for each element."""
    declared = 0
    for event, _ in etree.iterwalk(root, events=("start-ns", "start")):
        declared = declared + 1 if event == "start-ns" else 0
        if declared > limit:
            return True
    return False
