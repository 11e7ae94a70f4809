"""Retrieve Document Set [ITI-43]. ITI TF-2: 3.43."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass

from lxml import etree

from access_policy.caller import Caller
from repository import on_demand
from repository.blob_store import DamagedBlob, Octets
from repository.checked_octets import Allowance
from repository.document_request import DocumentRequest, read_document_requests
from repository.index import StoredDocument
from repository.on_demand import Assembled, NotAssembled
from repository.store import Repository
from xds.ebrim.response import DocumentResponse, retrieve_document_set_response
from xds.ebrim.schema import schema_findings
from xds.errors import ErrorCode, RegistryError
from xds.vocabulary import ResponseStatus

Found = StoredDocument | Assembled | NotAssembled


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivered:
    """One document found, checked as far as it can be before it is sent, its octets about to be read.

    `made` is the document that was made on demand.
    """

    request: DocumentRequest
    mime_type: str
    size: int
    octets: Octets
    made: Assembled | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Retrieved:
    """What a request brought, in its order, and one error per document that failed."""

    delivered: tuple[Delivered, ...]
    errors: tuple[RegistryError, ...]

    @property
    def status(self) -> ResponseStatus:
        if not self.errors:
            return ResponseStatus.SUCCESS
        return ResponseStatus.PARTIAL_SUCCESS if self.delivered else ResponseStatus.FAILURE


@dataclass(frozen=True, slots=True, kw_only=True)
class RetrieveAnswer:
    """The response element and, per XOP include in it, (Content-ID, type, length, octets)."""

    body: bytes
    parts: tuple[tuple[str, str, int, Octets], ...] = ()


def soap(repository: Repository, body: etree._Element, caller: Caller) -> RetrieveAnswer:
    """`xds:RetrieveDocumentSetRequest` -> `xds:RetrieveDocumentSetResponse`."""
    findings = schema_findings(body)
    if findings:
        errors = [RegistryError(code=ErrorCode.REPOSITORY, context=str(finding)) for finding in findings]
        return RetrieveAnswer(body=retrieve_document_set_response((), errors, status=ResponseStatus.FAILURE))
    retrieved = handle(repository, read_document_requests(body), caller)
    content_ids = [f"{uuid.uuid4()}@carnet" for _ in retrieved.delivered]
    responses = [_response(repository, one, cid) for one, cid in zip(retrieved.delivered, content_ids, strict=True)]
    return RetrieveAnswer(
        body=retrieve_document_set_response(responses, retrieved.errors, status=retrieved.status),
        parts=tuple(
            (cid, one.mime_type, one.size, one.octets)
            for one, cid in zip(retrieved.delivered, content_ids, strict=True)
        ),
    )


def handle(repository: Repository, requests: Sequence[DocumentRequest], caller: Caller) -> Retrieved:
    """Every document asked for that is held, or made on demand, here and may be read. ITI TF-2: 3.43.4.1.3

    "Unknown" and "not allowed" are one answer. A document named twice is made once and delivered twice.
    """
    ours = {one.document_unique_id for one in requests if one.repository_unique_id == repository.unique_id}
    held: dict[str, Found] = {**repository.held(caller, ours)}
    held |= on_demand.assembled(repository, ours - held.keys(), caller)
    allowance = Allowance()
    delivered: list[Delivered] = []
    errors: list[RegistryError] = []
    for request in requests:
        outcome = _deliver(repository, request, held.get(request.document_unique_id), allowance)
        if isinstance(outcome, Delivered):
            delivered.append(outcome)
        else:
            errors.append(outcome)
    return Retrieved(delivered=tuple(delivered), errors=tuple(errors))


def _deliver(
    repository: Repository, request: DocumentRequest, document: Found | None, allowance: Allowance
) -> Delivered | RegistryError:
    if request.repository_unique_id != repository.unique_id:
        found = f"found RepositoryUniqueId {request.repository_unique_id[:64]!r}, expected {repository.unique_id}"
        return request.error(ErrorCode.UNKNOWN_REPOSITORY_ID, found)
    if document is None:
        return request.error(ErrorCode.DOCUMENT_UNIQUE_ID, "no such document is available to this requester")
    if isinstance(document, NotAssembled):
        return request.error(document.code, document.context)
    if isinstance(document, Assembled):
        size = len(document.content)
        octets = document.octets()
        return Delivered(request=request, mime_type=document.mime_type, size=size, octets=octets, made=document)
    try:
        kept = repository.octets(document, allowance)
        return Delivered(request=request, mime_type=document.mime_type, size=document.size, octets=kept)
    except DamagedBlob:
        return request.error(ErrorCode.REPOSITORY, "the stored document is damaged and is not delivered")
    except OSError:
        return request.error(ErrorCode.REPOSITORY, "the store of documents does not answer; try again later")


def _response(repository: Repository, delivered: Delivered, content_id: str) -> DocumentResponse:
    made = delivered.made
    return DocumentResponse(
        repository_unique_id=delivered.request.repository_unique_id,
        document_unique_id=delivered.request.document_unique_id,
        home_community_id=delivered.request.home_community_id,
        mime_type=delivered.mime_type,
        content_id=content_id,
        new_repository_unique_id=repository.unique_id if made is not None and made.is_kept else None,
        new_document_unique_id=None if made is None else made.unique_id,
    )
