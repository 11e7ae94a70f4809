"""Patient identifiers of the domain: made known, merged, looked at. ITI TF-2: 3.8, 3.44.

What the identity feeds in both versions of HL7 and the command line have in common.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from access_policy.caller import Caller
from audit.objects import a_message_id
from audit.occurrence import Occurrence
from audit.record import Action
from registry.sql import identities, merges
from registry.sql.identities import KnownPatient
from registry.sql.tables import KIND_OF
from registry.store import Registry
from storage.unit_of_work import UnitOfWork
from xds.datatypes import CX
from xds.ebrim.attributes import TABLES
from xds.errors import ErrorCode, RegistryError, Rejected

# What the id of a message is called in an audit record, by transaction. ITI TF-2: 3.8.5, 3.44.5
_MESSAGE_IDS = {"ITI-8": "MSH-10", "ITI-44": "II"}
LONGEST_IDENTIFIER = 256  # the value of an ExternalIdentifier is a LongName of ebRIM


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """What an audit record says of the message that changed patients: transaction, sender, id of the message."""

    transaction: str
    caller: Caller
    message: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Merged:
    """A merge that was done, and how many objects changed hands."""

    subsumed: KnownPatient
    surviving: KnownPatient
    objects: int


def make_known(
    registry: Registry, unit: UnitOfWork, patient_ids: Sequence[CX], source: Source, *, action: str = "C"
) -> int:
    """Make identifiers known; returns how many were new. Raises Rejected when one is not of the domain.

    `action` is what the audit says: `C` created, `U` updated. ITI TF-2: 3.8.4.1.3
    """
    errors = [error for patient_id in patient_ids for error in _new_patient_rules(registry, patient_id)]
    if errors:
        raise Rejected(errors)
    added = sum(registry.add_patient(unit, patient_id) for patient_id in patient_ids)
    for patient_id in patient_ids:
        known = identities.known_patient(unit.connection, patient_id.key)
        if known is not None:
            _record(registry, unit, known, source, action)
    return added


def merge(registry: Registry, unit: UnitOfWork, *, subsumed: CX, surviving: CX, source: Source) -> Merged:
    """Subsume one identifier by another, with all its objects, for good. ITI TF-2: 3.8.4.2

    Raises Rejected with every reason not to, nothing changed.
    """
    errors = [
        *_domain_rules(registry, "subsumed patient", subsumed),
        *_domain_rules(registry, "surviving patient", surviving),
    ]
    if not errors and subsumed.key == surviving.key:
        errors.append(
            _error("subsumed patient", ErrorCode.REGISTRY, f"found {subsumed.key} twice, expected two patients")
        )
    if errors:
        raise Rejected(errors)
    old, new = _locked(registry, unit, subsumed, surviving)
    merges.mark_merged(unit.connection, old.key, new.key)
    moved = registry.move_objects(unit, subsumed=old, surviving=new)
    registry.watcher.merged(unit, subsumed, surviving, source.caller, registry.now())
    registry.notifier.merged(unit, subsumed, surviving)
    _record(registry, unit, old, source, "D")
    _record(registry, unit, new, source, "U")
    return Merged(subsumed=old, surviving=new, objects=moved)


def _locked(registry: Registry, unit: UnitOfWork, subsumed: CX, surviving: CX) -> tuple[KnownPatient, KnownPatient]:
    """Both patients, known and not merged, with every submission for them waiting. Raises Rejected."""
    wanted = {"subsumed patient": subsumed, "surviving patient": surviving}
    before = [identities.known_patient(unit.connection, one.key) for one in wanted.values()]
    identities.lock(unit.connection, [one.key for one in before if one is not None], ())
    found = {name: identities.known_patient(unit.connection, one.key) for name, one in wanted.items()}
    errors = [error for name, one in wanted.items() for error in _state_rules(name, one, found[name])]
    old, new = found["subsumed patient"], found["surviving patient"]
    if errors or old is None or new is None:
        raise Rejected(errors)
    return old, new


def _new_patient_rules(registry: Registry, patient_id: CX) -> Iterator[RegistryError]:
    yield from _value_rules("patient", patient_id, registry.domain.new_patient_problem(patient_id))


def _domain_rules(registry: Registry, name: str, patient_id: CX) -> Iterator[RegistryError]:
    """An authority of ours; what is known already has the form it has."""
    yield from _value_rules(name, patient_id, registry.domain.patient_id_problem(patient_id))


def _value_rules(name: str, patient_id: CX, problem: str) -> Iterator[RegistryError]:
    """What the domain says of an identifier, and a value that metadata can carry."""
    if problem:
        yield _error(name, ErrorCode.REGISTRY, f"found {patient_id.text!r}, {problem}")
    if len(patient_id.key) > LONGEST_IDENTIFIER or not patient_id.id.isprintable():
        yield _error(
            name,
            ErrorCode.REGISTRY,
            f"found an identifier of {len(patient_id.key)} characters, expected printable characters, "
            f"at most {LONGEST_IDENTIFIER} with the assigning authority",
        )


def _state_rules(name: str, patient_id: CX, known: KnownPatient | None) -> Iterator[RegistryError]:
    if known is None:
        yield _error(name, ErrorCode.UNKNOWN_PATIENT_ID, f"found {patient_id.key}, expected a known patient")
    elif known.merged_into is not None:
        context = f"found {patient_id.key}, which was already merged into another, expected a patient of today"
        yield _error(name, ErrorCode.UNKNOWN_PATIENT_ID, context)


def _record(registry: Registry, unit: UnitOfWork, patient: KnownPatient, source: Source, action: str) -> None:
    occurrence = Occurrence(
        event=source.transaction,
        action=Action(action),
        patient=patient.patient_id.key,
        patient_details=a_message_id(_MESSAGE_IDS.get(source.transaction, ""), source.message),
    )
    registry.recorder.record(unit, [occurrence], source.caller)


def record_about(registry: Registry, unit: UnitOfWork, patient_id: CX, source: Source, *, action: str) -> None:
    """Leave an audit record of something done with a patient's record; an unknown patient has none."""
    known = identities.known_patient(unit.connection, patient_id.key)
    if known is not None:
        _record(registry, unit, known, source, action)


