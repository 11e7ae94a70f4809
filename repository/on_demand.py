"""On-demand documents at retrieve: content made now and, by setting, kept as a snapshot. ITI TF-2: 3.43.4.1.3.

Each retrieval gives a document with a uniqueId of its own. A kept one is registered before it is delivered: a stable
entry that is a snapshot of the on-demand entry and replaces the snapshot before it. Where nothing has changed since
then, the snapshot there is answers again.
"""

import uuid
from collections.abc import Collection, Generator, Iterator
from dataclasses import dataclass, replace

from access_policy.caller import Caller
from repository import index
from repository import iti41_provide_and_register_document_set_b as iti41
from repository.on_demand_source import PROVIDER_SLOT, OnDemandDocument, Provider
from repository.store import Repository
from storage.unit_of_work import StorageFailed
from xds.datatypes import DTM, Code
from xds.ebrim.read import Reading
from xds.errors import ErrorCode, Rejected
from xds.identifiers import new_oid, new_uuid_urn
from xds.metadata import Association, DocumentEntry, Submission, SubmissionSet
from xds.vocabulary import AssociationType, AvailabilityStatus, ObjectType

_ATTEMPTS = 5
_SNAPSHOTS = uuid.UUID("5d0f5a0e-6a6f-4b0c-9f6b-5f6f1f0f7a61")
# What the registry says when another snapshot came first.
_OVERTAKEN = {ErrorCode.DUPLICATE_UNIQUE_ID_IN_REGISTRY, ErrorCode.REGISTRY_DEPRECATED_DOCUMENT}


@dataclass(frozen=True, slots=True, kw_only=True)
class Assembled:
    """Content made for one request. `is_kept`: it can be retrieved again under its uniqueId, from this repository."""

    unique_id: str
    mime_type: str
    content: bytes
    made: DTM
    is_kept: bool = False

    def octets(self) -> Generator[bytes, None, None]:
        yield self.content


@dataclass(frozen=True, slots=True, kw_only=True)
class NotAssembled:
    """Why an on-demand document that the caller may see was not made."""

    code: ErrorCode
    context: str


def assembled(
    repository: Repository, unique_ids: Collection[str], caller: Caller
) -> dict[str, Assembled | NotAssembled]:
    """The content of those that are on-demand documents of this repository, as far as the caller may see it."""
    found = repository.on_demand.find(caller, unique_ids) if unique_ids else {}
    ours = {one: doc for one, doc in found.items() if doc.entry.repository_unique_id == repository.unique_id}
    return {unique_id: _assembled(repository, document, caller) for unique_id, document in ours.items()}


def _assembled(repository: Repository, document: OnDemandDocument, caller: Caller) -> Assembled | NotAssembled:
    provider = repository.on_demand.providers.get(document.provider)
    if provider is None:
        return NotAssembled(code=ErrorCode.REPOSITORY, context="no provider here makes this on-demand document")
    try:
        if repository.on_demand.keeps_snapshots and _is_approved(document.entry):
            return _snapshot(repository, provider, document, caller)
        return _made(repository, provider, document)
    except Rejected as rejected:
        context = f"the snapshot was refused: {rejected.errors[0].context}"
        return NotAssembled(code=ErrorCode.REPOSITORY, context=context)
    except (OSError, StorageFailed) as problem:
        error = iti41.storage_error(problem)
        return NotAssembled(code=error.code, context=error.context)


def _made(repository: Repository, provider: Provider, document: OnDemandDocument) -> Assembled:
    unique_id, made = new_oid(), DTM(repository.now())
    content = provider.content(document, unique_id=unique_id, made=made)
    return Assembled(unique_id=unique_id, mime_type=document.entry.mime_type or "", content=content, made=made)


def _snapshot(
    repository: Repository, provider: Provider, document: OnDemandDocument, caller: Caller
) -> Assembled | NotAssembled:
    """The snapshot that is still true, or a new one; looked at again when another request was quicker."""
    current: OnDemandDocument | None = document
    for _ in range(_ATTEMPTS):
        if current is None:
            return NotAssembled(code=ErrorCode.DOCUMENT_UNIQUE_ID, context="the document was removed meanwhile")
        same = _still_true(repository, provider, current)
        if same is not None:
            return same
        made = _made(repository, provider, current)
        try:
            _keep(repository, current, made, caller)
            return replace(made, is_kept=True)
        except Rejected as rejected:
            if not {error.code for error in rejected.errors} & _OVERTAKEN:
                raise
        unique_id = document.entry.unique_id or ""
        current = repository.on_demand.find(caller, {unique_id}).get(unique_id)
    return NotAssembled(code=ErrorCode.REPOSITORY_BUSY, context="other snapshots were made meanwhile; try again")


