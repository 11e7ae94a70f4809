"""Mutants that no list names: faults of the kinds that senders make, drawn at random in any document.

The same seed gives the same mutants. Each is one call of `mutated`, so that a failing one can be made again by hand.
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass

from lxml import etree

from tests.cda.mutations import NAMESPACES, Element, mutated

_NARRATIVE = "{urn:hl7-org:v3}text"
_PREFIXES = {uri: prefix for prefix, uri in NAMESPACES.items()}
# What an attribute is changed into: a code of no system, a day that is none, an identifier that is no OID.
_WRONG = {
    "code": ("XXXX-0", "", " 11490-0"),
    "codeSystem": ("1.2.3", "2.16.840.1.113883", "urn:oid:1.2.3"),
    "root": ("1.2.3.4.5.6", "1.02.3", "OID-1"),
    "extension": ("", "0"),
    "value": ("20230230", "", "abc"),
    "unit": ("xyz",),
    "nullFlavor": ("XYZ", "NI"),
    "typeCode": ("XXX", "COMP"),
    "classCode": ("XXX", "ACT"),
    "moodCode": ("XXX", "INT"),
    "displayName": ("", "Autre"),
}
_OPERATIONS = ("delete", "duplicate", "rename", "swap", "set_text", "attribute", "attribute", "delete_attribute")


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """The arguments of `mutated`."""

    xpath: str
    operation: str
    attribute: str = ""
    value: str = ""

    def on(self, root: Element) -> Element:
        return mutated(root, self.xpath, self.operation, self.attribute, self.value)


def faults(root: Element, count: int, seed: int) -> Iterator[Fault]:
    """So many faults in the ClinicalDocument below a root, header and entries alike, narrative text left alone."""
    drawn = random.Random(seed)
    document = next(root.iter("{urn:hl7-org:v3}ClinicalDocument"))
    elements = [each for each in document.iterdescendants("*") if not _is_narrative(each)]
    while count:
        fault = _fault(drawn, drawn.choice(elements))
        if fault is not None:
            count -= 1
            yield fault


def _is_narrative(element: Element) -> bool:
    above = element.iterancestors(_NARRATIVE)
    return any(each.getparent().tag.endswith("}section") for each in above)  # type: ignore[union-attr]


def _fault(drawn: random.Random, element: Element) -> Fault | None:
    """None where the operation drawn has nothing to work on."""
    xpath, operation = _xpath(element), drawn.choice(_OPERATIONS)
    names = sorted(str(name) for name in element.attrib if not str(name).startswith("{"))
    match operation:
        case "attribute" if wrong := [name for name in names if name in _WRONG]:
            name = drawn.choice(wrong)
            return Fault(xpath=xpath, operation="set_attribute", attribute=name, value=drawn.choice(_WRONG[name]))
        case "delete_attribute" if names:
            return Fault(xpath=xpath, operation=operation, attribute=drawn.choice(names))
        case "rename":
            return Fault(xpath=xpath, operation=operation, value="observation")
        case "set_text" if not len(element) and (element.text or "").strip():
            return Fault(xpath=xpath, operation=operation)
        case "swap" if element.getnext() is not None:
            return Fault(xpath=xpath, operation=operation)
        case "delete" | "duplicate":
            return Fault(xpath=xpath, operation=operation)
    return None


def _xpath(element: Element) -> str:
    """The place of an element with the prefixes that `mutated` knows."""
    steps = []
    for each in (element, *element.iterancestors()):
        name = etree.QName(each)
        position = 1 + sum(1 for _ in each.itersiblings(each.tag, preceding=True))
        known = _PREFIXES.get(name.namespace or "")
        steps.append(f"{known}:{name.localname}[{position}]" if known else f"*[local-name()='{name.localname}']")
    return "/" + "/".join(reversed(steps))
