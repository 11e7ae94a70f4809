"""A submission against the state of the registry. ITI TF-2: 3.42.4.1.3."""

from collections.abc import Iterator

from xds.ebrim.attributes import TABLES
from xds.errors import ErrorCode, RegistryError, metadata_error
from xds.metadata import Association, DocumentEntry, Folder, RegistryObject, Submission, SubmissionSet
from xds.submission_rules.association_ends import end_rules
from xds.submission_rules.facts import StoredFacts, StoredObject
from xds.submission_rules.wording import named
from xds.vocabulary import ObjectType


def state_rules(submission: Submission, facts: StoredFacts) -> Iterator[RegistryError]:
    """T4, T6, T8 to T14, T16: what only the registry can tell."""
    owner = submission.submission_set
    if owner is not None and owner.patient_id is not None and not facts.patient_is_known:
        yield RegistryError(
            code=ErrorCode.UNKNOWN_PATIENT_ID,
            context=f"{named(owner)}: patientId: found {str(owner.patient_id)!r}, "
            "expected a patient known to the registry",
        )
    for thing in submission.objects:
        if thing.entry_uuid in facts.objects:
            yield metadata_error(f"{named(thing)}: entryUUID: found one that a stored object has, expected a new one")
        yield from _unique_id_rules(thing, facts)
    own = {thing.entry_uuid: thing for thing in submission.objects}
    outside = {entry_uuid: stored for entry_uuid, stored in facts.objects.items() if entry_uuid not in own}
    for association in submission.associations:
        yield from end_rules(association, own, outside)


def _unique_id_rules(thing: RegistryObject, facts: StoredFacts) -> Iterator[RegistryError]:
    """T8, T9"""
    if isinstance(thing, Association) or thing.unique_id is None:
        return
    for stored in facts.by_unique_id.get(thing.unique_id, ()):
        if isinstance(thing, SubmissionSet | Folder) or stored.kind is not DocumentEntry:
            yield RegistryError(
                code=ErrorCode.DUPLICATE_UNIQUE_ID_IN_REGISTRY,
                context=f"{named(thing)}: uniqueId {thing.unique_id}: found it already used by a stored "
                f"{TABLES[stored.kind].name}, expected a new one",
            )
        elif stored.is_current:
            yield from same_document_rules(thing, stored)


def same_document_rules(entry: DocumentEntry, stored: StoredObject) -> Iterator[RegistryError]:
    """T9: the same uniqueId is the same octets; an on-demand entry never takes that of a stable document."""
    if entry.object_type is ObjectType.ON_DEMAND and stored.object_type is ObjectType.STABLE:
        yield metadata_error(
            f"{named(entry)}: uniqueId {entry.unique_id}: found that of a stored stable document, "
            "expected one that only on-demand entries have"
        )
    if entry.object_type is not ObjectType.STABLE or stored.object_type is not ObjectType.STABLE:
        return
    for code, attribute, found, held in (
        (ErrorCode.NON_IDENTICAL_HASH, "hash", entry.hash, stored.hash),
        (ErrorCode.NON_IDENTICAL_SIZE, "size", entry.size, stored.size),
    ):
        if found is not None and held is not None and found != held:
            yield RegistryError(
                code=code,
                context=f"{named(entry)}: uniqueId {entry.unique_id}: found the {attribute} {found}, expected that of "
                "the document already stored under this uniqueId",
            )
