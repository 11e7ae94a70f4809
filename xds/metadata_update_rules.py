"""Rules of an update against what the registry holds, as generators. XDS Metadata Update 3.57.4.1.3.

The numbers U name the rules in `docs/generated/rules.md`.
"""

from collections import Counter
from collections.abc import Iterable, Iterator

from xds.association_update_rules import submitted_association_rules
from xds.errors import ErrorCode, RegistryError, metadata_error
from xds.metadata import Association, DocumentEntry, Folder, RegistryObject, SubmissionSet
from xds.metadata_update import MetadataUpdate, Operations, StatusUpdate, Versioned, error
from xds.metadata_update_facts import Held, UpdateFacts
from xds.submission_rules import named, same_document_rules
from xds.vocabulary import AvailabilityStatus


def update_rules(operations: Operations, facts: UpdateFacts) -> Iterator[RegistryError]:
    """U3, U6 to U18, U22, U23, U25: what only the registry can tell."""
    yield from identity_rules(operations, facts)
    for update in operations.metadata_updates:
        yield from _new_version_rules(update, facts)
    yield from _repeated_rules(operations, facts)
    for status_update in operations.status_updates:
        yield from _status_update_rules(operations, status_update, facts)
    for submitted in operations.submitted_associations:
        if submitted.association is not None:
            yield from submitted_association_rules(operations, submitted, submitted.association, facts)


def identity_rules(operations: Operations, facts: UpdateFacts) -> Iterator[RegistryError]:
    """I1, T8, T10, U21, U23: new ids, a new uniqueId of the SubmissionSet, a known patient."""
    owner = operations.submission_set
    things: list[RegistryObject] = [update.thing for update in operations.metadata_updates]
    things += [] if owner is None else [owner]
    ids = Counter(thing.entry_uuid for thing in things)
    for thing in things:
        if ids[thing.entry_uuid] > 1 or thing.entry_uuid in facts.objects:
            yield metadata_error(f"{named(thing)}: entryUUID: found one in use, expected a new one")
        if not isinstance(thing, Association) and thing.patient_id is not None:
            yield from _patient_rules(thing, owner, facts)
    if owner is not None and facts.by_unique_id.get(owner.unique_id or ""):
        yield RegistryError(
            code=ErrorCode.DUPLICATE_UNIQUE_ID_IN_REGISTRY,
            context=f"{named(owner)}: uniqueId {owner.unique_id}: found it already used by a stored object, "
            "expected a new one",
        )


def _patient_rules(
    thing: DocumentEntry | Folder | SubmissionSet, owner: SubmissionSet | None, facts: UpdateFacts
) -> Iterator[RegistryError]:
    """U21, U23: a known patient, the one of the SubmissionSet."""
    location = "" if isinstance(thing, SubmissionSet) else thing.entry_uuid
    patient = thing.patient_id.key if thing.patient_id is not None else ""
    if owner is not None and owner.patient_id is not None and owner.patient_id.key != patient:
        context = f"{named(thing)}: patientId: found {str(thing.patient_id)!r}, expected that of the SubmissionSet"
        yield RegistryError(code=ErrorCode.PATIENT_ID_RECONCILIATION, context=context, location=location)
    if thing.patient_id is not None and thing.patient_id.key not in facts.patients:
        yield RegistryError(
            code=ErrorCode.UNKNOWN_PATIENT_ID,
            context=f"{named(thing)}: patientId: found {str(thing.patient_id)!r}, "
            "expected a patient known to the registry",
            location=location,
        )


def _new_version_rules(update: MetadataUpdate, facts: UpdateFacts) -> Iterator[RegistryError]:
    """U3, U6, U7, U8, U25"""
    thing = update.thing
    if update.is_initial:
        return
    held = facts.newest.get(update.logical_id)
    if held is None:
        yield from unknown_original(update)
        return
    existing = held.thing
    if not isinstance(existing, type(thing)):
        context = f"{named(thing)}: found the lid of {named(existing)}, expected that of an object of its kind"
        yield error(ErrorCode.METADATA_UPDATE, thing, context)
        return
    yield from _same_identifiers(thing, existing)
    yield from version_rule(update, existing)
    if held.status is AvailabilityStatus.DELETED:
        yield error(
            ErrorCode.METADATA_UPDATE,
            thing,
            f"{named(thing)}: found the stored document Deleted, expected one that may still change",
        )
    if isinstance(thing, Folder) and not held.is_approved:
        context = f"{named(thing)}: found the stored Folder {held.status}, expected it Approved"
        yield error(ErrorCode.METADATA_UPDATE, thing, context)
    yield from other_document_rules(update, facts)


def other_document_rules(update: MetadataUpdate, facts: UpdateFacts) -> Iterator[RegistryError]:
    """U25: against other documents with its uniqueId, not against its own versions."""
    thing = update.thing
    if not isinstance(thing, DocumentEntry):
        return
    for stored in facts.by_unique_id.get(thing.unique_id or "", ()):
        if stored.kind is DocumentEntry and stored.is_current and stored.logical_id != update.logical_id:
            yield from same_document_rules(thing, stored)


