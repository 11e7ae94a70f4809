"""The signature entry of a submission and its octets: what `carnet push --sign` adds. DMP 8.3."""

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime

from access_policy.make_submission_signature import make_submission_signature
from access_policy.submission_signature import C14N_WITH_COMMENTS, ManifestReference, canonical_octets
from carnet.pki import Credential
from cda.document import read_whole
from xds.datatypes import Code
from xds.identifiers import new_oid
from xds.metadata import Association, DocumentEntry, Submission
from xds.vocabulary import AssociationType

SIGNATURE_ID = "Signature01"
_CONFIDENTIALITY = (
    Code(code="N", coding_scheme="2.16.840.1.113883.5.25", display_name="Normal"),
    Code(code="MASQUE_PS", coding_scheme="1.2.250.1.213.1.1.4.13", display_name="Masqué aux professionnels"),
    Code(code="INVISIBLE_PATIENT", coding_scheme="1.2.250.1.213.1.1.4.13", display_name="Non visible par le patient"),
)
_CLASS = Code(code="urn:oid:1.3.6.1.4.1.19376.1.2.1.1.1", coding_scheme="URN", display_name="Signature")
_TYPE = Code(code="E1762", coding_scheme="ASTM", display_name="Full Document")
_FORMAT = Code(code="http://www.w3.org/2000/09/xmldsig#", coding_scheme="URN", display_name="Default signature style")
_SOURCE = Code(code="1.2.840.10065.1.12.1.14", coding_scheme="1.2.840.10065.1.12", display_name="Source")


def signed_submission(
    submission: Submission, contents: Mapping[str, bytes], signer: Credential, *, digest: str = "sha1"
) -> tuple[Submission, bytes]:
    """The submission with its signature entry, and the octets of that entry. `contents`: documents by entry id."""
    references = {
        one.unique_id or "": _reference(one, contents[one.entry_uuid], digest) for one in submission.document_entries
    }
    owner = submission.submission_set
    if owner is None:
        raise ValueError("expected a SubmissionSet to sign")
    now = datetime.now(UTC).replace(microsecond=0)
    octets = make_submission_signature(
        owner.unique_id or "", references, signer.certificate, signer.key, now=now, digest=digest
    )
    links = (
        Association(
            entry_uuid="SignatureMember",
            association_type=AssociationType.HAS_MEMBER,
            source=owner.entry_uuid,
            target=SIGNATURE_ID,
            submission_set_status="Original",
        ),
        Association(
            entry_uuid="Signs", association_type=AssociationType.SIGNS, source=SIGNATURE_ID, target=owner.entry_uuid
        ),
    )
    entries = (*submission.document_entries, _entry(submission, submission.document_entries[0]))
    return replace(submission, document_entries=entries, associations=(*submission.associations, *links)), octets


def _reference(entry: DocumentEntry, content: bytes, digest: str) -> ManifestReference:
    """Of a CDA its canonical form is digested, of anything else the octets."""
    if not (entry.mime_type or "").endswith("xml"):
        return ManifestReference(algorithm=digest, digest=hashlib.new(digest, content).digest())
    canonical = canonical_octets(read_whole(content), C14N_WITH_COMMENTS)
    octets = hashlib.new(digest, canonical).digest()
    return ManifestReference(algorithm=digest, digest=octets, canonicalisation=C14N_WITH_COMMENTS)


def _entry(submission: Submission, document: DocumentEntry) -> DocumentEntry:
    """The metadata of a signature; author and place are those of what it signs, its times that of the submission."""
    owner = submission.submission_set
    time = None if owner is None else owner.submission_time
    return replace(
        document,
        entry_uuid=SIGNATURE_ID,
        unique_id=new_oid(),
        author=document.author if owner is None else owner.author,
        class_code=_CLASS,
        type_code=_TYPE,
        format_code=_FORMAT,
        confidentiality_code=_CONFIDENTIALITY,
        event_code_list=(_SOURCE,),
        title="Source",
        comments=None,
        language_code="art",
        mime_type="text/xml",
        creation_time=time,
        service_start_time=time,
        service_stop_time=time,
        hash=None,
        size=None,
        reference_id_list=(),
    )
