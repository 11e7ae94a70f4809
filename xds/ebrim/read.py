"""Reading metadata: ebRIM elements -> frozen objects, with every finding on the way. ITI TF-3: 4.2.1.

A value that cannot be read is left out of its object and reported; the submission is refused
because of the report, so a half-valid object is never stored.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar, cast

from lxml import etree

from xds.datatypes import Code, LocalizedString
from xds.ebrim.attributes import (
    ASSOCIATION,
    AUTHOR_SLOTS,
    CODE,
    DOCUMENT_ENTRY,
    FOLDER,
    SUBMISSION_SET,
    XDS_SCHEMES,
    Attribute,
    Carrier,
    ObjectTable,
)
from xds.errors import RegistryError, metadata_error
from xds.identifiers import is_uuid_urn
from xds.metadata import (
    Association,
    Author,
    DocumentEntry,
    ExtraCode,
    Folder,
    RegistryObject,
    Slot,
    Submission,
    SubmissionSet,
)
from xds.vocabulary import LCM, LIMITED_METADATA_NODES, RIM, AssociationType, AvailabilityStatus, ClassificationNode

_SLOT, _VALUE, _VALUE_LIST = f"{{{RIM}}}Slot", f"{{{RIM}}}Value", f"{{{RIM}}}ValueList"
_LANGUAGE = "{http://www.w3.org/XML/1998/namespace}lang"
_NAME, _DESCRIPTION, _LOCALIZED = f"{{{RIM}}}Name", f"{{{RIM}}}Description", f"{{{RIM}}}LocalizedString"
_VERSION, _CLASSIFICATION = f"{{{RIM}}}VersionInfo", f"{{{RIM}}}Classification"
_IDENTIFIER, _PACKAGE = f"{{{RIM}}}ExternalIdentifier", f"{{{RIM}}}RegistryPackage"
_EXTRINSIC, _ASSOCIATION = f"{{{RIM}}}ExtrinsicObject", f"{{{RIM}}}Association"
_OBJECT_LIST = f"{{{RIM}}}RegistryObjectList"
_OBJECT_REF = f"{{{RIM}}}ObjectRef"
CODING_SCHEME = "codingScheme"
T = TypeVar("T", SubmissionSet, Folder)
_STATUS_OF = {str(status): status for status in AvailabilityStatus}


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What a request held: the objects, the findings, and which attributes could not be read."""

    submission: Submission
    errors: tuple[RegistryError, ...] = ()
    unreadable: frozenset[tuple[str, str]] = frozenset()


@dataclass(slots=True)
class _Report:
    """Findings while reading one object; `name` is how they speak of it."""

    name: str = ""
    id: str = ""
    errors: list[RegistryError] = field(default_factory=list)
    unreadable: set[tuple[str, str]] = field(default_factory=set)

    def about(self, name: str, identifier: str) -> None:
        self.name, self.id = name, identifier

    def add(self, attribute: str, found: str, expected: str, *, spoils: str = "") -> None:
        self.errors.append(metadata_error(f"{self.name} {self.id}: {attribute}: found {found}, {expected}"))
        if spoils:
            self.unreadable.add((self.id, spoils))


def read_submission(request: etree._Element) -> Reading:
    """Read `lcm:SubmitObjectsRequest`. ITI TF-2: 3.42.4.1.2"""
    report = _Report()
    object_list = request.find(_OBJECT_LIST)
    elements = [] if object_list is None else [child for child in object_list if isinstance(child.tag, str)]
    nodes = _nodes_beside(elements, report)
    entries: list[DocumentEntry] = []
    sets: list[SubmissionSet] = []
    folders: list[Folder] = []
    associations: list[Association] = []
    for element in elements:
        if element.tag == _EXTRINSIC:
            entries.append(_read(element, DOCUMENT_ENTRY, DocumentEntry, report))
        elif element.tag == _ASSOCIATION:
            associations.extend(_read_association(element, report))
        elif element.tag == _PACKAGE:
            node = _package_node(element, nodes, report)
            beside = nodes.get(element.get("id", ""), set())
            if node is ClassificationNode.SUBMISSION_SET:
                owner = _read(element, SUBMISSION_SET, SubmissionSet, report)
                sets.append(_limited_by(beside, ClassificationNode.LIMITED_SUBMISSION_SET, owner))
            elif node is ClassificationNode.FOLDER:
                folder = _read(element, FOLDER, Folder, report)
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
    return Reading(submission=submission, errors=tuple(report.errors), unreadable=frozenset(report.unreadable))


def read_document_entries(response: etree._Element) -> tuple[DocumentEntry, ...]:
    """The DocumentEntries of a query answer, as a consumer reads them; the status is kept."""
    report = _Report()
    return tuple(
        replace(
            _read(element, DOCUMENT_ENTRY, DocumentEntry, report),
            availability_status=_STATUS_OF.get(element.get("status", "")),
        )
        for element in response.iter(_EXTRINSIC)
    )


