"""The CDA schema on a document: HL7 CDA R2, with the extensions that French documents use."""

import re
from collections.abc import Iterator, Mapping
from functools import cache
from itertools import islice
from typing import Any

from lxml import etree

from cda import schema_words
from cda.findings import Finding, Layer, Severity, line, location
from cda.schematron.nodes import Element
from schemas import resource
from xds.one_at_a_time import OneAtATime

_MOST = 50
_NAMESPACE = re.compile(r"\{(?:urn|http)[^}]*\}")


@cache
def _schemas() -> OneAtATime[etree.XMLSchema]:
    return OneAtATime(lambda: etree.XMLSchema(etree.parse(str(resource("cda/cda.xsd")))))


def schema_findings(document: Element) -> Iterator[Finding]:
    """Every violation of the schema, at most 50. The document is the root of its tree."""
    with _schemas().lent() as schema:
        errors = [] if schema.validate(document) else list(islice(_errors(schema.error_log), _MOST))
    if not errors:
        return
    prefixes = {prefix: uri for each in document.iter("*") for prefix, uri in each.nsmap.items() if prefix}
    for error in errors:
        element = _element(document, error.path, prefixes)
        expected, found = schema_words.words(_NAMESPACE.sub("", error.message))
        yield Finding(
            rule=error.type_name.removeprefix("SCHEMAV_"),
            layer=Layer.XSD,
            severity=Severity.ERROR,
            location=location(element),
            line=line(element) or error.line,
            expected=expected,
            found=found,
        )


def _errors(log: Any) -> Iterator[Any]:
    """The entries of an error log, which the type stubs do not know to be one."""
    yield from log


def _element(document: Element, path: str | None, prefixes: Mapping[str, str]) -> Element:
    """The element of a path as libxml2 writes it; the document where it says none."""
    found = document.getroottree().xpath(path, namespaces=dict(prefixes)) if path else None
    first = found[0] if isinstance(found, list) and found else None
    return first if isinstance(first, etree._Element) else document
