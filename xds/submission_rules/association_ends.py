"""Both ends of an association, in the request or in the registry: what they are, and whose. ITI TF-3: 4.2.2."""

from collections.abc import Iterator, Mapping

from xds.ebrim.attributes import TABLES
from xds.errors import ErrorCode, RegistryError, metadata_error
from xds.metadata import Association, DocumentEntry, Folder, RegistryObject, SubmissionSet
from xds.submission_rules.facts import StoredObject
from xds.submission_rules.wording import named
from xds.vocabulary import RELATIONSHIPS, REPLACEMENTS, AssociationType, AvailabilityStatus, ObjectType

_MEMBERS: Mapping[type[RegistryObject], tuple[type[RegistryObject], ...]] = {
    SubmissionSet: (DocumentEntry, Folder, Association),
    Folder: (DocumentEntry,),
}


def end_rules(
    association: Association, own: Mapping[str, RegistryObject], outside: Mapping[str, StoredObject]
) -> Iterator[RegistryError]:
    """T4, T11 to T14, T16: both ends of an association."""
    kind = association.association_type
    for end, identifier in (("sourceObject", association.source), ("targetObject", association.target)):
        if identifier not in own and identifier not in outside:
            yield _unresolved(association, end, identifier, "an object of the request or of the registry")
    if kind in RELATIONSHIPS:
        yield from _relationship_rules(association, own, outside)
    else:
        yield from _member_rules(association, own, outside)
    if not _is_reference_member(association, own):
        yield from _same_patient_rule(association, own, outside)


def _relationship_rules(
    association: Association, own: Mapping[str, RegistryObject], outside: Mapping[str, StoredObject]
) -> Iterator[RegistryError]:
    """T11, T12, T13"""
    kind, target = association.association_type, outside.get(association.target)
    if association.source in outside or (
        association.source in own and not isinstance(own[association.source], DocumentEntry)
    ):
        yield _unresolved(association, "sourceObject", association.source, "a DocumentEntry of the request")
    if kind is AssociationType.IS_SNAPSHOT_OF:
        source = own.get(association.source)
        yield from snapshot_rules(
            association,
            source=source.object_type if isinstance(source, DocumentEntry) else None,
            target=None if target is None else target.object_type,
        )
    must_be_stored = kind in REPLACEMENTS or kind is AssociationType.IS_SNAPSHOT_OF
    if must_be_stored and association.target in own:
        yield _unresolved(association, "targetObject", association.target, "a DocumentEntry of the registry")
    elif isinstance(own.get(association.target), Folder | Association):
        yield _unresolved(association, "targetObject", association.target, "a DocumentEntry")
    if target is None:
        return
    if target.kind is not DocumentEntry:
        yield _unresolved(association, "targetObject", association.target, "a DocumentEntry")
    elif _is_deprecated(target):
        yield _deprecated(association)


def snapshot_rules(
    association: Association, *, source: ObjectType | None, target: ObjectType | None
) -> Iterator[RegistryError]:
    """T17: a stable document is a snapshot of an on-demand one; None for what is no known document."""
    if source is ObjectType.ON_DEMAND:
        yield metadata_error(f"{named(association)}: sourceObject: found an on-demand document, expected a stable one")
    if target is ObjectType.STABLE:
        yield metadata_error(f"{named(association)}: targetObject: found a stable document, expected an on-demand one")


def _member_rules(
    association: Association, own: Mapping[str, RegistryObject], outside: Mapping[str, StoredObject]
) -> Iterator[RegistryError]:
    """T3, T13, T16, A4"""
    source, target = outside.get(association.source), outside.get(association.target)
    for stored in (source, target):
        if stored is not None and stored.kind is SubmissionSet:
            yield metadata_error(f"{named(association)}: found a stored SubmissionSet as an end, expected none")
    yield from _member_kinds_rule(association, own, outside)
    if source is not None and source.kind is Folder and source.status is not AvailabilityStatus.APPROVED:
        yield metadata_error(
            f"{named(association)}: sourceObject: found a Folder that is not Approved, expected an Approved one"
        )
    if target is None or target.kind is not DocumentEntry:
        return
    if isinstance(own.get(association.source), SubmissionSet) and association.submission_set_status != "Reference":
        found = association.submission_set_status or "none"
        yield metadata_error(f"{named(association)}: SubmissionSetStatus: found {found}, expected Reference")
    if _is_deprecated(target):
        yield _deprecated(association)


def _member_kinds_rule(
    association: Association, own: Mapping[str, RegistryObject], outside: Mapping[str, StoredObject]
) -> Iterator[RegistryError]:
    """A SubmissionSet holds documents, folders and memberships, a Folder holds documents. ITI TF-3: 4.2.2.1

    A SubmissionSet at the wrong end has its own rule.
    """
    source, target = (_kind_of(end, own, outside) for end in (association.source, association.target))
    if source is None or target is None or target is SubmissionSet or target in _MEMBERS.get(source, ()):
        return
    held = " or ".join(TABLES[kind].name for kind in _MEMBERS.get(source, ())) or "no members"
    found = f"{TABLES[target].name} {association.target} as a member of {TABLES[source].name} {association.source}"
    yield metadata_error(f"{named(association)}: found {found}, expected {held}")


def _kind_of(
    identifier: str, own: Mapping[str, RegistryObject], outside: Mapping[str, StoredObject]
) -> type[RegistryObject] | None:
    if identifier in own:
        return type(own[identifier])
    return outside[identifier].kind if identifier in outside else None


def _is_reference_member(association: Association, own: Mapping[str, RegistryObject]) -> bool:
    """A SubmissionSet may refer to a document of another patient."""
    return association.association_type is AssociationType.HAS_MEMBER and isinstance(
        own.get(association.source), SubmissionSet
    )


def _same_patient_rule(
    association: Association, own: Mapping[str, RegistryObject], outside: Mapping[str, StoredObject]
) -> Iterator[RegistryError]:
    """T14; two objects of the request are compared with their SubmissionSet already."""
    if association.source in own and association.target in own:
        return
    source, target = (_patient_of(end, own, outside) for end in (association.source, association.target))
    if source and target and source != target:
        yield RegistryError(
            code=ErrorCode.PATIENT_ID_DOES_NOT_MATCH,
            context=f"{named(association)}: found sourceObject {association.source} and targetObject "
            f"{association.target} with two patientIds, expected one",
        )


def _patient_of(identifier: str, own: Mapping[str, RegistryObject], outside: Mapping[str, StoredObject]) -> str:
    """The key of the patient an object belongs to, empty for associations and unknown objects."""
    stored, thing = outside.get(identifier), own.get(identifier)
    if stored is not None:
        return "" if stored.kind is Association else stored.patient
    if thing is None or isinstance(thing, Association) or thing.patient_id is None:
        return ""
    return thing.patient_id.key


def _unresolved(association: Association, end: str, identifier: str, expected: str) -> RegistryError:
    return RegistryError(
        code=ErrorCode.UNRESOLVED_REFERENCE,
        context=f"{named(association)}: {end}: found {identifier}, expected {expected}",
    )


def _is_deprecated(stored: StoredObject) -> bool:
    """A document that no new association may lead to: replaced, or of another version than the newest."""
    return stored.status is not AvailabilityStatus.APPROVED or not stored.is_current


def _deprecated(association: Association) -> RegistryError:
    return RegistryError(
        code=ErrorCode.REGISTRY_DEPRECATED_DOCUMENT,
        context=f"{named(association)}: targetObject: found {association.target}, which is not the Approved current "
        "version, expected an Approved document",
    )
