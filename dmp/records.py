"""What every act on a record begins and ends with: the record under lock, its change, and the event that says so."""

from dataclasses import dataclass, field, replace
from typing import Any

from access_policy.record_facts import RecordState
from cda.national_identifiers import INS_ROOTS, ins_key_is_right, is_ins
from dmp.actor import Actor, ActorKind
from dmp.record import TRANSITIONS, Act, Event, Record
from dmp.refusal import RecordRefused, Refusal
from dmp.rules import Rules
from dmp.sql import events, records, rights
from storage.keys import Keys
from storage.unit_of_work import UnitOfWork
from xds.datatypes import CX

# Why an act is refused in a state in which it has no place; what is not named here is not open.
_REFUSALS = {
    (RecordState.OPEN, Act.OPEN): Refusal.FOUND,
    (RecordState.SUSPENDED, Act.OPEN): Refusal.FOUND,
    (RecordState.OPEN, Act.REACTIVATE): Refusal.FOUND,
    (RecordState.OPEN, Act.INFORM): Refusal.FOUND,
    (RecordState.INFORMED, Act.INFORM): Refusal.FOUND,
    (RecordState.OPEN, Act.OPPOSE): Refusal.FOUND,
    (RecordState.SUSPENDED, Act.OPPOSE): Refusal.FOUND,
    (RecordState.CLOSED, Act.OPEN): Refusal.CLOSED,
    (RecordState.CLOSED, Act.CLOSE): Refusal.CLOSED,
    (RecordState.CLOSED, Act.SUSPEND): Refusal.CLOSED,
    (RecordState.CLOSED, Act.RESUME): Refusal.CLOSED,
    (RecordState.CLOSED, Act.INFORM): Refusal.CLOSED,
    (RecordState.CLOSED, Act.OPPOSE): Refusal.CLOSED,
    (RecordState.ERASED, Act.CLOSE): Refusal.ERASED,
    (RecordState.ERASED, Act.REACTIVATE): Refusal.ERASED,
    (RecordState.ERASED, Act.INFORM): Refusal.ERASED,
    (RecordState.ERASED, Act.ERASE): Refusal.ERASED,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Records:
    """The records of one server. Times that acts take are DTM of 14 digits, UTC."""

    rules: Rules = field(default_factory=Rules)
    keys: Keys = field(default_factory=Keys)

    def found(self, unit: UnitOfWork, patient: str, by: Actor, now: str) -> Record:
        """The record, which nobody else changes until the unit ends. Raises RecordRefused."""
        record = records.locked(unit.connection, patient)
        if record is None:
            raise RecordRefused(Refusal.NO_RECORD, f"{patient}: found no record, expected one")
        self.check_representative(unit, record, by, now)
        return record

    def active(self, unit: UnitOfWork, patient: str, by: Actor, now: str) -> Record:
        """The record, open or suspended. Raises RecordRefused."""
        record = self.found(unit, patient, by, now)
        if not record.is_active:
            code = Refusal.CLOSED if record.state is RecordState.CLOSED else Refusal.NOT_OPEN
            raise RecordRefused(code, f"{record.patient}: found a record that is {record.state}, expected an open one")
        return record

    def check_representative(self, unit: UnitOfWork, record: Record, by: Actor, now: str) -> None:
        """Whoever acts for the holder must be named in the record, at this time. Raises RecordRefused."""
        if by.kind is not ActorKind.REPRESENTATIVE:
            return
        own = records.find(unit.connection, by.name)
        present = by.name if own is None else own.patient
        named = (one for one in rights.representatives(unit.connection, record.key) if one.patient == present)
        if not any(one.acts_at(now, self.rules.majority(record.birth_date)) for one in named):
            context = f"{record.patient}: found {by.name or 'nobody'}, expected a legal representative of the holder"
            raise RecordRefused(Refusal.NOT_REPRESENTATIVE, context)

    def new(self, patient: str) -> Record:
        """A record that is not kept yet. Raises RecordRefused for what is no INS."""
        check_ins(patient)
        return Record(key=self.keys.new(), patient=patient)

    def begin(self, unit: UnitOfWork, patient: str, by: Actor, now: str) -> Record:
        """The record of a person, made where there was none. Raises RecordRefused."""
        record = records.locked(unit.connection, patient)
        if record is None:
            record = self.new(patient)
            records.add(unit.connection, record, now)
        return record

    def change(self, unit: UnitOfWork, record: Record, act: Act, by: Actor, now: str, **changes: Any) -> Record:
        """The record in the state that the act leads to, and changed beside it. Raises RecordRefused."""
        state = TRANSITIONS.get((record.state, act))
        if state is None:
            code = _REFUSALS.get((record.state, act), Refusal.NOT_OPEN)
            raise RecordRefused(code, f"{record.patient}: found a record that is {record.state}, to {act} it cannot be")
        details = changes.pop("details", {})
        changed = replace(record, state=state, since=now, **changes)
        records.save(unit.connection, changed)
        self.note(unit, changed, act, by, now, before=record.state, details=details)
        return changed

    def edit(self, unit: UnitOfWork, record: Record, act: Act, by: Actor, now: str, **changes: Any) -> Record:
        """The record changed in something else than its state."""
        details = changes.pop("details", {})
        changed = replace(record, **changes)
        records.save(unit.connection, changed)
        self.note(unit, changed, act, by, now, details=details)
        return changed

    def note(
        self,
        unit: UnitOfWork,
        record: Record,
        act: Act,
        by: Actor,
        now: str,
        *,
        before: RecordState | None = None,
        details: dict[str, str] | None = None,
    ) -> None:
        """The event of an act that was done."""
        event = Event(
            recorded=now,
            patient=record.patient,
            act=act,
            actor_kind=by.kind,
            actor=by.name,
            structure=by.structure,
            before=str(before or record.state),
            after=str(record.state),
            details={name: value for name, value in (details or {}).items() if value},
        )
        events.add(unit.connection, record.key, self.keys.new(), event)

    def note_refusal(self, unit: UnitOfWork, patient: str, act: Act, refusal: str, *, by: Actor, now: str) -> None:
        """The event of an act that was refused, with the code: in a unit of its own, since the act's is undone."""
        record = records.find(unit.connection, patient)
        state = str(RecordState.NONE if record is None else record.state)
        event = Event(
            recorded=now,
            patient=patient,
            act=act,
            actor_kind=by.kind,
            actor=by.name,
            structure=by.structure,
            before=state,
            after=state,
            refusal=refusal,
        )
        events.add(unit.connection, events.NO_RECORD if record is None else record.key, self.keys.new(), event)


def check_ins(patient: str) -> None:
    """Shape and key of an INS; other authorities have their own rules. CI-SIS Structuration minimale 3.5

    Raises RecordRefused, which does not repeat the identifier.
    """
    cx = CX(patient)
    if cx.authority not in INS_ROOTS:
        return
    if not is_ins(cx.id):
        context = f"found {len(cx.id)} characters, expected 13 and a key of two digits"
        raise RecordRefused(Refusal.WRONG_INS, f"INS: {context}")
    if not ins_key_is_right(cx.id):
        context = f"found the key {cx.id[13:]}, expected 97 minus the number modulo 97"
        raise RecordRefused(Refusal.WRONG_INS_KEY, f"INS: {context}")
