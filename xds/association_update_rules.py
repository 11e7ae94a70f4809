"""Rules of what links the objects of an update: submitted associations, propagation, one patient at the end, as
generators. XDS Metadata Update 3.57.4.1.3.

The numbers U and T name the rules in `docs/generated/rules.md`.
"""

from collections.abc import Iterable, Iterator, Mapping

from xds.errors import ErrorCode, RegistryError
from xds.metadata import Association, DocumentEntry, Folder, RegistryObject, SubmissionSet
from xds.metadata_update import Operations, SubmittedAssociation, error
from xds.metadata_update_facts import Held, UpdateFacts
from xds.submission_rules import named, snapshot_rules
from xds.vocabulary import RELATIONSHIPS, AssociationType


def submitted_association_rules(
    operations: Operations, submitted: SubmittedAssociation, association: Association, facts: UpdateFacts
) -> Iterator[RegistryError]:
    """U16, U17, U18: a relationship of documents or a member of a folder, between stored objects."""
    ends = []
    for end, identifier in (("sourceObject", association.source), ("targetObject", association.target)):
        held = facts.objects.get(identifier)
        if held is None:
            yield error(
                ErrorCode.UNRESOLVED_REFERENCE,
                association,
                f"{named(association)}: {end}: found {identifier}, expected a stored object",
            )
            continue
        ends.append(held)
        if not isinstance(held.thing, SubmissionSet) and not held.is_approved:
            yield _update_error(
                association, f"{end}: found {identifier}, which is Deprecated, expected an Approved object"
            )
    if len(ends) == 2:
        yield from _ends_rules(operations, association, ends[0].thing, ends[1].thing)
    for link in facts.links:
        if (link.source, link.target, link.association_type) == (
            association.source,
            association.target,
            association.association_type,
        ):
            yield _update_error(
                association, f"found the same association stored as {link.entry_uuid}, expected a new one"
            )


def _ends_rules(
    operations: Operations, association: Association, source: RegistryObject, target: RegistryObject
) -> Iterator[RegistryError]:
    """U16, U17, T17"""
    is_relationship = association.association_type in RELATIONSHIPS
    expected = DocumentEntry if is_relationship else Folder
    if not isinstance(source, expected) or not isinstance(target, DocumentEntry):
        yield _update_error(
            association,
            f"found {association.association_type} from {named(source)} to {named(target)}, "
            "expected a relationship of two documents or a Folder and its member",
        )
        return
    if association.association_type is AssociationType.IS_SNAPSHOT_OF and isinstance(source, DocumentEntry):
        yield from snapshot_rules(association, source=source.object_type, target=target.object_type)
    owner = operations.submission_set
    patients = {thing.patient_id.key for thing in (source, target, owner) if thing is not None and thing.patient_id}
    if len(patients) > 1:
        yield error(
            ErrorCode.PATIENT_ID_RECONCILIATION,
            association,
            f"{named(association)}: found its ends and the SubmissionSet of several patients, expected one",
        )


def _update_error(association: Association, reason: str) -> RegistryError:
    return error(ErrorCode.METADATA_UPDATE, association, f"{named(association)}: {reason}")


def propagation_rules(
    operations: Operations, links: Iterable[Association], facts: UpdateFacts
) -> Iterator[RegistryError]:
    """U22: two updated objects that are linked carry their associations over alike."""
    updates = {
        held.thing.entry_uuid: update
        for update in operations.metadata_updates
        if (held := facts.newest.get(update.logical_id)) is not None
    }
    for link in links:
        source, target = updates.get(link.source), updates.get(link.target)
        if source is not None and target is not None and source.propagates is not target.propagates:
            ends = f"{named(source.thing)} and {named(target.thing)}"
            context = f"AssociationPropagation: found yes and no on {ends}, which are linked, expected the same"
            yield error(ErrorCode.METADATA_UPDATE, source.thing, context)


def reconciliation_rules(links: Iterable[Association], ends: Mapping[str, Held]) -> Iterator[RegistryError]:
    """U21: what Approved associations link belongs to one patient, judged on the state after the update."""
    for link in links:
        source, target = ends.get(link.source), ends.get(link.target)
        if source is None or target is None or _may_cross_patients(link, source.thing):
            continue
        one, other = _patient_of(source), _patient_of(target)
        if one and other and one != other:
            yield RegistryError(
                code=ErrorCode.PATIENT_ID_RECONCILIATION,
                context=f"{named(link)}: found {named(source.thing)} and {named(target.thing)} with two patients then, "
                "expected one",
                location=target.thing.entry_uuid,
            )


def _may_cross_patients(link: Association, source: RegistryObject) -> bool:
    return (
        isinstance(source, SubmissionSet)
        and link.association_type is AssociationType.HAS_MEMBER
        and link.submission_set_status == "Reference"
    )


def _patient_of(held: Held) -> str:
    """The patient of an object that counts for reconciliation, empty for the others."""
    if isinstance(held.thing, Association) or not held.is_approved or held.thing.patient_id is None:
        return ""
    return held.thing.patient_id.key
