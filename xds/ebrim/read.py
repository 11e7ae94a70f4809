"""Reading metadata: ebRIM elements -> frozen objects, with every finding on the way. ITI TF-3: 4.2.1.

A value that cannot be read is left out of its object and reported; the submission is refused
because of the report, so a half-valid object is never stored.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, TypeVar, cast

from lxml import etree

from xds.ebrim.attributes import ASSOCIATION, DOCUMENT_ENTRY, FOLDER, SUBMISSION_SET
from xds.ebrim.read_object import read_object
from xds.ebrim.read_values import Report
from xds.errors import RegistryError
from xds.metadata import Association, DocumentEntry, Folder, RegistryObject, Submission, SubmissionSet
from xds.vocabulary import (
    LCM,
    METADATA_UPDATE_TRIGGERS,
    RIM,
    AssociationType,
    AvailabilityStatus,
    ClassificationNode,
)

_CLASSIFICATION, _PACKAGE = f"{{{RIM}}}Classification", f"{{{RIM}}}RegistryPackage"
_EXTRINSIC, _ASSOCIATION = f"{{{RIM}}}ExtrinsicObject", f"{{{RIM}}}Association"
_OBJECT_LIST = f"{{{RIM}}}RegistryObjectList"
_OBJECT_REF = f"{{{RIM}}}ObjectRef"
T = TypeVar("T", SubmissionSet, Folder)
# The rules of a submission look at every object beside every other; a lot has some dozen.
MOST_OBJECTS = 2_500
_STATUS_OF = {str(status): status for status in AvailabilityStatus}


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What a request held: the objects, the findings, and which attributes could not be read.

    `warnings` tell of extra metadata that will not be kept.
    """

    submission: Submission
    errors: tuple[RegistryError, ...] = ()
    warnings: tuple[RegistryError, ...] = ()
    unreadable: frozenset[tuple[str, str]] = frozenset()


def read_submission(request: etree._Element) -> Reading:
    """Read `lcm:SubmitObjectsRequest`. ITI TF-2: 3.42.4.1.2"""
    report = Report()
    object_list = request.find(_OBJECT_LIST)
    elements = [] if object_list is None else [child for child in object_list if isinstance(child.tag, str)]
    if len(elements) > MOST_OBJECTS:
        report.about("SubmitObjectsRequest", "")
        report.add("RegistryObjectList", f"{len(elements)} objects", f"expected at most {MOST_OBJECTS}")
        return Reading(submission=Submission(submission_set=None), errors=tuple(report.errors))
    nodes = _nodes_beside(elements, report)
    entries: list[DocumentEntry] = []
    sets: list[SubmissionSet] = []
    folders: list[Folder] = []
    associations: list[Association] = []
    for element in elements:
        if element.tag == _EXTRINSIC:
            entries.append(read_object(element, DOCUMENT_ENTRY, DocumentEntry, report))
        elif element.tag == _ASSOCIATION:
            associations.extend(_read_association(element, report))
        elif element.tag == _PACKAGE:
            node = _package_node(element, nodes, report)
            beside = nodes.get(element.get("id", ""), set())
            if node is ClassificationNode.SUBMISSION_SET:
                owner = read_object(element, SUBMISSION_SET, SubmissionSet, report)
                sets.append(_limited_by(beside, ClassificationNode.LIMITED_SUBMISSION_SET, owner))
            elif node is ClassificationNode.FOLDER:
                folder = read_object(element, FOLDER, Folder, report)
                folders.append(_limited_by(beside, ClassificationNode.LIMITED_FOLDER, folder))
        elif element.tag not in (_CLASSIFICATION, _OBJECT_REF):
            report.about(etree.QName(element).localname, element.get("id", ""))
            report.add(
                "element", "an object that XDS does not use", "expected ExtrinsicObject, RegistryPackage, Association"
            )
    if len(sets) != 1:
        report.about("SubmitObjectsRequest", "")
        report.add("SubmissionSet", f"{len(sets)} of them", "expected exactly one")
    submission = Submission(
        submission_set=sets[0] if len(sets) == 1 else None,
        document_entries=tuple(entries),
        folders=tuple(folders),
        associations=tuple(associations),
    )
    return Reading(
        submission=submission,
        errors=tuple(report.errors),
        warnings=tuple(report.warnings),
        unreadable=frozenset(report.unreadable),
    )


