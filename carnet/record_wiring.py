"""The records of persons, put together with the registry: what its changes and the answers of the doors leave in them.

Where records exist is what the affinity domain says: the DMP has them.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from access_policy.caller import Caller
from carnet.clock import Clock, clock
from carnet.record_settings import rules_of
from carnet.settings import Settings
from dmp import accesses, journal, notices, people
from dmp.actor import actor_of
from dmp.notices import Notice
from dmp.record import Record
from dmp.records import Records
from dmp.rules import NoticeTarget
from dmp.sql import records
from fhir_facade.iti81_retrieve_atna_audit_event import SeenBy, only_own
from registry.watching import NO_WATCHER, Watcher
from storage.unit_of_work import UnitOfWork, Units
from xds.datatypes import CX, Code
from xds.metadata import DocumentEntry

_RESTRICTIONS = "1.2.250.1.213.1.1.4.13"
MASKED = Code(code="MASQUE_PS", coding_scheme=_RESTRICTIONS, display_name="Masqué aux professionnels de santé")
HIDDEN = Code(code="INVISIBLE_PATIENT", coding_scheme=_RESTRICTIONS, display_name="Non visible par le patient")
SECRET = Code(
    code="INVISIBLE_REPRESENTANTS_LEGAUX",
    coding_scheme=_RESTRICTIONS,
    display_name="Non visible par les représentants légaux du patient",
)
# Documents that the holder writes: class 90, and the types of what is deposited. DMP 7 (EX_3.1-1040)
_CLASS_OF_PATIENT, _TYPES_OF_PATIENT = "90", ("DOCPAT", "EXPPAT")
_RETRIEVALS = frozenset({"ITI-43", "ITI-68"})
_SEARCHES = frozenset({"ITI-18", "ITI-66", "ITI-67", "read"})
_REMEMBERED = 10_000


def has_records(settings: Settings) -> bool:
    return settings.domain == "dmp"


def open_records(settings: Settings) -> Records:
    """The records of a server, by the rules of its settings."""
    return Records(rules=rules_of(settings))


def watcher_of(settings: Settings) -> Watcher:
    """What follows the registry: the records, where there are any."""
    return RecordWatcher(open_records(settings)) if has_records(settings) else NO_WATCHER


def carries(entry: DocumentEntry, restriction: Code) -> bool:
    """Whether a document has MASQUE_PS or one of its kin among its confidentiality codes. DMP 8.7"""
    found = ((one.code, one.coding_scheme) for one in entry.confidentiality_code)
    return (restriction.code, restriction.coding_scheme) in found


def is_by_patient(entry: DocumentEntry) -> bool:
    """Whether a document is one of those that holders deposit, whatever its class."""
    class_code, type_code = (one.code if one is not None else "" for one in (entry.class_code, entry.type_code))
    return class_code == _CLASS_OF_PATIENT or type_code.startswith(_TYPES_OF_PATIENT)


@dataclass(frozen=True, slots=True)
class RecordWatcher:
    """`registry.watching.Watcher` for the records of the DMP."""

    dmp: Records

    def opens_at(self, entry: DocumentEntry, now: str) -> str | None:
        return self.dmp.rules.visible_from(now) if carries(entry, HIDDEN) else None

    def submitted(
        self, unit: UnitOfWork, patient: str, entries: Sequence[DocumentEntry], caller: Caller, now: str
    ) -> None:
        """Documents are counted, and the holder of a record is told. DMP 1 (S37, S50, S55)"""
        for origin in (accesses.PATIENT, accesses.PROFESSIONAL):
            chosen = [one for one in entries if is_by_patient(one) == (origin == accesses.PATIENT)]
            types = [one.type_code.code for one in chosen if one.type_code is not None]
            accesses.note_feeding(self.dmp, unit, types, caller, origin=origin, now=now)
        told = [one for one in entries if not is_by_patient(one)]
        record = records.find(unit.connection, patient) if told else None
        if record is not None and record.is_active:
            for entry in told:
                self._tell(unit, record, entry, now)

    def _tell(self, unit: UnitOfWork, record: Record, entry: DocumentEntry, now: str) -> None:
        """Nobody is told of what is hidden from them; the médecin traitant at once, where it is for him to announce."""
        is_secret = carries(entry, SECRET) and self.dmp.rules.is_minor(record.birth_date, now)
        if not carries(entry, HIDDEN) and not is_secret:
            notices.send(self.dmp, unit, record, Notice.DOCUMENT_ADDED, now=now, document=entry.entry_uuid)
        elif carries(entry, HIDDEN) and self.dmp.rules.announcement_target is NoticeTarget.TREATING_DOCTOR:
            notices.send(self.dmp, unit, record, Notice.ANNOUNCEMENT_DUE, now=now, document=entry.entry_uuid)

    def merged(self, unit: UnitOfWork, subsumed: CX, surviving: CX, caller: Caller, now: str) -> None:
        people.merge_records(self.dmp, unit, subsumed.key, surviving.key, by=actor_of(caller), now=now)


@dataclass(slots=True)
class Accesses:
    """What an answered request leaves in the record it read; called before the answer goes. Raises StorageFailed.

    A reader is counted once for each month and record, and the hour of the last reading is kept: this process remembers
    whom it has noted in an hour.
    """

    dmp: Records
    units: Units
    now: Clock
    _noted: set[tuple[str, str, str, str]] = field(default_factory=set)

    def served(self, transaction: str, caller: Caller) -> None:
        if caller.patient_id is None or caller.is_open or caller.is_patient_side:
            return
        patient, now = caller.patient_id.key, self.now()
        is_emergency = caller.purpose in accesses.EMERGENCIES
        if transaction in _RETRIEVALS:
            reading = (now[:10], caller.name, caller.structure, patient)
            if is_emergency or reading not in self._noted:
                self.units.write(lambda unit: accesses.note_reading(self.dmp, unit, patient, caller, now=now))
                self._remember(reading)
        elif transaction in _SEARCHES and is_emergency:
            self.units.write(lambda unit: accesses.note_search(self.dmp, unit, patient, caller, now=now))

    def _remember(self, reading: tuple[str, str, str, str]) -> None:
        if len(self._noted) >= _REMEMBERED:
            self._noted.clear()
        self._noted.add(reading)


def log_seen_by(settings: Settings) -> SeenBy:
    """Who reads what of the audit trail by FHIR: as the journal of a record has it, where there are records."""
    if not has_records(settings):
        return only_own
    rules, now = rules_of(settings), clock(settings.clock)
    return lambda connection, caller, patient: journal.log_seen_by(connection, caller, patient, rules=rules, now=now())


def accesses_of(settings: Settings, units: Units) -> Accesses | None:
    """None in a domain without records."""
    return Accesses(open_records(settings), units, clock(settings.clock)) if has_records(settings) else None
