"""The Portable Media Importer: submissions of a medium, one after the other, by Provide and Register [ITI-41].

An import can be repeated: what is in already with the same octets is skipped and said so, so an import that was
interrupted goes on by being started again. ITI TF-2: 3.32.4.1.3
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Protocol

from portable_media.history import Update
from portable_media.medium import Medium, UnreadableFile
from portable_media.subsets import MediumDocument, Subset
from xds.datatypes import DTM
from xds.errors import ErrorCode, RegistryError
from xds.identifiers import new_oid, new_uuid_urn
from xds.metadata import Association, DocumentEntry, Submission, SubmissionSet
from xds.vocabulary import AssociationType, AvailabilityStatus

OnSubset = Callable[[Subset], None]


@dataclass(frozen=True, slots=True)
class OutgoingDocument:
    """A document on its way to the repository; iterate it once."""

    document: MediumDocument
    chunks: Iterator[bytes]


class Receiver(Protocol):
    """Where the submissions go: an open registry and repository, or a server."""

    def held(self, unique_ids: Sequence[str]) -> Mapping[str, tuple[DocumentEntry, ...]]:
        """The entries registered under these uniqueIds whose documents can be had, with their statuses."""
        ...

    def provide(self, submission: Submission, documents: Sequence[OutgoingDocument]) -> tuple[RegistryError, ...]:
        """Provide and Register [ITI-41]; empty when it was accepted."""
        ...

    def update(self, submission: Submission) -> tuple[RegistryError, ...]:
        """Update Document Set [ITI-57]; empty when it was accepted."""
        ...

    def take_status(self, entry_uuid: str, status: AvailabilityStatus) -> bool:
        """Give a document a status that ITI-57 does not know, one of the DMP's; False where nobody can."""
        ...


class Fate(StrEnum):
    """What became of a submission of a medium."""

    IMPORTED = "imported"
    SKIPPED = "skipped"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """One submission: what became of it, its documents (uniqueIds), and why where that needs a reason."""

    subset: str
    fate: Fate
    documents: tuple[str, ...]
    reasons: tuple[RegistryError, ...] = ()


@dataclass(slots=True)
class Report:
    """What an import did."""

    outcomes: list[Outcome] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def of(self, fate: Fate) -> list[Outcome]:
        return [outcome for outcome in self.outcomes if outcome.fate is fate]


def import_subsets(
    medium: Medium,
    subsets: Iterable[Subset | Update],
    receiver: Receiver,
    *,
    now: Callable[[], str],
    on_subset: OnSubset = lambda _: None,
) -> Report:
    """Import what can be; a refused submission does not keep the next ones out.

    `now` gives the time as DTM of 14 digits, UTC.
    """
    report = Report()
    changed: dict[str, tuple[Subset, bool]] = {}
    for subset in subsets:
        if isinstance(subset, Update):
            report.outcomes.append(_updated(subset, receiver, report))
            continue
        outcome = _import(medium, subset, receiver)
        report.outcomes.append(outcome)
        if outcome.fate is not Fate.REFUSED:
            is_new = outcome.fate is Fate.IMPORTED
            changed |= dict.fromkeys(subset.statuses, (subset, is_new))
        on_subset(subset)
    _restore_statuses(receiver, changed, report, now)
    return report


def _import(medium: Medium, subset: Subset, receiver: Receiver) -> Outcome:
    unique_ids = tuple(document.unique_id for document in subset.documents)
    errors = list(subset.errors)
    digests = {} if errors else _digests(medium, subset, errors)
    if not errors:
        held = receiver.held(unique_ids) if unique_ids else {}
        errors += _other_octets(subset, held, digests)
        if unique_ids and not errors and held.keys() >= set(unique_ids):
            return Outcome(subset=subset.name, fate=Fate.SKIPPED, documents=unique_ids)
    if not errors:
        errors += _provided(medium, subset, receiver)
        if _is_registered_already(subset, errors):
            return Outcome(subset=subset.name, fate=Fate.SKIPPED, documents=unique_ids)
    fate = Fate.REFUSED if errors else Fate.IMPORTED
    return Outcome(subset=subset.name, fate=fate, documents=unique_ids, reasons=tuple(errors))


def _digests(medium: Medium, subset: Subset, errors: list[RegistryError]) -> dict[str, tuple[str, int]]:
    """uniqueId -> SHA-1 and size of the octets on the medium; documents that cannot be read, or are not those of
    their metadata, become errors before anything is sent."""
    entries = {entry.entry_uuid: entry for entry in subset.submission.document_entries}
    digests: dict[str, tuple[str, int]] = {}
    for document in subset.documents:
        try:
            found = _digest(medium, document)
        except UnreadableFile as problem:
            errors.append(_error(document, str(problem)))
            continue
        entry = entries[document.entry_uuid]
        for name, expected, actual in zip(("hash", "size"), (entry.hash, entry.size), found, strict=True):
            if expected is not None and expected != actual:
                errors.append(_error(document, f"{document.file}: {name}: found {actual}, expected {expected}"))
        digests[document.unique_id] = found
    return digests


def _digest(medium: Medium, document: MediumDocument) -> tuple[str, int]:
    sha1, size = hashlib.sha1(usedforsecurity=False), 0
    for chunk in medium.chunks(document.file):
        sha1.update(chunk)
        size += len(chunk)
    return sha1.hexdigest(), size


def _other_octets(
    subset: Subset, held: Mapping[str, tuple[DocumentEntry, ...]], digests: Mapping[str, tuple[str, int]]
) -> Iterator[RegistryError]:
    """Documents that are in already with other octets than those of the medium."""
    for document in subset.documents:
        found = {(entry.hash, entry.size) for entry in held.get(document.unique_id, ())}
        if found - {digests[document.unique_id]}:
            yield RegistryError(
                code=ErrorCode.NON_IDENTICAL_HASH,
                context=f"uniqueId {document.unique_id}: is in already with other octets",
                location=document.unique_id,
            )


