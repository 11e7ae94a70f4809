"""What the holder of a record decides: who is authorised, who is blocked, who is the médecin traitant, what is refused."""

from typing import Any

import pytest

from dmp import life, rights
from dmp.record import Act, HolderKind, Record, Right
from dmp.records import Records
from dmp.refusal import RecordRefused, Refusal
from dmp.rules import Rules
from dmp.sql import events, records
from dmp.sql import rights as rows
from storage.unit_of_work import Units
from tests.dmp.people import CLINIC, DOCTOR, HOLDER, NOW, NURSE, OTHER, PATIENT, Desk, opened, whom

STRUCTURE = whom(CLINIC, kind=HolderKind.STRUCTURE)


@pytest.fixture
def desk(units: Units) -> Desk:
    made = Desk(units)
    opened(made)
    return made


def held(desk: Desk, patient: str = PATIENT) -> list[Right]:
    with desk.units.read() as connection:
        record = records.find(connection, patient)
        assert record is not None
        return rows.all_of(connection, record.key)


def found(desk: Desk) -> Record:
    with desk.units.read() as connection:
        record = records.find(connection, PATIENT)
    assert record is not None
    return record


def acts(desk: Desk) -> list[Act]:
    with desk.units.read() as connection:
        return [one.act for one in events.all_of(connection, found(desk).key)]


def refused(desk: Desk, function: Any, *given: Any, **named: Any) -> Refusal:
    before = (held(desk), found(desk), acts(desk))
    with pytest.raises(RecordRefused) as caught:
        desk.act(function, PATIENT, *given, **named)
    assert (held(desk), found(desk), acts(desk)) == before
    return caught.value.code


def test_s47_the_lists_of_authorised_and_blocked_are_the_holders(desk: Desk) -> None:
    desk.act(rights.authorise, PATIENT, whom(display="VILLARD Elise", speciality="G15_10/SM26"), by=HOLDER)
    desk.act(rights.block, PATIENT, whom(NURSE), by=HOLDER)
    assert [(one.holder, one.is_block, one.display) for one in held(desk)] == [
        (DOCTOR, False, "VILLARD Elise"),
        (NURSE, True, ""),
    ]


def test_an_authorisation_is_valid_a_year_and_renewed_by_another(desk: Desk) -> None:
    desk.act(rights.authorise, PATIENT, whom())
    [first] = held(desk)
    assert (first.since, first.until) == (NOW, "20270310100000")
    desk.act(rights.authorise, PATIENT, whom(), now="20261201000000")
    [second] = held(desk)
    assert (second.since, second.until, second.last_action) == (NOW, "20271201000000", "20261201000000")


def test_an_authorisation_after_an_expired_one_is_a_new_one(desk: Desk) -> None:
    desk.act(rights.authorise, PATIENT, whom(), until="20260401000000")
    desk.act(rights.authorise, PATIENT, whom(), now="20260501000000")
    assert held(desk)[0].since == "20260501000000"


def test_the_validity_is_a_setting(units: Units) -> None:
    desk = Desk(units, Records(rules=Rules(authorisation_months=3)))
    opened(desk, OTHER)
    desk.act(rights.authorise, OTHER, whom())
    assert held(desk, OTHER)[0].until == "20260610100000"


def test_an_authorisation_that_is_over_when_it_begins_is_refused(desk: Desk) -> None:
    assert refused(desk, rights.authorise, whom(), until=NOW) is Refusal.AUTHORISATION_ENDED


def test_who_is_blocked_is_not_authorised_until_unblocked(desk: Desk) -> None:
    desk.act(rights.authorise, PATIENT, whom())
    desk.act(rights.block, PATIENT, whom())
    assert refused(desk, rights.authorise, whom()) is Refusal.BLOCKED
    assert refused(desk, rights.declare_treating_doctor, whom()) is Refusal.BLOCKED
    assert refused(desk, rights.remove_authorisation, whom()) is Refusal.NOT_AUTHORISED
    desk.act(rights.unblock, PATIENT, whom())
    assert held(desk) == []


def test_what_was_not_given_is_not_taken_back(desk: Desk) -> None:
    assert refused(desk, rights.remove_authorisation, whom()) is Refusal.NOT_AUTHORISED
    desk.act(rights.authorise, PATIENT, whom())
    assert refused(desk, rights.unblock, whom()) is Refusal.NOT_AUTHORISED
    desk.act(rights.remove_authorisation, PATIENT, whom())
    assert held(desk) == []