def read_registry_objects(answer: etree._Element) -> Iterator[RegistryObject]:
    """Every object of a query answer, in its order, as a consumer reads it; statuses are kept."""
    report = _Report()
    for element in answer.iter(_EXTRINSIC, _PACKAGE, _ASSOCIATION):
        status = _STATUS_OF.get(element.get("status", ""))
        for thing in _read_object(element, report):
            yield replace(thing, availability_status=status)


def _read_object(element: etree._Element, report: _Report) -> Iterator[RegistryObject]:
    if element.tag == _EXTRINSIC:
        yield _read(element, DOCUMENT_ENTRY, DocumentEntry, report)
    elif element.tag == _ASSOCIATION:
        yield from _read_association(element, report)
    elif _package_node(element, {}, report) is ClassificationNode.FOLDER:
        yield _read(element, FOLDER, Folder, report)
    else:
        yield _read(element, SUBMISSION_SET, SubmissionSet, report)


def submit_objects_request(body: etree._Element) -> etree._Element | None:
    """The `lcm:SubmitObjectsRequest` itself or inside a Provide and Register request."""
    tag = f"{{{LCM}}}SubmitObjectsRequest"
    return body if body.tag == tag else body.find(tag)


def _nodes_beside(elements: list[etree._Element], report: _Report) -> dict[str, set[str]]:
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


def _package_node(element: etree._Element, beside: dict[str, set[str]], report: _Report) -> ClassificationNode | None:
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


def _read_association(element: etree._Element, report: _Report) -> Iterator[Association]:
    """One Association; without a known type or both ends it is reported and not read."""
    report.about("Association", element.get("id", ""))
    kind = (element.get("associationType") or "").strip()
    if kind not in set(AssociationType):
        report.add("associationType", repr(kind), "expected an association type of XDS as a full URN")
        return
    found = _read(element, ASSOCIATION, Association, report)
    yield found


def _read(element: etree._Element, table: ObjectTable, make: Callable[..., Any], report: _Report) -> Any:
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
            _collect_slot(child, slots, report)
        elif tag == _CLASSIFICATION:
            codes.setdefault(child.get("classificationScheme", ""), []).append(child)
        elif tag == _IDENTIFIER:
            identifiers.setdefault(child.get("identificationScheme", ""), []).append(child)
        elif tag == _VERSION:
            fields["version"] = _number_or_none(child.get("versionName"))
    for tag, name in ((_NAME, "title"), (_DESCRIPTION, "comments")):
        text = _localized(element.find(tag), name, report)
        if text is not None and table is not ASSOCIATION:
            fields[name] = text
    fields["extra_slots"] = _read_slots(slots, table, fields, report)
    fields["extra_codes"] = _read_classifications(codes, table, fields, report)
    _read_identifiers(identifiers, table, fields, report)
    return make(**fields)


def _number_or_none(text: str | None) -> int | None:
    """A submitted version is ignored, so whatever it is, it is no error. ITI TF-3: 4.2.3.2.34"""
    return int(text) if text and text.isascii() and text.isdigit() else None


def _read_xml_attributes(element: etree._Element, table: ObjectTable, fields: dict[str, Any], report: _Report) -> None:
    for row in table.of(Carrier.XML_ATTRIBUTE):
        text = element.get(row.wire)
        if text is None or row.field == "availability_status":
            continue
        value = _parsed(row, text.strip(), report)
        if value is not None:
            fields[row.field] = value


def _parsed(row: Attribute, text: str, report: _Report) -> Any:
    """The value, or None with a finding."""
    try:
        return row.datatype.parse(text)
    except ValueError as problem:
        expected = str(problem) if str(problem).startswith("expected") else f"expected {row.datatype.name}"
        report.add(row.name, repr(text), expected, spoils=row.field)
        return None


def _collect_slot(element: etree._Element, slots: dict[str, tuple[str, ...]], report: _Report) -> None:
    name = (element.get("name") or "").strip()
    if name in slots:
        report.add(f"Slot {name}", "the Slot twice", "expected Slot names to be unique in one object", spoils=name)
    slots[name] = _slot_values(element, name, report)


def _slot_values(element: etree._Element, name: str, report: _Report) -> tuple[str, ...]:
    values = [_text(value, f"Slot {name}", report) for value in element.iterfind(f"{_VALUE_LIST}/{_VALUE}")]
    if not values or any(not value for value in values):
        report.add(f"Slot {name}", "an empty value or list", "expected at least one Value, none empty", spoils=name)
    return tuple(values)


def _text(element: etree._Element, where: str, report: _Report) -> str:
    if len(element):
        report.add(where, "a comment or element inside a value", "expected text only")
        return ""
    return (element.text or "").strip()


def _localized(element: etree._Element | None, name: str, report: _Report) -> str | None:
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


