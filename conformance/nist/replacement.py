"""Symbols are replaced as plain text, wherever they stand.

A symbol may look like anything (`$uuid$`, `orig_uuid`, even `Document01`); longer symbols are not protected against
shorter ones. Some elements keep their text: those that name symbols, and the octets of documents.
"""

import re
from collections.abc import Iterable, Mapping

from lxml import etree

from conformance.nist.vocabulary import XDS_B

_UNTOUCHED = frozenset(("Report", "UseReport", "UseId", f"{{{XDS_B}}}Document"))
_UNRESOLVED = re.compile(r"\$[^$\s]+\$")


def replace_symbols(root: etree._Element, values: Mapping[str, str]) -> None:
    """Replace in every text and attribute value below and at `root`, symbol after symbol, in their order."""
    if values:
        for element in _touched(root):
            for name, value in element.attrib.items():
                element.set(name, replaced(str(value), values))
            element.text = replaced(element.text, values) if element.text else element.text
        for node in root.iter():
            if node is not root and node.tail and node.getparent() is not None:
                node.tail = replaced(node.tail, values)


def replaced(text: str, values: Mapping[str, str]) -> str:
    for symbol, value in values.items():
        text = text.replace(symbol, value)
    return text


def has_unresolved(text: str) -> bool:
    """Whether a `$…$` symbol is left in the text."""
    return _UNRESOLVED.search(text) is not None


def _touched(root: etree._Element) -> Iterable[etree._Element]:
    if root.tag in _UNTOUCHED:
        return
    yield root
    for child in root.iterchildren("*"):
        yield from _touched(child)
