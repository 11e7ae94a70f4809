"""A patient's record as the SubmissionSets that brought it, in their order. ITI TF-3: 4.2.

Imported one after the other into an empty registry they build the record again: a replacing document comes
after the one it replaces, a Folder before what enters it later.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeVar

from access_policy.caller import Caller
from portable_media.history import History, Versioned, is_whole, logical_id_of, version_of
from registry.criteria import Criteria
from registry.snapshot import Snapshot
from registry.store import Registry
from xds.datatypes import CX, DTM
from xds.identifiers import new_oid, new_uuid_urn
from xds.metadata import Association, DocumentEntry, Folder, RegistryObject, Submission, SubmissionSet
from xds.vocabulary import RELATIONSHIPS, REPLACEMENTS, AssociationType, AvailabilityStatus, ObjectType

T = TypeVar("T", bound=RegistryObject)
_KINDS: tuple[type[RegistryObject], ...] = (SubmissionSet, Folder, DocumentEntry, Association)


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftOut:
    """A document of the record that the medium does not hold, and why. `is_damaged`: because its octets are wrong."""

    unique_id: str
    reason: str
    is_damaged: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class LostLink:
    """A relationship or a membership of a Folder that the medium does not hold, by the uniqueIds of its ends, and why.

    The end is the entryUUID where nothing visible to the holder has it.
    """

    association_type: str
    source: str
    target: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """What a medium will hold: submissions in the order of their registration, and what is left out."""

    submissions: tuple[Submission, ...]
    left_out: tuple[LeftOut, ...] = ()
    lost_links: tuple[LostLink, ...] = ()
    history: History = field(default_factory=History)

    @property
    def document_entries(self) -> tuple[DocumentEntry, ...]:
        return tuple(entry for submission in self.submissions for entry in submission.document_entries)


def record_of(registry: Registry, patient_id: CX, caller: Caller, *, deprecated_too: bool = False) -> Record:
    """What the caller may see of a patient's record, from one committed state; stable documents only."""
    with registry.seen_by(caller) as snapshot:
        things = [thing for kind in _KINDS for thing in _read(snapshot, kind, patient_id)]
    return _Assembly(things, deprecated_too=deprecated_too).record()


def only(record: Record, kept: Collection[str], left_out: Sequence[LeftOut]) -> Record:
    """The record with those documents (uniqueIds) alone, and without what then leads nowhere."""
    gone = {entry.entry_uuid for entry in record.document_entries if entry.unique_id not in kept}
    submissions: list[Submission] = []
    for submission in record.submissions:
        entries = tuple(entry for entry in submission.document_entries if entry.entry_uuid not in gone)
        submissions.append(replace(submission, document_entries=entries))
    return Record(
        submissions=tuple(_without_loose_ends(submissions, gone)),
        left_out=(*record.left_out, *left_out),
        lost_links=(*record.lost_links, *_lost_with(record, gone)),
        history=_history_without(record, gone),
    )


def _history_without(record: Record, gone: set[str]) -> History:
    lost = {logical_id_of(one) for one in record.history.versions if one.entry_uuid in gone}
    return record.history.of({logical_id_of(one) for one in record.history.versions} - lost)


def _lost_with(record: Record, gone: set[str]) -> Iterator[LostLink]:
    """The links of documents that are left out, but the memberships of their SubmissionSets."""
    names = {entry.entry_uuid: entry.unique_id or "" for entry in record.document_entries}
    for submission in record.submissions:
        names |= {folder.entry_uuid: folder.unique_id or "" for folder in submission.folders}
    for submission in record.submissions:
        for link in submission.associations:
            if {link.source, link.target} & gone and link.source in names:
                yield _lost(link, names, "one end is left out")


def _lost(link: Association, names: Mapping[str, str], reason: str) -> LostLink:
    return LostLink(
        association_type=str(link.association_type).rpartition(":")[2],
        source=names.get(link.source, link.source),
        target=names.get(link.target, link.target),
        reason=reason,
    )


