"""Register Document Set-b [ITI-42]. ITI TF-2: 3.42."""

from collections.abc import Sequence

from lxml import etree

from access_policy.caller import Caller
from registry.answers import submission_answer
from registry.claims import claim_rules
from registry.life_cycle import (
    carried_memberships,
    deprecate_replaced,
    folders_entered,
    registered,
    replacements,
    tell,
    touch_folders,
)
from registry.permissions import facts_known_to, feed_rules
from registry.store import Registry
from storage.unit_of_work import UnitOfWork
from xds.ebrim.attributes import SubmissionKind
from xds.ebrim.read import Reading
from xds.errors import Rejected
from xds.metadata import Association, DocumentEntry, RegistryObject
from xds.submission_rules import StoredFacts, object_rules, reference_rules, state_rules


def soap(registry: Registry, body: etree._Element, caller: Caller) -> bytes:
    """`lcm:SubmitObjectsRequest` -> `rs:RegistryResponse`."""
    return submission_answer(registry, body, caller, handle)


def handle(
    registry: Registry,
    unit: UnitOfWork,
    reading: Reading,
    caller: Caller,
    *,
    kind: SubmissionKind = SubmissionKind.REGISTER,
) -> tuple[RegistryObject, ...]:
    """Register one submission in the unit of work; returns the objects as stored.

    Raises Rejected with every violation found, nothing stored. ITI TF-2: 3.42.4.1.3
    """
    submission = reading.submission
    owner = submission.submission_set
    patient_id = None if owner is None else owner.patient_id
    patient_key = registry.lock(unit, patient_id, _unique_ids(submission.objects))
    facts = _facts(registry, unit, submission.objects, patient_is_known=patient_key is not None)
    facts = facts_known_to(registry, unit, facts, submission, caller)
    errors = [
        *reading.errors,
        *object_rules(submission, kind, registry.domain, reading.unreadable),
        *reference_rules(submission, registry.domain),
        *state_rules(submission, facts),
        *claim_rules(registry.domain, caller, (patient_id,)),
        *feed_rules(registry, unit, submission, caller),
    ]
    if errors or patient_key is None:
        raise Rejected(errors)
    things = registered(submission, now=registry.now())
    things += carried_memberships(registry, unit, things)
    registry.add(unit, patient_key, things)
    deprecate_replaced(registry, unit, patient_key, {one.target for one in replacements(things)})
    entered = touch_folders(registry, unit, folders_entered(things))
    tell(registry, unit, things, changed=entered, transaction=kind, caller=caller)
    if patient_id is not None:
        entries = [thing for thing in things if isinstance(thing, DocumentEntry)]
        registry.watcher.submitted(unit, patient_id.key, entries, caller, registry.now())
    return things


def _facts(
    registry: Registry, unit: UnitOfWork, things: Sequence[RegistryObject], *, patient_is_known: bool
) -> StoredFacts:
    ends = {end for thing in things if isinstance(thing, Association) for end in (thing.source, thing.target)}
    return registry.stored_facts(
        unit,
        patient_is_known=patient_is_known,
        entry_uuids=ends | {thing.entry_uuid for thing in things},
        unique_ids=_unique_ids(things),
    )


def _unique_ids(things: Sequence[RegistryObject]) -> set[str]:
    return {thing.unique_id for thing in things if not isinstance(thing, Association) and thing.unique_id}
