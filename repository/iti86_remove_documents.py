"""Remove Documents [ITI-86]. ITI TF-2: 3.86 (Supplement Remove Metadata and Documents)."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from lxml import etree

from access_policy.caller import Caller
from audit.objects import a_document
from audit.occurrence import Occurrence
from audit.splits import by_patient
from repository import document_versions, index
from repository.document_request import DocumentRequest, read_document_requests
from repository.index import StoredDocument
from repository.registration import RegistryNotAvailable
from repository.store import Repository
from storage.unit_of_work import StorageFailed, UnitOfWork
from xds.ebrim.response import registry_response
from xds.ebrim.schema import schema_findings
from xds.errors import ErrorCode, RegistryError
from xds.vocabulary import ResponseStatus

TRANSACTION = "ITI-86"


@dataclass(frozen=True, slots=True, kw_only=True)
class Removal:
    """How many documents were removed, and one error per document that was not."""

    removed: int
    errors: tuple[RegistryError, ...] = ()

    @property
    def status(self) -> ResponseStatus:
        if not self.errors:
            return ResponseStatus.SUCCESS
        return ResponseStatus.PARTIAL_SUCCESS if self.removed else ResponseStatus.FAILURE


def soap(repository: Repository, body: etree._Element, caller: Caller) -> bytes:
    """`rmd:RemoveDocumentsRequest` -> `rs:RegistryResponse`."""
    findings = schema_findings(body)
    if findings:
        return registry_response([RegistryError(code=ErrorCode.REPOSITORY, context=str(one)) for one in findings])
    removal = handle(repository, read_document_requests(body), caller)
    return registry_response(removal.errors, status=removal.status)


def handle(repository: Repository, requests: Sequence[DocumentRequest], caller: Caller) -> Removal:
    """Remove every document asked for that is held here and may be removed; each succeeds or fails alone.

    A document named twice counts once. Its metadata stays: ITI-43 then answers XDSDocumentUniqueIdError. Raises
    RegistryNotAvailable, nothing removed.
    """
    wanted = {(one.repository_unique_id, one.document_unique_id): one for one in requests}
    foreign = [one for one in wanted.values() if one.repository_unique_id != repository.unique_id]
    ours = [one for one in wanted.values() if one.repository_unique_id == repository.unique_id]
    errors = {one: one.error(ErrorCode.UNKNOWN_REPOSITORY_ID, _foreign(repository, one)) for one in foreign}
    removable = repository.removable(caller, {one.document_unique_id for one in ours})
    patients = repository.patients_of(removable)
    try:
        repository.settle(removable)
        elsewhere = repository.waits_elsewhere(removable)
        removable -= elsewhere
        removed, waiting = repository.units.write(lambda unit: _remove(repository, unit, patients, removable, caller))
        waiting |= elsewhere
        repository.delete_blobs([one.blob_key for one in removed.values()])
        errors |= {
            one: one.error(ErrorCode.REMOVE_DOCUMENTS, _waits(one)) for one in ours if one.document_unique_id in waiting
        }
        others = [one for one in ours if one.document_unique_id not in removed.keys() | waiting]
        errors |= _not_removed(repository, others, caller)
    except StorageFailed:
        removed = {}
        errors |= {one: one.error(ErrorCode.REMOVE_DOCUMENTS, _failed(one)) for one in ours}
    return Removal(removed=len(removed), errors=tuple(errors[one] for one in wanted.values() if one in errors))


def _remove(
    repository: Repository,
    unit: UnitOfWork,
    patients: Mapping[str, str],
    unique_ids: Collection[str],
    caller: Caller,
) -> tuple[dict[str, StoredDocument], frozenset[str]]:
    """Take the documents out of the index and leave an audit record for each patient, in one unit.

    Also returns those that wait for registration and stay. Their rows are locked before the question: a submission
    that needs one of them commits before it is answered, or finds the document gone and brings its own octets.
    """
    index.lock(unit.connection, unique_ids, for_removal=True)
    waiting = repository.waits(unit, unique_ids)
    removed = index.remove(unit.connection, set(unique_ids) - waiting, now=repository.now())
    document_versions.release(unit.connection, removed)
    if removed:
        gone = [a_document(one, repository.unique_id, is_removed=True) for one in sorted(removed)]
        repository.recorder.record(unit, by_patient(Occurrence(event=TRANSACTION), gone, patients), caller)
    return removed, waiting


def _not_removed(
    repository: Repository, requests: Sequence[DocumentRequest], caller: Caller
) -> dict[DocumentRequest, RegistryError]:
    """ "Not held" and "not to be known" are one answer; what the caller may read but not remove is named so."""
    try:
        known = repository.held(caller, {one.document_unique_id for one in requests}) if requests else {}
    except RegistryNotAvailable as problem:
        return {one: one.error(problem.error.code, _failed(one)) for one in requests}
    return {
        one: one.error(ErrorCode.REMOVE_DOCUMENTS, f"document {one.document_unique_id}: may not be removed by you")
        if one.document_unique_id in known
        else one.error(ErrorCode.DOCUMENT_UNIQUE_ID, f"document {one.document_unique_id}: not held here")
        for one in requests
    }


def _foreign(repository: Repository, request: DocumentRequest) -> str:
    return (
        f"document {request.document_unique_id}: found RepositoryUniqueId {request.repository_unique_id}, "
        f"expected {repository.unique_id}"
    )


def _waits(request: DocumentRequest) -> str:
    return (
        f"document {request.document_unique_id}: belongs to a submission that waits for its patient; match that first"
    )


def _failed(request: DocumentRequest) -> str:
    return f"document {request.document_unique_id}: the repository could not remove it; try again"
