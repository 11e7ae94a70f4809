"""Representatives, identifiers that change, and two records that are found to be one person's."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import select

from access_policy.caller import PurposeOfUse, Standing
from access_policy.record_facts import Authorisation, RecordState
from dmp import accesses, life, people, rights
from dmp.actor import OPERATOR
from dmp.facts import record_facts
from dmp.record import Act, HolderKind, Record, Representative
from dmp.refusal import RecordRefused, Refusal
from dmp.sql import events, records
from dmp.sql import rights as rows
from dmp.sql.tables import record_reader
from storage.unit_of_work import Units
from tests.dmp.people import CHILD, DOCTOR, NOW, NURSE, OTHER, PATIENT, Desk, a_professional, an_ins, opened, whom

OLD, NEW = PATIENT, OTHER
PARENT = Representative(patient=PATIENT)


@pytest.fixture
def desk(units: Units) -> Desk:
    return Desk(units)


def found(desk: Desk, patient: str) -> Record | None:
    with desk.units.read() as connection:
        return records.find(connection, patient)


def merge(desk: Desk, subsumed: str = OLD, surviving: str = NEW, now: str = NOW) -> Record:
    desk.units.write(lambda unit: people.merge_records(desk.dmp, unit, subsumed, surviving, by=OPERATOR, now=now))
    record = found(desk, surviving)
    assert record is not None
    return record


def authorisation(desk: Desk, patient: str, name: str) -> Authorisation:
    with desk.units.read() as connection:
        return record_facts(connection, patient=patient, caller=a_professional(name), now=NOW).authorisation


def represented(desk: Desk, patient: str) -> list[str]:
    record = found(desk, patient)
    assert record is not None
    with desk.units.read() as connection:
        return [one.patient for one in rows.representatives(connection, record.key)]


# --- representatives ---------------------------------------------------------------------------


def test_a_representative_is_named_once_and_removed(desk: Desk) -> None:
    opened(desk, CHILD)
    desk.act(people.add_representative, CHILD, PARENT)
    desk.act(people.add_representative, CHILD, PARENT)
    assert represented(desk, CHILD) == [PATIENT]
    desk.act(people.remove_representative, CHILD, PATIENT)
    assert represented(desk, CHILD) == []
    with pytest.raises(RecordRefused) as caught:
        desk.act(people.remove_representative, CHILD, PATIENT)
    assert caught.value.code is Refusal.NOT_REPRESENTATIVE


@pytest.mark.parametrize(
    ("representative", "expected"),
    [
        (CHILD, Refusal.NOT_REPRESENTATIVE),
        (PATIENT.replace("^^^", "9^^^"), Refusal.WRONG_INS),
        ("258063500000100^^^&1.2.250.1.213.1.4.8&ISO", Refusal.WRONG_INS_KEY),
    ],
)
def test_who_is_no_other_person_represents_nobody(desk: Desk, representative: str, expected: Refusal) -> None:
    opened(desk, CHILD)
    with pytest.raises(RecordRefused) as caught:
        desk.act(people.add_representative, CHILD, Representative(patient=representative))
    assert caught.value.code is expected


def test_who_was_named_for_a_minor_acts_until_majority_though_the_day_of_birth_was_told_later(desk: Desk) -> None:
    desk.act(people.add_representative, CHILD, PARENT)
    desk.act(life.inform, CHILD, birth_date="20080411")
    parent = replace(a_professional(PATIENT), standing=Standing.REPRESENTATIVE)
    with desk.units.read() as connection:
        found_at = [
            record_facts(connection, patient=CHILD, caller=parent, now=one).is_representative
            for one in (NOW, "20260410235959", "20260411000000")
        ]
    assert found_at == [True, True, False]


def test_who_was_named_for_an_adult_acts_without_end(desk: Desk) -> None:
    desk.act(life.inform, CHILD, birth_date="20080310")
    desk.act(people.add_representative, CHILD, PARENT, now="20260310000000")
    parent = replace(a_professional(PATIENT), standing=Standing.REPRESENTATIVE)
    with desk.units.read() as connection:
        assert record_facts(connection, patient=CHILD, caller=parent, now="20660101000000").is_representative


# --- one record for one person -----------------------------------------------------------------


def test_a_record_follows_its_person_to_another_identifier(desk: Desk) -> None:
    opened(desk, OLD)
    desk.act(rights.authorise, OLD, whom())
    record = merge(desk)
    assert (record.patient, record.state) == (NEW, RecordState.OPEN)
    assert found(desk, OLD) == record
    assert authorisation(desk, OLD, DOCTOR) is authorisation(desk, NEW, DOCTOR) is Authorisation.VALID


def test_a_former_identifier_leads_to_the_record(desk: Desk) -> None:
    opened(desk, NEW)
    record = merge(desk)
    assert found(desk, OLD) == record
    with desk.units.read() as connection:
        known = records.identifiers(connection, record.key)
    assert {(patient, until) for patient, _, until in known} == {(OLD, NOW), (NEW, "")}


def test_what_is_done_under_a_former_identifier_is_done_with_the_one_record(desk: Desk) -> None:
    """Also where nobody had a record when the two were merged."""
    assert merge(desk).state is RecordState.NONE
    desk.act(life.oppose, OLD)
    record = found(desk, NEW)
    assert record is not None
    assert (record.opposed, record.patient) == (NOW, NEW)


def test_two_records_become_one_and_its_journal_is_whole(desk: Desk) -> None:
    opened(desk, OLD)
    opened(desk, NEW)
    desk.act(rights.authorise, OLD, whom())
    record = merge(desk)
    assert found(desk, OLD) == found(desk, NEW) == record
    with desk.units.read() as connection:
        told = [(one.act, one.patient) for one in events.all_of(connection, record.key)]
    assert told == [(Act.OPEN, OLD), (Act.OPEN, NEW), (Act.AUTHORISE, OLD), (Act.MERGE, NEW)]


def test_of_two_records_that_become_one_the_later_reading_is_the_last(desk: Desk) -> None:
    for patient, name, read in ((OLD, DOCTOR, "2026031108"), (NEW, DOCTOR, "2026031007"), (OLD, NURSE, "2026031006")):
        if found(desk, patient) is None:
            opened(desk, patient)
        caller = a_professional(name, structure="", purpose=PurposeOfUse.NORMAL)
        desk.units.write(
            lambda unit, args=(patient, caller), now=f"{read}1500": accesses.note_reading(
                desk.dmp, unit, *args, now=now
            )
        )
    desk.act(rights.authorise, NEW, whom(DOCTOR))
    desk.act(rights.authorise, NEW, whom(NURSE))
    merge(desk)
    with desk.units.read() as connection:
        read_by = [rows.records_of(connection, HolderKind.PROFESSIONAL, one) for one in (DOCTOR, NURSE)]
        assert [(patient, read) for [(patient, _, read)] in read_by] == [
            (NEW, "20260311080000"),
            (NEW, "20260310060000"),
        ]
        assert len(connection.execute(select(record_reader)).all()) == 2


@pytest.mark.parametrize("erased", [OLD, NEW])
def test_an_open_record_goes_on_beside_one_that_was_erased(desk: Desk, erased: str) -> None:
    """Whenever that was: its documents are there, and nobody asked for their end."""
    opened(desk, OLD if erased == NEW else NEW)
    opened(desk, erased)
    desk.act(life.close, erased)
    desk.act(life.erase, erased, now="20360311000000")
    record = merge(desk, now="20360312000000")
    assert (record.state, record.patient) == (RecordState.OPEN, NEW)


def test_a_second_merge_of_the_same_two_changes_nothing(desk: Desk) -> None:
    opened(desk, OLD)
    opened(desk, NEW)
    assert merge(desk) == merge(desk)


def test_what_was_refused_in_either_stays_refused_and_blocks_win(desk: Desk) -> None:
    opened(desk, OLD)
    opened(desk, NEW)
    desk.act(rights.set_wishes, OLD, {"opposes_break_glass": True, "masked_in_emergency": True})
    desk.act(rights.block, OLD, whom())
    desk.act(rights.declare_treating_doctor, NEW, whom())
    desk.act(rights.authorise, OLD, whom(NURSE))
    record = merge(desk)
    assert (record.opposes_break_glass, record.masked_in_emergency) == (True, False)
    assert authorisation(desk, NEW, DOCTOR) is Authorisation.BLOCKED
    assert authorisation(desk, NEW, NURSE) is Authorisation.VALID
    assert record.treating_doctor == ""


def _opened(desk: Desk, patient: str, now: str) -> None:
    desk.now = now
    opened(desk, patient)


def _closed(desk: Desk, patient: str, now: str) -> None:
    _opened(desk, patient, NOW)
    desk.act(life.close, patient, now=now)


def _opposed(desk: Desk, patient: str, now: str) -> None:
    desk.act(life.oppose, patient, now=now)


def _informed(desk: Desk, patient: str, now: str) -> None:
    desk.act(life.inform, patient, now=now)


_LATE, _LATER = "20260401000000", "20260501000000"
_LAST_WORD: Mapping[str, tuple[Any, str, Any, str, RecordState]] = {
    "both open": (_opened, _LATE, _opened, _LATER, RecordState.OPEN),
    "opened after the other was closed": (_closed, _LATE, _opened, _LATER, RecordState.OPEN),
    "closed after the other was opened": (_closed, _LATER, _opened, _LATE, RecordState.CLOSED),
    "opened after the other was opposed": (_opposed, _LATE, _opened, _LATER, RecordState.OPEN),
    "opposed after the other was opened": (_opposed, _LATER, _opened, _LATE, RecordState.CLOSED),
    "opposed, and the other informed later": (_opposed, _LATE, _informed, _LATER, RecordState.NONE),
    "open, and the other informed later": (_opened, _LATE, _informed, _LATER, RecordState.OPEN),
    "informed twice": (_informed, _LATE, _informed, _LATER, RecordState.INFORMED),
}


@pytest.mark.parametrize("case", _LAST_WORD)
@pytest.mark.parametrize("swapped", [False, True])
def test_the_last_decision_stands_whichever_identifier_survives(desk: Desk, case: str, swapped: bool) -> None:
    first, when, second, later, expected = _LAST_WORD[case]
    one, two = (NEW, OLD) if swapped else (OLD, NEW)
    first(desk, one, when)
    second(desk, two, later)
    record = merge(desk, now="20260601000000")
    assert record.state is expected
    assert bool(record.due) == (expected in (RecordState.CLOSED, RecordState.INFORMED))
    assert bool(record.opposed) == (case == "opposed, and the other informed later")


def test_a_dependant_keeps_the_representative_under_another_identifier(desk: Desk) -> None:
    opened(desk, CHILD)
    desk.act(people.add_representative, CHILD, Representative(patient=OLD))
    desk.units.write(lambda unit: people.merge_records(desk.dmp, unit, OLD, NEW, by=OPERATOR, now=NOW))
    assert represented(desk, CHILD) == [NEW]


def test_nobody_represents_the_same_person(desk: Desk) -> None:
    third = an_ins(7)
    opened(desk, OLD)
    opened(desk, NEW)
    desk.act(people.add_representative, OLD, Representative(patient=NEW))
    desk.act(people.add_representative, OLD, Representative(patient=third))
    merge(desk)
    assert represented(desk, NEW) == [third]


@pytest.mark.parametrize(("subsumed", "surviving"), [(OLD, CHILD), (CHILD, OLD)])
def test_a_representative_who_turns_out_to_be_the_holder_is_none(desk: Desk, subsumed: str, surviving: str) -> None:
    """Also where the representative had no record."""
    opened(desk, CHILD)
    desk.act(people.add_representative, CHILD, Representative(patient=OLD))
    merge(desk, subsumed, surviving)
    assert represented(desk, surviving) == []
