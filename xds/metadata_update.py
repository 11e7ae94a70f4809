"""What an update request asks for, operation by operation. XDS Metadata Update 3.57.4.1.3.1.

The associations of the SubmissionSet decide: HasMember to a new version updates metadata,
UpdateAvailabilityStatus updates a status, SubmitAssociation submits an association. Everything in the
request belongs to exactly one operation.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass

from xds.errors import ErrorCode, RegistryError
from xds.metadata import Association, DocumentEntry, Folder, Submission, SubmissionSet
from xds.submission_rules import named
from xds.vocabulary import METADATA_UPDATE_TRIGGERS, AssociationType, AvailabilityStatus

Versioned = DocumentEntry | Folder


@dataclass(frozen=True, slots=True, kw_only=True)
class MetadataUpdate:
    """A new version of a DocumentEntry or Folder; `member` is its HasMember from the SubmissionSet."""

    thing: Versioned
    member: Association | None

    @property
    def logical_id(self) -> str:
        return self.thing.logical_id or self.thing.entry_uuid

    @property
    def is_initial(self) -> bool:
        return self.thing.logical_id is None or self.thing.logical_id == self.thing.entry_uuid

    @property
    def propagates(self) -> bool:
        """Whether the associations of the previous version are carried over; they are unless it says `no`."""
        return self.member is None or self.member.association_propagation != "no"


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusUpdate:
    """An UpdateAvailabilityStatus association: its target gets another status."""

    trigger: Association

    @property
    def new_status(self) -> AvailabilityStatus:
        """Only where `operation_rules` found nothing."""
        return AvailabilityStatus(self.trigger.new_status or "")


@dataclass(frozen=True, slots=True, kw_only=True)
class SubmittedAssociation:
    """A SubmitAssociation association and the one it points at, None when that is not in the request."""

    trigger: Association
    association: Association | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Operations:
    """The operations of one request, and the associations that belong to none."""

    submission_set: SubmissionSet | None
    metadata_updates: tuple[MetadataUpdate, ...] = ()
    status_updates: tuple[StatusUpdate, ...] = ()
    submitted_associations: tuple[SubmittedAssociation, ...] = ()
    unassigned: tuple[Association, ...] = ()

    @property
    def stored_references(self) -> frozenset[str]:
        """entryUUIDs and logical ids of stored objects that the request speaks of."""
        ends = {
            end
            for submitted in self.submitted_associations
            if submitted.association is not None
            for end in (submitted.association.source, submitted.association.target)
        }
        lids = {update.logical_id for update in self.metadata_updates}
        return frozenset(ends | lids | {update.trigger.target for update in self.status_updates})


def operations_of(submission: Submission) -> Operations:
    """Sort a request into its operations; `operation_rules` tells what does not fit."""
    owner = submission.submission_set
    source = "" if owner is None else owner.entry_uuid
    triggers = [a for a in submission.associations if a.association_type in METADATA_UPDATE_TRIGGERS]
    own = {a.entry_uuid: a for a in submission.associations if a not in triggers}
    submitted = tuple(
        SubmittedAssociation(trigger=trigger, association=own.get(trigger.target))
        for trigger in triggers
        if trigger.association_type is AssociationType.SUBMIT_ASSOCIATION
    )
    things: tuple[Versioned, ...] = (*submission.document_entries, *submission.folders)
    members = {
        a.target: a for a in own.values() if a.association_type is AssociationType.HAS_MEMBER and a.source == source
    }
    updates = tuple(MetadataUpdate(thing=thing, member=members.get(thing.entry_uuid)) for thing in things)
    assigned = {update.member.entry_uuid for update in updates if update.member is not None} | {
        one.association.entry_uuid for one in submitted if one.association is not None
    }
    return Operations(
        submission_set=owner,
        metadata_updates=updates,
        status_updates=tuple(
            StatusUpdate(trigger=trigger)
            for trigger in triggers
            if trigger.association_type is AssociationType.UPDATE_AVAILABILITY_STATUS
        ),
        submitted_associations=submitted,
        unassigned=tuple(a for a in own.values() if a.entry_uuid not in assigned),
    )


def operation_rules(operations: Operations, statuses: Collection[str]) -> Iterator[RegistryError]:
    """U1, U2, U4, U11, U15, U19, U20: what can be told from the request alone."""
    for update in operations.metadata_updates:
        yield from _update_rules(update)
    for status_update in operations.status_updates:
        yield from _status_rules(operations, status_update, statuses)
    for submitted in operations.submitted_associations:
        yield from _submitted_rules(operations, submitted)
    for association in operations.unassigned:
        yield operation_error(
            association.entry_uuid,
            f"{named(association)}: found an association that no operation asks for, expected one operation for it",
        )
    if not (operations.metadata_updates or operations.status_updates or operations.submitted_associations):
        yield operation_error("", "SubmitObjectsRequest: found no operation, expected at least one")


def _update_rules(update: MetadataUpdate) -> Iterator[RegistryError]:
    """U2, U4, U19, A3"""
    thing, member = update.thing, update.member
    if update.is_initial:
        code = ErrorCode.INVALID_REQUEST if isinstance(thing, DocumentEntry) else ErrorCode.METADATA_UPDATE
        yield error(
            code, thing, f"{named(thing)}: logicalID: found an initial version, expected the lid of a stored one"
        )
        return
    if member is None:
        context = f"{named(thing)}: found no HasMember from the SubmissionSet, expected one"
        yield error(ErrorCode.METADATA_UPDATE_OPERATION, thing, context)
        return
    if not member.previous_version:
        for code in (ErrorCode.METADATA_UPDATE_OPERATION, ErrorCode.METADATA_VERSION):
            found = "none" if member.previous_version is None else "0"
            yield error(
                code, thing, f"{named(member)}: PreviousVersion: found {found}, expected one whole number from 1"
            )
    if isinstance(thing, DocumentEntry) and member.submission_set_status != "Original":
        found = member.submission_set_status or "none"
        context = f"{named(member)}: SubmissionSetStatus: found {found}, expected Original"
        yield error(ErrorCode.METADATA_UPDATE_OPERATION, thing, context)
    for name, value in (("NewStatus", member.new_status), ("OriginalStatus", member.original_status)):
        if value is not None:
            context = f"{named(member)}: {name}: found {value} on a HasMember, expected none"
            yield error(ErrorCode.METADATA_UPDATE_OPERATION, thing, context)


def _status_rules(operations: Operations, update: StatusUpdate, statuses: Collection[str]) -> Iterator[RegistryError]:
    """U11: from the SubmissionSet, with both statuses, of those that the domain knows."""
    trigger = update.trigger
    yield from _from_submission_set(operations, trigger)
    for name, value in (("OriginalStatus", trigger.original_status), ("NewStatus", trigger.new_status)):
        if value not in statuses:
            for code in (ErrorCode.METADATA_UPDATE_OPERATION, ErrorCode.METADATA_UPDATE):
                yield RegistryError(
                    code=code,
                    context=f"{named(trigger)}: {name}: found {value or 'none'}, expected the URN of a status",
                    location=trigger.target,
                )


def _submitted_rules(operations: Operations, submitted: SubmittedAssociation) -> Iterator[RegistryError]:
    """U15: the target is an association of the request."""
    yield from _from_submission_set(operations, submitted.trigger)
    if submitted.association is None:
        yield RegistryError(
            code=ErrorCode.REGISTRY_METADATA,
            context=f"{named(submitted.trigger)}: targetObject: found {submitted.trigger.target}, "
            "expected an Association of the request",
            location=submitted.trigger.entry_uuid,
        )


def _from_submission_set(operations: Operations, trigger: Association) -> Iterator[RegistryError]:
    owner = operations.submission_set
    if owner is not None and trigger.source != owner.entry_uuid:
        context = f"{named(trigger)}: sourceObject: found {trigger.source}, expected the SubmissionSet"
        yield operation_error(trigger.entry_uuid, context)


def error(code: ErrorCode, thing: Versioned | Association, context: str) -> RegistryError:
    """An error located at the object as it was sent."""
    return RegistryError(code=code, context=context, location=thing.entry_uuid)


def operation_error(location: str, context: str) -> RegistryError:
    return RegistryError(code=ErrorCode.METADATA_UPDATE_OPERATION, context=context, location=location)
