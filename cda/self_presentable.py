"""Self-presentable documents: a CDA inside a style sheet that shows it. The style sheet is read, never run.

CI-SIS Volet Structuration minimale, "documents auto-présentables".
"""

import re
from collections.abc import Iterator
from itertools import islice

from lxml import etree

from cda.findings import Finding
from cda.own_rule_table import finding
from cda.schematron.nodes import Element

_XSL = "http://www.w3.org/1999/XSL/Transform"
_CDA_DOCUMENT = "{urn:hl7-org:v3}ClinicalDocument"
_BRINGS_IN = frozenset({f"{{{_XSL}}}include", f"{{{_XSL}}}import", f"{{{_XSL}}}import-schema"})
_RUNS = frozenset({"script", "iframe", "object", "embed", "applet"})
_OUTSIDE = re.compile(r"^\s*(javascript|vbscript|https?|ftp|file|//)", re.IGNORECASE)
_READS = re.compile(r"\b(document|doc|unparsed-text|collection)\s*\(")
_LINKS = frozenset({"href", "src", "action", "formaction", "background", "data"})


def style_sheet_findings(document: Element) -> Iterator[Finding]:
    """What a style sheet around a ClinicalDocument must not have: scripts, outside references, inclusions.

    Nor a second document: one reader would show the first, another the last.
    """
    root = document.getroottree().getroot()
    if root is document:
        return
    for another in islice(root.iter(_CDA_DOCUMENT), 1, 2):
        yield finding("G15-several", another, "")
    for element in root.iter(etree.Element):
        if any(each.tag == _CDA_DOCUMENT for each in (element, *element.iterancestors(_CDA_DOCUMENT))):
            continue
        problem = _problem(element)
        if problem:
            yield finding("G15", element, problem)
        elif reads := _reads(element):
            yield finding("G15-reads", element, reads)


def _problem(element: Element) -> str:
    name = etree.QName(element).localname
    if element.tag in _BRINGS_IN:
        return f"xsl:{name}"
    if name.lower() in _RUNS:
        return name
    for key, value in element.attrib.items():
        attribute = etree.QName(str(key)).localname.lower()
        if attribute.startswith("on") and etree.QName(element).namespace != _XSL:
            return attribute
        if attribute in _LINKS and _OUTSIDE.match(str(value)):
            return f"{attribute}={str(value)[:60]}"
    return ""


def _reads(element: Element) -> str:
    """The attribute of a style sheet instruction that reads another file."""
    if etree.QName(element).namespace != _XSL:
        return ""
    return next((f"{key!s}={value!s}" for key, value in element.attrib.items() if _READS.search(str(value))), "")
