"""The submissions of a medium: METADATA.XML beside the documents it names. ITI TF-2: 3.32.4.1.2.2."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import PurePosixPath
from urllib.parse import unquote

from portable_media import layout
from portable_media.medium import Medium, MediumRefused, UnreadableFile, beside, whole
from xds.datatypes import CX
from xds.ebrim.read import read_document_entries, read_submission
from xds.ebrim.schema import schema_findings
from xds.errors import RegistryError, metadata_error
from xds.metadata import DocumentEntry, Submission
from xds.vocabulary import LCM, AvailabilityStatus, ObjectType
from xds.xml import BadXml, parse

_REQUEST = f"{{{LCM}}}SubmitObjectsRequest"


@dataclass(frozen=True, slots=True, kw_only=True)
class MediumDocument:
    """A document of a submission: the entry it belongs to and its file on the medium."""

    entry_uuid: str
    unique_id: str
    mime_type: str
    file: str
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Subset:
    """One submission to import. With `errors` it cannot be; they say why.

    `statuses`: uniqueId -> status of the documents that were not Approved where the medium was made.
    """

    name: str
    submission: Submission
    documents: tuple[MediumDocument, ...] = ()
    errors: tuple[RegistryError, ...] = ()
    statuses: Mapping[str, AvailabilityStatus] = field(default_factory=dict)

    @property
    def size(self) -> int:
        return sum(document.size for document in self.documents)


def metadata_files(medium: Medium) -> tuple[str, ...]:
    """Every METADATA.XML in the order of their folders; those of IHE_XDM alone where there is one."""
    found = sorted(name for name in medium.files if PurePosixPath(name).name.upper() == layout.METADATA)
    inside = [name for name in found if layout.FOLDER in PurePosixPath(name.upper()).parts]
    return tuple(inside or found)


def subsets(medium: Medium, *, patient_id: CX | None = None) -> Iterator[Subset]:
    """The submissions of a medium in the order of their folders.

    `patient_id` is who the patient of the medium is here. Raises MediumRefused when the medium has several then.
    """
    names = metadata_files(medium)
    if patient_id is not None:
        patients = {one.key for name in names for one in _patients(_subset(medium, name).submission)}
        if len(patients) > 1:
            raise MediumRefused(f"found {len(patients)} patients, expected one when an identifier of here is given")
    for name in names:
        subset = _subset(medium, name)
        given = subset.submission if patient_id is None else of_patient(subset.submission, patient_id)
        yield replace(subset, submission=given)


def _subset(medium: Medium, name: str) -> Subset:
    empty = Submission(submission_set=None)
    try:
        limits = layout.METADATA_LIMITS
        octets = whole(medium, name, at_most=limits.octets)
        request = parse(octets, limits=limits, processing_instructions=False)
    except (BadXml, UnreadableFile) as problem:
        return Subset(name=name, submission=empty, errors=(metadata_error(f"{name}: {problem}"),))
    if request.tag != _REQUEST:
        context = f"{name}: found {request.tag}, expected {_REQUEST}"
        return Subset(name=name, submission=empty, errors=(metadata_error(context),))
    findings = [metadata_error(f"{name}: {finding}") for finding in schema_findings(request)]
    if findings:
        return Subset(name=name, submission=empty, errors=tuple(findings))
    reading = read_submission(request)
    statuses = {entry.unique_id or "": entry.availability_status for entry in read_document_entries(request)}
    documents, missing = _documents(medium, name, reading.submission.document_entries)
    return Subset(
        name=name,
        submission=_as_before(reading.submission),
        documents=documents,
        errors=(*reading.errors, *missing),
        statuses={one: status for one, status in statuses.items() if status not in (None, AvailabilityStatus.APPROVED)},
    )


def _documents(
    medium: Medium, name: str, entries: Sequence[DocumentEntry]
) -> tuple[tuple[MediumDocument, ...], list[RegistryError]]:
    """The file of each stable entry, named by its URI; what is missing is said."""
    documents, errors = [], []
    for entry in entries:
        if entry.object_type is not ObjectType.STABLE:
            continue
        try:
            file = beside(medium, name, unquote(entry.uri or ""))
        except UnreadableFile as problem:
            errors.append(metadata_error(f"DocumentEntry {entry.entry_uuid}: URI: {problem}"))
            continue
        documents.append(
            MediumDocument(
                entry_uuid=entry.entry_uuid,
                unique_id=entry.unique_id or "",
                mime_type=entry.mime_type or "application/octet-stream",
                file=file,
                size=medium.files[file],
            )
        )
    return tuple(documents), errors


def _as_before(submission: Submission) -> Submission:
    """Entries without the URI that only means something on the medium, with the one they had before."""
    return replace(submission, document_entries=tuple(_with_uri_before(e) for e in submission.document_entries))


def _with_uri_before(entry: DocumentEntry) -> DocumentEntry:
    kept = tuple(slot for slot in entry.extra_slots if slot.name != layout.URI_BEFORE)
    before = next((slot.values[0] for slot in entry.extra_slots if slot.name == layout.URI_BEFORE), None)
    return replace(entry, uri=before, extra_slots=kept)


def _patients(submission: Submission) -> Iterator[CX]:
    owner = () if submission.submission_set is None else (submission.submission_set,)
    for thing in (*owner, *submission.document_entries, *submission.folders):
        if thing.patient_id is not None:
            yield thing.patient_id


def of_patient(submission: Submission, patient_id: CX) -> Submission:
    """The submission with another patientId in all of its objects."""
    owner = submission.submission_set
    return Submission(
        submission_set=None if owner is None else replace(owner, patient_id=patient_id),
        document_entries=tuple(replace(entry, patient_id=patient_id) for entry in submission.document_entries),
        folders=tuple(replace(folder, patient_id=patient_id) for folder in submission.folders),
        associations=submission.associations,
    )
