"""Topics and filters of DSUB: one table of each, and how a filter is read. ITI TF-2: 3.52.5; Extensions to DSUB 1.5."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from lxml import etree

from soap.faults import SoapFault, sender
from subscriptions.subscription import ENTERING, OF_FOLDERS, CodeFilter, Content, Event, Filter, TextFilter
from xds.datatypes import CX, Code
from xds.identifiers import is_oid
from xds.metadata import DocumentEntry, Folder, RegistryObject, SubmissionSet
from xds.vocabulary import RIM
from xds.xml import text_of

WSNT = "http://docs.oasis-open.org/wsn/b-2"
SIMPLE = "http://docs.oasis-open.org/wsn/t-1/TopicExpression/Simple"
_QUOTED = re.compile(r"'((?:[^']|'')*)'")
_MOST_SLOTS, _MOST_VALUES, _LONGEST = 50, 100, 2000


def fault(name: str, reason: str) -> SoapFault:
    """A fault of WS-BaseNotification by its name. ITI TF-2: 3.52.4.1.3"""
    return sender(reason, f"{{{WSNT}}}{name}Fault")


@dataclass(frozen=True, slots=True, kw_only=True)
class Topic:
    """What is told: about what, which changes, how much of it."""

    kind: type[RegistryObject]
    events: tuple[Event, ...]
    content: Content = Content.FULL


# Deletions leave nothing that could be told, so the extended topics, which promise them, are not served.
TOPICS: Mapping[str, Topic] = {
    "FullDocumentEntry": Topic(kind=DocumentEntry, events=(Event.NEW, Event.REPLACED)),
    "MinimalDocumentEntry": Topic(kind=DocumentEntry, events=(Event.NEW, Event.REPLACED), content=Content.REFERENCE),
    "SubmissionSetMetadata": Topic(kind=SubmissionSet, events=(Event.SUBMITTED,)),
    "FolderMetadata": Topic(kind=Folder, events=ENTERING),
    "UpdateFolder": Topic(kind=Folder, events=OF_FOLDERS),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Filtering:
    """A filter by its AdhocQuery id: parameter -> attribute, of codes, of texts with wildcards, of OIDs.

    `patient`: the parameter that names the one patient; empty for every patient, and then `one_of` is asked for.
    """

    kind: type[RegistryObject]
    patient: str = ""
    codes: Mapping[str, str] = field(default_factory=dict)
    texts: Mapping[str, str] = field(default_factory=dict)
    oids: Mapping[str, str] = field(default_factory=dict)
    one_of: tuple[str, ...] = ()


_DOCUMENT, _SET, _FOLDER = "$XDSDocumentEntry", "$XDSSubmissionSet", "$XDSFolder"
_CODES_OF_ANYBODY = {
    f"{_DOCUMENT}ClassCode": "class_code",
    f"{_DOCUMENT}TypeCode": "type_code",
    f"{_DOCUMENT}PracticeSettingCode": "practice_setting_code",
    f"{_DOCUMENT}HealthcareFacilityTypeCode": "healthcare_facility_type_code",
}
_CODES = _CODES_OF_ANYBODY | {
    f"{_DOCUMENT}EventCodeList": "event_code_list",
    f"{_DOCUMENT}ConfidentialityCode": "confidentiality_code",
    f"{_DOCUMENT}FormatCode": "format_code",
}
_AUTHOR = {f"{_DOCUMENT}AuthorPerson": "author_person"}
_RECIPIENT = {f"{_SET}IntendedRecipient": "intended_recipient"}
_SOURCE = {f"{_SET}SourceId": "source_id"}
FILTERS: Mapping[str, Filtering] = {
    "urn:uuid:aa2332d0-f8fe-11e0-be50-0800200c9a66": Filtering(
        kind=DocumentEntry,
        patient=f"{_DOCUMENT}PatientId",
        codes=_CODES,
        texts=_AUTHOR | {f"{_DOCUMENT}ReferenceIdList": "reference_id_list"},
    ),
    "urn:uuid:742790e0-aba6-43d6-9f1f-e43ed9790b79": Filtering(
        kind=DocumentEntry, codes=_CODES, texts=_AUTHOR, one_of=tuple(_CODES_OF_ANYBODY)
    ),
    "urn:uuid:fbede94e-dbdc-4f6b-bc1f-d730e677cece": Filtering(
        kind=SubmissionSet,
        patient=f"{_SET}PatientId",
        texts=_RECIPIENT | {f"{_SET}AuthorPerson": "author_person"},
        oids=_SOURCE,
    ),
    "urn:uuid:868cad3d-ec09-4565-b66c-1be10d034399": Filtering(
        kind=SubmissionSet,
        texts=_RECIPIENT | {f"{_SET}Author": "author_person"},
        oids=_SOURCE,
        one_of=(f"{_SET}SourceId", f"{_SET}Author", f"{_SET}IntendedRecipient"),
    ),
    "urn:uuid:9376254e-da05-41f5-9af3-ac56d63d8ebd": Filtering(
        kind=Folder,
        patient=f"{_FOLDER}PatientId",
        codes={f"{_FOLDER}CodeList": "code_list"},
        oids={f"{_FOLDER}UniqueId": "unique_id"},
    ),
}


def read_topic(element: etree._Element | None) -> str:
    """The name of a topic that is served, without its prefix. Raises SoapFault."""
    if element is None:
        raise fault("InvalidTopicExpression", "expected a TopicExpression")
    if element.get("Dialect") != SIMPLE:
        raise fault("TopicExpressionDialectUnknown", f"Dialect: expected {SIMPLE}")
    name = text_of(element).rpartition(":")[2]
    if name not in TOPICS:
        raise fault("TopicNotSupported", f"expected {' or '.join(f'ihe:{one}' for one in TOPICS)}")
    return name


def read_filter(query: etree._Element | None, topic: Topic) -> tuple[str, tuple[Filter, ...]]:
    """CX key of the one patient, empty for every patient, and what else is asked for. Raises SoapFault."""
    asked = None if query is None else FILTERS.get(query.get("id", ""))
    if query is None or asked is None or asked.kind is not topic.kind:
        expected = " or ".join(name for name, one in FILTERS.items() if one.kind is topic.kind)
        raise fault("InvalidFilter", f"expected an AdhocQuery with the id of a filter of the topic: {expected}")
    slots = dict(_slots(query, asked))
    patients = slots.pop(asked.patient, [])
    if asked.patient and len(patients) != 1:
        raise fault("InvalidFilter", f"{asked.patient}: expected one")
    if asked.one_of and not slots.keys() & set(asked.one_of):
        expected = " or ".join(asked.one_of)
        raise fault("InvalidFilter", f"expected {expected} in a filter that is independent of patients")
    filters = tuple(_filter(asked, name, values) for name, values in slots.items())
    return _patient(asked.patient, patients[0]) if patients else "", filters


def _slots(query: etree._Element, asked: Filtering) -> Iterator[tuple[str, list[str]]]:
    """Names and the quoted strings of their values. ITI TF-2: 3.18.4.1.2.3.5"""
    slots = list(query.iterchildren(f"{{{RIM}}}Slot"))
    if len(slots) > _MOST_SLOTS or len({one.get("name") for one in slots}) != len(slots):
        raise fault("InvalidFilter", "expected each Slot once")
    expected = {name for name in (asked.patient, *asked.codes, *asked.texts, *asked.oids) if name}
    for one in slots:
        name, found = one.get("name", ""), list[str]()
        for value in one.iterfind(f"{{{RIM}}}ValueList/{{{RIM}}}Value"):
            found += [each.replace("''", "'") for each in _QUOTED.findall(text_of(value)[:_LONGEST])]
        if name not in expected:
            raise fault("InvalidFilter", f"found another parameter than {', '.join(sorted(expected))}")
        if not 1 <= len(found) <= _MOST_VALUES:
            raise fault("InvalidFilter", f"{name}: expected 1 to {_MOST_VALUES} values in quotes")
        yield name, found


def _filter(asked: Filtering, name: str, values: list[str]) -> Filter:
    if name in asked.texts:
        return TextFilter(attribute=asked.texts[name], any_of=tuple(values))
    if name in asked.oids:
        if not all(map(is_oid, values)):
            raise fault("InvalidFilter", f"{name}: expected OIDs")
        return TextFilter(attribute=asked.oids[name], any_of=tuple(values))
    try:
        return CodeFilter(attribute=asked.codes[name], any_of=tuple(Code.parse(one) for one in values))
    except ValueError:
        raise fault("InvalidFilter", f"{name}: expected code^^scheme") from None


def _patient(parameter: str, text: str) -> str:
    try:
        return CX.parse(text).key
    except ValueError:
        raise fault("InvalidFilter", f"{parameter}: expected ID^^^&OID&ISO") from None
