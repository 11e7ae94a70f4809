"""Rules of a submission, as generators that yield every violation. ITI TF-2: 3.42.4.1.3, ITI TF-3: 4.2.

Three stages: the objects by themselves, the references between them, and the state of the registry
(`StoredFacts`, read by the registry beforehand). The numbers D, S, F, A, T name the rules in
`docs/generated/rules.md`.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from xds.affinity_domain import AffinityDomain
from xds.datatypes import Code
from xds.ebrim.attributes import TABLES, Carrier, SubmissionKind, Usage
from xds.errors import ErrorCode, RegistryError, metadata_error
from xds.identifiers import is_oid, is_symbolic, is_uuid_urn
from xds.metadata import Association, DocumentEntry, Folder, RegistryObject, Submission, SubmissionSet
from xds.vocabulary import (
    METADATA_UPDATE_TRIGGERS,
    RELATIONSHIPS,
    REPLACEMENTS,
    AssociationType,
    AvailabilityStatus,
    ObjectType,
)

TITLE_MAX_LENGTH = 128
_MEMBERS: Mapping[type[RegistryObject], tuple[type[RegistryObject], ...]] = {
    SubmissionSet: (DocumentEntry, Folder, Association),
    Folder: (DocumentEntry,),
}

Unreadable = frozenset[tuple[str, str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredObject:
    """What the rules need to know of an object the registry holds."""

    entry_uuid: str
    kind: type[RegistryObject]
    status: AvailabilityStatus
    is_current: bool
    patient: str
    logical_id: str = ""
    object_type: ObjectType | None = None
    hash: str | None = None
    size: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredFacts:
    """The registry's state as far as one submission touches it.

    `objects` by entryUUID; `by_unique_id` the stored objects that carry a uniqueId of the submission.
    """

    patient_is_known: bool
    objects: Mapping[str, StoredObject] = field(default_factory=dict)
    by_unique_id: Mapping[str, tuple[StoredObject, ...]] = field(default_factory=dict)


def named(thing: RegistryObject) -> str:
    return f"{TABLES[type(thing)].name} {thing.entry_uuid}"


# --- the objects by themselves ---------------------------------------------------------------


def object_rules(
    submission: Submission, kind: SubmissionKind, domain: AffinityDomain, unreadable: Unreadable = frozenset()
) -> Iterator[RegistryError]:
    """D, S, F rules: demands, formats that depend on the domain, codes."""
    if not kind.is_update:
        yield from initial_rules(submission)
    for thing in submission.objects:
        yield from demands(thing, kind, unreadable)
        yield from identifier_rules(thing, domain)
        yield from code_rules(thing, domain)
        if isinstance(thing, DocumentEntry):
            yield from document_entry_rules(thing, kind, domain)
            yield from mime_type_rule(thing, domain)
    for association in submission.associations:
        yield from association_rules(association)


def demands(thing: RegistryObject, kind: SubmissionKind, unreadable: Unreadable) -> Iterator[RegistryError]:
    """D4, D5, D9, D10, S1, F1: what the transaction requires or forbids. ITI TF-3: Table 4.2.3.1-1"""
    limited = not isinstance(thing, Association) and bool(thing.limited_metadata)
    on_demand = kind.is_update and isinstance(thing, DocumentEntry) and thing.object_type is ObjectType.ON_DEMAND
    for row in TABLES[type(thing)].attributes:
        usage, value = row.usage(kind, on_demand=on_demand, limited=limited), getattr(thing, row.field)
        absent = value in (None, ())
        if usage is Usage.REQUIRED and absent and (thing.entry_uuid, row.field) not in unreadable:
            many = "at least one" if row.many else "exactly one"
            yield metadata_error(f"{named(thing)}: {row.name}: found none, expected {many}")
        if usage is Usage.FORBIDDEN and not absent:
            yield metadata_error(f"{named(thing)}: {row.name}: found a value, expected none in {kind}")


def initial_rules(submission: Submission) -> Iterator[RegistryError]:
    """T18: first versions only, and nothing that belongs to an update."""
    for thing in submission.objects:
        if thing.logical_id is not None and thing.logical_id != thing.entry_uuid:
            yield metadata_error(
                f"{named(thing)}: logicalID: found {thing.logical_id!r}, expected none or the entryUUID"
            )
    for association in submission.associations:
        kind = association.association_type
        if kind in METADATA_UPDATE_TRIGGERS:
            yield metadata_error(f"{named(association)}: associationType: found {kind}, legal in ITI-57 only")
        if association.previous_version is not None:
            yield metadata_error(f"{named(association)}: PreviousVersion: legal in ITI-57 and ITI-92 only")


def identifier_rules(thing: RegistryObject, domain: AffinityDomain) -> Iterator[RegistryError]:
    """I1, D12: ids, patient identifiers."""
    if not is_symbolic(thing.entry_uuid) and not is_uuid_urn(thing.entry_uuid):
        yield metadata_error(f"{named(thing)}: entryUUID: expected urn:uuid: and a UUID in lower case")
    if isinstance(thing, Association) or thing.patient_id is None:
        return
    problem = domain.patient_id_problem(thing.patient_id)
    if problem:
        yield metadata_error(f"{named(thing)}: patientId: found {str(thing.patient_id)!r}, {problem}")


def code_rules(thing: RegistryObject, domain: AffinityDomain) -> Iterator[RegistryError]:
    """D14: a code of a closed table is in the table; display names are never checked."""
    for row in TABLES[type(thing)].of(Carrier.CODE):
        table, value = domain.code_tables.get(row.name), getattr(thing, row.field)
        if table is None or value is None:
            continue
        codes: Iterable[Code] = value if row.many else (value,)
        for code in codes:
            if (code.code, code.coding_scheme) not in table:
                yield metadata_error(
                    f"{named(thing)}: {row.name}: found {str(code)!r}, expected a code of the affinity domain"
                )


def mime_type_rule(entry: DocumentEntry, domain: AffinityDomain) -> Iterator[RegistryError]:
    """D2: a type of the domain's list, parameters and case apart."""
    if not domain.mime_types or entry.mime_type is None:
        return
    if entry.mime_type.partition(";")[0].strip().lower() not in domain.mime_types:
        yield metadata_error(
            f"{named(entry)}: mimeType: found {entry.mime_type!r}, expected one of the affinity domain"
        )


