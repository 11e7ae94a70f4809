"""What a submission does to objects: the identities they get, the statuses they change. ITI TF-3: 4.2.2.2."""

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from access_policy.caller import Caller
from audit.objects import a_document, a_submission_set
from audit.occurrence import Occurrence
from audit.record import ParticipantObject
from registry.store import Registry
from storage.unit_of_work import UnitOfWork
from xds.datatypes import DTM
from xds.ebrim.attributes import SubmissionKind
from xds.identifiers import is_symbolic, new_uuid_urn
from xds.metadata import Association, DocumentEntry, Folder, RegistryObject, Submission, SubmissionSet
from xds.metadata_update_facts import Held
from xds.vocabulary import ADDENDA, REPLACEMENTS, AssociationType, AvailabilityStatus

FIRST_VERSION = 1
_DTM = "%Y%m%d%H%M%S"


def registered(submission: Submission, *, now: str) -> tuple[RegistryObject, ...]:
    """The objects as the registry keeps them: UUIDs for symbolic ids, Approved, version 1. ITI TF-2: 3.42.4.1.3.1"""
    return tuple(first_version(thing, now=now) for thing in identified(submission))


def identified(submission: Submission) -> tuple[RegistryObject, ...]:
    """The objects with a UUID for every symbolic id, the same one wherever it stands."""
    uuids: dict[str, str] = {}

    def uuid_of(identifier: str) -> str:
        if is_symbolic(identifier):
            return uuids.setdefault(identifier, new_uuid_urn())
        return identifier

    return tuple(_identified(thing, uuid_of) for thing in submission.objects)


def _identified(thing: RegistryObject, uuid_of: Callable[[str], str]) -> RegistryObject:
    entry_uuid = uuid_of(thing.entry_uuid)
    if isinstance(thing, Association):
        return replace(thing, entry_uuid=entry_uuid, source=uuid_of(thing.source), target=uuid_of(thing.target))
    return replace(thing, entry_uuid=entry_uuid)


def first_version(thing: RegistryObject, *, now: str) -> RegistryObject:
    first = replace(
        thing,
        logical_id=thing.entry_uuid,
        version=FIRST_VERSION,
        availability_status=AvailabilityStatus.APPROVED,
    )
    return replace(first, last_update_time=DTM(now)) if isinstance(first, Folder) else first


def tell(
    registry: Registry,
    unit: UnitOfWork,
    things: Sequence[RegistryObject],
    *,
    changed: Sequence[RegistryObject] = (),
    transaction: SubmissionKind,
    caller: Caller,
) -> None:
    """Audit record of a submission and notifications of subscribers, which commit with it. ITI TF-2: 3.41.5, 3.42.5

    `changed` are stored objects that it gave other members or another status.
    """
    sets = [thing for thing in things if isinstance(thing, SubmissionSet)]
    patient = next((one.patient_id.key for one in sets if one.patient_id is not None), "")
    registry.notifier.changed(unit, patient, things, changed, registry.now())
    occurrence = Occurrence(
        event=transaction.transaction,
        patient=patient,
        objects=tuple(_objects(things, transaction)),
    )
    registry.recorder.record(unit, [occurrence], caller)


def _objects(things: Sequence[RegistryObject], transaction: SubmissionKind) -> Iterator[ParticipantObject]:
    """The SubmissionSets, or the document where its set is derived. ITI TF-2: 3.41.5; MHD 2:3.105.5, 3.106.5"""
    for thing in things:
        if isinstance(thing, DocumentEntry) and transaction.derives_set:
            yield a_document(thing.unique_id or "", thing.repository_unique_id or "")
        elif isinstance(thing, SubmissionSet) and not transaction.derives_set:
            yield a_submission_set(thing.unique_id or "")


def a_member(source: str, target: str) -> Association:
    """A HasMember that the registry makes itself."""
    entry_uuid = new_uuid_urn()
    return Association(
        entry_uuid=entry_uuid,
        association_type=AssociationType.HAS_MEMBER,
        source=source,
        target=target,
        logical_id=entry_uuid,
        version=FIRST_VERSION,
        availability_status=AvailabilityStatus.APPROVED,
    )


