"""The references between the objects of a submission: what can be told from the request alone. ITI TF-3: 4.2.1."""

from collections import Counter
from collections.abc import Iterator

from xds.affinity_domain import AffinityDomain
from xds.errors import ErrorCode, RegistryError, metadata_error
from xds.metadata import Association, DocumentEntry, Folder, Submission
from xds.submission_rules.wording import named
from xds.vocabulary import AssociationType


def reference_rules(submission: Submission, domain: AffinityDomain) -> Iterator[RegistryError]:
    """T1 to T3, T5, T7, A3, I1: everything that can be told from the request alone."""
    yield from _unique_ids_rules(submission)
    yield from _one_patient_rule(submission)
    yield from _membership_rules(submission)
    yield from _submission_set_is_no_target(submission, domain)
    if not (submission.document_entries or submission.folders or submission.associations):
        yield metadata_error("SubmitObjectsRequest: found only a SubmissionSet, expected something submitted with it")


def _unique_ids_rules(submission: Submission) -> Iterator[RegistryError]:
    ids = Counter(thing.entry_uuid for thing in submission.objects)
    for identifier in sorted(i for i, count in ids.items() if count > 1):
        yield metadata_error(f"entryUUID {identifier}: found more than once, expected unique ids in a request")
    unique_ids = Counter(
        thing.unique_id for thing in submission.objects if not isinstance(thing, Association) and thing.unique_id
    )
    for unique_id in sorted(u for u, count in unique_ids.items() if count > 1):
        yield RegistryError(
            code=ErrorCode.REGISTRY_DUPLICATE_UNIQUE_ID_IN_MESSAGE,
            context=f"uniqueId {unique_id}: found on more than one object of the request, expected on one",
        )


def _one_patient_rule(submission: Submission) -> Iterator[RegistryError]:
    """T5"""
    owner = submission.submission_set
    if owner is None or owner.patient_id is None:
        return
    held: tuple[DocumentEntry | Folder, ...] = (*submission.document_entries, *submission.folders)
    for thing in held:
        if thing.patient_id is not None and thing.patient_id.key != owner.patient_id.key:
            yield RegistryError(
                code=ErrorCode.PATIENT_ID_DOES_NOT_MATCH,
                context=f"{named(thing)}: patientId: found {str(thing.patient_id)!r}, "
                "expected that of the SubmissionSet",
            )


def _membership_rules(submission: Submission) -> Iterator[RegistryError]:
    """T1, T2, T3, A3: how the SubmissionSet holds the rest."""
    owner = submission.submission_set
    if owner is None:
        return
    members = [a for a in submission.associations if a.association_type is AssociationType.HAS_MEMBER]
    held = Counter(member.target for member in members if member.source == owner.entry_uuid)
    things: tuple[DocumentEntry | Folder, ...] = (*submission.document_entries, *submission.folders)
    for thing in things:
        if held[thing.entry_uuid] != 1:
            yield metadata_error(
                f"{named(thing)}: found {held[thing.entry_uuid]} HasMember from the SubmissionSet, expected exactly one"
            )
    entries = {entry.entry_uuid for entry in submission.document_entries}
    for member in members:
        if member.source == owner.entry_uuid:
            yield from _submission_set_status_rule(member, entries)
        elif held[member.entry_uuid] != 1:
            found = f"found {held[member.entry_uuid]} memberships of it in the SubmissionSet, expected exactly one"
            yield metadata_error(f"{named(member)}: {found}")


def _submission_set_is_no_target(submission: Submission, domain: AffinityDomain) -> Iterator[RegistryError]:
    """T3; the signature of a DMP lot is the exception."""
    owner = submission.submission_set
    for association in submission.associations:
        if owner is None or association.target != owner.entry_uuid:
            continue
        if association.association_type is AssociationType.SIGNS and domain.signature_signs_submission_set:
            continue
        yield metadata_error(f"{named(association)}: targetObject: found the SubmissionSet, expected another object")


def _submission_set_status_rule(member: Association, entries: set[str]) -> Iterator[RegistryError]:
    """A3, A4"""
    if member.target in entries and member.submission_set_status != "Original":
        found = member.submission_set_status or "none"
        yield metadata_error(f"{named(member)}: SubmissionSetStatus: found {found}, expected Original")
