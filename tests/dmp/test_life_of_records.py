"""Lives of records at random, against the model: states and rights, whoever acts, whenever time has come."""

import shutil
import tempfile
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from dmp import life, people, rights
from dmp.actor import OPERATOR, SERVER, Actor, ActorKind
from dmp.facts import record_facts
from dmp.life import Opening
from dmp.record import Consent, HolderKind, Representative
from dmp.refusal import RecordRefused
from dmp.sql import records
from jobs.record_jobs import automatic_opening, closing_after_suspension, erasing_after_retention
from storage.engine import open_engine
from storage.sqlite_units import SqliteUnits
from tests import memory, newest_schema, one_dialect
from tests.dmp.people import CLINIC, DOCTOR, NURSE, Desk, a_professional, an_ins, an_opening, whom
from tests.dmp.record_model import Person, Refused, joined, months_after

PERSONS = tuple(an_ins(number) for number in range(1, 5))
WHO = {DOCTOR: HolderKind.PROFESSIONAL, NURSE: HolderKind.PROFESSIONAL, CLINIC: HolderKind.STRUCTURE}
WISHES = ("opposes_break_glass", "opposes_regulation", "masked_in_emergency", "occupational_consent")
persons, actors, wishes = st.sampled_from(PERSONS), st.sampled_from(tuple(WHO)), st.sampled_from(WISHES)
PAUSES = tuple(timedelta(days=days) for days in (0, 1, 41, 42, 92, 365, 366, 3653))
BIRTHS = (None, datetime(1958, 6, 15), datetime(2012, 2, 29))  # noqa: DTZ001 - days


def dtm(moment: datetime | None) -> str:
    return "" if moment is None else moment.strftime("%Y%m%d%H%M%S")


