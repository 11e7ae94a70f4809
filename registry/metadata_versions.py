"""What is decided about one document, as Update Document Set [ITI-57]: restrictions and status. DMP 8.7"""

import uuid
from collections.abc import Collection, Iterator
from dataclasses import replace

from access_policy.caller import Caller
from registry import iti57_update_document_set as iti57
from registry.store import Registry
from storage.unit_of_work import UnitOfWork
from xds.datatypes import DTM, Code
from xds.ebrim.read import Reading
from xds.identifiers import new_uuid_urn
from xds.metadata import Association, DocumentEntry, Submission, SubmissionSet
from xds.vocabulary import AssociationType, AvailabilityStatus

_OTHER_ACTIVITY = Code(code="97", coding_scheme="1.2.250.1.213.2.2", display_name="Autre type d'activité")
NORMAL = Code(code="N", coding_scheme="2.16.840.1.113883.5.25", display_name="Normal")


def restricted(
    entry: DocumentEntry, *, add: Collection[Code] = (), remove: Collection[Code] = ()
) -> DocumentEntry | None:
    """The entry with these restrictions added and removed; None when it has them so already."""
    gone = {(one.code, one.coding_scheme) for one in (*add, *remove)}
    kept = tuple(one for one in entry.confidentiality_code if (one.code, one.coding_scheme) not in gone)
    changed = (*kept, *add) or (NORMAL,)
    return None if same_codes(changed, entry.confidentiality_code) else replace(entry, confidentiality_code=changed)


def same_codes(some: Collection[Code], others: Collection[Code]) -> bool:
    """Whether these are the same codes, in whatever order and by whatever names."""
    one, other = ({(code.code, code.coding_scheme) for code in codes} for codes in (some, others))
    return one == other


def write_version(registry: Registry, unit: UnitOfWork, entry: DocumentEntry, caller: Caller) -> DocumentEntry:
    """Store the entry as the next version of what it is of. Raises Rejected, as ITI-57 does.

    `entry` has logicalID and version of the present one.
    """
    things = _update(registry, unit, entry, caller, is_new_version=True)
    return next(one for one in things if isinstance(one, DocumentEntry))


def update_document(
    registry: Registry,
    unit: UnitOfWork,
    entry: DocumentEntry,
    caller: Caller,
    *,
    confidentiality_code: tuple[Code, ...] | None = None,
    status: AvailabilityStatus | None = None,
) -> None:
    """Give the newest version of a document other codes, which makes another version, another status, or both.

    Raises Rejected with everything that keeps this caller from it, nothing stored.
    """
    changed = entry if confidentiality_code is None else replace(entry, confidentiality_code=confidentiality_code)
    _update(registry, unit, changed, caller, is_new_version=changed is not entry, status=status)


def _update(
    registry: Registry,
    unit: UnitOfWork,
    entry: DocumentEntry,
    caller: Caller,
    *,
    is_new_version: bool,
    status: AvailabilityStatus | None = None,
) -> tuple[object, ...]:
    owner = _submission_set(registry, entry)
    changed = replace(entry, entry_uuid=new_uuid_urn(), version=None, availability_status=None)
    triggers = [_member(owner, changed, of=entry)] if is_new_version else []
    triggers += _status_change(owner, entry, status)
    submission = Submission(
        submission_set=owner,
        document_entries=(changed,) if is_new_version else (),
        associations=tuple(triggers),
    )
    return iti57.handle(registry, unit, Reading(submission=submission), caller)


def _submission_set(registry: Registry, entry: DocumentEntry) -> SubmissionSet:
    return SubmissionSet(
        entry_uuid=new_uuid_urn(),
        author=entry.author[:1],
        content_type_code=_OTHER_ACTIVITY,
        patient_id=entry.patient_id,
        source_id=entry.repository_unique_id or "2.25.0",
        submission_time=DTM(registry.now()),
        unique_id=f"2.25.{uuid.uuid4().int}",
    )


def _member(owner: SubmissionSet, changed: DocumentEntry, *, of: DocumentEntry) -> Association:
    return Association(
        entry_uuid=new_uuid_urn(),
        association_type=AssociationType.HAS_MEMBER,
        source=owner.entry_uuid,
        target=changed.entry_uuid,
        submission_set_status="Original",
        previous_version=of.version or 1,
    )


def _status_change(
    owner: SubmissionSet, entry: DocumentEntry, status: AvailabilityStatus | None
) -> Iterator[Association]:
    if status is not None:
        yield Association(
            entry_uuid=new_uuid_urn(),
            association_type=AssociationType.UPDATE_AVAILABILITY_STATUS,
            source=owner.entry_uuid,
            target=entry.entry_uuid,
            original_status=entry.availability_status or AvailabilityStatus.APPROVED,
            new_status=status,
        )
