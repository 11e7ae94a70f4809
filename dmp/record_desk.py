"""What the record transactions share: the store, the rules, the policy, and how a refusal is told. DMP 3, 4."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import TypeVar

from sqlalchemy import Connection

from access_policy.caller import AuthenticationMode, Caller, PurposeOfUse
from access_policy.decide import Decision, decide
from access_policy.record_facts import Authorisation, RecordFacts
from access_policy.rights import Action
from access_policy.tables import Tables
from audit.occurrence import Occurrence
from audit.recorder import NO_RECORDER, Recorder
from dmp.actor import actor_of
from dmp.facts import record_facts
from dmp.record import Act, Record
from dmp.records import Records
from dmp.refusal import RecordRefused, Refusal
from dmp.sql import records
from hl7v3.transmission import InstanceIdentifier
from storage.unit_of_work import UnitOfWork, Units
from xds.datatypes import CX

T = TypeVar("T")
_NOBODY = "patient of the assertion"
# When a document that the caller finds in the record was added last, and added or changed: DTM, empty for never.
LastSubmitted = Callable[[Connection, Caller], tuple[str, str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordDesk:
    """The records of one server as the transactions use them.

    `now` gives a DTM of 14 digits, UTC. `make_known` tells the registry of a person, in the same unit of work.
    `creation_by_software`: TD1.1 opens records, beside automatic opening. `attached_may_change`: TD1.2, TD1.3b, TD1.4
    and TD1.5 are also for records that *Mon espace santé* reaches. PDT-INF-526
    `last_submitted` asks the registry about the record that the caller names.
    """

    units: Units
    records: Records
    tables: Tables
    now: Callable[[], str]
    make_known: Callable[[UnitOfWork, CX, Caller], None]
    recorder: Recorder = NO_RECORDER
    creation_by_software: bool = True
    attached_may_change: bool = False
    last_submitted: LastSubmitted = lambda _connection, _caller: ("", "")
    most_candidates: int = field(default=20)

    def facts(self, connection: Connection, caller: Caller, patient: str) -> RecordFacts:
        rules = self.records.rules
        return record_facts(connection, patient=patient, caller=caller, now=self.now(), rules=rules)

    def permitted(self, action: Action, caller: Caller, facts: RecordFacts) -> Decision:
        """The decision of the policy. Raises RecordRefused where it is a refusal."""
        decision = decide(self.tables, action, caller, facts)
        if not decision.allowed:
            raise RecordRefused(Refusal.RIGHTS, f"{action}: refused by the rule {decision.rule}")
        return decision

    def act(self, transaction: str, act: Act, patient: str, caller: Caller, work: Callable[[UnitOfWork], T]) -> T:
        """Run one act in a unit of work, with its audit record; a refusal leaves its event in another unit.

        Raises RecordRefused.
        """

        def recorded(unit: UnitOfWork) -> T:
            done = work(unit)
            self.recorder.record(unit, [Occurrence(event=transaction, patient=patient)], caller)
            return done

        try:
            return self.units.write(recorded)
        except RecordRefused as problem:
            refused, by, now = problem, actor_of(caller), self.now()
        self.units.write(lambda unit: self.records.note_refusal(unit, patient, act, refused.code, by=by, now=now))
        raise refused


def patient_asked_for(caller: Caller, named: Sequence[InstanceIdentifier]) -> str:
    """CX key of the one person a message is about, who is the one of the assertion. Raises RecordRefused.

    DMP 6.5: INS of resource-id = INS of the request
    """
    ids = list(_keys(named))
    if not ids:
        raise RecordRefused(Refusal.WRONG_INS, "patient: found no identifier, expected an INS")
    if caller.is_open or (caller.patient_id is not None and caller.patient_id.key in ids):
        return ids[0] if caller.patient_id is None else caller.patient_id.key
    raise RecordRefused(Refusal.OTHER_PATIENT, "patient: found another person than the assertion names")


def _keys(named: Sequence[InstanceIdentifier]) -> Iterator[str]:
    """CX keys; what has no extension, or a root that is no OID, identifies nobody."""
    for one in named:
        with suppress(ValueError):
            yield CX.of(id=one.extension, authority=one.root).key


def patient_of_assertion(caller: Caller) -> str:
    """CX key of the person an assertion names; such transactions take it from nowhere else. Raises RecordRefused."""
    if caller.patient_id is None:
        raise RecordRefused(Refusal.WRONG_INS, f"{_NOBODY}: found none, expected the INS of the record")
    return caller.patient_id.key


def check_administers(caller: Caller, facts: RecordFacts) -> None:
    """TD1.1 to TD1.5, for which the tables have no rows: not by AIR, in the normal mode, by nobody who is blocked.

    Raises RecordRefused. PDT-INF-606; PDSm4DMP
    """
    if caller.is_open:
        return
    if caller.mode is AuthenticationMode.AIR:
        raise RecordRefused(Refusal.RIGHTS, "found an AIR assertion, expected a card or a certificate of a structure")
    if caller.purpose is not PurposeOfUse.NORMAL:
        raise RecordRefused(Refusal.RIGHTS, f"found the access mode {caller.purpose}, expected {PurposeOfUse.NORMAL}")
    if facts.authorisation is Authorisation.BLOCKED:
        raise RecordRefused(Refusal.RIGHTS, f"{facts.patient}: found a caller who is blocked, expected another")


def check_may_change(service: RecordDesk, record: Record | None) -> None:
    """Software changes records that *Mon espace santé* does not reach, unless the site says more. PDT-INF-526"""
    if record is not None and record.is_attached and not service.attached_may_change:
        context = "found a record attached to Mon espace santé, expected one that is not"
        raise RecordRefused(Refusal.RIGHTS, f"{record.patient}: {context}")


def record_of(connection: Connection, patient: str) -> Record | None:
    return records.find(connection, patient)


def without_assertion_patient(caller: Caller, patient: str) -> Caller:
    """The open caller may name any person in the message."""
    return replace(caller, patient_id=CX(patient)) if caller.is_open and caller.patient_id is None else caller
