"""Whether the signature of a submission covers what came with it, and is the author's. DMP 8.3; ITI TF-3: 5.5 (DSG)."""

import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from access_policy.refusals import Refused
from access_policy.submission_signature import (
    C14N_WITH_COMMENTS,
    ManifestReference,
    SubmissionSignature,
    canonical_octets,
    read_submission_signature,
)
from access_policy.trust import Trust
from cda.document import read_whole
from cda.unreadable import UnreadableDocument, too_large
from repository.blob_store import Digest
from xds.errors import ErrorCode, RegistryError
from xds.metadata import DocumentEntry, Submission
from xds.vocabulary import ObjectType

SIGNATURE_TYPE = ("E1762", "ASTM")
_LARGEST_SIGNATURE, _LARGEST_XML = 512 * 1024, 32 * 2**20
_XML = ("text/xml", "application/xslt+xml", "application/xml")


class Demand(StrEnum):
    """What a server makes of signatures of submissions."""

    REQUIRED = "required"
    OPTIONAL = "optional"
    IGNORED = "ignored"


@dataclass(frozen=True, slots=True, kw_only=True)
class Contents:
    """The octets of a submission by entry id: their digests, and a way to read them."""

    digests: Mapping[str, Digest]
    read: Callable[[str], bytes]


@dataclass(frozen=True, slots=True, kw_only=True)
class SignatureRules:
    """Checks the signature entry of submissions. `trust` gives the authorities of the moment."""

    demand: Demand
    trust: Callable[[], Trust]
    now: Callable[[], datetime]

    def violations(self, submission: Submission, contents: Contents) -> Iterator[RegistryError]:
        """Everything wrong with the signature of a submission."""
        if self.demand is Demand.IGNORED:
            return
        entries = signature_entries(submission)
        if len(entries) > 1:
            yield _error(f"found {len(entries)} signature entries, expected one at most")
        elif entries:
            yield from self._of(entries[0], submission, contents)
        elif self.demand is Demand.REQUIRED:
            yield _error("found no signature entry, expected one (typeCode E1762^^ASTM)")

    def _of(self, entry: DocumentEntry, submission: Submission, contents: Contents) -> Iterator[RegistryError]:
        digest = contents.digests.get(entry.entry_uuid)
        if digest is None or digest.size > _LARGEST_SIGNATURE:
            yield _error(f"signature {entry.entry_uuid}: expected at most {_LARGEST_SIGNATURE} octets")
            return
        try:
            signature = read_submission_signature(contents.read(entry.entry_uuid), self.trust(), now=self.now())
        except Refused as refused:
            yield _error(f"signature {entry.entry_uuid}: {refused}")
            return
        yield from _signer_rule(entry, signature, submission)
        yield from _manifest_rules(entry, signature, submission, contents)


def signature_entries(submission: Submission) -> tuple[DocumentEntry, ...]:
    """The entries that are a signature and no document of care."""
    return tuple(one for one in submission.document_entries if is_signature(one))


def is_signature(entry: DocumentEntry) -> bool:
    code = entry.type_code
    return code is not None and (code.code, code.coding_scheme) == SIGNATURE_TYPE


def _signer_rule(
    entry: DocumentEntry, signature: SubmissionSignature, submission: Submission
) -> Iterator[RegistryError]:
    """The card of an author's person, or the seal of an author's institution."""
    authors = submission.submission_set.author if submission.submission_set is not None else ()
    persons = {one.author_person.id for one in authors if one.author_person is not None}
    institutions = {institution.id for one in authors for institution in one.author_institution}
    allowed = persons if signature.holder.is_person else institutions
    if signature.holder.identifier not in allowed:
        yield _error(f"signature {entry.entry_uuid}: signed by nobody among the authors of the SubmissionSet")


def _manifest_rules(
    entry: DocumentEntry, signature: SubmissionSignature, submission: Submission, contents: Contents
) -> Iterator[RegistryError]:
    """The manifest names the submission and every document with its digest, and nothing else."""
    owner = submission.submission_set
    documents = {
        f"urn:oid:{one.unique_id}": one
        for one in submission.document_entries
        if one.object_type is ObjectType.STABLE and not is_signature(one)
    }
    submission_uri = f"urn:oid:{owner.unique_id if owner is not None else ''}"
    expected = {submission_uri, *documents}
    for uri in sorted(expected - signature.references.keys()):
        yield _error(f"signature {entry.entry_uuid}: the manifest does not name {uri}")
    for uri in sorted(signature.references.keys() - expected):
        yield _error(f"signature {entry.entry_uuid}: the manifest names {uri[:100]}, which is not in the submission")
    for uri, document in documents.items():
        reference = signature.references.get(uri)
        if reference is not None:
            yield from _digest_rule(entry, document, reference, contents)


def _digest_rule(
    entry: DocumentEntry, document: DocumentEntry, reference: ManifestReference, contents: Contents
) -> Iterator[RegistryError]:
    name = f"signature {entry.entry_uuid}: urn:oid:{document.unique_id}"
    digest = contents.digests.get(document.entry_uuid)
    if digest is None:
        return  # the document itself is missing, which is said elsewhere
    try:
        if not any(found == reference.digest for found in _digests(document, digest, reference, contents)):
            yield _error(f"{name}: the digest of the manifest is not that of the document")
    except (Refused, UnreadableDocument) as problem:
        yield _error(f"{name}: {problem}")


def _digests(
    document: DocumentEntry, digest: Digest, reference: ManifestReference, contents: Contents
) -> Iterator[bytes]:
    """The digests that would be right: over the octets, or canonical XML as the reference or the DMP has it."""
    is_xml = document.mime_type in _XML
    if not reference.canonicalisation:
        known = {"sha1": digest.sha1, "sha256": digest.sha256}.get(reference.algorithm)
        content = contents.read(document.entry_uuid) if known is None else b""
        yield bytes.fromhex(known) if known else hashlib.new(reference.algorithm, content).digest()
        if not is_xml:
            return
    if digest.size > _LARGEST_XML:
        raise too_large(digest.size, _LARGEST_XML)
    root = read_whole(contents.read(document.entry_uuid))
    octets = canonical_octets(root, reference.canonicalisation or C14N_WITH_COMMENTS)
    yield hashlib.new(reference.algorithm, octets).digest()


def _error(context: str) -> RegistryError:
    return RegistryError(code=ErrorCode.REPOSITORY_METADATA, context=context)
