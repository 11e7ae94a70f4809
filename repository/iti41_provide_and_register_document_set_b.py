"""Provide and Register Document Set-b [ITI-41]. ITI TF-2: 3.41."""

import base64
import errno
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from typing import Protocol

from lxml import etree

from access_policy.caller import Caller
from repository.blob_store import IncomingBlob
from repository.index import StoredDocument
from repository.registration import RegistrationUnknown, RegistryNotAvailable
from repository.store import Repository
from repository.submission_signature import Contents
from soap.xop import content_id_matches, include_href, strip_includes
from storage.unit_of_work import StorageFailed
from xds.ebrim.read import Reading, read_submission, submit_objects_request
from xds.ebrim.response import registry_response
from xds.ebrim.schema import schema_findings
from xds.errors import ErrorCode, RegistryError, Rejected
from xds.metadata import DocumentEntry
from xds.vocabulary import XDS_B, ObjectType
from xds.xml import text_of

_DOCUMENT = f"{{{XDS_B}}}Document"
_OUT_OF_SPACE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class Part(Protocol):
    """A MIME part beside the root: its Content-ID and its octets as they arrive."""

    @property
    def content_id(self) -> str: ...

    def __iter__(self) -> Iterator[bytes]: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Provided:
    """One `xds:Document` of the request: the id it names and where its octets are."""

    id: str
    href: str | None
    inline: str | None


def soap(repository: Repository, body: etree._Element, parts: Iterable[Part], caller: Caller) -> bytes:
    """`xds:ProvideAndRegisterDocumentSetRequest` -> `rs:RegistryResponse`."""
    try:
        provided = tuple(_provided(element) for element in body.iterchildren(_DOCUMENT))
        strip_includes(body)
        request = submit_objects_request(body)
        findings = schema_findings(body)
        if findings or request is None:
            raise Rejected(_metadata_error(str(finding)) for finding in findings)
        reading = read_submission(request)
        with _received(repository, provided, parts) as received:
            warnings = handle(repository, reading, received, caller)
    except Rejected as rejected:
        return registry_response(rejected.errors)
    except (OSError, StorageFailed) as problem:
        return registry_response([storage_error(problem)])
    except (RegistryNotAvailable, RegistrationUnknown) as problem:
        return registry_response([problem.error])
    return registry_response(warnings)


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """The octets of a request, digested, and what was wrong with their packaging."""

    blobs: Mapping[str, IncomingBlob]
    errors: tuple[RegistryError, ...] = ()


def handle(repository: Repository, reading: Reading, received: Received, caller: Caller) -> tuple[RegistryError, ...]:
    """Store the documents, then register them: the steps of ITI TF-2: 3.41.4.1.3 in this order.

    Returns the warnings of both. Raises Rejected with all errors of repository and registry and
    RegistryNotAvailable, nothing stored; RegistrationUnknown and StorageFailed: something may be.
    """
    errors = [*received.errors, *_pairing_rules(reading, received.blobs), *_octet_rules(reading, received.blobs)]
    reading = _completed(repository, reading, received.blobs)
    if errors:
        raise Rejected([*errors, *repository.registration.findings(reading, caller)])
    documents = _kept(repository, reading, received)
    try:
        _check_signature(repository, reading, received, documents, caller)
        documents, warnings = _examined(repository, reading, documents, caller)
        entered = repository.registration.enter(reading, documents, caller)
    except (Rejected, RegistryNotAvailable):
        repository.delete_blobs(one.blob_key for one in documents.values())
        raise
    repository.delete_blobs(entered.unused)
    return (*reading.warnings, *entered.warnings, *warnings)