def _still_true(repository: Repository, provider: Provider, document: OnDemandDocument) -> Assembled | None:
    """The newest snapshot, when the same octets would be made for this caller and it can be retrieved."""
    before = document.snapshot
    if before is None or before.creation_time is None or not _is_approved(before):
        return None
    unique_id = before.unique_id or ""
    made = before.creation_time
    content = provider.content(document, unique_id=unique_id, made=made)
    repository.settle([unique_id])
    with repository.units.read() as connection:
        stored = index.held(connection, [unique_id]).get(unique_id)
    if stored is None or not stored.is_of(content):
        return None
    return Assembled(unique_id=unique_id, mime_type=stored.mime_type, content=content, made=made, is_kept=True)


def _keep(repository: Repository, document: OnDemandDocument, made: Assembled, caller: Caller) -> None:
    """Store and register a snapshot by the steps of Provide and Register, in one unit of work.

    Raises Rejected, StorageFailed, OSError.
    """
    submission = _submission(repository, document, made)
    [entry] = submission.document_entries
    with repository.blobs.receive() as blob:
        blob.write(made.content)
        blob.finish()
        received = iti41.Received(blobs={entry.entry_uuid: blob})
        iti41.handle(repository, Reading(submission=submission), received, caller)


def _submission(repository: Repository, document: OnDemandDocument, made: Assembled) -> Submission:
    entry = replace(
        document.entry,
        entry_uuid=new_uuid_urn(),
        object_type=ObjectType.STABLE,
        unique_id=made.unique_id,
        creation_time=made.made,
        confidentiality_code=_confidentiality(document),
        logical_id=None,
        version=None,
        availability_status=None,
        extra_slots=tuple(slot for slot in document.entry.extra_slots if slot.name != PROVIDER_SLOT),
    )
    owner = SubmissionSet(
        entry_uuid=new_uuid_urn(),
        author=document.submission_set.author,
        content_type_code=document.submission_set.content_type_code,
        patient_id=document.entry.patient_id,
        source_id=repository.unique_id,
        submission_time=made.made,
        unique_id=_follows(document),
    )
    return Submission(
        submission_set=owner,
        document_entries=(entry,),
        associations=tuple(_associations(owner, entry, document)),
    )


def _associations(owner: SubmissionSet, entry: DocumentEntry, document: OnDemandDocument) -> Iterator[Association]:
    """Membership, IsSnapshotOf, and RPLC of the snapshot before. ITI TF-3: 4.2.2.2.6"""
    yield Association(
        entry_uuid=new_uuid_urn(),
        association_type=AssociationType.HAS_MEMBER,
        source=owner.entry_uuid,
        target=entry.entry_uuid,
        submission_set_status="Original",
    )
    targets = {AssociationType.IS_SNAPSHOT_OF: document.entry}
    if document.snapshot is not None and _is_approved(document.snapshot):
        targets[AssociationType.RPLC] = document.snapshot
    for kind, target in targets.items():
        yield Association(
            entry_uuid=new_uuid_urn(), association_type=kind, source=entry.entry_uuid, target=target.entry_uuid
        )


def _confidentiality(document: OnDemandDocument) -> tuple[Code, ...]:
    """Every code of the entry and of what the snapshot tells about: who may not see one of those may not see it."""
    codes = [code for entry in (document.entry, *document.record) for code in entry.confidentiality_code]
    distinct = {(code.code, code.coding_scheme): code for code in reversed(codes)}
    return tuple(reversed(distinct.values()))


def _follows(document: OnDemandDocument) -> str:
    """The uniqueId of the SubmissionSet that brings the snapshot after the newest: only one request can have it."""
    before = document.snapshot.entry_uuid if document.snapshot is not None else "first"
    return f"2.25.{uuid.uuid5(_SNAPSHOTS, f'{document.entry.entry_uuid} {before}').int}"


def _is_approved(entry: DocumentEntry) -> bool:
    return entry.availability_status is AvailabilityStatus.APPROVED
