"""Reading Classifications: codes, authors, nodes, and extra metadata. ITI TF-3: 4.2.3.1.2, 4.2.3.1.4."""

from collections.abc import Iterator
from typing import Any

from lxml import etree

from xds.datatypes import Code
from xds.ebrim.attributes import AUTHOR_SLOTS, CODE, XDS_SCHEMES, Attribute, Carrier, ObjectTable
from xds.ebrim.read_values import Report, check_owner, collect_slot, localized, read_slot, slot_values
from xds.identifiers import is_uuid_urn
from xds.metadata import Author, ExtraCode
from xds.vocabulary import LIMITED_METADATA_NODES, RIM

_SLOT, _NAME = f"{{{RIM}}}Slot", f"{{{RIM}}}Name"
CODING_SCHEME = "codingScheme"
_AUTHOR_SLOT_NAMES = frozenset(name for name, *_ in AUTHOR_SLOTS)


def read_classifications(
    codes: dict[str, list[etree._Element]], table: ObjectTable, fields: dict[str, Any], report: Report
) -> tuple[ExtraCode, ...]:
    """Fill the coded attributes and the authors; what is left is extra metadata."""
    rows = table.by_wire(Carrier.CODE) | table.by_wire(Carrier.AUTHOR)
    extra: list[ExtraCode] = []
    for scheme, elements in codes.items():
        for element in elements:
            check_owner(element, "classifiedObject", "Classification", report)
        row = rows.get(scheme)
        if row is not None:
            _read_codes(row, elements, fields, report)
        elif is_uuid_urn(scheme) and scheme not in XDS_SCHEMES:
            extra.extend(_read_extra_codes(scheme, elements, report))
        elif scheme or not all(_is_node(element, table, fields, report) for element in elements):
            report.add("classificationScheme", repr(scheme), f"expected a classification scheme of {table.name}")
    return tuple(extra)


def _read_extra_codes(scheme: str, elements: list[etree._Element], report: Report) -> Iterator[ExtraCode]:
    row = Attribute(name=f"Classification {scheme}", field="", carrier=Carrier.CODE, wire=scheme, datatype=CODE)
    for element in elements:
        code = _read_code(row, element, report)
        if code is not None:
            yield ExtraCode(scheme, code)


def _is_node(element: etree._Element, table: ObjectTable, fields: dict[str, Any], report: Report) -> bool:
    """A Classification that names a node instead of a scheme: what a package is, or that metadata is limited.

    Where the flag is allowed is a column of the attribute table, as for any attribute.
    """
    node = element.get("classificationNode", "")
    flag = table.by_wire(Carrier.NODE).get(node)
    if flag is not None:
        fields[flag.field] = True
        return True
    if node in LIMITED_METADATA_NODES:
        report.add("limitedMetadata", repr(node), f"expected the node of limited metadata for {table.name}")
        return True
    return node != "" and table.node is not None


def _read_codes(row: Attribute, elements: list[etree._Element], fields: dict[str, Any], report: Report) -> None:
    read_one = _read_author if row.carrier is Carrier.AUTHOR else _read_code
    if not row.many and len(elements) > 1:
        report.add(row.name, f"{len(elements)} Classifications", "expected at most one", spoils=row.field)
        return
    values = [read_one(row, element, report) for element in elements]
    kept = tuple(value for value in values if value is not None)
    if row.many:
        fields[row.field] = kept
    elif kept:
        fields[row.field] = kept[0]


def _read_code(row: Attribute, element: etree._Element, report: Report) -> Code | None:
    """ITI TF-3: 4.2.3.1.2"""
    code = (element.get("nodeRepresentation") or "").strip()
    display = localized(element.find(_NAME), row.name, report)
    schemes = [
        value
        for slot in element.iterchildren(_SLOT)
        if slot.get("name") == CODING_SCHEME
        for value in slot_values(slot, CODING_SCHEME, report)
    ]
    others = sorted({slot.get("name", "") for slot in element.iterchildren(_SLOT)} - {CODING_SCHEME})
    report.not_saved(f"{row.name} Classification", (f"Slot {name}" for name in others))
    problems = []
    if not code:
        problems.append(("nodeRepresentation", "none", "expected a code"))
    if not display:
        problems.append(("Name", "none", "expected the display name of the code"))
    if len(schemes) != 1:
        problems.append((CODING_SCHEME, f"{len(schemes)} values", "expected exactly one"))
    for name, found, expected in problems:
        report.add(f"{row.name} {name}", found, expected, spoils=row.field)
    return None if problems else Code(code=code, coding_scheme=schemes[0], display_name=display or "")


def _read_author(row: Attribute, element: etree._Element, report: Report) -> Author | None:
    """ITI TF-3: 4.2.3.1.4"""
    if element.get("nodeRepresentation"):
        report.add("author nodeRepresentation", "a value", "expected it empty")
    slots: dict[str, tuple[str, ...]] = {}
    for child in element.iterchildren(_SLOT):
        collect_slot(child, slots, report)
    report.not_saved("author Classification", (f"Slot {name}" for name in slots if name not in _AUTHOR_SLOT_NAMES))
    fields: dict[str, Any] = {}
    for name, author_field, datatype, many in AUTHOR_SLOTS:
        if name in slots:
            author_row = Attribute(name=name, field=author_field, carrier=Carrier.SLOT, datatype=datatype, many=many)
            read_slot(author_row, slots[name], fields, report)
    if not {"author_person", "author_institution", "author_telecommunication"} & fields.keys():
        report.add("author", "none of them", "expected authorPerson, authorInstitution or authorTelecommunication")
        return None
    return Author(**fields)