def as_one(record: Record, *, source_id: str, now: str) -> Record:
    """The same objects under one new SubmissionSet, sent by `source_id` (an OID) now (DTM of 14 digits, UTC).

    Relationships that only a registry can carry out, one submission after the other, are left out.
    """
    newest = record.submissions[-1].submission_set if record.submissions else None
    if newest is None:
        return record
    owner = SubmissionSet(
        entry_uuid=new_uuid_urn(),
        content_type_code=newest.content_type_code,
        patient_id=newest.patient_id,
        source_id=source_id,
        submission_time=DTM(now),
        title="Copie du dossier",
        unique_id=new_oid(),
    )
    entries = record.document_entries
    folders = tuple(folder for submission in record.submissions for folder in submission.folders)
    ends = {entry.entry_uuid for entry in entries} | {folder.entry_uuid for folder in folders}
    links = [
        link
        for submission in record.submissions
        for link in submission.associations
        if {link.source, link.target} <= ends and link.association_type not in REPLACEMENTS
    ]
    members = [_member(owner, entry.entry_uuid, "Original") for entry in entries]
    members += [_member(owner, folder.entry_uuid) for folder in folders]
    members += [_member(owner, a.entry_uuid) for a in links if a.association_type is AssociationType.HAS_MEMBER]
    one = Submission(submission_set=owner, document_entries=entries, folders=folders, associations=(*members, *links))
    return replace(record, submissions=(one,), history=History())


def _member(owner: SubmissionSet, target: str, status: str | None = None) -> Association:
    return Association(
        entry_uuid=new_uuid_urn(),
        association_type=AssociationType.HAS_MEMBER,
        source=owner.entry_uuid,
        target=target,
        submission_set_status=status,
    )


def _read(snapshot: Snapshot, kind: type[RegistryObject], patient_id: CX) -> Iterator[RegistryObject]:
    """The objects of one kind, every version, oldest registration first."""
    return snapshot.objects(Criteria(kind=kind, patient=patient_id.key, on_demand=True, all_versions=True))


def _without_loose_ends(submissions: Iterable[Submission], gone: set[str]) -> Iterator[Submission]:
    """Submissions without the associations that touch what is gone, and without those that are empty then."""
    for submission in submissions:
        links = submission.associations
        dropped = {a.entry_uuid for a in links if {a.source, a.target} & gone}
        left = tuple(a for a in links if a.entry_uuid not in dropped and a.target not in dropped)
        if submission.document_entries or submission.folders or left:
            yield replace(submission, associations=left)


