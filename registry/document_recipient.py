"""Document Recipient: what a submission brings, taken without its history. ITI TF-1: 15.1, ITI TF-2: 3.41.4.1.3 (XDR).

A relationship to a document that is not here is left out with a warning. Limited metadata, where the
recipient takes it, may name no patient: then the submission waits in a queue until somebody says whose
it is, and nobody sees it before.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TypeVar

from access_policy.caller import Caller
from registry import iti42_register_document_set_b as iti42
from registry.life_cycle import tell
from registry.permissions import facts_known_to, feed_rules
from registry.sql import queue
from registry.store import Registry
from storage.unit_of_work import UnitOfWork
from xds.datatypes import CX
from xds.ebrim.attributes import SubmissionKind
from xds.ebrim.read import Reading
from xds.errors import ErrorCode, RegistryError, Rejected
from xds.identifiers import is_symbolic
from xds.metadata import Association, DocumentEntry, Folder, RegistryObject, Submission, SubmissionSet
from xds.submission_rules import named, object_rules, reference_rules, state_rules
from xds.vocabulary import AssociationType, Severity

T = TypeVar("T", DocumentEntry, SubmissionSet, Folder)

# What is left out -> the warning that says so. ITI TF-3: Table 4.2.4.1-2
_NOT_PROCESSED = {
    AssociationType.RPLC: ErrorCode.PARTIAL_REPLACE_CONTENT_NOT_PROCESSED,
    AssociationType.APND: ErrorCode.PARTIAL_APPEND_CONTENT_NOT_PROCESSED,
    AssociationType.XFRM: ErrorCode.PARTIAL_TRANSFORM_NOT_PROCESSED,
    AssociationType.XFRM_RPLC: ErrorCode.PARTIAL_TRANSFORM_REPLACE_NOT_PROCESSED,
    AssociationType.HAS_MEMBER: ErrorCode.PARTIAL_FOLDER_CONTENT_NOT_PROCESSED,
}
# A recipient speaks with the codes of a repository. ITI TF-3: Table 4.2.4.1-2
_CODES = {ErrorCode.REGISTRY_METADATA: ErrorCode.REPOSITORY_METADATA}


def receive(
    registry: Registry, unit: UnitOfWork, reading: Reading, caller: Caller, *, takes_limited: bool
) -> tuple[RegistryError, ...]:
    """Register a submission, or queue it where its patient is not named; returns the warnings.

    Raises Rejected with every violation found, nothing stored.
    """
    kind = SubmissionKind.RECEIVE if takes_limited else SubmissionKind.PROVIDE
    submission, warnings = _without_history(registry, unit, reading.submission, caller)
    reading = replace(reading, submission=_of_one_patient(submission) if takes_limited else submission)
    try:
        if takes_limited and _names_no_patient(reading.submission):
            return (*warnings, _queued(registry, unit, reading, caller))
        iti42.handle(registry, unit, reading, caller, kind=kind)
    except Rejected as rejected:
        raise Rejected(_as_recipient(error) for error in rejected.errors) from None
    return warnings


def _as_recipient(error: RegistryError) -> RegistryError:
    return replace(error, code=_CODES.get(error.code, error.code))


# --- without history -------------------------------------------------------------------------


def _without_history(
    registry: Registry, unit: UnitOfWork, submission: Submission, caller: Caller
) -> tuple[Submission, tuple[RegistryError, ...]]:
    """Leave out associations to objects that are neither in the request nor here, and memberships of those.

    What the caller may not know of is not here.
    """
    own = {thing.entry_uuid for thing in submission.objects}
    ends = {end for one in submission.associations for end in (one.source, one.target)}
    outside = {end for end in ends - own if not is_symbolic(end)}
    facts = registry.stored_facts(unit, patient_is_known=True, entry_uuids=outside, unique_ids=())
    facts = facts_known_to(registry, unit, facts, submission, caller)
    unknown = outside - facts.objects.keys()
    kept, warnings = list(submission.associations), []
    while lost := [one for one in kept if {one.source, one.target} & unknown]:
        kept = [one for one in kept if one not in lost]
        warnings += [_not_processed(one, submission) for one in lost if {one.source, one.target} & outside]
        unknown |= {one.entry_uuid for one in lost}
    return replace(submission, associations=tuple(kept)), tuple(warnings)


def _not_processed(association: Association, submission: Submission) -> RegistryError:
    owner = submission.submission_set
    code = _NOT_PROCESSED.get(association.association_type, ErrorCode.PARTIAL_RELATIONSHIP_CONTENT_NOT_PROCESSED)
    if owner is not None and association.source == owner.entry_uuid:
        code = ErrorCode.PARTIAL_RELATIONSHIP_CONTENT_NOT_PROCESSED
    context = f"{named(association)}: left out, since it refers to an object that this recipient does not hold"
    return RegistryError(code=code, context=context, severity=Severity.WARNING)


# --- whose it is -----------------------------------------------------------------------------


def _with_patient(submission: Submission) -> Iterator[DocumentEntry | SubmissionSet | Folder]:
    for thing in submission.objects:
        if not isinstance(thing, Association):
            yield thing


def _names_no_patient(submission: Submission) -> bool:
    """Flagged objects may leave the patient out; one that is not flagged is refused for it."""
    things = list(_with_patient(submission))
    return all(thing.patient_id is None for thing in things) and any(thing.limited_metadata for thing in things)


def _of_one_patient(submission: Submission) -> Submission:
    """Where some of the flagged objects name a patient and all that do name the same, it is that of the others."""
    named_patients = {one.patient_id.key: one.patient_id for one in _with_patient(submission) if one.patient_id}
    return given_to(submission, *named_patients.values()) if len(named_patients) == 1 else submission


def given_to(submission: Submission, patient_id: CX) -> Submission:
    """The submission with this patient in every flagged object that names none."""

    def given(thing: T) -> T:
        is_missing = thing.patient_id is None and thing.limited_metadata
        return replace(thing, patient_id=patient_id) if is_missing else thing

    owner = submission.submission_set
    return replace(
        submission,
        submission_set=None if owner is None else given(owner),
        document_entries=tuple(given(entry) for entry in submission.document_entries),
        folders=tuple(given(folder) for folder in submission.folders),
    )


# --- the queue -------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class QueuedSubmission:
    """A submission that waits for its patient; `received` is 14 digits, UTC."""

    unique_id: str
    received: str
    submission: Submission


def _queued(registry: Registry, unit: UnitOfWork, reading: Reading, caller: Caller) -> RegistryError:
    """Keep the submission until its patient is told. Raises Rejected for anything else that is wrong with it."""
    submission = reading.submission
    owner = submission.submission_set
    unique_ids = {one.unique_id for one in _with_patient(submission) if one.unique_id}
    registry.lock(unit, None, unique_ids)
    ends = {end for one in submission.associations for end in (one.source, one.target)}
    facts = registry.stored_facts(
        unit,
        patient_is_known=True,
        entry_uuids=ends | {thing.entry_uuid for thing in submission.objects},
        unique_ids=unique_ids,
    )
    facts = facts_known_to(registry, unit, facts, submission, caller)
    errors = [
        *reading.errors,
        *object_rules(submission, SubmissionKind.RECEIVE, registry.domain, reading.unreadable),
        *reference_rules(submission, registry.domain),
        *state_rules(submission, facts),
        *feed_rules(registry, unit, submission, caller),
        *_queue_rules(unit, owner),
    ]
    if errors or owner is None or owner.unique_id is None:
        raise Rejected(errors)
    queue.add(unit.connection, owner.unique_id, received=registry.now(), things=submission.objects)
    tell(registry, unit, [owner], transaction=SubmissionKind.RECEIVE, caller=caller)
    context = f"{named(owner)}: no patient is named; the documents are kept until they are matched with one"
    return RegistryError(code=ErrorCode.DOCUMENT_QUEUED, context=context, severity=Severity.WARNING)


def _queue_rules(unit: UnitOfWork, owner: SubmissionSet | None) -> Iterator[RegistryError]:
    """T8, for what waits."""
    if owner is not None and owner.unique_id and queue.find(unit.connection, owner.unique_id) is not None:
        yield RegistryError(
            code=ErrorCode.DUPLICATE_UNIQUE_ID_IN_REGISTRY,
            context=f"{named(owner)}: uniqueId {owner.unique_id}: found it already used by a SubmissionSet that waits, "
            "expected a new one",
        )


def waiting(registry: Registry) -> list[QueuedSubmission]:
    """What waits for a patient, oldest first."""
    with registry.units.read() as connection:
        return [_read(row) for row in queue.all_of(connection)]


def waits(unit: UnitOfWork, unique_ids: Collection[str]) -> frozenset[str]:
    """Those of the DocumentUniqueIds whose submission waits for its patient: their octets are still needed."""
    return queue.waiting_documents(unit.connection, unique_ids)


def match(registry: Registry, unit: UnitOfWork, unique_id: str, patient_id: CX, caller: Caller) -> int:
    """Register a submission of the queue for this patient; returns how many objects it had.

    Raises Rejected when nothing waits under this uniqueId of a SubmissionSet, or the registry refuses it.
    """
    row = queue.find(unit.connection, unique_id)
    if row is None:
        context = (
            f"SubmissionSet uniqueId {unique_id}: found none that waits under it, expected one of `recipient list`"
        )
        raise Rejected([RegistryError(code=ErrorCode.REGISTRY, context=context)])
    reading = Reading(submission=given_to(_read(row).submission, patient_id))
    things = iti42.handle(registry, unit, reading, caller, kind=SubmissionKind.RECEIVE)
    queue.remove(unit.connection, unique_id)
    return len(things)


def _read(row: Mapping[str, str]) -> QueuedSubmission:
    things: Iterable[RegistryObject] = queue.things_of(row)
    kept = list(things)
    submission = Submission(
        submission_set=next(one for one in kept if isinstance(one, SubmissionSet)),
        document_entries=tuple(one for one in kept if isinstance(one, DocumentEntry)),
        folders=tuple(one for one in kept if isinstance(one, Folder)),
        associations=tuple(one for one in kept if isinstance(one, Association)),
    )
    return QueuedSubmission(unique_id=row["unique_id"], received=row["received"], submission=submission)