def _examined(
    repository: Repository, reading: Reading, documents: Mapping[str, StoredDocument], caller: Caller
) -> tuple[dict[str, StoredDocument], tuple[RegistryError, ...]]:
    """The documents with what their domain reads in them, and its warnings. Raises Rejected. ITI TF-2: 3.41.4.1.3"""
    examined, found = dict(documents), list[RegistryError]()
    for entry in reading.submission.document_entries:
        one = documents.get(entry.entry_uuid)
        if one is not None:
            result = repository.document_rules(entry, _reader(repository, one))
            found += result.findings
            examined[entry.entry_uuid] = replace(one, is_only_once=result.is_only_once, version=result.version)
    if any(finding.is_error for finding in found):
        raise Rejected([*found, *repository.registration.findings(reading, caller)])
    return examined, tuple(found)


def _reader(repository: Repository, document: StoredDocument) -> Callable[[], bytes]:
    return lambda: repository.octets_of(document.blob_key)


def _check_signature(
    repository: Repository,
    reading: Reading,
    received: Received,
    documents: Mapping[str, StoredDocument],
    caller: Caller,
) -> None:
    """The signature entry of a DMP submission covers every document of it. Raises Rejected. DMP 8.3"""

    def read(identifier: str) -> bytes:
        return repository.octets_of(documents[identifier].blob_key)

    contents = Contents(digests={name: blob.digest() for name, blob in received.blobs.items()}, read=read)
    errors = tuple(repository.signatures.violations(reading.submission, contents))
    if errors:
        raise Rejected([*errors, *repository.registration.findings(reading, caller)])


def _provided(element: etree._Element) -> Provided:
    href = include_href(element)
    inline = None if href is not None else text_of(element)
    return Provided(id=element.get("id", "").strip(), href=href, inline=inline)


@contextmanager
def _received(repository: Repository, provided: tuple[Provided, ...], parts: Iterable[Part]) -> Iterator[Received]:
    """Stream every document into the blob store; what is not kept in the block is discarded."""
    blobs: dict[str, IncomingBlob] = {}
    errors: list[RegistryError] = []
    waiting = {document.href: document for document in provided if document.href is not None}

    def receive(document: Provided, chunks: Iterable[bytes]) -> None:
        blob = opened.enter_context(repository.blobs.receive())
        for chunk in chunks:
            blob.write(chunk)
        blob.finish()
        if document.id in blobs:
            errors.append(_duplicate_document(document))
        blobs[document.id] = blob

    with ExitStack() as opened:
        for document in provided:
            if document.inline is not None:
                receive(document, [_decoded(document)])
        for part in parts:
            href = next((href for href in waiting if content_id_matches(href, part.content_id)), None)
            if href is None:
                errors.append(_unreferenced_part(part))
            else:
                receive(waiting.pop(href), part)
        errors.extend(_missing_part(document) for document in waiting.values())
        yield Received(blobs=blobs, errors=tuple(errors))


def _decoded(document: Provided) -> bytes:
    try:
        return base64.b64decode("".join((document.inline or "").split()), validate=True)
    except ValueError:  # binascii.Error, and letters that are none of ASCII
        raise Rejected([_metadata_error(f"Document {document.id}: expected base64")]) from None


def _pairing_rules(reading: Reading, blobs: Mapping[str, IncomingBlob]) -> Iterator[RegistryError]:
    """P1: every stable DocumentEntry has its Document and every Document its DocumentEntry."""
    stable = {e.entry_uuid for e in reading.submission.document_entries if e.object_type is ObjectType.STABLE}
    for identifier in sorted(stable - blobs.keys()):
        context = f"DocumentEntry {identifier}: found no Document with this id, expected one for each stable entry"
        yield RegistryError(code=ErrorCode.MISSING_DOCUMENT, context=context)
    for identifier in sorted(blobs.keys() - {e.entry_uuid for e in reading.submission.document_entries}):
        context = f"Document {identifier}: found no DocumentEntry with this id, expected one for each Document"
        yield RegistryError(code=ErrorCode.MISSING_DOCUMENT_METADATA, context=context)