def _read_slots(
    slots: dict[str, tuple[str, ...]], table: ObjectTable, fields: dict[str, Any], report: _Report
) -> tuple[Slot, ...]:
    """Fill the Slot attributes; what is left is extra metadata. ITI TF-3: 4.2.3.1.6"""
    rows = table.by_wire(Carrier.SLOT)
    extra = []
    for name, values in slots.items():
        row = rows.get(name)
        if row is not None:
            _read_slot(row, values, fields, report)
        elif name.startswith("urn:") and not name.startswith("urn:ihe:"):
            extra.append(Slot(name, values))
        elif not (table is ASSOCIATION and name == "SubmissionSetStatus"):
            report.add(f"Slot {name}", "a Slot that XDS does not define here", "expected a Slot of XDS or a urn: name")
    return tuple(extra)


def _read_slot(row: Attribute, values: tuple[str, ...], fields: dict[str, Any], report: _Report) -> None:
    if not row.many and len(values) != 1:
        report.add(row.name, f"{len(values)} values", "expected exactly one", spoils=row.field)
        return
    parsed = [_parsed(row, value, report) for value in values if value]
    kept = tuple(value for value in parsed if value is not None)
    if row.many:
        fields[row.field] = kept
    elif kept:
        fields[row.field] = kept[0]


def _read_classifications(
    codes: dict[str, list[etree._Element]], table: ObjectTable, fields: dict[str, Any], report: _Report
) -> tuple[ExtraCode, ...]:
    """Fill the coded attributes and the authors; what is left is extra metadata."""
    rows = table.by_wire(Carrier.CODE) | table.by_wire(Carrier.AUTHOR)
    extra: list[ExtraCode] = []
    for scheme, elements in codes.items():
        for element in elements:
            _check_owner(element, "classifiedObject", "Classification", report)
        row = rows.get(scheme)
        if row is not None:
            _read_codes(row, elements, fields, report)
        elif is_uuid_urn(scheme) and scheme not in XDS_SCHEMES:
            extra.extend(_read_extra_codes(scheme, elements, report))
        elif scheme or not all(_is_node(element, table, fields, report) for element in elements):
            report.add("classificationScheme", repr(scheme), f"expected a classification scheme of {table.name}")
    return tuple(extra)


def _read_extra_codes(scheme: str, elements: list[etree._Element], report: _Report) -> Iterator[ExtraCode]:
    row = Attribute(name=f"Classification {scheme}", field="", carrier=Carrier.CODE, wire=scheme, datatype=CODE)
    for element in elements:
        code = _read_code(row, element, report)
        if code is not None:
            yield ExtraCode(scheme, code)


def _is_node(element: etree._Element, table: ObjectTable, fields: dict[str, Any], report: _Report) -> bool:
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


def _read_codes(row: Attribute, elements: list[etree._Element], fields: dict[str, Any], report: _Report) -> None:
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


def _check_owner(element: etree._Element, attribute: str, what: str, report: _Report) -> None:
    owner = (element.get(attribute) or "").strip()
    if owner != report.id:
        report.add(
            f"{what} {element.get('id', '')} {attribute}", repr(owner), "expected the id of the enclosing object"
        )


def _read_code(row: Attribute, element: etree._Element, report: _Report) -> Code | None:
    """ITI TF-3: 4.2.3.1.2"""
    code = (element.get("nodeRepresentation") or "").strip()
    display = _localized(element.find(_NAME), row.name, report)
    schemes = [
        value
        for slot in element.iterchildren(_SLOT)
        if slot.get("name") == CODING_SCHEME
        for value in _slot_values(slot, CODING_SCHEME, report)
    ]
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


def _read_author(row: Attribute, element: etree._Element, report: _Report) -> Author | None:
    """ITI TF-3: 4.2.3.1.4"""
    if element.get("nodeRepresentation"):
        report.add("author nodeRepresentation", "a value", "expected it empty")
    slots: dict[str, tuple[str, ...]] = {}
    for child in element.iterchildren(_SLOT):
        _collect_slot(child, slots, report)
    fields: dict[str, Any] = {}
    for name, author_field, datatype, many in AUTHOR_SLOTS:
        if name in slots:
            author_row = Attribute(name=name, field=author_field, carrier=Carrier.SLOT, datatype=datatype, many=many)
            _read_slot(author_row, slots[name], fields, report)
    if not {"author_person", "author_institution", "author_telecommunication"} & fields.keys():
        report.add("author", "none of them", "expected authorPerson, authorInstitution or authorTelecommunication")
        return None
    return Author(**fields)


def _read_identifiers(
    identifiers: dict[str, list[etree._Element]], table: ObjectTable, fields: dict[str, Any], report: _Report
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
        _check_owner(element, "registryObject", "ExternalIdentifier", report)
        value = _parsed(row, (element.get("value") or "").strip(), report)
        if value is not None:
            fields[row.field] = value