def read_document_entries(response: etree._Element) -> tuple[DocumentEntry, ...]:
    """The DocumentEntries of a query answer, as a consumer reads them; the status is kept."""
    report = Report()
    return tuple(
        replace(
            read_object(element, DOCUMENT_ENTRY, DocumentEntry, report),
            availability_status=_STATUS_OF.get(element.get("status", "")),
        )
        for element in response.iter(_EXTRINSIC)
    )


def read_registry_objects(answer: etree._Element) -> Iterator[RegistryObject]:
    """Every object of a query answer, in its order, as a consumer reads it; statuses are kept."""
    report = Report()
    for element in answer.iter(_EXTRINSIC, _PACKAGE, _ASSOCIATION):
        status = _STATUS_OF.get(element.get("status", ""))
        for thing in _any_object(element, report):
            yield replace(thing, availability_status=status)


def _any_object(element: etree._Element, report: Report) -> Iterator[RegistryObject]:
    if element.tag == _EXTRINSIC:
        yield read_object(element, DOCUMENT_ENTRY, DocumentEntry, report)
    elif element.tag == _ASSOCIATION:
        yield from _read_association(element, report)
    elif _package_node(element, {}, report) is ClassificationNode.FOLDER:
        yield read_object(element, FOLDER, Folder, report)
    else:
        yield read_object(element, SUBMISSION_SET, SubmissionSet, report)


def submit_objects_request(body: etree._Element) -> etree._Element | None:
    """The `lcm:SubmitObjectsRequest` itself or inside a Provide and Register request."""
    tag = f"{{{LCM}}}SubmitObjectsRequest"
    return body if body.tag == tag else body.find(tag)


def _nodes_beside(elements: list[etree._Element], report: Report) -> dict[str, set[str]]:
    """Classification nodes that stand beside their package in the list. ITI TF-3: 4.2.1.3"""
    ids = {element.get("id") for element in elements if element.tag == _PACKAGE}
    nodes: dict[str, set[str]] = {}
    for element in elements:
        if element.tag != _CLASSIFICATION:
            continue
        owner = element.get("classifiedObject", "")
        report.about("Classification", element.get("id", ""))
        if owner not in ids:
            report.add("classifiedObject", repr(owner), "expected the id of a RegistryPackage of the request")
        nodes.setdefault(owner, set()).add(element.get("classificationNode", ""))
    return nodes


def _limited_by(beside: set[str], node: ClassificationNode, package: T) -> T:
    """The flag of limited metadata may stand beside its package, as any node may."""
    return cast(T, replace(cast(Any, package), limited_metadata=True)) if node in beside else package


def _package_node(element: etree._Element, beside: dict[str, set[str]], report: Report) -> ClassificationNode | None:
    """Whether a RegistryPackage is a SubmissionSet or a Folder; neither or both is refused."""
    identifier = element.get("id", "")
    inside = {c.get("classificationNode", "") for c in element.iterchildren(_CLASSIFICATION)} - {""}
    found = inside | beside.get(identifier, set())
    kinds = found & {ClassificationNode.SUBMISSION_SET, ClassificationNode.FOLDER}
    report.about("RegistryPackage", identifier)
    for node in sorted(found - set(ClassificationNode)):
        report.add("classificationNode", repr(node), "expected a node of XDS")
    if len(kinds) == 1:
        return ClassificationNode(kinds.pop())
    report.add(
        "classificationNode", f"{len(kinds)} kinds", "expected the node of SubmissionSet or of Folder, one of them"
    )
    return None


def _read_association(element: etree._Element, report: Report) -> Iterator[Association]:
    """One Association; without a known type or both ends it is reported and not read."""
    report.about("Association", element.get("id", ""))
    kind = (element.get("associationType") or "").strip()
    if kind not in set(AssociationType):
        report.add("associationType", repr(kind), "expected an association type of XDS as a full URN")
        return
    association = read_object(element, ASSOCIATION, Association, report)
    if association.association_type in METADATA_UPDATE_TRIGGERS:
        extra = [f"Slot {slot.name}" for slot in association.extra_slots]
        extra += [f"Classification {one.scheme}" for one in association.extra_codes]
        report.not_saved("an association that is not stored", extra)
    yield association
