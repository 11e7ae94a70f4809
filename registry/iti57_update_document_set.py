"""Update Document Set [ITI-57]. XDS Metadata Update 3.57."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from lxml import etree

from access_policy.caller import Caller
from registry.answers import submission_answer
from registry.claims import claim_rules
from registry.life_cycle import identified, tell
from registry.permissions import change_rules, update_known_to
from registry.store import Registry
from registry.versions import Change, updated
from storage.unit_of_work import UnitOfWork
from xds.datatypes import CX
from xds.ebrim.attributes import SubmissionKind
from xds.ebrim.read import Reading
from xds.errors import Rejected
from xds.metadata import Association, DocumentEntry, Folder, RegistryObject, Submission, SubmissionSet
from xds.metadata_update import Operations, operation_rules, operations_of
from xds.metadata_update_facts import UpdateFacts
from xds.metadata_update_rules import update_rules
from xds.submission_rules import object_rules

KIND = SubmissionKind.UPDATE
# What is of the octets and their place, which an update does not touch.
_OF_OCTETS = ("hash", "size", "repository_unique_id")


def soap(registry: Registry, body: etree._Element, caller: Caller) -> bytes:
    """`lcm:SubmitObjectsRequest` -> `rs:RegistryResponse`."""
    return submission_answer(registry, body, caller, handle)


def handle(registry: Registry, unit: UnitOfWork, reading: Reading, caller: Caller) -> tuple[RegistryObject, ...]:
    """Carry out every operation of the request, or none; returns the objects that were added.

    Raises Rejected with every violation found, nothing stored. XDS Metadata Update 3.57.4.1.3
    """
    operations = operations_of(reading.submission)
    keys = lock(registry, unit, operations)
    facts = update_facts(registry, unit, operations, known=keys)
    facts = update_known_to(registry, unit, facts, caller)
    submission = (
        _completed(reading.submission, operations, facts) if registry.domain.updates_keep_octets else reading.submission
    )
    operations = operations_of(submission)
    errors = [
        *reading.errors,
        *object_rules(submission, KIND, registry.domain, reading.unreadable),
        *operation_rules(operations, registry.domain.statuses),
        *update_rules(operations, facts),
        *claim_rules(registry.domain, caller, _patients(operations, facts)),
        *change_rules(registry, unit, operations, facts, caller),
    ]
    owner = operations.submission_set
    if errors or owner is None or owner.patient_id is None:
        raise Rejected(errors)
    return carry_out(registry, unit, submission, facts, patient_key=keys[owner.patient_id.key], caller=caller)


def _completed(submission: Submission, operations: Operations, facts: UpdateFacts) -> Submission:
    """New versions that say nothing of their octets have those of the version before. DMP W10"""
    before = {update.thing.entry_uuid: facts.newest.get(update.logical_id) for update in operations.metadata_updates}

    def completed(entry: DocumentEntry) -> DocumentEntry:
        held = before.get(entry.entry_uuid)
        if held is None or not isinstance(held.thing, DocumentEntry):
            return entry
        kept: dict[str, Any] = {name: getattr(held.thing, name) for name in _OF_OCTETS if getattr(entry, name) is None}
        return replace(entry, **kept)

    return replace(submission, document_entries=tuple(map(completed, submission.document_entries)))


def carry_out(
    registry: Registry,
    unit: UnitOfWork,
    submission: Submission,
    facts: UpdateFacts,
    *,
    patient_key: int,
    caller: Caller,
    kind: SubmissionKind = KIND,
) -> tuple[RegistryObject, ...]:
    """Everything is allowed: give ids, store, and tell."""
    operations = operations_of(_with_uuids(submission))
    change = Change(registry=registry, unit=unit, operations=operations, facts=facts)
    done = updated(change, patient_key, recreate_references=kind is SubmissionKind.RESTRICTED_UPDATE)
    tell(registry, unit, done.added, changed=done.changed, transaction=kind, caller=caller)
    return done.added


def lock(registry: Registry, unit: UnitOfWork, operations: Operations) -> dict[str, int]:
    """Keep others away from the patients concerned until the commit; the known ones of the request -> keys."""
    owner = operations.submission_set
    things: list[DocumentEntry | Folder | SubmissionSet] = [one.thing for one in operations.metadata_updates]
    things += [] if owner is None else [owner]
    return registry.lock_all(
        unit,
        {thing.patient_id for thing in things if thing.patient_id is not None},
        references=operations.stored_references,
        unique_ids={thing.unique_id for thing in things if thing.unique_id is not None},
    )


def update_facts(registry: Registry, unit: UnitOfWork, operations: Operations, *, known: dict[str, int]) -> UpdateFacts:
    """What the registry holds of the objects that the request speaks of."""
    owner = operations.submission_set
    things = [one.thing for one in operations.metadata_updates]
    new_ids = {thing.entry_uuid for thing in things} | ({owner.entry_uuid} if owner is not None else set())
    unique_ids = {thing.unique_id for thing in (*things, owner) if thing is not None and thing.unique_id is not None}
    stored = registry.stored_facts(unit, patient_is_known=bool(known), entry_uuids=set(), unique_ids=unique_ids)
    objects = registry.held(unit, operations.stored_references | new_ids)
    sources = {one.thing.source for one in objects.values() if isinstance(one.thing, Association)}
    ends = {
        end
        for one in operations.submitted_associations
        if one.association is not None
        for end in (one.association.source, one.association.target)
    }
    return UpdateFacts(
        patients=frozenset(known),
        newest=registry.newest(unit, {one.logical_id for one in operations.metadata_updates}),
        objects=objects | registry.held(unit, sources - objects.keys()),
        by_unique_id=stored.by_unique_id,
        links=tuple(
            link.thing
            for link in (registry.links(unit, ends) if ends else ())
            if isinstance(link.thing, Association) and link.is_approved
        ),
    )


def _patients(operations: Operations, facts: UpdateFacts) -> Iterator[CX | None]:
    """Those of the request and of every stored object it touches."""
    held = (*facts.objects.values(), *facts.newest.values())
    things = (
        operations.submission_set,
        *(one.thing for one in operations.metadata_updates),
        *(one.thing for one in held),
    )
    for thing in things:
        if thing is not None and not isinstance(thing, Association):
            yield thing.patient_id


def _with_uuids(submission: Submission) -> Submission:
    things = identified(submission)
    return replace(
        submission,
        submission_set=next(thing for thing in things if isinstance(thing, SubmissionSet)),
        document_entries=tuple(thing for thing in things if isinstance(thing, DocumentEntry)),
        folders=tuple(thing for thing in things if isinstance(thing, Folder)),
        associations=tuple(thing for thing in things if isinstance(thing, Association)),
    )
