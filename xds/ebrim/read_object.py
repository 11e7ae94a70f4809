"""Reading one registry object by its attribute table, with every finding on the way. ITI TF-3: 4.2.1."""

from collections.abc import Callable
from typing import Any

from lxml import etree

from xds.ebrim.attributes import ASSOCIATION, Carrier, ObjectTable
from xds.ebrim.read_classifications import read_classifications
from xds.ebrim.read_values import Report, check_owner, collect_slot, localized, read_slot, read_value
from xds.metadata import Slot
from xds.vocabulary import RIM

_SLOT, _CLASSIFICATION = f"{{{RIM}}}Slot", f"{{{RIM}}}Classification"
_IDENTIFIER, _VERSION = f"{{{RIM}}}ExternalIdentifier", f"{{{RIM}}}VersionInfo"
_NAME, _DESCRIPTION = f"{{{RIM}}}Name", f"{{{RIM}}}Description"


def read_object(element: etree._Element, table: ObjectTable, make: Callable[..., Any], report: Report) -> Any:
    identifier = (element.get("id") or "").strip()
    report.about(table.name, identifier)
    fields: dict[str, Any] = {}
    _read_xml_attributes(element, table, fields, report)
    slots: dict[str, tuple[str, ...]] = {}
    codes: dict[str, list[etree._Element]] = {}
    identifiers: dict[str, list[etree._Element]] = {}
    for child in element:
        tag = child.tag
        if tag == _SLOT:
            collect_slot(child, slots, report)
        elif tag == _CLASSIFICATION:
            codes.setdefault(child.get("classificationScheme", ""), []).append(child)
        elif tag == _IDENTIFIER:
            identifiers.setdefault(child.get("identificationScheme", ""), []).append(child)
        elif tag == _VERSION:
            fields["version"] = _number_or_none(child.get("versionName"))
    for tag, name in ((_NAME, "title"), (_DESCRIPTION, "comments")):
        text = localized(element.find(tag), name, report)
        if text is not None and table is not ASSOCIATION:
            fields[name] = text
    fields["extra_slots"] = _read_slots(slots, table, fields, report)
    fields["extra_codes"] = read_classifications(codes, table, fields, report)
    _read_identifiers(identifiers, table, fields, report)
    return make(**fields)


def _number_or_none(text: str | None) -> int | None:
    """A submitted version is ignored, so whatever it is, it is no error. ITI TF-3: 4.2.3.2.34"""
    return int(text) if text and text.isascii() and text.isdigit() else None


def _read_xml_attributes(element: etree._Element, table: ObjectTable, fields: dict[str, Any], report: Report) -> None:
    for row in table.of(Carrier.XML_ATTRIBUTE):
        text = element.get(row.wire)
        if text is None or row.field == "availability_status":
            continue
        value = read_value(row, text.strip(), report)
        if value is not None:
            fields[row.field] = value


def _read_slots(
    slots: dict[str, tuple[str, ...]], table: ObjectTable, fields: dict[str, Any], report: Report
) -> tuple[Slot, ...]:
    """Fill the Slot attributes; what is left is extra metadata. ITI TF-3: 4.2.3.1.6"""
    rows = table.by_wire(Carrier.SLOT)
    extra = []
    for name, values in slots.items():
        row = rows.get(name)
        if row is not None:
            read_slot(row, values, fields, report)
        elif name.startswith("urn:") and not name.startswith("urn:ihe:"):
            extra.append(Slot(name, values))
        elif not (table is ASSOCIATION and name == "SubmissionSetStatus"):
            report.add(f"Slot {name}", "a Slot that XDS does not define here", "expected a Slot of XDS or a urn: name")
    return tuple(extra)


def _read_identifiers(
    identifiers: dict[str, list[etree._Element]], table: ObjectTable, fields: dict[str, Any], report: Report
) -> None:
    rows = table.by_wire(Carrier.IDENTIFIER)
    for scheme, elements in identifiers.items():
        row = rows.get(scheme)
        if row is None:
            report.add("identificationScheme", repr(scheme), f"expected an identification scheme of {table.name}")
            continue
        if len(elements) > 1:
            report.add(row.name, f"{len(elements)} ExternalIdentifiers", "expected exactly one", spoils=row.field)
            continue
        element = elements[0]
        check_owner(element, "registryObject", "ExternalIdentifier", report)
        if not localized(element.find(_NAME), row.name, report):
            report.add(f"{row.name} Name", "none", f"expected {row.label}")
        value = read_value(row, (element.get("value") or "").strip(), report)
        if value is not None:
            fields[row.field] = value