def _error(document: MediumDocument, context: str) -> RegistryError:
    return RegistryError(code=ErrorCode.REPOSITORY_METADATA, context=context, location=document.unique_id)


def _provided(medium: Medium, subset: Subset, receiver: Receiver) -> tuple[RegistryError, ...]:
    outgoing = [OutgoingDocument(document, medium.chunks(document.file)) for document in subset.documents]
    try:
        return receiver.provide(subset.submission, outgoing)
    except UnreadableFile as problem:
        return (RegistryError(code=ErrorCode.REPOSITORY_METADATA, context=str(problem)),)


def _is_registered_already(subset: Subset, errors: Sequence[RegistryError]) -> bool:
    """A submission without documents can only be recognised by the answer that its SubmissionSet is known."""
    return not subset.documents and _is_known(subset.submission, errors)


def _is_known(submission: Submission, errors: Sequence[RegistryError]) -> bool:
    owner = submission.submission_set
    known = [error.context for error in errors if error.code is ErrorCode.DUPLICATE_UNIQUE_ID_IN_REGISTRY]
    return owner is not None and any((owner.unique_id or "-") in context for context in known)


# --- later versions --------------------------------------------------------------------------


def _updated(update: Update, receiver: Receiver, report: Report) -> Outcome:
    """Repeat an update of what was imported; what is here as another object has a history of its own."""
    entries = update.submission.document_entries
    held = receiver.held(update.unique_ids) if entries else {}
    present = {one.logical_id: one for found in held.values() for one in found}
    ours = [entry for entry in entries if entry.logical_id in present]
    if len(ours) < len(entries) and held.keys() >= {*update.unique_ids}:
        report.notes.append(f"{update.name}: left out, since the document was in already as another entry")
        return Outcome(subset=update.name, fate=Fate.SKIPPED, documents=update.unique_ids)
    if ours and all((present[entry.logical_id].version or 1) >= _next(update, entry) for entry in ours):
        return Outcome(subset=update.name, fate=Fate.SKIPPED, documents=update.unique_ids)
    kept_here = [replace(e, repository_unique_id=present[e.logical_id].repository_unique_id) for e in ours]
    others = [entry for entry in entries if entry not in ours]
    errors = receiver.update(replace(update.submission, document_entries=(*kept_here, *others)))
    known = _is_known(update.submission, errors)
    fate = Fate.SKIPPED if known else Fate.REFUSED if errors else Fate.IMPORTED
    reasons = () if known else errors
    return Outcome(subset=update.name, fate=fate, documents=update.unique_ids, reasons=reasons)


def _next(update: Update, entry: DocumentEntry) -> int:
    """The version number that an update brings."""
    members = [one for one in update.submission.associations if one.target == entry.entry_uuid]
    return max(((one.previous_version or 0) + 1 for one in members), default=1)


# --- statuses --------------------------------------------------------------------------------


def _restore_statuses(
    receiver: Receiver, changed: Mapping[str, tuple[Subset, bool]], report: Report, now: Callable[[], str]
) -> None:
    """Documents not Approved on the medium that nothing imported has made so: those imported now get their status by
    ITI-57, those that were in before stay as they are and are named."""
    for unique_id, (subset, is_new) in changed.items():
        brought = {entry.entry_uuid for entry in subset.submission.document_entries}
        found = receiver.held([unique_id]).get(unique_id, ())
        here = next((one for one in found if (one.logical_id or one.entry_uuid) in brought), None)
        status = subset.statuses[unique_id]
        if here is None or here.availability_status is status:
            continue
        present = here.availability_status
        given, why = _given(receiver, subset, here, status, now()) if is_new else (present, "it was in already")
        if given is not status:
            words = " on the medium, ".join(str(one).rpartition(":")[2] for one in (status, given))
            report.notes.append(f"document {unique_id}: {words} here: {why}")


def _given(
    receiver: Receiver, subset: Subset, here: DocumentEntry, status: AvailabilityStatus, now: str
) -> tuple[AvailabilityStatus, str]:
    """The status a document of the subset now has instead of Approved, and why it is not that of the medium."""
    errors = receiver.update(_deprecation(subset, here.entry_uuid, now))
    if errors:
        return AvailabilityStatus.APPROVED, "; ".join(error.context for error in errors)
    if status is AvailabilityStatus.DEPRECATED or receiver.take_status(here.entry_uuid, status):
        return status, ""
    return AvailabilityStatus.DEPRECATED, "no transaction gives this status"


def _deprecation(subset: Subset, entry_uuid: str, now: str) -> Submission:
    """UpdateAvailabilityStatus. XDS Metadata Update 3.57.4.1.3.3.2"""
    before = subset.submission.submission_set
    if before is None:
        raise ValueError("a submission without SubmissionSet was imported")
    owner = SubmissionSet(
        entry_uuid=new_uuid_urn(),
        author=before.author,
        content_type_code=before.content_type_code,
        patient_id=before.patient_id,
        source_id=before.source_id,
        submission_time=DTM(now),
        unique_id=new_oid(),
    )
    trigger = Association(
        entry_uuid=new_uuid_urn(),
        association_type=AssociationType.UPDATE_AVAILABILITY_STATUS,
        source=owner.entry_uuid,
        target=entry_uuid,
        original_status=AvailabilityStatus.APPROVED,
        new_status=AvailabilityStatus.DEPRECATED,
    )
    return Submission(submission_set=owner, associations=(trigger,))
