"""Earlier versions of documents and Folders, in a file beside those that any XDM importer reads.

METADATA.XML can only bring first versions, so a medium shows what was updated as it is now. `CARNET/VERSIONS.XML` is
an answer of a registry (`query:AdhocQueryResponse`) with every version of it, the SubmissionSets in the order of
their registration, and which of them brought which version. An importer that knows the file brings the first version,
then updates it by ITI-57 as it was updated: logicalID, version numbers and entryUUIDs come back.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import TypeVar

from portable_media import layout
from portable_media.medium import Medium, MediumRefused, UnreadableFile, whole
from portable_media.subsets import Subset, of_patient
from xds.datatypes import CX
from xds.ebrim.read import read_registry_objects
from xds.ebrim.response import adhoc_query_response
from xds.ebrim.schema import schema_findings
from xds.ebrim.write import write_object
from xds.metadata import Association, DocumentEntry, Folder, RegistryObject, Submission, SubmissionSet
from xds.xml import BadXml, parse

T = TypeVar("T", DocumentEntry, Folder)
Versioned = DocumentEntry | Folder


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """Every version of the objects that were updated, oldest first, and the memberships of the later ones."""

    submission_sets: tuple[SubmissionSet, ...] = ()
    versions: tuple[Versioned, ...] = ()
    members: tuple[Association, ...] = ()

    @property
    def objects(self) -> tuple[RegistryObject, ...]:
        return (*self.submission_sets, *self.versions, *self.members)

    def of(self, logical_ids: Collection[str]) -> "History":
        """The history of these objects alone; empty when none of them was updated."""
        versions = tuple(one for one in self.versions if logical_id_of(one) in logical_ids)
        known = {one.entry_uuid for one in versions}
        members = tuple(one for one in self.members if one.target in known)
        return replace(self, versions=versions, members=members) if versions else History()


@dataclass(frozen=True, slots=True, kw_only=True)
class Update:
    """One Update Document Set [ITI-57] to repeat: new versions of objects that were imported before."""

    name: str
    submission: Submission
    size: int = 0

    @property
    def unique_ids(self) -> tuple[str, ...]:
        return tuple(entry.unique_id or "" for entry in self.submission.document_entries)


def logical_id_of(thing: Versioned) -> str:
    return thing.logical_id or thing.entry_uuid


def version_of(thing: Versioned) -> int:
    return thing.version or 1


def is_whole(versions: Collection[Versioned]) -> bool:
    """Whether there are several, from the first to the newest without a gap."""
    return len(versions) > 1 and sorted(map(version_of, versions)) == list(range(1, len(versions) + 1))


def write_history(history: History) -> bytes:
    """`CARNET/VERSIONS.XML`, UTF-8."""
    return b'<?xml version="1.0" encoding="UTF-8"?>\n' + adhoc_query_response(map(write_object, history.objects))


def read_history(medium: Medium) -> History:
    """The history on a medium, empty where there is none. Raises MediumRefused for one that cannot be read."""
    if layout.VERSIONS not in medium.files:
        return History()
    try:
        limits = layout.METADATA_LIMITS
        octets = whole(medium, layout.VERSIONS, at_most=limits.octets)
        answer = parse(octets, limits=limits, processing_instructions=False)
    except (BadXml, UnreadableFile) as problem:
        raise MediumRefused(f"{layout.VERSIONS}: {problem}") from problem
    for finding in schema_findings(answer):
        raise MediumRefused(f"{layout.VERSIONS}: {finding}")
    things = list(read_registry_objects(answer))
    versions = [one for one in things if isinstance(one, Versioned)]
    by_object: dict[str, list[Versioned]] = {}
    for one in versions:
        by_object.setdefault(logical_id_of(one), []).append(one)
    if not all(map(is_whole, by_object.values())):
        raise MediumRefused(f"{layout.VERSIONS}: expected every version of an object, from the first to the newest")
    return History(
        submission_sets=tuple(one for one in things if isinstance(one, SubmissionSet)),
        versions=tuple(sorted(versions, key=version_of)),
        members=tuple(one for one in things if isinstance(one, Association)),
    )


def steps(read: Iterable[Subset], history: History, *, patient_id: CX | None = None) -> Iterator[Subset | Update]:
    """What to import, in its order: the submissions of the medium as they first were, and the updates between them.

    `patient_id` is who the patient of the medium is here.
    """
    return iter(read) if not history.versions else _Replay(history, patient_id).steps(list(read))


@dataclass(slots=True)
class _Replay:
    """Which version each updated object has by now, while the submissions pass."""

    history: History
    patient_id: CX | None
    first: dict[str, Versioned] = field(default_factory=dict)
    current: dict[str, str] = field(default_factory=dict)
    newest_of: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        newest = {logical_id_of(one): one.entry_uuid for one in self.history.versions}  # oldest first: the last stays
        for one in self.history.versions:
            self.newest_of[one.entry_uuid] = newest[logical_id_of(one)]
            if version_of(one) == 1:
                self.first[newest[logical_id_of(one)]] = one
                self.current[newest[logical_id_of(one)]] = one.entry_uuid

    def steps(self, read: list[Subset]) -> Iterator[Subset | Update]:
        by_owner = {owner.entry_uuid: one for one in read if (owner := one.submission.submission_set) is not None}
        updates = {update.source: [] for update in self.history.members}  # type: dict[str, list[Association]]
        for member in self.history.members:
            updates[member.source].append(member)
        for owner in self.history.submission_sets:
            subset = by_owner.pop(owner.entry_uuid, None)
            if subset is not None:
                yield self._as_it_was(subset)
            elif owner.entry_uuid in updates:
                yield self._update(owner, updates[owner.entry_uuid])
        known = {id(one) for one in by_owner.values()}
        yield from (one for one in read if id(one) in known or one.submission.submission_set is None)

    def _as_it_was(self, subset: Subset) -> Subset:
        submission = subset.submission
        changed = replace(
            submission,
            document_entries=tuple(self._at_first(entry) for entry in submission.document_entries),
            folders=tuple(self._at_first(folder) for folder in submission.folders),
            associations=tuple(self._between_current(link) for link in submission.associations),
        )
        documents = tuple(replace(one, entry_uuid=self._now(one.entry_uuid)) for one in subset.documents)
        return replace(subset, submission=changed, documents=documents)

    def _at_first(self, thing: T) -> T:
        first = self.first.get(thing.entry_uuid)
        if not isinstance(first, type(thing)):
            return thing
        as_first = replace(first, patient_id=thing.patient_id, logical_id=None, version=None, availability_status=None)
        if isinstance(thing, DocumentEntry) and isinstance(as_first, DocumentEntry):
            return replace(as_first, hash=thing.hash, size=thing.size, repository_unique_id=thing.repository_unique_id)
        return as_first

    def _between_current(self, link: Association) -> Association:
        return replace(link, source=self._now(link.source), target=self._now(link.target))

    def _now(self, entry_uuid: str) -> str:
        return self.current.get(entry_uuid, entry_uuid)

    def _update(self, owner: SubmissionSet, members: list[Association]) -> Update:
        by_uuid: Mapping[str, Versioned] = {one.entry_uuid: one for one in self.history.versions}
        new = [by_uuid[member.target] for member in members if member.target in by_uuid]
        for one in new:
            self.current[self.newest_of[one.entry_uuid]] = one.entry_uuid
        asked = [replace(one, version=None, availability_status=None) for one in new]
        links = [
            replace(member, previous_version=version_of(by_uuid[member.target]) - 1, logical_id=None, version=None)
            for member in members
        ]
        submission = Submission(
            submission_set=replace(owner, logical_id=None, version=None),
            document_entries=tuple(one for one in asked if isinstance(one, DocumentEntry)),
            folders=tuple(one for one in asked if isinstance(one, Folder)),
            associations=tuple(links),
        )
        given = submission if self.patient_id is None else of_patient(submission, self.patient_id)
        told = ", ".join(f"version {version_of(one)} of {one.unique_id}" for one in new)
        return Update(name=f"{layout.VERSIONS}: {told}", submission=given)
