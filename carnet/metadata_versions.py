"""A new version of a document's metadata with other restrictions, by Update Document Set [ITI-57]. DMP 3 (TD3.3a, b)"""

import uuid
from collections.abc import Collection
from dataclasses import replace

from access_policy.caller import Caller
from registry import iti57_update_document_set as iti57
from registry.store import Registry
from storage.unit_of_work import UnitOfWork
from xds.datatypes import DTM, Code
from xds.ebrim.read import Reading
from xds.identifiers import new_uuid_urn
from xds.metadata import Association, DocumentEntry, Submission, SubmissionSet
from xds.vocabulary import AssociationType

_OTHER_ACTIVITY = Code(code="97", coding_scheme="1.2.250.1.213.2.2", display_name="Autre type d'activité")
_NORMAL = Code(code="N", coding_scheme="2.16.840.1.113883.5.25", display_name="Normal")


def restricted(
    entry: DocumentEntry, *, add: Collection[Code] = (), remove: Collection[Code] = ()
) -> DocumentEntry | None:
    """The entry with these restrictions added and removed; None when it has them so already."""
    gone = {(one.code, one.coding_scheme) for one in (*add, *remove)}
    kept = tuple(one for one in entry.confidentiality_code if (one.code, one.coding_scheme) not in gone)
    changed = (*kept, *add) or (_NORMAL,)
    same = {(one.code, one.coding_scheme) for one in changed} == {
        (one.code, one.coding_scheme) for one in entry.confidentiality_code
    }
    return None if same else replace(entry, confidentiality_code=changed)


def write_version(registry: Registry, unit: UnitOfWork, entry: DocumentEntry, caller: Caller) -> DocumentEntry:
    """Store the entry as the next version of what it is of. Raises Rejected, as ITI-57 does.

    `entry` has logicalID and version of the present one.
    """
    changed = replace(entry, entry_uuid=new_uuid_urn(), version=None, availability_status=None)
    things = iti57.handle(registry, unit, Reading(submission=_update(registry, changed, entry)), caller)
    return next(one for one in things if isinstance(one, DocumentEntry))


def _update(registry: Registry, changed: DocumentEntry, entry: DocumentEntry) -> Submission:
    owner = SubmissionSet(
        entry_uuid=new_uuid_urn(),
        author=entry.author[:1],
        content_type_code=_OTHER_ACTIVITY,
        patient_id=entry.patient_id,
        source_id=entry.repository_unique_id or "2.25.0",
        submission_time=DTM(registry.now()),
        unique_id=f"2.25.{uuid.uuid4().int}",
    )
    member = Association(
        entry_uuid=new_uuid_urn(),
        association_type=AssociationType.HAS_MEMBER,
        source=owner.entry_uuid,
        target=changed.entry_uuid,
        submission_set_status="Original",
        previous_version=entry.version or 1,
    )
    return Submission(submission_set=owner, document_entries=(changed,), associations=(member,))
