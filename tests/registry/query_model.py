"""The stored queries once more, slow and plain, over a list of objects: what the registry must find.

Written from the standard alone. Parameters come as names with their groups of values (AND of ORs);
nothing here knows the wire, the table of queries or SQL.
"""

import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from tests.registry.worlds import Stored, World
from xds.datatypes import CX
from xds.metadata import Association, DocumentEntry, Folder, SubmissionSet
from xds.vocabulary import RELATIONSHIPS, AssociationType, AvailabilityStatus, DocumentAvailability, ObjectType

Parameters = Mapping[str, Sequence[Sequence[str]]]
DE, SS, FD = "$XDSDocumentEntry", "$XDSSubmissionSet", "$XDSFolder"
DEPRECATED = AvailabilityStatus.DEPRECATED


def nfc(text: object) -> str:
    return unicodedata.normalize("NFC", str(text))


def like(pattern: str, value: str) -> bool:
    """`%` any string, `_` one character, no escape; the whole value."""
    expression = "".join(".*" if c == "%" else "." if c == "_" else re.escape(c) for c in nfc(pattern))
    return re.fullmatch(expression, nfc(value), re.DOTALL) is not None


def padded(moment: str) -> str:
    return moment + "00000101000000"[len(moment) :]


class Query:
    """One question to one world."""

    def __init__(self, world: World, parameters: Parameters) -> None:
        self.world, self.parameters = world, parameters
        self.is_level_2 = self.all("$MetadataLevel") == ["2"]

    def groups(self, name: str) -> Sequence[Sequence[str]]:
        return self.parameters.get(name, ())

    def all(self, name: str) -> list[str]:
        return [value for group in self.groups(name) for value in group]

    # Which objects a level shows at all.

    def shows(self, one: Stored, *, status_decides: bool = False) -> bool:
        thing = one.thing
        if self.is_level_2 or isinstance(thing, SubmissionSet):
            return True
        if isinstance(thing, Association):
            return thing.availability_status != DEPRECATED
        if isinstance(thing, Folder):
            return one.is_newest and (status_decides or thing.availability_status != DEPRECATED)
        return one.is_newest and thing.document_availability != DocumentAvailability.OFFLINE

    # Single conditions.

    def has_status(self, thing: Any, name: str) -> bool:
        return thing.availability_status in self.all(name)

    def is_of(self, one: Stored, *names: str) -> bool:
        wanted = [CX(value).key for name in names for value in self.all(name)]
        return one.patient.key in wanted

    def has_code(self, values: Iterable[object], name: str) -> bool:
        held = {nfc(value) for value in values}
        return all(any(nfc(value) in held for value in group) for group in self.groups(name))

    def is_like(self, values: Iterable[object], name: str) -> bool:
        held = [str(value) for value in values]
        return all(any(like(p, value) for p in group for value in held) for group in self.groups(name))

    def is_in_time(self, time: Any, name: str) -> bool:
        if time is None:
            return True
        moment = padded(str(time))
        return all(moment >= padded(value) for value in self.all(f"{name}From")) and all(
            moment < padded(value) for value in self.all(f"{name}To")
        )

    # Objects.

    def document_codes(self, thing: DocumentEntry) -> dict[str, Sequence[object]]:
        def single(value: object) -> Sequence[object]:
            return () if value is None else (value,)

        return {
            f"{DE}ClassCode": single(thing.class_code),
            f"{DE}TypeCode": single(thing.type_code),
            f"{DE}PracticeSettingCode": single(thing.practice_setting_code),
            f"{DE}HealthcareFacilityTypeCode": single(thing.healthcare_facility_type_code),
            f"{DE}FormatCode": single(thing.format_code),
            f"{DE}EventCodeList": thing.event_code_list,
            f"{DE}ConfidentialityCode": thing.confidentiality_code,
        }

    def document_texts(self, thing: DocumentEntry) -> dict[str, Sequence[object]]:
        people = [a.author_person for a in thing.author if a.author_person is not None]
        return {f"{DE}AuthorPerson": people, f"{DE}ReferenceIdList": thing.reference_id_list}

    def passes(self, thing: DocumentEntry) -> bool:
        """Every filter on documents, and none of the exclusions."""
        codes, texts = self.document_codes(thing), self.document_texts(thing)
        times = {
            f"{DE}CreationTime": thing.creation_time,
            f"{DE}ServiceStartTime": thing.service_start_time,
            f"{DE}ServiceStopTime": thing.service_stop_time,
        }
        availability = thing.document_availability or DocumentAvailability.ONLINE
        return (
            all(self.has_code(values, name) for name, values in codes.items())
            and all(self.is_like(values, name) for name, values in texts.items())
            and all(self.is_in_time(time, name) for name, time in times.items())
            and availability in (self.all(f"{DE}DocumentAvailability") or [availability])
            and self.has_type(thing)
            and not any(
                self.groups(f"{name}Exclude") and self.has_code(values, f"{name}Exclude")
                for name, values in codes.items()
            )
            and not any(
                self.groups(f"{name}Exclude") and self.is_like(values, f"{name}Exclude")
                for name, values in texts.items()
            )
        )

    def has_type(self, thing: DocumentEntry) -> bool:
        excluded = self.all(f"{DE}TypeExclude")
        if excluded:
            return thing.object_type not in excluded
        return thing.object_type in (self.all(f"{DE}Type") or [ObjectType.STABLE])

    def documents(self) -> list[Stored]:
        return [one for one in self.world.of(DocumentEntry) if self.shows(one) and self.passes(one.thing)]  # type: ignore[arg-type]

    def folders(self, *, status_decides: bool = False) -> list[Stored]:
        return [one for one in self.world.of(Folder) if self.shows(one, status_decides=status_decides)]

    def associations(self) -> list[Stored]:
        statuses = self.all("$XDSAssociationStatus")
        return [
            one
            for one in self.world.of(Association)
            if self.shows(one) and (not statuses or one.thing.availability_status in statuses)
        ]

    def has_members(self) -> list[Stored]:
        return [one for one in self.associations() if one.thing.association_type == AssociationType.HAS_MEMBER]  # type: ignore[union-attr]

    def named(self, kind: Any, prefix: str) -> list[Stored]:
        """By entryUUID, uniqueId or logicalID, whichever is given."""
        return [
            one
            for one in self.world.of(kind)
            if self.shows(one)
            and (
                one.id in self.all(f"{prefix}EntryUUID")
                or one.thing.unique_id in self.all(f"{prefix}UniqueId")  # type: ignore[union-attr]
                or one.thing.logical_id in self.all(f"{prefix}LogicalID")
            )
        ]