def record_unchanged(
    registry: Registry, unit: UnitOfWork, patient_ids: Sequence[CX], source: Source, *, action: Action
) -> None:
    """Leave audit records of a message that changes nothing: demographics, other domains. ITI TF-2: 3.8.5"""
    details = a_message_id(_MESSAGE_IDS.get(source.transaction, ""), source.message)
    occurrence = Occurrence(event=source.transaction, action=action, patient_details=details)
    named = [replace(occurrence, patient=patient_id.key) for patient_id in patient_ids]
    registry.recorder.record(unit, named or [occurrence], source.caller)


def _error(name: str, code: ErrorCode, context: str) -> RegistryError:
    """`location` says which of the patients, for the wire format that has a place for it."""
    return RegistryError(code=code, context=f"{name}: {context}", location=name)


@dataclass(frozen=True, slots=True, kw_only=True)
class PatientAccount:
    """What the registry knows of an identifier: where it was merged to, how many objects of which kind it has."""

    patient_id: CX
    merged_into: CX | None
    objects: dict[str, int]


def account_of(registry: Registry, patient_id: CX) -> PatientAccount | None:
    """The account of one identifier, None when it was never made known."""
    with registry.units.read() as connection:
        known = identities.known_patient(connection, patient_id.key)
        if known is None:
            return None
        survivors = {one.key: one.patient_id for one in identities.known_patients(connection)}
        counts = merges.objects_by_kind(connection, known.key)
    return PatientAccount(
        patient_id=known.patient_id,
        merged_into=None if known.merged_into is None else survivors[known.merged_into],
        objects={TABLES[KIND_OF[kind]].name: number for kind, number in sorted(counts.items())},
    )


def all_patients(registry: Registry) -> list[tuple[CX, CX | None]]:
    """Every identifier that was made known, oldest first, with the one it was merged into."""
    with registry.units.read() as connection:
        known = identities.known_patients(connection)
    by_key = {one.key: one.patient_id for one in known}
    return [(one.patient_id, None if one.merged_into is None else by_key[one.merged_into]) for one in known]