# --- replacement -----------------------------------------------------------------------------


def replacements(things: Iterable[RegistryObject]) -> tuple[Association, ...]:
    """The RPLC and XFRM_RPLC of a submission."""
    return tuple(t for t in things if isinstance(t, Association) and t.association_type in REPLACEMENTS)


def deprecate_replaced(registry: Registry, unit: UnitOfWork, patient_key: int, replaced: Collection[str]) -> None:
    """The replaced documents, and every addendum and transformation of them, recursively. ITI TF-3: 4.2.2.2.3"""
    deprecated: set[str] = set()
    wave = set(replaced)
    while wave:
        deprecated |= wave
        wave = registry.sources_of(unit, patient_key, wave, ADDENDA) - deprecated
    if deprecated:
        for stored in registry.held(unit, deprecated).values():
            registry.rewrite(unit, stored, replace(stored.thing, availability_status=AvailabilityStatus.DEPRECATED))


def carried_memberships(
    registry: Registry, unit: UnitOfWork, things: Sequence[RegistryObject]
) -> tuple[Association, ...]:
    """A replacing document enters the Approved Folders of the replaced one. ITI TF-3: 4.2.2.2.3

    Each membership is itself a member of the SubmissionSet; those the submission makes are not repeated.
    """
    new_of = {association.target: association.source for association in replacements(things)}
    if not new_of:
        return ()
    owner = next(thing for thing in things if isinstance(thing, SubmissionSet))
    members = [link.thing for link in registry.links(unit, list(new_of)) if _is_approved_member(link)]
    folders = registry.held(unit, {member.source for member in members if isinstance(member, Association)})
    made = {(t.source, t.target) for t in things if isinstance(t, Association)}
    carried: list[Association] = []
    for member in members:
        assert isinstance(member, Association)  # noqa: S101 - `links` gives nothing else
        folder, new = folders.get(member.source), new_of.get(member.target)
        if folder is None or new is None or (member.source, new) in made or not is_open_folder(folder):
            continue
        made.add((member.source, new))
        copy = a_member(member.source, new)
        carried += [copy, a_member(owner.entry_uuid, copy.entry_uuid)]
    return tuple(carried)


def _is_approved_member(link: Held) -> bool:
    return (
        isinstance(link.thing, Association)
        and link.thing.association_type is AssociationType.HAS_MEMBER
        and link.is_approved
    )


def is_open_folder(stored: Held) -> bool:
    """A Folder that documents may still enter: Approved and the newest version."""
    return isinstance(stored.thing, Folder) and stored.is_current and stored.is_approved


# --- folders ---------------------------------------------------------------------------------


def folders_entered(things: Sequence[RegistryObject]) -> set[str]:
    """Stored objects that are sources of a HasMember and so have new members. ITI TF-3: 4.2.3.4.8"""
    own = {thing.entry_uuid for thing in things}
    return {
        thing.source
        for thing in things
        if isinstance(thing, Association)
        and thing.association_type is AssociationType.HAS_MEMBER
        and thing.source not in own
    }


def touch_folders(registry: Registry, unit: UnitOfWork, entry_uuids: Collection[str]) -> tuple[Folder, ...]:
    """lastUpdateTime becomes now, and later than it was even within one second: the folders. ITI TF-3: 4.2.3.4.8"""
    made = list[Folder]()
    for stored in registry.held(unit, entry_uuids).values() if entry_uuids else ():
        if isinstance(stored.thing, Folder):
            made.append(touched(stored.thing, now=registry.now()))
            registry.rewrite(unit, stored, made[-1])
    return tuple(made)


def touched(folder: Folder, *, now: str) -> Folder:
    """The folder with a lastUpdateTime of now, later than the one it has."""
    before = folder.last_update_time
    return replace(folder, last_update_time=DTM(_later(before.earliest, now) if before is not None else now))


def _later(before: str, now: str) -> str:
    if now > before:
        return now
    return (datetime.strptime(before, _DTM).replace(tzinfo=UTC) + timedelta(seconds=1)).strftime(_DTM)
