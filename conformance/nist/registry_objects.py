"""The registry objects of a message, sorted by what they are. ITI TF-3: 4.2.1, 4.2.2."""

from collections.abc import Iterable
from dataclasses import dataclass

from lxml import etree

from conformance.nist.vocabulary import (
    APPROVED,
    DEPRECATED,
    DOCUMENT_ENTRY_UNIQUE_ID,
    FOLDER_NODE,
    FOLDER_UNIQUE_ID,
    RIM,
    SUBMISSION_SET_NODE,
    SUBMISSION_SET_UNIQUE_ID,
)
from conformance.nist.xml import text_of

DOCUMENT_ENTRY, SUBMISSION_SET, FOLDER, ASSOCIATION = "DocumentEntry", "SubmissionSet", "Folder", "Association"
_UNIQUE_ID = {
    DOCUMENT_ENTRY: DOCUMENT_ENTRY_UNIQUE_ID,
    SUBMISSION_SET: SUBMISSION_SET_UNIQUE_ID,
    FOLDER: FOLDER_UNIQUE_ID,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistryObject:
    """One object; `kind` empty for a RegistryPackage that is neither SubmissionSet nor Folder, or both."""

    kind: str
    element: etree._Element

    @property
    def id(self) -> str:
        return self.element.get("id", "")

    @property
    def is_approved(self) -> bool:
        return self.element.get("status") == APPROVED

    @property
    def is_deprecated(self) -> bool:
        return self.element.get("status") == DEPRECATED

    @property
    def unique_id(self) -> str:
        scheme = _UNIQUE_ID.get(self.kind, "")
        found = [one for one in self.identifiers if one.get("identificationScheme") == scheme]
        return found[0].get("value", "").strip() if found else ""

    @property
    def identifiers(self) -> list[etree._Element]:
        return self.element.findall(f"{{{RIM}}}ExternalIdentifier")

    @property
    def classifications(self) -> list[etree._Element]:
        return self.element.findall(f"{{{RIM}}}Classification")

    def slot(self, name: str) -> list[str] | None:
        """The values of a Slot; None when there is no such Slot."""
        return slot_values(self.element, name)

    def __str__(self) -> str:
        return f"{self.kind or 'RegistryPackage'} {self.id or 'without id'}"


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistryObjects:
    """All objects of one message."""

    objects: tuple[RegistryObject, ...]
    object_refs: tuple[str, ...]
    nodes: tuple[etree._Element, ...] = ()

    def of(self, kind: str) -> tuple[RegistryObject, ...]:
        return tuple(one for one in self.objects if one.kind == kind)


def slot_values(element: etree._Element, name: str) -> list[str] | None:
    for slot in element.findall(f"{{{RIM}}}Slot"):
        if slot.get("name") == name:
            return [text_of(value) for value in slot.iter(f"{{{RIM}}}Value")]
    return None


def read_registry_objects(message: etree._Element) -> RegistryObjects:
    """The objects of the first RegistryObjectList in a message; none when there is no list."""
    found = next(message.iter(f"{{{RIM}}}RegistryObjectList"), None)
    listed = [] if found is None else list(found.iterchildren("*"))
    nodes = tuple(one for one in listed if one.tag == f"{{{RIM}}}Classification")
    objects = (_read(one, nodes) for one in listed if one.tag in _TAGS)
    references = tuple(one.get("id", "") for one in listed if one.tag == f"{{{RIM}}}ObjectRef")
    return RegistryObjects(objects=tuple(objects), object_refs=references, nodes=nodes)


_TAGS = frozenset(f"{{{RIM}}}{name}" for name in ("ExtrinsicObject", "RegistryPackage", "Association"))


def _read(element: etree._Element, nodes: Iterable[etree._Element]) -> RegistryObject:
    if element.tag == f"{{{RIM}}}ExtrinsicObject":
        return RegistryObject(kind=DOCUMENT_ENTRY, element=element)
    if element.tag == f"{{{RIM}}}Association":
        return RegistryObject(kind=ASSOCIATION, element=element)
    return RegistryObject(kind=_package_kind(element, nodes), element=element)


def _package_kind(element: etree._Element, nodes: Iterable[etree._Element]) -> str:
    """By the classification node inside the package or beside it."""
    inside = {one.get("classificationNode") for one in element.findall(f"{{{RIM}}}Classification")}
    beside = {one.get("classificationNode") for one in nodes if one.get("classifiedObject") == element.get("id")}
    found = (inside | beside) & {SUBMISSION_SET_NODE, FOLDER_NODE}
    if len(found) != 1:
        return ""
    return SUBMISSION_SET if SUBMISSION_SET_NODE in found else FOLDER
