"""A schema as an XSLT 3.0 style sheet, for a processor that is independent of this engine. ISO/IEC 19757-3 Annex C.

Running it gives one `failed` element a failed check, and one `error` element a check that could not be evaluated:
`rule` and `check` are numbers in the order of the source, `node` that of the element in document order.
"""

from collections.abc import Iterator

from lxml import etree

from cda.schematron.load import Let, Pattern, Rule, SchemaSource
from cda.schematron.nodes import Element

XSLT = "http://www.w3.org/1999/XSL/Transform"
_X = f"{{{XSLT}}}"
_NODE = "{count(preceding::*) + count(ancestor::*)}"


def style_sheet(source: SchemaSource, address: str) -> bytes:
    """The style sheet of a schema whose file is at this URI."""
    namespaces = {prefix: uri for prefix, uri in source.namespaces.items() if prefix and prefix != "xml"}
    # The prefix of the style sheet itself is one that no schema has.
    root = etree.Element(f"{_X}stylesheet", nsmap={"xslt-of-schema": XSLT, "xs": _XS, **namespaces}, version="3.0")
    root.set("{http://www.w3.org/XML/1998/namespace}base", address)
    etree.SubElement(root, f"{_X}output", method="xml")
    for let in source.lets:
        _variable(root, let)
    start = etree.SubElement(root, f"{_X}template", match="/")
    failures = etree.SubElement(start, "failures")
    number = 0
    for at, pattern in enumerate(source.patterns):
        etree.SubElement(failures, f"{_X}apply-templates", mode=f"p{at}", select="/")
        for template in _templates(pattern, at, number):
            root.append(template)
        number += len(pattern.rules)
    return etree.tostring(root)


_XS = "http://www.w3.org/2001/XMLSchema"


def _variable(parent: Element, let: Let) -> None:
    etree.SubElement(parent, f"{_X}variable", name=let.name, select=let.value)


def _templates(pattern: Pattern, at: int, first: int) -> Iterator[Element]:
    """One template a rule, the first of a pattern before the others; and one that goes on to what is below."""
    mode = f"p{at}"
    for place, rule in enumerate(pattern.rules):
        template = etree.Element(
            f"{_X}template", match=rule.context, mode=mode, priority=str(len(pattern.rules) - place)
        )
        _checks(template, rule, first + place)
        etree.SubElement(template, f"{_X}apply-templates", select="*", mode=mode)
        yield template
    onward = etree.Element(f"{_X}template", match="node()", mode=mode, priority="-1")
    etree.SubElement(onward, f"{_X}apply-templates", select="*", mode=mode)
    yield onward


def _checks(template: Element, rule: Rule, number: int) -> None:
    for let in rule.lets:
        _variable(template, let)
    for at, check in enumerate(rule.checks):
        where = {"rule": str(number), "check": str(at), "node": _NODE}
        attempt = etree.SubElement(template, f"{_X}try")
        broken = f"not({check.test})" if check.kind == "assert" else check.test
        failed = etree.SubElement(attempt, f"{_X}if", test=broken)
        etree.SubElement(failed, "failed", where)
        caught = etree.SubElement(attempt, f"{_X}catch")
        etree.SubElement(caught, "error", where)