def _octet_rules(reading: Reading, blobs: Mapping[str, IncomingBlob]) -> Iterator[RegistryError]:
    """P2: a hash or size that was sent is that of the octets."""
    for entry in reading.submission.document_entries:
        blob = blobs.get(entry.entry_uuid)
        if blob is None:
            continue
        digest = blob.digest()
        for name, found, actual in (("hash", entry.hash, digest.sha1), ("size", entry.size, digest.size)):
            if (entry.entry_uuid, name) in reading.unreadable:
                yield _metadata_error(
                    f"DocumentEntry {entry.entry_uuid}: {name}: found what cannot be read, "
                    f"expected {actual}, that of the document"
                )
            elif found is not None and found != actual:
                yield _metadata_error(
                    f"DocumentEntry {entry.entry_uuid}: {name}: found {found}, expected {actual}, that of the document"
                )


def _completed(repository: Repository, reading: Reading, blobs: Mapping[str, IncomingBlob]) -> Reading:
    """repositoryUniqueId is ours; hash and size are computed. ITI TF-2: 3.41.4.1.3"""

    def completed(entry: DocumentEntry) -> DocumentEntry:
        blob = blobs.get(entry.entry_uuid)
        if blob is None:
            return entry
        digest = blob.digest()
        return replace(entry, repository_unique_id=repository.unique_id, hash=digest.sha1, size=digest.size)

    entries = tuple(completed(entry) for entry in reading.submission.document_entries)
    return replace(reading, submission=replace(reading.submission, document_entries=entries))


def _kept(repository: Repository, reading: Reading, received: Received) -> dict[str, StoredDocument]:
    """Every document in the store for good, by the id of its entry; none when one of them cannot be."""
    entries = {entry.entry_uuid: entry for entry in reading.submission.document_entries}
    documents: dict[str, StoredDocument] = {}
    try:
        for identifier, blob in received.blobs.items():
            documents[identifier] = _stored(entries[identifier], blob.keep(), blob)
    except OSError:
        repository.delete_blobs(one.blob_key for one in documents.values())
        raise
    return documents


def _stored(entry: DocumentEntry, key: str, blob: IncomingBlob) -> StoredDocument:
    return StoredDocument(
        unique_id=entry.unique_id or "",
        size=entry.size or 0,
        sha1=entry.hash or "",
        sha256=key.partition("/")[0],
        blob_key=key,
        mime_type=entry.mime_type or "",
        blocks=blob.digest().blocks,
    )


def _metadata_error(context: str) -> RegistryError:
    return RegistryError(code=ErrorCode.REPOSITORY_METADATA, context=context)


def _duplicate_document(document: Provided) -> RegistryError:
    context = f"Document {document.id}: found the same id on several Documents, expected each once"
    return RegistryError(code=ErrorCode.REPOSITORY_DUPLICATE_UNIQUE_ID_IN_MESSAGE, context=context)


def _unreferenced_part(part: Part) -> RegistryError:
    context = f"MIME part {part.content_id[:100]!r}: found no Document that refers to it, expected one"
    return RegistryError(code=ErrorCode.MISSING_DOCUMENT_METADATA, context=context)


def _missing_part(document: Provided) -> RegistryError:
    href = (document.href or "")[:100]
    context = f"Document {document.id}: found no MIME part for {href!r}, expected one with this Content-ID"
    return RegistryError(code=ErrorCode.MISSING_DOCUMENT, context=context)


def storage_error(problem: Exception) -> RegistryError:
    """What a requester is told of a store or a database that failed. ITI TF-3: Table 4.2.4.1-2"""
    if isinstance(problem, StorageFailed):
        code = ErrorCode.REGISTRY_BUSY if problem.is_busy else ErrorCode.REGISTRY
        code = ErrorCode.REGISTRY_OUT_OF_RESOURCES if problem.is_full else code
        return RegistryError(code=code, context="the registry could not store the metadata; try again later")
    full = isinstance(problem, OSError) and problem.errno in _OUT_OF_SPACE
    code = ErrorCode.REPOSITORY_OUT_OF_RESOURCES if full else ErrorCode.REPOSITORY
    return RegistryError(code=code, context="the repository could not store the document; try again later")
