"""Distribute Document Set on Media [ITI-32], the Portable Media Creator: a record as a ZIP file. ITI TF-2: 3.32.

Documents stream from the store into the archive; each is compared with the size and the SHA-1 of its metadata
while it is written. The file has its name only when all of it is there and durable.
"""

import hashlib
import os
import stat
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO

from access_policy.caller import Caller
from portable_media import layout, pages
from portable_media.history import write_history
from portable_media.pages import Cover
from portable_media.record import LeftOut, LostLink, Record, as_one, only, record_of
from registry import patients
from registry.patients import Source
from registry.store import Registry
from repository.blob_store import DamagedBlob
from repository.index import StoredDocument
from repository.store import Repository
from storage.durable_folders import sync_folder
from xds.datatypes import CX
from xds.ebrim.write import write_submit_objects_request
from xds.errors import ErrorCode, RegistryError, Rejected
from xds.failure import Failure
from xds.metadata import DocumentEntry, Slot, Submission

TRANSACTION = "ITI-32"
_ASKED_AT_ONCE = 200
OnOctets = Callable[[int], None]


class ExportFailed(Failure):
    """No medium was made; the text names the document and what is wrong with it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """What of a record goes onto a medium, and how: replaced and deprecated documents too, all under one new
    SubmissionSet."""

    deprecated_too: bool = False
    one_set: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Exported:
    """What a medium holds."""

    submission_sets: int
    documents: int
    octets: int
    left_out: tuple[LeftOut, ...]
    lost_links: tuple[LostLink, ...] = ()

    @property
    def damaged(self) -> tuple[str, ...]:
        """uniqueIds of documents that are left out because their octets are damaged or missing."""
        return tuple(one.unique_id for one in self.left_out if one.is_damaged)


@dataclass(frozen=True, slots=True, kw_only=True)
class Export:
    """A medium about to be written: whose record, for whom, and where its documents are kept."""

    patient_id: CX
    caller: Caller
    record: Record
    stored: dict[str, StoredDocument]
    cover: Cover

    @property
    def octets(self) -> int:
        """Length of all documents together."""
        return sum(entry.size or 0 for entry in self.record.document_entries)


def prepare(
    registry: Registry, repository: Repository, patient_id: CX, caller: Caller, *, choice: Choice, cover: Cover
) -> Export:
    """What the caller may take of a patient's record, as far as this repository keeps it.

    Raises Rejected when the patient is unknown.
    """
    _check_patient(registry, patient_id)
    record = record_of(registry, patient_id, caller, deprecated_too=choice.deprecated_too)
    stored, left_out = _held(repository, record, caller)
    record = only(record, stored, left_out)
    if choice.one_set:
        record = as_one(record, source_id=repository.unique_id, now=cover.date)
    return Export(patient_id=patient_id, caller=caller, record=record, stored=stored, cover=cover)


def handle(
    registry: Registry, repository: Repository, export: Export, target: Path, on_octets: OnOctets = lambda _: None
) -> Exported:
    """Write the medium; an audit record of it is durable before the file has its name. ITI TF-2: 3.32.5.1

    Every document is read first: a damaged one is left out and named, since the first file of the medium says what
    it holds. Raises ExportFailed, StorageFailed, OSError; then there is no file, and one that was there stays.
    """
    export = _without_damaged(repository, export)
    with _whole_file(target) as file:
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
            _Writer(archive, repository, export, on_octets).write()
        source = Source(transaction=TRANSACTION, caller=export.caller)
        registry.units.write(lambda unit: patients.record_about(registry, unit, export.patient_id, source, action="R"))
    return Exported(
        submission_sets=len(export.record.submissions),
        documents=len(export.record.document_entries),
        octets=export.octets,
        left_out=export.record.left_out,
        lost_links=export.record.lost_links,
    )


def _without_damaged(repository: Repository, export: Export) -> Export:
    """The export without documents whose octets are damaged, missing, or not those of their metadata."""
    damaged = tuple(
        LeftOut(unique_id=unique_id, reason=reason, is_damaged=True)
        for unique_id, entry in {one.unique_id or "": one for one in export.record.document_entries}.items()
        if (reason := _damage(repository, export.stored[unique_id], entry))
    )
    if not damaged:
        return export
    sound = export.stored.keys() - {one.unique_id for one in damaged}
    return replace(export, record=only(export.record, sound, damaged))


def _damage(repository: Repository, stored: StoredDocument, entry: DocumentEntry) -> str:
    """What is wrong with a document, empty when it is sound; the alert is given as for every damage. Raises OSError."""
    if (stored.sha1, stored.size) != (entry.hash, entry.size):
        return "hash or size are not those of its metadata"
    try:
        for _ in repository.octets(stored):
            continue
    except DamagedBlob:
        return "the stored octets are damaged or missing"
    return ""


def _check_patient(registry: Registry, patient_id: CX) -> None:
    account = patients.account_of(registry, patient_id)
    if account is None:
        context = f"found {patient_id.key}, expected a known patient"
    elif account.merged_into is not None:
        context = f"found {patient_id.key}, which was merged into {account.merged_into.key}: export that one"
    else:
        return
    raise Rejected([RegistryError(code=ErrorCode.UNKNOWN_PATIENT_ID, context=context, location="patient")])


def _held(
    repository: Repository, record: Record, caller: Caller
) -> tuple[dict[str, StoredDocument], tuple[LeftOut, ...]]:
    """The documents that this repository keeps and the caller may read, by uniqueId, and those that are not there."""
    entries = {entry.unique_id or "": entry for entry in record.document_entries}
    ours = sorted(u for u, entry in entries.items() if entry.repository_unique_id == repository.unique_id)
    stored: dict[str, StoredDocument] = {}
    for start in range(0, len(ours), _ASKED_AT_ONCE):
        stored |= repository.held(caller, ours[start : start + _ASKED_AT_ONCE])
    return stored, tuple(
        LeftOut(unique_id=unique_id, reason=_absence(entry, repository))
        for unique_id, entry in entries.items()
        if unique_id not in stored
    )


def _absence(entry: DocumentEntry, repository: Repository) -> str:
    if entry.repository_unique_id != repository.unique_id:
        return f"kept by the repository {entry.repository_unique_id}"
    return "not kept any more"


@contextmanager
def _whole_file(target: Path) -> Iterator[IO[bytes]]:
    """A file that gets its name when the block ends without an exception; only its owner may read it."""
    descriptor, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    written = Path(name)
    try:
        with os.fdopen(descriptor, "w+b") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        written.replace(target)
        sync_folder(target.parent)
    except BaseException:
        written.unlink(missing_ok=True)
        raise


class _Writer:
    """One medium on its way into an archive."""

    def __init__(self, archive: zipfile.ZipFile, repository: Repository, export: Export, on_octets: OnOctets) -> None:
        self._archive, self._repository, self._export, self._on_octets = archive, repository, export, on_octets
        text = export.cover.date
        self._time = (int(text[:4]), *(int(text[at : at + 2]) for at in range(4, 14, 2)))

    def write(self) -> None:
        """The pages first, then each SubmissionSet with its documents."""
        record, cover = self._export.record, self._export.cover
        placed = [
            _placed(submission, layout.subset_folder(number, among=len(record.submissions)))
            for number, submission in enumerate(record.submissions, start=1)
        ]
        places = {f"{one.folder}/{entry.uri}": entry for one in placed for entry in one.submission.document_entries}
        readme = pages.readme(cover, record, documents=len(places))
        self._add(layout.README, readme)
        self._add(layout.INDEX, pages.index(cover, places))
        for one in placed:
            request = b'<?xml version="1.0" encoding="UTF-8"?>\n' + write_submit_objects_request(one.submission.objects)
            self._add(f"{one.folder}/{layout.METADATA}", request)
            for entry in one.submission.document_entries:
                self._add_document(f"{one.folder}/{entry.uri}", entry)

        if record.history.versions:
            self._add(layout.VERSIONS, _importable(write_history(record.history)))

    def _add(self, name: str, content: bytes) -> None:
        self._archive.writestr(self._member(name, len(content), is_deflated=True), content)

    def _add_document(self, name: str, entry: DocumentEntry) -> None:
        stored = self._export.stored[entry.unique_id or ""]
        member = self._member(name, stored.size, is_deflated=layout.is_worth_compressing(name))
        sha1, size = hashlib.sha1(usedforsecurity=False), 0
        try:
            octets = self._repository.octets(stored)
            try:
                with self._archive.open(member, "w") as file:
                    for chunk in octets:
                        sha1.update(chunk)
                        size += len(chunk)
                        file.write(chunk)
                        self._on_octets(len(chunk))
            finally:
                octets.close()
        except DamagedBlob as problem:
            raise ExportFailed(f"document {entry.unique_id}: the stored octets are damaged or missing") from problem
        if (sha1.hexdigest(), size) != (entry.hash, entry.size):
            raise ExportFailed(f"document {entry.unique_id}: hash or size are not those of its metadata")

    def _member(self, name: str, size: int, *, is_deflated: bool) -> zipfile.ZipInfo:
        """A file of the archive; a length of 2 GiB and more makes it ZIP64."""
        member = zipfile.ZipInfo(name, self._time)  # type: ignore[arg-type]  # six numbers, sliced above
        member.file_size = size
        member.compress_type = zipfile.ZIP_DEFLATED if is_deflated else zipfile.ZIP_STORED
        member.external_attr = (stat.S_IFREG | 0o600) << 16
        return member


def _importable(history: bytes) -> bytes:
    """A history that an import takes. Raises ExportFailed."""
    most = layout.METADATA_LIMITS.octets
    if len(history) > most:
        raise ExportFailed(
            f"the versions of this record have {len(history)} octets, an import takes {most}: "
            "export it without --deprecated"
        )
    return history


@dataclass(frozen=True, slots=True, kw_only=True)
class _Placed:
    """A submission in its folder, the URI of each entry the name of its file there."""

    folder: str
    submission: Submission


def _placed(submission: Submission, folder: str) -> _Placed:
    entries = tuple(
        _with_uri(entry, layout.document_name(number, entry.mime_type or ""))
        for number, entry in enumerate(submission.document_entries, start=1)
    )
    return _Placed(folder=folder, submission=replace(submission, document_entries=entries))


def _with_uri(entry: DocumentEntry, name: str) -> DocumentEntry:
    """The entry with the name of its file; a URI it had is kept beside it."""
    kept = () if entry.uri is None else (Slot(layout.URI_BEFORE, (entry.uri,)),)
    return replace(entry, uri=name, extra_slots=(*entry.extra_slots, *kept))
