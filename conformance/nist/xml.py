"""XML as the runner reads and shows it: no DOCTYPE, no network, no entity."""

from collections.abc import Iterator
from copy import deepcopy
from typing import cast

from lxml import etree


class BadXml(ValueError):
    """Not well-formed, or with a DOCTYPE; the text says why and in which line."""


def parse(octets: bytes) -> etree._Element:
    """The root element. Raises BadXml."""
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False)
    try:
        root = etree.fromstring(octets, parser)
    except (etree.XMLSyntaxError, ValueError) as problem:
        raise BadXml(str(problem)) from None
    document = root.getroottree().docinfo
    if document.internalDTD is not None or document.externalDTD is not None:
        raise BadXml("a DOCTYPE is not allowed")
    return root


def elements(parent: etree._Element) -> Iterator[etree._Element]:
    """Child elements, without comments and processing instructions."""
    return parent.iterchildren("*")


def local_name(element: etree._Element) -> str:
    return str(etree.QName(element).localname)


def raw_text_of(element: etree._Element) -> str:
    """All text inside; comments are not text."""
    return "".join(cast(list[str], element.xpath(".//text()")))


def text_of(element: etree._Element) -> str:
    """All text inside, blanks around it cut off."""
    return raw_text_of(element).strip()


def as_root(element: etree._Element) -> etree._Element:
    """A copy that is the root of a tree of its own, so that `//` starts there."""
    copied = deepcopy(element)
    copied.tail = None
    return copied


def octets_of(element: etree._Element) -> bytes:
    return etree.tostring(element, encoding="UTF-8", with_tail=False)


def pretty(octets: bytes) -> str:
    """Indented for reading; anything that is not XML comes back as text, unprintable octets replaced."""
    try:
        parser = etree.XMLParser(resolve_entities=False, no_network=True, remove_blank_text=True)
        root = etree.fromstring(octets, parser)
    except (etree.XMLSyntaxError, ValueError):
        return octets.decode("utf-8", "replace")
    return etree.tostring(root, pretty_print=True, encoding="unicode").rstrip()