class _Assembly:
    """Sorts the objects of a record into the SubmissionSets that brought them.

    An object that was updated stands in its newest version, as the first version it becomes where it is imported,
    in the SubmissionSet that brought the oldest version there is.
    """

    def __init__(self, things: Sequence[RegistryObject], *, deprecated_too: bool) -> None:
        self._sets = [thing for thing in things if isinstance(thing, SubmissionSet)]
        links = [thing for thing in things if isinstance(thing, Association) and _is_approved(thing)]
        self._links = {link.entry_uuid: link for link in links}
        self._from: dict[str, list[Association]] = {}
        for link in links:
            self._from.setdefault(link.source, []).append(link)
        versions: dict[str, list[Versioned]] = {}
        for thing in things:
            if isinstance(thing, DocumentEntry | Folder):
                versions.setdefault(thing.logical_id or thing.entry_uuid, []).append(thing)
        self._versions = {max(found, key=version_of).entry_uuid: found for found in versions.values()}
        newest = {min(found, key=version_of).entry_uuid: max(found, key=version_of) for found in versions.values()}
        self._left_out = tuple(_on_demand(newest.values()))
        self._kept = {oldest: one for oldest, one in newest.items() if _is_kept(one, deprecated_too=deprecated_too)}
        self._present: dict[str, str] = {}  # entryUUID of any version -> entryUUID of the object on the medium
        self._linked: set[tuple[str, str, str]] = set()
        self._names = {
            thing.entry_uuid: thing.unique_id or "" for thing in things if isinstance(thing, DocumentEntry | Folder)
        }
        self._objects = {version.entry_uuid: key for key, found in versions.items() for version in found}

    def record(self) -> Record:
        submissions = [self._submission(owner) for owner in self._sets]
        return Record(
            submissions=tuple(one for one in submissions if one.document_entries or one.folders or one.associations),
            left_out=self._left_out,
            lost_links=tuple(self._lost_links()),
            history=self._history(),
        )

    def _history(self) -> History:
        """Every version of what stands on the medium and was updated."""
        on_medium = {*self._present.values()}
        updated = [found for newest, found in self._versions.items() if newest in on_medium and is_whole(found)]
        if not updated:
            return History()
        versions = {one.entry_uuid: one for found in updated for one in found}
        later = {entry_uuid for entry_uuid, one in versions.items() if version_of(one) > 1}
        owners = {owner.entry_uuid for owner in self._sets}
        return History(
            submission_sets=tuple(self._sets),
            versions=tuple(sorted(versions.values(), key=version_of)),
            members=tuple(one for one in self._links.values() if one.source in owners and one.target in later),
        )

    def _lost_links(self) -> Iterator[LostLink]:
        """Links between documents and Folders that no submission holds; each once, whichever versions have it."""
        told = {self._identity(one) for one in self._links.values() if self._is_held(one)}
        for link in self._links.values():
            is_of_objects = link.source in self._names and (link.association_type in RELATIONSHIPS or _is_member(link))
            if is_of_objects and self._identity(link) not in told:
                told.add(self._identity(link))
                yield _lost(link, self._names, self._why_lost(link))

    def _identity(self, link: Association) -> tuple[str, str, str]:
        """A link between objects, whichever of their versions it names."""
        ends = (self._objects.get(end, end) for end in (link.source, link.target))
        source, target = ends
        return (source, target, str(link.association_type))

    def _is_held(self, link: Association) -> bool:
        source, target = self._present.get(link.source, ""), self._present.get(link.target, link.target)
        return (source, target, str(link.association_type)) in self._linked

    def _why_lost(self, link: Association) -> str:
        if link.target not in self._names and link.target not in {owner.entry_uuid for owner in self._sets}:
            return "the other end is not of this record, or not to be seen"
        if {link.source, link.target} - self._present.keys():
            return "one end is left out"
        return "the other end was registered later: a submission can only refer to what is there"

    def _submission(self, owner: SubmissionSet) -> Submission:
        members = [link for link in self._from.get(owner.entry_uuid, ()) if _is_member(link)]
        brought = [(member, thing) for member in members if (thing := self._brought_by(member)) is not None]
        things = [thing for _, thing in brought]
        for thing in things:
            self._present |= {version.entry_uuid: thing.entry_uuid for version in self._versions[thing.entry_uuid]}
        links = [replace(member, target=thing.entry_uuid) for member, thing in brought]
        links += [*self._references(members), *self._inner(members), *self._relationships(owner, things)]
        return Submission(
            submission_set=_first_version(owner),
            document_entries=tuple(_first_version(thing) for thing in things if isinstance(thing, DocumentEntry)),
            folders=tuple(_first_version(thing) for thing in things if isinstance(thing, Folder)),
            associations=tuple(_first_version(link) for link in links),
        )

    def _brought_by(self, member: Association) -> Versioned | None:
        """The newest version of what this membership brought first; None when it brought nothing that is kept."""
        return None if member.submission_set_status == "Reference" else self._kept.get(member.target)

    def _references(self, members: Sequence[Association]) -> Iterator[Association]:
        """Memberships of documents that an earlier SubmissionSet brought."""
        for member in members:
            target = self._present.get(member.target)
            if member.submission_set_status == "Reference" and target is not None:
                yield replace(member, target=target)

    def _inner(self, members: Sequence[Association]) -> Iterator[Association]:
        """Memberships of Folders, each after the membership that makes it part of the SubmissionSet."""
        for member in members:
            link = self._links.get(member.target)
            placed = None if link is None else self._placed(link)
            if placed is not None:
                yield from (member, placed)

    def _relationships(self, owner: SubmissionSet, things: Sequence[Versioned]) -> Iterator[Association]:
        """Relationships of the documents brought now, with what is there by now; a signature may sign the owner."""
        for thing in things:
            for version in self._versions[thing.entry_uuid]:
                for link in self._from.get(version.entry_uuid, ()):
                    if link.association_type in RELATIONSHIPS:
                        placed = self._placed(link, signed=owner.entry_uuid)
                        yield from () if placed is None else (placed,)

    def _placed(self, link: Association, *, signed: str = "") -> Association | None:
        """A link whose ends are both on the medium by now, between the objects as they stand there; each once."""
        source = self._present.get(link.source, "")
        target = signed if link.target == signed else self._present.get(link.target, "")
        identity = (source, target, str(link.association_type))
        if not source or not target or source == target or identity in self._linked:
            return None
        self._linked.add(identity)
        return replace(link, source=source, target=target)


def _is_approved(thing: RegistryObject) -> bool:
    return thing.availability_status is AvailabilityStatus.APPROVED


def _is_member(link: Association) -> bool:
    return link.association_type is AssociationType.HAS_MEMBER


def _is_on_demand(thing: Versioned) -> bool:
    return isinstance(thing, DocumentEntry) and thing.object_type is ObjectType.ON_DEMAND


def _is_kept(thing: Versioned, *, deprecated_too: bool) -> bool:
    """`deprecated_too`: whatever the status, Archived and Deleted of the DMP among them: it is the holder's copy."""
    return (deprecated_too or _is_approved(thing)) and not _is_on_demand(thing)


def _on_demand(things: Iterable[Versioned]) -> Iterator[LeftOut]:
    for thing in things:
        if _is_on_demand(thing) and _is_approved(thing):
            yield LeftOut(unique_id=thing.unique_id or "", reason="on-demand, made anew whenever it is retrieved")


def _first_version(thing: T) -> T:
    return replace(thing, logical_id=None, version=None)
