"""Reading what every object is made of: Slots, texts in several languages, single values. ITI TF-3: 4.2.3.1."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from lxml import etree

from xds.datatypes import LocalizedString
from xds.ebrim.attributes import Attribute
from xds.errors import ErrorCode, RegistryError, metadata_error
from xds.vocabulary import RIM, Severity

_VALUES = f"{{{RIM}}}ValueList/{{{RIM}}}Value"
_LANGUAGE = "{http://www.w3.org/XML/1998/namespace}lang"
_LOCALIZED = f"{{{RIM}}}LocalizedString"


@dataclass(slots=True)
class Report:
    """Findings while reading one object; `name` is how they speak of it."""

    name: str = ""
    id: str = ""
    errors: list[RegistryError] = field(default_factory=list)
    warnings: list[RegistryError] = field(default_factory=list)
    unreadable: set[tuple[str, str]] = field(default_factory=set)

    def about(self, name: str, identifier: str) -> None:
        self.name, self.id = name, identifier

    def add(self, attribute: str, found: str, expected: str, *, spoils: str = "") -> None:
        self.errors.append(metadata_error(f"{self.name} {self.id}: {attribute}: found {found}, {expected}"))
        if spoils:
            self.unreadable.add((self.id, spoils))

    def not_saved(self, where: str, found: Iterable[str]) -> None:
        """Extra metadata in a place where nothing keeps it. ITI TF-3: 4.2.3.1.6"""
        for name in found:
            context = f"{self.name} {self.id}: {where}: found {name}, expected extra metadata as a Slot of the object"
            self.warnings.append(
                RegistryError(code=ErrorCode.EXTRA_METADATA_NOT_SAVED, context=context, severity=Severity.WARNING)
            )


def read_value(row: Attribute, text: str, report: Report) -> Any:
    """The value, or None with a finding."""
    try:
        return row.datatype.parse(text)
    except ValueError as problem:
        expected = str(problem) if str(problem).startswith("expected") else f"expected {row.datatype.name}"
        report.add(row.name, repr(text), expected, spoils=row.field)
        return None


def collect_slot(element: etree._Element, slots: dict[str, tuple[str, ...]], report: Report) -> None:
    name = (element.get("name") or "").strip()
    if name in slots:
        report.add(f"Slot {name}", "the Slot twice", "expected Slot names to be unique in one object", spoils=name)
    slots[name] = slot_values(element, name, report)


def slot_values(element: etree._Element, name: str, report: Report) -> tuple[str, ...]:
    values = [_text(value, f"Slot {name}", report) for value in element.iterfind(_VALUES)]
    if not values or any(not value for value in values):
        report.add(f"Slot {name}", "an empty value or list", "expected at least one Value, none empty", spoils=name)
    return tuple(values)


def _text(element: etree._Element, where: str, report: Report) -> str:
    if len(element):
        report.add(where, "a comment or element inside a value", "expected text only")
        return ""
    return (element.text or "").strip()


def localized(element: etree._Element | None, name: str, report: Report) -> str | None:
    """The text of a Name or Description: the first string, which keeps the others where there are several languages."""
    if element is None:
        return None
    first, *others = [_wording(child) for child in element.iterchildren(_LOCALIZED)] or [LocalizedString("")]
    if not first:
        return None
    return LocalizedString(first, language=first.language, charset=first.charset, others=tuple(others))


def _wording(element: etree._Element) -> LocalizedString:
    return LocalizedString(
        element.get("value", ""), language=element.get(_LANGUAGE, ""), charset=element.get("charset", "")
    )


def read_slot(row: Attribute, values: tuple[str, ...], fields: dict[str, Any], report: Report) -> None:
    if not row.many and len(values) != 1:
        report.add(row.name, f"{len(values)} values", "expected exactly one", spoils=row.field)
        return
    parsed = [read_value(row, value, report) for value in values if value]
    kept = tuple(value for value in parsed if value is not None)
    if row.many:
        fields[row.field] = kept
    elif kept:
        fields[row.field] = kept[0]


def check_owner(element: etree._Element, attribute: str, what: str, report: Report) -> None:
    owner = (element.get(attribute) or "").strip()
    if owner != report.id:
        report.add(
            f"{what} {element.get('id', '')} {attribute}", repr(owner), "expected the id of the enclosing object"
        )