def ids(found: Iterable[Stored]) -> set[str]:
    return {one.id for one in found}


def find_documents(query: Query) -> list[Stored]:
    return [
        one
        for one in query.documents()
        if query.is_of(one, f"{DE}PatientId") and query.has_status(one.thing, f"{DE}Status")
    ]


def find_submission_sets(query: Query) -> list[Stored]:
    found = []
    for one in query.world.of(SubmissionSet):
        thing: Any = one.thing
        people = [a.author_person for a in thing.author if a.author_person is not None]
        if (
            query.is_of(one, f"{SS}PatientId")
            and query.has_status(thing, f"{SS}Status")
            and thing.source_id in (query.all(f"{SS}SourceId") or [thing.source_id])
            and query.is_in_time(thing.submission_time, f"{SS}SubmissionTime")
            and query.is_like(people, f"{SS}AuthorPerson")
            and query.has_code([thing.content_type_code], f"{SS}ContentType")
        ):
            found.append(one)
    return found


def _fitting_folders(query: Query) -> list[Stored]:
    found = []
    for one in query.folders(status_decides=True):
        thing: Any = one.thing
        if (
            query.has_status(thing, f"{FD}Status")
            and query.is_in_time(thing.last_update_time, f"{FD}LastUpdateTime")
            and query.has_code(thing.code_list, f"{FD}CodeList")
        ):
            found.append(one)
    return found


def find_folders(query: Query) -> list[Stored]:
    return [one for one in _fitting_folders(query) if query.is_of(one, f"{FD}PatientId")]


def get_all(query: Query) -> list[Stored]:
    objects = [one for one in query.documents() if query.has_status(one.thing, f"{DE}Status")]
    objects += [one for one in query.world.of(SubmissionSet) if query.has_status(one.thing, f"{SS}Status")]
    objects += [one for one in query.folders(status_decides=True) if query.has_status(one.thing, f"{FD}Status")]
    objects = [one for one in objects if query.is_of(one, "$patientId")]
    return objects + touching(query.associations(), ids(objects))


def touching(associations: Iterable[Stored], ends: Iterable[str]) -> list[Stored]:
    ends = set(ends)
    return [one for one in associations if one.thing.source in ends or one.thing.target in ends]  # type: ignore[union-attr]


def get_documents(query: Query) -> list[Stored]:
    return query.named(DocumentEntry, DE)


def get_folders(query: Query) -> list[Stored]:
    return query.named(Folder, FD)