class Lives(RuleBasedStateMachine):
    """Each rule does one act in the program and in the model; both do it, or both refuse."""

    @initialize()
    def begin(self) -> None:
        self.folder = tempfile.TemporaryDirectory(dir=memory.place())
        with one_dialect.shared():
            engine = open_engine(f"sqlite:///{shutil.copy(newest_schema.file(), self.folder.name)}")
        self.now = datetime(2026, 3, 10, 10)  # noqa: DTZ001 - UTC by contract
        self.desk = Desk(SqliteUnits(engine), now=dtm(self.now))
        self.model = {patient: Person() for patient in PERSONS}
        self.names: dict[str, set[str]] = {patient: {patient} for patient in PERSONS}

    def teardown(self) -> None:
        if hasattr(self, "desk"):
            self.desk.units.close()
            self.folder.cleanup()

    def both(self, theirs: Callable[[], Any], ours: Callable[[], Any]) -> None:
        refusals = []
        for attempt in (theirs, ours):
            try:
                attempt()
                refusals.append(False)
            except (Refused, RecordRefused):
                refusals.append(True)
        assert refusals[0] == refusals[1], f"the model {'refuses' if refusals[0] else 'allows'} it"

    def act(
        self, name: str, function: Any, patient: str, *given: Any, model_given: tuple[Any, ...] = (), **by: Any
    ) -> None:
        person = self.model[patient]
        self.both(
            lambda: getattr(person, name)(self.now, *model_given),
            lambda: self.desk.act(function, patient, *given, **by),
        )

    @rule(pause=st.sampled_from(PAUSES))
    def time_passes(self, pause: timedelta) -> None:
        self.now += pause
        self.desk.now = dtm(self.now)

    @rule(patient=persons, birth=st.sampled_from(BIRTHS))
    def inform(self, patient: str, birth: datetime | None) -> None:
        self.act("inform", life.inform, patient, model_given=(birth,), birth_date=dtm(birth)[:8])

    @rule(patient=persons)
    def oppose(self, patient: str) -> None:
        self.act("oppose", life.oppose, patient)

    @rule(patient=persons)
    def withdraw(self, patient: str) -> None:
        self.act("withdraw", life.withdraw_opposition, patient)

    @rule(patient=persons)
    def open(self, patient: str) -> None:
        self.act("open", life.open_record, patient, an_opening())

    @rule(patient=persons)
    def open_by_itself(self, patient: str) -> None:
        opening = Opening(channel="auto", consent=Consent.NO_OPPOSITION)
        self.act("open_by_itself", life.open_record, patient, opening, by=SERVER)

    @rule(
        patient=persons, step=st.sampled_from(["suspend", "resume", "close", "reactivate", "request_erasure", "erase"])
    )
    def live(self, patient: str, step: str) -> None:
        self.act(step, getattr(life, step), patient)

    @rule(patient=persons, other=persons)
    def close_for_another(self, patient: str, other: str) -> None:
        """A representative closes; whoever is none is refused."""
        person, by = self.model[patient], Actor(kind=ActorKind.REPRESENTATIVE, name=self.current(other))

        def in_model() -> None:
            if not person.has_row or not person.may_act(self.current(other), self.now):
                raise Refused
            person.close(self.now)

        self.both(in_model, lambda: self.desk.act(life.close, patient, by=by))

    @rule(patient=persons, who=actors, step=st.sampled_from(["authorise", "remove_authorisation", "block", "unblock"]))
    def decide_on(self, patient: str, who: str, step: str) -> None:
        self.act(step, getattr(rights, step), patient, whom(who, kind=WHO[who]), model_given=(who,))

    @rule(patient=persons, who=st.sampled_from([DOCTOR, NURSE]))
    def declare_doctor(self, patient: str, who: str) -> None:
        self.act("declare_doctor", rights.declare_treating_doctor, patient, whom(who), model_given=(who,))

    @rule(patient=persons)
    def drop_doctor(self, patient: str) -> None:
        self.act("drop_doctor", rights.drop_treating_doctor, patient)

    @rule(patient=persons, name=wishes, value=st.booleans())
    def wish(self, patient: str, name: str, value: bool) -> None:
        self.act("wish", rights.set_wishes, patient, {name: value}, model_given=(name, value))

    @rule(patient=persons, other=persons)
    def represent(self, patient: str, other: str) -> None:
        named = self.current(other)
        self.act(
            "name_representative",
            people.add_representative,
            patient,
            Representative(patient=named),
            model_given=(named, self.names[patient]),
        )

    @rule()
    def do_what_is_due(self) -> None:
        units, dmp = self.desk.units, self.desk.dmp
        for job in (
            automatic_opening(dmp, units, life.open_record),
            closing_after_suspension(dmp, units),
            erasing_after_retention(dmp, units, lambda _patient: None),
        ):
            assert job.run(dtm(self.now)).left == ()
        for person in {id(one): one for one in self.model.values()}.values():
            person.pass_time(self.now)

    @rule(subsumed=persons, surviving=persons)
    def merge(self, subsumed: str, surviving: str) -> None:
        """Present identifiers alone are merged: the registry knows no others."""
        old, new = self.current(subsumed), self.current(surviving)
        if old == new:
            return
        self.desk.units.write(
            lambda unit: people.merge_records(self.desk.dmp, unit, old, new, by=OPERATOR, now=dtm(self.now))
        )
        person, names = joined(self.model[old], self.model[new]), self.names[old] | self.names[new]
        person.has_row = True
        for one in names:
            self.model[one], self.names[one] = person, names
        self.present = getattr(self, "present", {}) | dict.fromkeys(names, new)
        for one in self.model.values():
            if old in one.representatives:
                one.representatives.setdefault(new, one.representatives.pop(old))
        person.representatives.pop(new, None)

    def current(self, patient: str) -> str:
        return str(getattr(self, "present", {}).get(patient, patient))

    @invariant()
    def records_are_as_the_model_has_them(self) -> None:
        if not hasattr(self, "desk"):
            return
        now = dtm(self.now)
        with self.desk.units.read() as connection:
            for patient, person in self.model.items():
                record = records.find(connection, patient)
                found = record_facts(connection, patient=patient, caller=a_professional(), now=now)
                assert str(found.state) == person.state
                assert found.holder_is_minor == person.is_minor(self.now)
                assert {name for name in WISHES if getattr(found, name)} == person.wishes
                if record is not None:
                    assert found.patient == self.current(patient)
                    assert (record.due, bool(record.opposed), record.closed) == (
                        dtm(person.due),
                        person.opposed,
                        dtm(person.closed) if person.state != "erased" else record.closed,
                    )
                self._callers_are_as_in(connection, patient, person)

    def _callers_are_as_in(self, connection: Any, patient: str, person: Person) -> None:
        for name, structure in ((DOCTOR, CLINIC), (DOCTOR, ""), (NURSE, CLINIC), (NURSE, "")):
            caller = a_professional(name, structure=structure)
            found = record_facts(connection, patient=patient, caller=caller, now=dtm(self.now))
            assert str(found.authorisation) == person.authorisation(self.now, (name, structure))
            assert found.is_treating_doctor == (person.doctor == name)


def live(*, lives: int, steps: int) -> None:
    run_state_machine_as_test(
        Lives,
        settings=settings(
            max_examples=lives,
            stateful_step_count=steps,
            deadline=None,
            print_blob=True,
            phases=(Phase.explicit, Phase.reuse, Phase.generate, Phase.shrink),
        ),
    )


def test_records_live_as_the_facts_have_it() -> None:
    live(lives=40, steps=50)


@pytest.mark.long
def test_records_live_as_the_facts_have_it_for_long() -> None:
    live(lives=2000, steps=100)


def test_the_model_counts_months_as_calendars_do() -> None:
    assert months_after(datetime(2026, 1, 31), 1) == datetime(2026, 2, 28)  # noqa: DTZ001
    assert months_after(datetime(2012, 2, 29), 18 * 12) == datetime(2030, 2, 28)  # noqa: DTZ001
    assert months_after(datetime(2026, 12, 15), 1) == datetime(2027, 1, 15)  # noqa: DTZ001