def unknown_original(update: MetadataUpdate) -> Iterator[RegistryError]:
    """U3, R5: both codes, since there is neither an object nor a version to fit."""
    for code in (ErrorCode.UNRESOLVED_REFERENCE, ErrorCode.METADATA_VERSION):
        context = f"{named(update.thing)}: logicalID: found {update.logical_id}, expected that of a stored object"
        yield error(code, update.thing, context)


def version_rule(update: MetadataUpdate, existing: RegistryObject) -> Iterator[RegistryError]:
    """U7, R7: PreviousVersion names the newest version."""
    member = update.member
    if member is not None and member.previous_version and member.previous_version != existing.version:
        context = (
            f"{named(update.thing)}: PreviousVersion: found {member.previous_version}, expected {existing.version}"
        )
        yield error(ErrorCode.METADATA_VERSION, update.thing, context)


def _same_identifiers(thing: Versioned, existing: RegistryObject) -> Iterator[RegistryError]:
    """U6"""
    for name in ("unique_id", "object_type"):
        found, expected = getattr(thing, name, None), getattr(existing, name, None)
        if found != expected:
            attribute = "uniqueId" if name == "unique_id" else "objectType"
            context = f"{named(thing)}: {attribute}: found {found}, expected {expected} as stored"
            yield error(ErrorCode.METADATA_IDENTIFIER, thing, context)


def _repeated_rules(operations: Operations, facts: UpdateFacts) -> Iterator[RegistryError]:
    """U9, U22: one metadata update and one status update of a logical object at most."""
    yield from repeated_updates(operations.metadata_updates)
    targets = Counter(_logical_target(operations, update, facts) for update in operations.status_updates)
    for target in sorted(t for t, count in targets.items() if count > 1):
        yield RegistryError(
            code=ErrorCode.METADATA_UPDATE,
            context=f"UpdateAvailabilityStatus: found {targets[target]} of them for {target}, expected one",
            location=target,
        )


def repeated_updates(updates: Iterable[MetadataUpdate]) -> Iterator[RegistryError]:
    """U9, R12"""
    counts = Counter(update.logical_id for update in updates)
    for logical_id in sorted(lid for lid, count in counts.items() if count > 1):
        yield RegistryError(
            code=ErrorCode.METADATA_UPDATE,
            context=f"logicalID {logical_id}: found {counts[logical_id]} updates of it, expected one in a request",
            location=logical_id,
        )


def updated_by(operations: Operations, identifier: str, facts: UpdateFacts) -> MetadataUpdate | None:
    """The metadata update whose new or present version this entryUUID names."""
    held = facts.objects.get(identifier)
    for update in operations.metadata_updates:
        newest = facts.newest.get(update.logical_id)
        if identifier == update.thing.entry_uuid or (
            held is not None and newest is not None and held.thing.entry_uuid == newest.thing.entry_uuid
        ):
            return update
    return None


def _logical_target(operations: Operations, update: StatusUpdate, facts: UpdateFacts) -> str:
    changed = updated_by(operations, update.trigger.target, facts)
    if changed is not None:
        return changed.logical_id
    held = facts.objects.get(update.trigger.target)
    return update.trigger.target if held is None else held.thing.logical_id or held.thing.entry_uuid


def _status_update_rules(operations: Operations, update: StatusUpdate, facts: UpdateFacts) -> Iterator[RegistryError]:
    """U10 to U14"""
    trigger = update.trigger
    changed = updated_by(operations, trigger.target, facts)
    held = facts.objects.get(trigger.target) if changed is None else facts.newest.get(changed.logical_id)
    if held is None:
        yield RegistryError(
            code=ErrorCode.UNRESOLVED_REFERENCE,
            context=f"{named(trigger)}: targetObject: found {trigger.target}, expected a stored object",
            location=trigger.target,
        )
        return
    for reason in _status_problems(trigger, held, facts):
        yield RegistryError(
            code=ErrorCode.METADATA_UPDATE, context=f"{named(trigger)}: {reason}", location=trigger.target
        )


def _status_problems(trigger: Association, held: Held, facts: UpdateFacts) -> Iterator[str]:
    """U12, U13, U14"""
    thing = held.thing
    if trigger.original_status and trigger.original_status != held.status:
        yield f"OriginalStatus: found {trigger.original_status}, expected {held.status} as stored"
    if isinstance(thing, SubmissionSet):
        yield "targetObject: found a SubmissionSet, whose status never changes, expected another object"
    elif isinstance(thing, Association):
        source = facts.objects.get(thing.source)
        if source is not None and isinstance(source.thing, SubmissionSet):
            yield "targetObject: found an association of a SubmissionSet, expected one of a Folder or a relationship"
    elif held.status is AvailabilityStatus.DELETED:
        yield "targetObject: found a deleted document, expected one that may still change"
    elif not held.is_current:
        yield f"targetObject: found version {thing.version}, expected the newest version"