def get_associations(query: Query) -> list[Stored]:
    return touching(query.associations(), query.all("$uuid"))


def get_documents_and_associations(query: Query) -> list[Stored]:
    documents = query.named(DocumentEntry, DE)
    return documents + touching(query.associations(), ids(documents))


def get_submission_sets(query: Query) -> list[Stored]:
    sets = {one.id: one for one in query.world.of(SubmissionSet)}
    members: list[Any] = [
        one
        for one in query.has_members()
        if one.thing.target in query.all("$uuid") and one.thing.source in sets  # type: ignore[union-attr]
    ]
    return [*members, *{one.thing.source: sets[one.thing.source] for one in members}.values()]


def get_submission_set_and_contents(query: Query) -> list[Stored]:
    sets = query.named(SubmissionSet, SS)
    members: list[Any] = [one for one in query.has_members() if one.thing.source in ids(sets)]  # type: ignore[union-attr]
    held = {one.thing.target for one in members}
    objects = sets + [one for one in (*query.documents(), *query.folders()) if one.id in held]
    linked: list[Any] = [one for one in query.associations() if one.id in held]
    linked = [one for one in linked if {one.thing.source, one.thing.target} <= ids(objects)]
    contents = objects + linked
    return contents + [one for one in members if one.thing.target in ids(contents)]


def get_folder_and_contents(query: Query) -> list[Stored]:
    folders = query.named(Folder, FD)
    members: list[Any] = [one for one in query.has_members() if one.thing.source in ids(folders)]  # type: ignore[union-attr]
    documents = [one for one in query.documents() if one.id in {m.thing.target for m in members}]
    return folders + documents + [one for one in members if one.thing.target in ids(documents)]


def get_folders_for_document(query: Query) -> list[Stored]:
    documents = ids(query.named(DocumentEntry, DE))
    holders = {one.thing.source for one in query.has_members() if one.thing.target in documents}  # type: ignore[union-attr]
    return [one for one in query.folders() if one.id in holders]


def get_related_documents(query: Query) -> list[Stored]:
    named = ids(query.named(DocumentEntry, DE))
    shown = ids(query.documents())
    relationships: list[Any] = [
        one
        for one in touching(query.associations(), named)
        if one.thing.association_type in RELATIONSHIPS  # type: ignore[union-attr]
        and one.thing.association_type in query.all("$AssociationTypes")  # type: ignore[union-attr]
        and {one.thing.source, one.thing.target} <= shown  # type: ignore[union-attr]
    ]
    ends = {end for one in relationships for end in (one.thing.source, one.thing.target)}
    return relationships + [one for one in query.world.of(DocumentEntry) if one.id in ends]


def find_documents_for_multiple_patients(query: Query) -> list[Stored]:
    return [
        one
        for one in query.documents()
        if (not query.all(f"{DE}PatientId") or query.is_of(one, f"{DE}PatientId"))
        and query.has_status(one.thing, f"{DE}Status")
    ]


def find_folders_for_multiple_patients(query: Query) -> list[Stored]:
    return [
        one for one in _fitting_folders(query) if not query.all(f"{FD}PatientId") or query.is_of(one, f"{FD}PatientId")
    ]


MODELS: dict[str, Callable[[Query], list[Stored]]] = {
    "FindDocuments": find_documents,
    "FindDocumentsByReferenceId": find_documents,
    "FindDocumentsExclude": find_documents,
    "FindSubmissionSets": find_submission_sets,
    "FindFolders": find_folders,
    "GetAll": get_all,
    "GetDocuments": get_documents,
    "GetFolders": get_folders,
    "GetAssociations": get_associations,
    "GetDocumentsAndAssociations": get_documents_and_associations,
    "GetSubmissionSets": get_submission_sets,
    "GetSubmissionSetAndContents": get_submission_set_and_contents,
    "GetFolderAndContents": get_folder_and_contents,
    "GetFoldersForDocument": get_folders_for_document,
    "GetRelatedDocuments": get_related_documents,
    "FindDocumentsForMultiplePatients": find_documents_for_multiple_patients,
    "FindDocumentsByReferenceIdForMultiplePatients": find_documents_for_multiple_patients,
    "FindFoldersForMultiplePatients": find_folders_for_multiple_patients,
}
SINGLE_PATIENT = frozenset(
    {
        "GetDocuments",
        "GetFolders",
        "GetDocumentsAndAssociations",
        "GetSubmissionSets",
        "GetSubmissionSetAndContents",
        "GetFolderAndContents",
    }
)