def document_entry_rules(entry: DocumentEntry, kind: SubmissionKind, domain: AffinityDomain) -> Iterator[RegistryError]:
    """D1, D13, D15 and the domain's own rule on uniqueId."""
    expected = ObjectType.ON_DEMAND if kind is SubmissionKind.ON_DEMAND else ObjectType.STABLE
    if entry.object_type is not expected and not kind.is_update:
        yield metadata_error(f"{named(entry)}: objectType: found {entry.object_type}, expected {expected} in {kind}")
    start, stop = entry.service_start_time, entry.service_stop_time
    if start and stop and start.earliest > stop.latest:
        yield metadata_error(f"{named(entry)}: serviceStartTime: found {start} after serviceStopTime {stop}")
    if entry.title is not None and len(entry.title) > TITLE_MAX_LENGTH:
        yield metadata_error(
            f"{named(entry)}: title: found {len(entry.title)} characters, expected at most {TITLE_MAX_LENGTH}"
        )
    if domain.unique_id_is_oid and entry.unique_id is not None and not is_oid(entry.unique_id):
        yield metadata_error(f"{named(entry)}: uniqueId: found {entry.unique_id!r}, expected an OID without extension")


def association_rules(association: Association) -> Iterator[RegistryError]:
    """A1, A2."""
    kind = association.association_type
    if association.source == association.target:
        yield metadata_error(f"{named(association)}: sourceObject and targetObject are the same object")
    if association.documentation is not None and kind not in RELATIONSHIPS:
        yield metadata_error(f"{named(association)}: documentation: expected on relationships only, found on {kind}")


