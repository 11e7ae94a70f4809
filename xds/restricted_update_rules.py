"""Rules of Restricted Update Document Set, as generators. Restricted Metadata Update 3.92.4.1.3.

The numbers R name the rules in `docs/generated/rules.md`.
"""

from collections.abc import Iterator

from xds.affinity_domain import AffinityDomain
from xds.errors import ErrorCode, RegistryError
from xds.metadata import DocumentEntry, Submission
from xds.metadata_update import MetadataUpdate, Operations, error
from xds.metadata_update_facts import UpdateFacts
from xds.metadata_update_rules import (
    identity_rules,
    other_document_rules,
    repeated_updates,
    unknown_original,
    version_rule,
)
from xds.submission_rules import named
from xds.vocabulary import DocumentAvailability

# Attributes that this transaction never changes, by field. Restricted Metadata Update: Table 3.92.4.1.2.1-1
UNMODIFIABLE = {
    "home_community_id": "homeCommunityId",
    "source_patient_id": "sourcePatientId",
    "document_availability": "documentAvailability",
    "repository_unique_id": "repositoryUniqueId",
    "object_type": "objectType",
}
# Further attributes that a strict domain keeps as they are.
STRICTLY_UNMODIFIABLE = {"hash": "hash", "size": "size", "mime_type": "mimeType"}


def restricted_update_rules(
    submission: Submission, operations: Operations, facts: UpdateFacts, domain: AffinityDomain
) -> Iterator[RegistryError]:
    """R1 to R12: documents only, new versions only, nothing that identifies them changed."""
    yield from _home_rules(submission, domain)
    yield from identity_rules(operations, facts)
    for update in operations.metadata_updates:
        yield from _request_rules(update)
        yield from _stored_rules(update, facts, domain)
    yield from repeated_updates(operations.metadata_updates)
    triggers = [update.trigger for update in operations.status_updates]
    triggers += [submitted.trigger for submitted in operations.submitted_associations]
    expected = "expected only HasMember from the SubmissionSet to an updated DocumentEntry"
    for association in (*triggers, *operations.unassigned):
        context = f"{named(association)}: found {association.association_type}, {expected}"
        yield error(ErrorCode.METADATA_UPDATE, association, context)
    if not operations.metadata_updates:
        context = "SubmitObjectsRequest: found no DocumentEntry, expected at least one new version"
        yield RegistryError(code=ErrorCode.METADATA_UPDATE, context=context)


def _home_rules(submission: Submission, domain: AffinityDomain) -> Iterator[RegistryError]:
    """R1: absent, or ours."""
    for thing in submission.objects:
        home = thing.home_community_id
        if home is not None and home != domain.home_community_id:
            expected = domain.home_community_id or "none"
            context = f"{named(thing)}: homeCommunityId: found {home}, expected {expected}"
            yield RegistryError(code=ErrorCode.UNKNOWN_COMMUNITY, context=context, location=thing.entry_uuid)


def _request_rules(update: MetadataUpdate) -> Iterator[RegistryError]:
    """R2, R3, R4, R6, R7: what can be told from the request alone."""
    thing, member = update.thing, update.member
    if not isinstance(thing, DocumentEntry):
        yield error(ErrorCode.OBJECT_TYPE, thing, f"{named(thing)}: found a Folder, expected DocumentEntries only")
    if update.is_initial:
        context = f"{named(thing)}: logicalID: found an initial version, expected the lid of a stored one"
        yield error(ErrorCode.INVALID_REQUEST, thing, context)
    problem = "HasMember from the SubmissionSet" if member is None else ""
    if member is not None and not member.previous_version:
        problem = "PreviousVersion"
    if problem:
        for code in (ErrorCode.METADATA_ANNOTATION, ErrorCode.METADATA_VERSION):
            yield error(code, thing, f"{named(thing)}: {problem}: found none, expected exactly one")
    if member is not None and member.submission_set_status != "Original":
        found = member.submission_set_status or "none"
        context = f"{named(thing)}: SubmissionSetStatus: found {found}, expected Original"
        yield error(ErrorCode.METADATA_ANNOTATION, thing, context)
    if not update.propagates:
        context = f"{named(thing)}: AssociationPropagation: found no, expected yes or none"
        yield error(ErrorCode.METADATA_ANNOTATION, thing, context)


def _stored_rules(update: MetadataUpdate, facts: UpdateFacts, domain: AffinityDomain) -> Iterator[RegistryError]:
    """R5, R7 to R11: against the newest stored version."""
    thing = update.thing
    if update.is_initial or not isinstance(thing, DocumentEntry):
        return
    held = facts.newest.get(update.logical_id)
    if held is None or not isinstance(held.thing, DocumentEntry):
        yield from unknown_original(update)
        return
    existing = held.thing
    yield from version_rule(update, existing)
    if thing.unique_id != existing.unique_id:
        yield _changed(ErrorCode.METADATA_IDENTIFIER, thing, existing, "unique_id", "uniqueId")
    if thing.patient_id and existing.patient_id and thing.patient_id.key != existing.patient_id.key:
        yield _changed(ErrorCode.PATIENT_ID_RECONCILIATION, thing, existing, "patient_id", "patientId")
    yield from _unmodifiable_rules(thing, existing, domain)
    yield from other_document_rules(update, facts)


def _unmodifiable_rules(
    thing: DocumentEntry, existing: DocumentEntry, domain: AffinityDomain
) -> Iterator[RegistryError]:
    """R10, R11"""
    for field, name in UNMODIFIABLE.items():
        if _differs(thing, existing, field, domain):
            yield _changed(ErrorCode.UNMODIFIABLE_METADATA, thing, existing, field, name)
            if field == "object_type":
                yield _changed(ErrorCode.OBJECT_TYPE, thing, existing, field, name)
    for field, name in STRICTLY_UNMODIFIABLE.items() if domain.restricted_update_is_strict else ():
        if _differs(thing, existing, field, domain):
            yield _changed(ErrorCode.LOCAL_POLICY_RESTRICTION, thing, existing, field, name)


def _differs(thing: DocumentEntry, existing: DocumentEntry, field: str, domain: AffinityDomain) -> bool:
    """An absent homeCommunityId leaves it as it is, and a stored entry without one belongs to ours.

    An absent documentAvailability means Online.
    """
    found, stored = getattr(thing, field), getattr(existing, field)
    if field == "home_community_id":
        return found is not None and found != (stored or domain.home_community_id)
    if field == "document_availability":
        return (found or DocumentAvailability.ONLINE) != (stored or DocumentAvailability.ONLINE)
    return bool(found != stored)


def _changed(code: ErrorCode, thing: DocumentEntry, existing: DocumentEntry, field: str, name: str) -> RegistryError:
    found, expected = getattr(thing, field), getattr(existing, field)
    return error(code, thing, f"{named(thing)}: {name}: found {found}, expected {expected} as stored")