@pytest.mark.parametrize("name", ["", " "])
def test_nobody_is_authorised_without_an_identifier(desk: Desk, name: str) -> None:
    assert refused(desk, rights.authorise, whom(name)) is Refusal.UNNAMED


def test_a_structure_is_authorised_beside_a_professional_of_the_same_identifier(desk: Desk) -> None:
    desk.act(rights.authorise, PATIENT, whom(DOCTOR, kind=HolderKind.STRUCTURE))
    desk.act(rights.authorise, PATIENT, whom(DOCTOR))
    assert [(one.kind, one.holder) for one in held(desk)] == [("professional", DOCTOR), ("structure", DOCTOR)]


def test_there_is_one_treating_doctor(desk: Desk) -> None:
    desk.act(rights.declare_treating_doctor, PATIENT, whom())
    desk.act(rights.declare_treating_doctor, PATIENT, whom(), now="20260401000000")
    assert (found(desk).treating_doctor, found(desk).treating_doctor_since) == (DOCTOR, NOW)
    desk.act(rights.declare_treating_doctor, PATIENT, whom(NURSE), now="20260401000000")
    assert (found(desk).treating_doctor, found(desk).treating_doctor_since) == (NURSE, "20260401000000")
    desk.act(rights.drop_treating_doctor, PATIENT)
    assert found(desk).treating_doctor == ""
    assert refused(desk, rights.drop_treating_doctor) is Refusal.NOT_TREATING_DOCTOR


def test_s74_the_insurers_treating_doctor_becomes_that_of_the_record(desk: Desk) -> None:
    desk.act(rights.declare_treating_doctor, PATIENT, whom(), source=rights.INSURER)
    assert (found(desk).treating_doctor, found(desk).treating_doctor_from) == (DOCTOR, "insurer")


def test_a_block_ends_the_status_of_treating_doctor_and_both_are_journaled(desk: Desk) -> None:
    desk.act(rights.declare_treating_doctor, PATIENT, whom())
    desk.act(rights.block, PATIENT, whom())
    assert found(desk).treating_doctor == ""
    assert acts(desk)[-2:] == [Act.DROP_TREATING_DOCTOR, Act.BLOCK]


def test_wishes_change_one_by_one(desk: Desk) -> None:
    desk.act(rights.set_wishes, PATIENT, {"opposes_break_glass": True})
    desk.act(rights.set_wishes, PATIENT, {"occupational_consent": True})
    assert (found(desk).opposes_break_glass, found(desk).occupational_consent) == (True, True)
    desk.act(rights.set_wishes, PATIENT, {"opposes_break_glass": False})
    assert (found(desk).opposes_break_glass, found(desk).occupational_consent) == (False, True)


_ACTS = (
    (rights.authorise, (whom(),)),
    (rights.block, (whom(),)),
    (rights.declare_treating_doctor, (whom(),)),
    (rights.set_wishes, ({"opposes_break_glass": True},)),
)


@pytest.mark.parametrize(("function", "given"), _ACTS)
def test_nothing_is_decided_about_a_closed_record(desk: Desk, function: Any, given: tuple[Any, ...]) -> None:
    desk.act(life.close, PATIENT)
    assert refused(desk, function, *given) is Refusal.CLOSED


@pytest.mark.parametrize(("function", "given"), _ACTS)
def test_nothing_is_decided_before_a_record_is_open(desk: Desk, function: Any, given: tuple[Any, ...]) -> None:
    desk.act(life.inform, OTHER)
    with pytest.raises(RecordRefused) as caught:
        desk.act(function, OTHER, *given)
    assert caught.value.code is Refusal.NOT_OPEN


def test_the_records_of_a_professional_are_those_authorised_and_those_of_the_treating_doctor(desk: Desk) -> None:
    opened(desk, OTHER)
    desk.act(rights.authorise, PATIENT, whom())
    desk.act(rights.declare_treating_doctor, OTHER, whom())

    def listed(kind: HolderKind, name: str) -> list[str]:
        with desk.units.read() as connection:
            return [patient for patient, _, _ in rows.records_of(connection, kind, name)]

    assert listed(HolderKind.PROFESSIONAL, DOCTOR) == [PATIENT, OTHER]
    assert listed(HolderKind.STRUCTURE, DOCTOR) == listed(HolderKind.PROFESSIONAL, NURSE) == []
    desk.act(rights.block, PATIENT, whom())
    desk.act(life.close, OTHER)
    assert listed(HolderKind.PROFESSIONAL, DOCTOR) == []
