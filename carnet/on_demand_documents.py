"""On-demand entries: as the repository needs them at retrieve, and registering one. ITI TF-2: 3.43.4.1.3, 3.61."""

import uuid
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import TypeVar

from access_policy.caller import Caller
from access_policy.visibility import EVERYTHING, Purpose
from registry import iti61_register_on_demand_document_entry as iti61
from registry.criteria import ALL, Criteria, Order, Page
from registry.snapshot import Snapshot
from registry.store import Registry
from repository import document_list
from repository.on_demand_source import PROVIDER_SLOT, OnDemandDocument
from storage.unit_of_work import UnitOfWork
from xds.datatypes import CX, DTM, XCN, Code
from xds.ebrim.read import Reading
from xds.errors import ErrorCode, Rejected
from xds.identifiers import new_uuid_urn
from xds.metadata import Association, Author, DocumentEntry, RegistryObject, Slot, Submission, SubmissionSet
from xds.vocabulary import AssociationType, AvailabilityStatus, ObjectType

T = TypeVar("T", bound=RegistryObject)
_NEWEST = Page(size=1, order=Order.NEWEST)
_LISTED = (AvailabilityStatus.APPROVED, AvailabilityStatus.DEPRECATED)
_ENTRIES = uuid.UUID("b38f0a9e-7d0e-4ef5-9f0c-3d1f6f0b5a10")
_TITLE = "Liste des documents du dossier"


# --- at retrieve -----------------------------------------------------------------------------


def find_on_demand(registry: Registry, caller: Caller, unique_ids: Collection[str]) -> dict[str, OnDemandDocument]:
    """Those of the uniqueIds that are on-demand entries the caller may see, each with what may be shown of the record.

    Of several entries with one uniqueId the newest counts.
    """
    found: dict[str, OnDemandDocument] = {}
    with registry.seen_by(caller, Purpose.READ) as seen:
        criteria = Criteria(unique_ids=tuple(sorted(unique_ids)), stable=False, on_demand=True)
        for entry in _read(seen, criteria, DocumentEntry):
            found |= {one.entry.unique_id or "": one for one in _documents(seen, entry)}
    return found


def _documents(seen: Snapshot, entry: DocumentEntry) -> Iterator[OnDemandDocument]:
    """The entry with its newest SubmissionSet, the record, and the newest snapshot, whoever may see that."""
    whole = Snapshot(seen.connection, EVERYTHING)
    versions = Criteria(logical_ids=(entry.logical_id or entry.entry_uuid,), on_demand=True, all_versions=True)
    targets = tuple(one.entry_uuid for one in whole.find(versions))
    owners = _sources(whole, targets, AssociationType.HAS_MEMBER)
    snapshots = _logical_ids(whole, _sources(whole, targets, AssociationType.IS_SNAPSHOT_OF))
    newest = _read(whole, Criteria(logical_ids=snapshots), DocumentEntry, _NEWEST) if snapshots else ()
    for owner in _read(whole, Criteria(kind=SubmissionSet, entry_uuids=owners), SubmissionSet, _NEWEST):
        yield OnDemandDocument(
            entry=entry,
            submission_set=owner,
            record=tuple(one for one in _record(seen, entry.patient_id) if one.logical_id not in snapshots),
            snapshot=next(iter(newest), None),
        )


def _record(seen: Snapshot, patient_id: CX | None) -> tuple[DocumentEntry, ...]:
    if patient_id is None:
        return ()
    return _read(seen, Criteria(patient=patient_id.key, statuses=_LISTED), DocumentEntry)


def _sources(whole: Snapshot, targets: tuple[str, ...], kind: AssociationType) -> tuple[str, ...]:
    links = whole.find(Criteria(kind=Association, targets=targets, association_types=(kind,)))
    return tuple(sorted({link.source for link in links if link.source}))


def _logical_ids(whole: Snapshot, entry_uuids: tuple[str, ...]) -> tuple[str, ...]:
    if not entry_uuids:
        return ()
    return tuple(sorted({one.logical_id for one in whole.find(Criteria(entry_uuids=entry_uuids, all_versions=True))}))


def _read(snapshot: Snapshot, criteria: Criteria, kind: type[T], page: Page = ALL) -> tuple[T, ...]:
    return tuple(one for one in snapshot.objects(criteria, page) if isinstance(one, kind))


# --- registering -----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Codes:
    """The codes of an on-demand entry and of the SubmissionSet that brings it."""

    class_code: Code
    type_code: Code
    format_code: Code
    confidentiality: Code
    facility_type: Code
    practice_setting: Code
    content_type: Code


def add_document_list(
    registry: Registry, unit: UnitOfWork, patient_id: CX, codes: Codes, caller: Caller, *, repository_id: str
) -> bool:
    """Register the list of a patient's documents [ITI-61]; False when it was. Raises Rejected.

    There is one for a patient: its uniqueId follows from the patient and the repository.
    """
    submission = _document_list(patient_id, codes, repository_id, now=registry.now())
    try:
        iti61.handle(registry, unit, Reading(submission=submission), caller)
    except Rejected as rejected:
        if {error.code for error in rejected.errors} == {ErrorCode.DUPLICATE_UNIQUE_ID_IN_REGISTRY}:
            return False
        raise
    return True


def _document_list(patient_id: CX, codes: Codes, repository_id: str, *, now: str) -> Submission:
    device = Author(author_person=XCN(f"{repository_id}^Carnet"))
    entry = DocumentEntry(
        entry_uuid=new_uuid_urn(),
        object_type=ObjectType.ON_DEMAND,
        mime_type="text/xml",
        author=(device,),
        class_code=codes.class_code,
        confidentiality_code=(codes.confidentiality,),
        format_code=codes.format_code,
        healthcare_facility_type_code=codes.facility_type,
        language_code="fr-FR",
        patient_id=patient_id,
        practice_setting_code=codes.practice_setting,
        repository_unique_id=repository_id,
        source_patient_id=patient_id,
        title=_TITLE,
        type_code=codes.type_code,
        unique_id=_oid(f"entry {patient_id.key} {repository_id}"),
        extra_slots=(Slot(PROVIDER_SLOT, (document_list.NAME,)),),
    )
    owner = SubmissionSet(
        entry_uuid=new_uuid_urn(),
        author=(device,),
        content_type_code=codes.content_type,
        patient_id=patient_id,
        source_id=repository_id,
        submission_time=DTM(now),
        title=_TITLE,
        unique_id=_oid(f"submission {patient_id.key} {repository_id}"),
    )
    member = Association(
        entry_uuid=new_uuid_urn(),
        association_type=AssociationType.HAS_MEMBER,
        source=owner.entry_uuid,
        target=entry.entry_uuid,
        submission_set_status="Original",
    )
    return Submission(submission_set=owner, document_entries=(entry,), associations=(member,))


def _oid(text: str) -> str:
    return f"2.25.{uuid.uuid5(_ENTRIES, text).int}"
