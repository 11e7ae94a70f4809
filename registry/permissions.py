"""What a caller may feed and change, by the policy: feeding TD2.1, changes TD3.3a to d. DMP 3, 8.7, 12.

A stored object that the caller may not know of is no object to a request: it gets the answer of an unknown one.
"""

from collections.abc import Iterator, Mapping
from dataclasses import fields, replace
from typing import TypeVar

from access_policy.caller import Caller
from access_policy.capacity import STRUCTURES
from access_policy.document_facts import (
    HIDDEN,
    HIDDEN_FROM_REPRESENTATIVES,
    MASKED,
    RESTRICTIONS,
    Trait,
    document_facts,
    structure_ids,
    traits_of,
)
from access_policy.rights import Action, Grade
from access_policy.visibility import Purpose
from registry.sql import visible
from registry.store import Registry
from storage.unit_of_work import UnitOfWork
from xds.datatypes import Code
from xds.errors import ErrorCode, RegistryError
from xds.metadata import DocumentEntry, Submission
from xds.metadata_update import MetadataUpdate, Operations, StatusUpdate
from xds.metadata_update_facts import UpdateFacts
from xds.submission_rules import StoredFacts, named
from xds.vocabulary import AvailabilityStatus

T = TypeVar("T")
# Change of a restriction -> what it is. One that hides from the holder is made at submission alone. DMP 8.7
_ADDED = {MASKED: Action.MASK}
_REMOVED = {
    MASKED: Action.UNMASK,
    HIDDEN: Action.MAKE_VISIBLE,
    HIDDEN_FROM_REPRESENTATIVES: Action.MAKE_VISIBLE,
}
# Types of what patients deposit. DMP 11
_DEPOSITED, _DEPOSITED_KINDS = ("74465-6",), ("DOCPAT", "EXPPAT_")
_APPROVED, _ARCHIVED = AvailabilityStatus.APPROVED, AvailabilityStatus.ARCHIVED
_STATUS_CHANGES: Mapping[tuple[str, str], Action] = {
    (_APPROVED, _ARCHIVED): Action.ARCHIVE,
    (_ARCHIVED, _APPROVED): Action.UNARCHIVE,
    (_APPROVED, AvailabilityStatus.DELETED): Action.DELETE,
    (_ARCHIVED, AvailabilityStatus.DELETED): Action.DELETE,
}
# What another version may have anew: the registry's own, and what sources leave out or send as 0. DMP W10
_FREE = frozenset(
    {
        *("entry_uuid", "logical_id", "version", "availability_status", "home_community_id", "confidentiality_code"),
        *("hash", "size", "repository_unique_id", "uri"),
    }
)


# --- feeding ---------------------------------------------------------------------------------


def feed_rules(registry: Registry, unit: UnitOfWork, submission: Submission, caller: Caller) -> Iterator[RegistryError]:
    """Whether the caller may feed this record, and what it must say of itself. DMP 3 (TD2.1, TD2.2), 7"""
    if not registry.policy.judges(caller):
        return
    decision = registry.policy.decide(unit.connection, Action.FEED, caller)
    if not decision.allowed:
        yield _refused("the caller may not feed this record", decision.rule)
    for entry in submission.document_entries:
        if not traits_of(entry) & Trait.SIGNATURE:
            yield from _entry_rules(entry, caller, as_structure=decision.grade is Grade.AS_STRUCTURE)


def _entry_rules(entry: DocumentEntry, caller: Caller, *, as_structure: bool) -> Iterator[RegistryError]:
    """EX_2.1-1050; what a structure feeds is said to be the structure's, what a patient feeds the patient's."""
    traits = traits_of(entry)
    problems = _deposit_problems(entry, traits) if caller.is_patient_side else {}
    if as_structure and f"{caller.structure}^{STRUCTURES}" not in structure_ids(entry.author):
        problems["feed.structure"] = f"expected an authorInstitution with the caller's structure, {caller.structure}"
    if Trait.MASKED in traits and Trait.HIDDEN in traits:
        problems["feed.both"] = f"confidentialityCode: found {MASKED} and {HIDDEN}, expected one of them at most"
    if caller.is_secret_connection and Trait.HIDDEN_FROM_REPRESENTATIVES not in traits:
        expected = f"expected {HIDDEN_FROM_REPRESENTATIVES} in a secret connection"
        problems["feed.secret"] = f"confidentialityCode: {expected}"
    for rule, problem in problems.items():
        yield _refused(f"{named(entry)}: {problem}", rule, entry.entry_uuid)


def _deposit_problems(entry: DocumentEntry, traits: Trait) -> dict[str, str]:
    """Documents of the patient are typed as such, and shown apart. DMP 1 (S33), 11"""
    problems = {}
    found = "" if entry.type_code is None else entry.type_code.code
    if Trait.BY_PATIENT not in traits:
        problems["feed.patient_author"] = "author: found no identifier of a patient, expected the patient's"
    if found not in _DEPOSITED and not found.startswith(_DEPOSITED_KINDS):
        problems["feed.patient_type"] = f"typeCode: found {found or 'none'}, expected one of documents of patients"
    if traits & (Trait.HIDDEN | Trait.HIDDEN_FROM_REPRESENTATIVES):
        problems["feed.patient_hides"] = f"confidentialityCode: found {HIDDEN} or its kin, expected neither"
    return problems


