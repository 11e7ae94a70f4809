"""The journal of accesses: who sees which lines, how far it goes back, and what of the audit is in it."""

import pytest

from access_policy.caller import PurposeOfUse
from audit.objects import a_document
from audit.occurrence import Node, Occurrence
from audit.record import Outcome
from audit.recorder import AuditTrail
from audit.spool import Spool
from dmp import accesses, life, people, rights
from dmp.actor import OPERATOR, Actor, ActorKind
from dmp.journal import Line, journal
from dmp.records import Records
from dmp.rules import Rules
from dmp.sql import records
from storage.unit_of_work import UnitOfWork, Units
from tests.dmp.people import DOCTOR, HOLDER, NOW, NURSE, OTHER, PATIENT, Desk, a_professional, opened, whom

NODE = Node(id="node", url="https://dmp.example.org", host="host", process_id="1")


@pytest.fixture
def desk(units: Units) -> Desk:
    made = Desk(units)
    opened(made)
    return made


@pytest.fixture
def trail(units: Units) -> AuditTrail:
    return AuditTrail.of(NODE, units, Spool(10**9, on_alarm=lambda *_: None))


def lines(desk: Desk, reader: Actor, patient: str = PATIENT, now: str = NOW) -> tuple[Line, ...]:
    with desk.units.read() as connection:
        record = records.find(connection, patient)
        assert record is not None
        unit = UnitOfWork(connection=connection)
        return journal(unit, record, reader=reader, rules=desk.dmp.rules, now=now)


def actions(found: tuple[Line, ...]) -> list[str]:
    return [one.action for one in found]


def professional(name: str) -> Actor:
    return Actor(kind=ActorKind.PROFESSIONAL, name=name)


def test_s52_holder_and_treating_doctor_see_all_others_their_own(desk: Desk) -> None:
    desk.act(rights.authorise, PATIENT, whom(), by=professional(DOCTOR), now="20260311000000")
    desk.act(rights.declare_treating_doctor, PATIENT, whom(NURSE), now="20260312000000")
    everything = ["declare_treating_doctor", "authorise", "open"]
    assert actions(lines(desk, HOLDER)) == everything
    assert actions(lines(desk, professional(NURSE))) == everything
    assert actions(lines(desk, professional(DOCTOR))) == ["authorise"]
    assert lines(desk, professional("")) == lines(desk, Actor(kind=ActorKind.STAFF)) == ()


def test_what_was_read_through_the_doors_is_in_it(desk: Desk, trail: AuditTrail) -> None:
    reading = Occurrence(event="ITI-43", patient=PATIENT, objects=(a_document("2.25.1"),))
    refusal = Occurrence(event="ITI-18", patient=PATIENT, outcome=Outcome.SERIOUS, description="XDSRegistryError")
    trail.keep([reading, refusal], a_professional())
    trail.keep([Occurrence(event="ITI-43", patient=OTHER)], a_professional())
    found = lines(desk, HOLDER)
    assert [(one.action, one.actor, one.about, one.refusal) for one in found if one.action != "open"] == [
        ("ITI-18", DOCTOR, "", "XDSRegistryError"),
        ("ITI-43", DOCTOR, "2.25.1", ""),
    ]
    assert actions(lines(desk, professional(DOCTOR))) == ["ITI-18", "ITI-43"]


def test_an_emergency_access_is_marked(desk: Desk) -> None:
    caller = a_professional(purpose=PurposeOfUse.BREAK_GLASS)
    desk.units.write(lambda unit: accesses.note_reading(desk.dmp, unit, PATIENT, caller, now=NOW))
    [line] = [one for one in lines(desk, HOLDER) if one.action == "break_glass"]
    assert (line.emergency, line.actor) == ("bris_de_glace", DOCTOR)


def test_the_journal_of_a_former_identifier_goes_on(desk: Desk, trail: AuditTrail) -> None:
    trail.keep([Occurrence(event="ITI-43", patient=PATIENT)], a_professional())
    desk.units.write(lambda unit: people.merge_records(desk.dmp, unit, PATIENT, OTHER, by=OPERATOR, now=NOW))
    assert "ITI-43" in actions(lines(desk, HOLDER, OTHER))


def many(desk: Desk, number: int, now: str) -> None:
    for _ in range(number // 2):
        desk.act(life.suspend, PATIENT, now=now)
        desk.act(life.resume, PATIENT, now=now)


@pytest.mark.parametrize(
    ("old", "recent", "expected"),
    [(8, 0, 6), (8, 2, 6), (0, 8, 9), (8, 8, 8)],
    ids=["quiet", "nearly quiet", "busy", "busy after old times"],
)
def test_it_goes_back_a_year_or_has_the_last_lines_of_a_quiet_record(
    units: Units, old: int, recent: int, expected: int
) -> None:
    """With six lines in place of a hundred; the opening is one more."""
    desk = Desk(units, Records(rules=Rules(journal_lines=6)), now="20240101000000" if old else "20260201000000")
    opened(desk)
    many(desk, old, "20240102000000")
    many(desk, recent, "20260202000000")
    assert len(lines(desk, HOLDER, now="20260310000000")) == expected
