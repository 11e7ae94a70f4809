"""What a request leaves in a record: emergency accesses noted and told, readers and feeders counted."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from access_policy.caller import AuthenticationMode, Caller, PurposeOfUse
from dmp import accesses, life, people, rights
from dmp.actor import OPERATOR
from dmp.record import Act, Representative
from dmp.records import Records
from dmp.rules import AirStructures, Rules
from dmp.sql import events, records, usage
from storage.unit_of_work import Units
from tests.dmp.people import (
    CHILD,
    CLINIC,
    DOCTOR,
    NOW,
    NURSE,
    OTHER,
    PATIENT,
    Desk,
    a_professional,
    notices,
    opened,
    whom,
)

BREAK_GLASS = PurposeOfUse.BREAK_GLASS


@pytest.fixture
def desk(units: Units) -> Desk:
    made = Desk(units)
    opened(made)
    return made


def in_emergency(assertion: str = "_1", *, name: str = DOCTOR, purpose: PurposeOfUse = BREAK_GLASS) -> Caller:
    caller = a_professional(name, purpose=purpose)
    assert caller.credentials is not None
    return replace(caller, credentials=replace(caller.credentials, assertion_id=assertion, expires=datetime.now(UTC)))


def read(desk: Desk, caller: Caller, patient: str = PATIENT, now: str = NOW) -> None:
    desk.units.write(lambda unit: accesses.note_reading(desk.dmp, unit, patient, caller, now=now))


def acts(desk: Desk) -> list[Act]:
    with desk.units.read() as connection:
        record = records.find(connection, PATIENT)
        assert record is not None
        return [one.act for one in events.all_of(connection, record.key)]


@pytest.mark.parametrize("purpose", [PurposeOfUse.BREAK_GLASS, PurposeOfUse.REGULATION])
def test_s51_holder_and_treating_doctor_are_told_of_an_emergency_access(desk: Desk, purpose: PurposeOfUse) -> None:
    desk.act(rights.declare_treating_doctor, PATIENT, whom(NURSE))
    read(desk, in_emergency(purpose=purpose))
    told = notices(desk.units)
    assert [(one["notice"], one["to"], one["recipient"]) for one in told] == [
        ("emergency access", "treating_doctor", NURSE),
        ("emergency access", "holder", PATIENT),
    ]
    assert {one["professional"] for one in told} == {DOCTOR}
    assert {one["purpose"] for one in told} == {str(purpose)}
    assert acts(desk)[-1] is Act.BREAK_GLASS


def test_the_reason_of_a_broken_glass_is_in_the_journal(desk: Desk) -> None:
    read(desk, replace(in_emergency(), reason="coma"))
    with desk.units.read() as connection:
        record = records.find(connection, PATIENT)
        assert record is not None
        assert events.all_of(connection, record.key)[-1].details["reason"] == "coma"


def test_a_session_is_told_once_and_another_again(desk: Desk) -> None:
    for assertion in ("_1", "_1", "_2"):
        read(desk, in_emergency(assertion))
    read(desk, in_emergency("_2", name=NURSE))
    assert len(notices(desk.units)) == acts(desk).count(Act.BREAK_GLASS) == 3


def test_the_representatives_of_a_minor_are_told(desk: Desk) -> None:
    parents = (Representative(patient=PATIENT), Representative(patient=OTHER))
    opened(desk, CHILD, birth_date="20200101", representatives=parents)
    read(desk, in_emergency(), CHILD)
    assert [(one["to"], one["recipient"]) for one in notices(desk.units)] == [
        ("representative", PATIENT),
        ("representative", OTHER),
    ]


def test_a_search_in_an_emergency_is_told_too(desk: Desk) -> None:
    desk.units.write(lambda unit: accesses.note_search(desk.dmp, unit, PATIENT, in_emergency(), now=NOW))
    assert len(notices(desk.units)) == 1


@pytest.mark.parametrize("purpose", [PurposeOfUse.BREAK_GLASS, PurposeOfUse.REGULATION])
@pytest.mark.parametrize("case", ["opposed", "blocked", "closed", "without air"])
def test_an_attempt_that_shows_nothing_is_no_access(desk: Desk, purpose: PurposeOfUse, case: str) -> None:
    if case == "opposed":
        desk.act(rights.set_wishes, PATIENT, {"opposes_break_glass": True, "opposes_regulation": True})
    elif case == "blocked":
        desk.act(rights.block, PATIENT, whom())
    elif case == "closed":
        desk.act(life.close, PATIENT)
    dmp, caller = desk.dmp, in_emergency(purpose=purpose)
    if case == "without air":
        dmp = Records(rules=Rules(air_structures=AirStructures.DIRECTORY))
        caller = replace(caller, mode=AuthenticationMode.AIR)
    desk.units.write(lambda unit: accesses.note_search(dmp, unit, PATIENT, caller, now=NOW))
    assert notices(desk.units) == []
    assert Act.BREAK_GLASS not in acts(desk)


def test_a_normal_reading_is_not_told(desk: Desk) -> None:
    read(desk, a_professional(purpose=PurposeOfUse.NORMAL))
    assert notices(desk.units) == []
    assert Act.BREAK_GLASS not in acts(desk)


def test_nothing_is_left_about_a_person_without_record(desk: Desk) -> None:
    read(desk, in_emergency(), OTHER)
    assert notices(desk.units) == []
    assert count(desk, usage.readers, "profession") == []


def count(desk: Desk, question: Any, *given: Any, since: str = "2026", until: str = "2027") -> Any:
    with desk.units.read() as connection:
        return question(connection, *given, since, until)


def test_s36_a_reader_is_counted_once_for_each_month_and_record(desk: Desk) -> None:
    opened(desk, OTHER)
    read(desk, a_professional())
    read(desk, a_professional())
    read(desk, a_professional(), OTHER)
    read(desk, a_professional(NURSE), now="20260401000000")
    assert count(desk, usage.readers, "profession", since="202603", until="202605") == [("10", 2)]
    assert count(desk, usage.readers, "profession", since="202604", until="202605") == [("10", 1)]
    assert count(desk, usage.readers, "profession", since="202603", until="202604") == [("10", 1)]
    assert count(desk, usage.records_read, "actor", since="202603", until="202605") == [(DOCTOR, 2), (NURSE, 1)]
    assert count(desk, usage.records_read, "structure", since="202603", until="202605") == [(CLINIC, 2)]


def feed(desk: Desk, *types: str, caller: Caller | None = None, origin: str = accesses.PROFESSIONAL) -> None:
    who = caller or a_professional()
    desk.units.write(lambda unit: accesses.note_feeding(desk.dmp, unit, types, who, origin=origin, now=NOW))


def test_s35_feeders_are_counted_by_profession(desk: Desk) -> None:
    feed(desk, "11488-4", "11502-2")
    feed(desk, "11488-4", caller=a_professional(NURSE))
    assert count(desk, usage.feeders, "profession") == [("10", 2)]
    assert count(desk, usage.feeders, "profession", since="2027", until="2028") == []


def test_s37_documents_are_counted_by_origin_reimbursements_apart(desk: Desk) -> None:
    feed(desk, "11488-4", "REMB")
    feed(desk, "DOCPAT01", origin=accesses.PATIENT)
    assert count(desk, usage.fed, ("origin",)) == [("insurer", 1), ("patient", 1), ("professional", 1)]


def test_s34_documents_are_counted_for_each_professional_and_structure(desk: Desk) -> None:
    feed(desk, "11488-4", "11502-2")
    assert count(desk, usage.fed, ("actor", "structure")) == [(DOCTOR, CLINIC, 2)]


def test_a_merged_record_tells_under_its_new_identifier(desk: Desk) -> None:
    desk.units.write(lambda unit: people.merge_records(desk.dmp, unit, PATIENT, OTHER, by=OPERATOR, now=NOW))
    read(desk, in_emergency(), PATIENT)
    assert [one["recipient"] for one in notices(desk.units)] == [OTHER]