# --- the references between them -------------------------------------------------------------


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
            context=f"uniqueId {unique_id}: found on more than one object of the request",
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
            yield metadata_error(f"{named(member)}: expected it to be itself a member of the SubmissionSet")


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


# --- the state of the registry ---------------------------------------------------------------


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
        yield from _end_rules(association, own, outside)


def _unique_id_rules(thing: RegistryObject, facts: StoredFacts) -> Iterator[RegistryError]:
    """T8, T9"""
    if isinstance(thing, Association) or thing.unique_id is None:
        return
    for stored in facts.by_unique_id.get(thing.unique_id, ()):
        if isinstance(thing, SubmissionSet | Folder) or stored.kind is not DocumentEntry:
            yield RegistryError(
                code=ErrorCode.DUPLICATE_UNIQUE_ID_IN_REGISTRY,
                context=f"{named(thing)}: uniqueId {thing.unique_id}: already used by a stored "
                f"{TABLES[stored.kind].name}",
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
                context=f"{named(entry)}: uniqueId {entry.unique_id}: {attribute} differs from the document "
                "already stored under this uniqueId",
            )


def _end_rules(
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
        yield from _snapshot_rules(association, own, target)
    must_be_stored = kind in REPLACEMENTS or kind is AssociationType.IS_SNAPSHOT_OF
    if must_be_stored and association.target in own:
        yield _unresolved(association, "targetObject", association.target, "a DocumentEntry of the registry")
    elif isinstance(own.get(association.target), Folder | Association):
        yield _unresolved(association, "targetObject", association.target, "a DocumentEntry")
    if target is None:
        return
    if target.kind is not DocumentEntry:
        yield _unresolved(association, "targetObject", association.target, "a DocumentEntry")
    elif target.status is not AvailabilityStatus.APPROVED or not target.is_current:
        yield _deprecated(association)


def _snapshot_rules(
    association: Association, own: Mapping[str, RegistryObject], target: StoredObject | None
) -> Iterator[RegistryError]:
    """T17: a stable document is a snapshot of an on-demand one."""
    source = own.get(association.source)
    if isinstance(source, DocumentEntry) and source.object_type is not ObjectType.STABLE:
        yield metadata_error(f"{named(association)}: sourceObject: found an on-demand document, expected a stable one")
    if target is not None and target.kind is DocumentEntry and target.object_type is not ObjectType.ON_DEMAND:
        yield metadata_error(f"{named(association)}: targetObject: found a stable document, expected an on-demand one")


def _member_rules(
    association: Association, own: Mapping[str, RegistryObject], outside: Mapping[str, StoredObject]
) -> Iterator[RegistryError]:
    """T3, T16, A4"""
    source, target = outside.get(association.source), outside.get(association.target)
    for stored in (source, target):
        if stored is not None and stored.kind is SubmissionSet:
            yield metadata_error(f"{named(association)}: found a stored SubmissionSet as an end, expected none")
    yield from _member_kinds_rule(association, own, outside)
    if source is not None and source.kind is Folder and source.status is not AvailabilityStatus.APPROVED:
        yield metadata_error(f"{named(association)}: sourceObject: found a Folder that is not Approved")
    if target is None or target.kind is not DocumentEntry:
        return
    if isinstance(own.get(association.source), SubmissionSet):
        if association.submission_set_status != "Reference":
            found = association.submission_set_status or "none"
            yield metadata_error(f"{named(association)}: SubmissionSetStatus: found {found}, expected Reference")
    elif target.status is not AvailabilityStatus.APPROVED:
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
    yield metadata_error(
        f"{named(association)}: found {TABLES[target].name} {association.target} as a member of "
        f"{TABLES[source].name} {association.source}"
    )


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
            context=f"{named(association)}: the patientId of sourceObject {association.source} "
            f"is not that of targetObject {association.target}",
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


def _deprecated(association: Association) -> RegistryError:
    return RegistryError(
        code=ErrorCode.REGISTRY_DEPRECATED_DOCUMENT,
        context=f"{named(association)}: targetObject: found {association.target}, which is not the Approved current "
        "version, expected an Approved document",
    )