def facts_known_to(
    registry: Registry, unit: UnitOfWork, facts: StoredFacts, submission: Submission, caller: Caller
) -> StoredFacts:
    """Without the stored objects that the caller may not refer to; an id that is taken stays taken."""
    if not registry.policy.judges(caller):
        return facts
    own = {thing.entry_uuid for thing in submission.objects}
    taken = {name: one for name, one in facts.objects.items() if name in own}
    return replace(facts, objects=_known(registry, unit, facts.objects, caller) | taken)


def _known(registry: Registry, unit: UnitOfWork, objects: Mapping[str, T], caller: Caller) -> dict[str, T]:
    if not objects:
        return {}
    seen = registry.policy.visibility(unit.connection, caller, Purpose.CHANGE)
    known = visible.among(unit.connection, seen, objects.keys())
    return {entry_uuid: one for entry_uuid, one in objects.items() if entry_uuid in known}


# --- changes ---------------------------------------------------------------------------------


def update_known_to(registry: Registry, unit: UnitOfWork, facts: UpdateFacts, caller: Caller) -> UpdateFacts:
    """The same for an update."""
    if not registry.policy.judges(caller):
        return facts
    newest = {one.thing.entry_uuid: one for one in facts.newest.values()}
    known = _known(registry, unit, {**facts.objects, **newest}, caller)
    return replace(
        facts,
        objects={name: one for name, one in facts.objects.items() if name in known},
        newest={lid: one for lid, one in facts.newest.items() if one.thing.entry_uuid in known},
    )


def change_rules(
    registry: Registry, unit: UnitOfWork, operations: Operations, facts: UpdateFacts, caller: Caller
) -> Iterator[RegistryError]:
    """What an update changes is what it is judged by: nothing but restrictions and status may differ. DMP 3 (TD3.3)"""
    if not registry.policy.judges(caller):
        return
    for update in operations.metadata_updates:
        held = facts.newest.get(update.logical_id)
        if held is None:
            continue
        if not isinstance(held.thing, DocumentEntry) or not isinstance(update.thing, DocumentEntry):
            yield _refused(f"{named(update.thing)}: expected an update of a document", "change.kind", update.logical_id)
            continue
        yield from _other_attributes(update, held.thing)
        for action in _changes(held.thing.confidentiality_code, update.thing.confidentiality_code):
            yield from _judged(registry, unit, action, held.thing, caller)
    for status_update in operations.status_updates:
        yield from _status_rules(registry, unit, status_update, facts, caller)
    for submitted in operations.submitted_associations:
        yield _refused("found an association, expected a change of a document", "change.kind", submitted.trigger.target)


def _status_rules(
    registry: Registry, unit: UnitOfWork, update: StatusUpdate, facts: UpdateFacts, caller: Caller
) -> Iterator[RegistryError]:
    """TD3.3c and d"""
    target = update.trigger.target
    held = facts.objects.get(target)
    if held is None:
        return
    action = _STATUS_CHANGES.get((str(held.status), update.trigger.new_status or ""))
    if action is None or not isinstance(held.thing, DocumentEntry):
        yield _refused("expected a document to archive, to bring back or to delete", "change.status", target)
        return
    yield from _judged(registry, unit, action, held.thing, caller)


def _judged(
    registry: Registry, unit: UnitOfWork, action: Action | None, entry: DocumentEntry, caller: Caller
) -> Iterator[RegistryError]:
    """`action` None: a change that nobody may make."""
    if action is None:
        text = f"{named(entry)}: confidentialityCode: found a change other than of {MASKED} or to visible"
        yield _refused(text, "change.confidentiality", entry.entry_uuid)
        return
    now = registry.now()  # it is known, so what hid it from a holder has ended
    decision = registry.policy.decide(unit.connection, action, caller, document_facts(entry, visible_from=now))
    if not decision.allowed:
        yield _refused(f"{named(entry)}: {action}: the caller may not do this", decision.rule, entry.entry_uuid)


def _changes(before: tuple[Code, ...], after: tuple[Code, ...]) -> Iterator[Action | None]:
    """The actions that lead from these codes to those, at least one."""
    old, new = ({(one.code, one.coding_scheme) for one in codes} for codes in (before, after))
    if old == new:
        yield None
    for code, system in sorted(new - old):
        yield _ADDED.get(code) if system == RESTRICTIONS else None
    for code, system in sorted(old - new):
        yield _REMOVED.get(code) if system == RESTRICTIONS else None


def _other_attributes(update: MetadataUpdate, present: DocumentEntry) -> Iterator[RegistryError]:
    for one in fields(DocumentEntry):
        if one.name not in _FREE and not _is_same(getattr(update.thing, one.name), getattr(present, one.name)):
            text = f"{named(update.thing)}: {one.name}: found another value than the stored one"
            context = f"{text}, of which this caller may change confidentialityCode alone (change.attribute)"
            yield RegistryError(code=ErrorCode.UNMODIFIABLE_METADATA, context=context, location=update.thing.entry_uuid)


def _is_same(found: object, stored: object) -> bool:
    """Display names carry no meaning: clients send them in any spelling. DMP W20"""
    return _without_names(found) == _without_names(stored)


def _without_names(value: object) -> object:
    if isinstance(value, Code):
        return replace(value, display_name="")
    if isinstance(value, tuple) and type(value) is tuple:
        return tuple(_without_names(one) for one in value)
    return value


def _refused(context: str, rule: str, location: str = "") -> RegistryError:
    return RegistryError(code=ErrorCode.LOCAL_POLICY_RESTRICTION, context=f"{context} ({rule})", location=location)
