"""The objects of a submission by themselves: D, S, F and A rules. ITI TF-3: 4.2.3."""

from collections import Counter
from collections.abc import Iterable, Iterator

from xds.affinity_domain import AffinityDomain
from xds.datatypes import Code
from xds.ebrim.attributes import TABLES, Carrier, SubmissionKind, Usage
from xds.errors import RegistryError, metadata_error
from xds.identifiers import is_oid, is_symbolic, is_uuid_urn
from xds.metadata import Association, DocumentEntry, RegistryObject, Submission
from xds.submission_rules.wording import named
from xds.vocabulary import METADATA_UPDATE_TRIGGERS, RELATIONSHIPS, ObjectType

TITLE_MAX_LENGTH = 128
_PID_FORBIDDEN = ("PID-2", "PID-4", "PID-12", "PID-19")
_PID_SINGLE = ("PID-7", "PID-8")
Unreadable = frozenset[tuple[str, str]]


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
            yield metadata_error(f"{named(association)}: associationType: found {kind}, expected only in ITI-57")
        if association.previous_version is not None:
            yield metadata_error(
                f"{named(association)}: PreviousVersion: found one, expected only in ITI-57 and ITI-92"
            )


def identifier_rules(thing: RegistryObject, domain: AffinityDomain) -> Iterator[RegistryError]:
    """I1, D12: ids, patient identifiers."""
    if not is_symbolic(thing.entry_uuid) and not is_uuid_urn(thing.entry_uuid):
        found = f"found {thing.entry_uuid!r}, expected urn:uuid: and a UUID in lower case"
        yield metadata_error(f"{named(thing)}: entryUUID: {found}")
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
        yield metadata_error(
            f"{named(entry)}: serviceStartTime: found {start} after serviceStopTime {stop}, expected it not later"
        )
    yield from _source_patient_rules(entry)
    if entry.title is not None and len(entry.title) > TITLE_MAX_LENGTH:
        yield metadata_error(
            f"{named(entry)}: title: found {len(entry.title)} characters, expected at most {TITLE_MAX_LENGTH}"
        )
    if domain.unique_id_is_oid and entry.unique_id is not None and not is_oid(entry.unique_id):
        yield metadata_error(f"{named(entry)}: uniqueId: found {entry.unique_id!r}, expected an OID without extension")


def _source_patient_rules(entry: DocumentEntry) -> Iterator[RegistryError]:
    """D7: fields of PID that are not in the list, or stand in it once. ITI TF-3: 4.2.3.2.25"""
    fields = Counter(line.partition("|")[0] for line in entry.source_patient_info)
    for name, count in fields.items():
        if name in _PID_FORBIDDEN:
            expected = f"expected a field other than {', '.join(_PID_FORBIDDEN)}"
            yield metadata_error(f"{named(entry)}: sourcePatientInfo: found {name}, {expected}")
        if name in _PID_SINGLE and count > 1:
            yield metadata_error(f"{named(entry)}: sourcePatientInfo: found {name} {count} times, expected it once")


def association_rules(association: Association) -> Iterator[RegistryError]:
    """A1, A2."""
    kind = association.association_type
    if association.source == association.target:
        yield metadata_error(f"{named(association)}: found sourceObject equal to targetObject, expected two objects")
    if association.documentation is not None and kind not in RELATIONSHIPS:
        yield metadata_error(f"{named(association)}: documentation: expected on relationships only, found on {kind}")
