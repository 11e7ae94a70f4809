"""The life of a record: every state, who leads it there, and what is refused."""

from typing import Any

import pytest
from sqlalchemy import select

from access_policy.caller import PurposeOfUse
from access_policy.record_facts import RecordState
from dmp import accesses, life, people
from dmp.actor import OPERATOR, SERVER, Actor, ActorKind
from dmp.life import Opening
from dmp.record import Act, Channel, Consent, Event, Record, Representative
from dmp.records import Records
from dmp.refusal import RecordRefused, Refusal
from dmp.rules import Regime, Rules
from dmp.sql import events, records
from dmp.sql.tables import record_reader
from storage.unit_of_work import Units
from tests.dmp.people import (
    CHILD,
    CLINIC,
    DESK,
    DOCTOR,
    HOLDER,
    NOW,
    OTHER,
    PATIENT,
    Desk,
    a_professional,
    an_opening,
    notices,
    opened,
)

SIX_WEEKS_LATER = "20260421100000"
AUTOMATIC = Opening(channel="auto", consent=Consent.NO_OPPOSITION)
PARENT = Representative(patient=PATIENT, relation="MTH")


@pytest.fixture
def desk(units: Units) -> Desk:
    return Desk(units)


def found(desk: Desk, patient: str = PATIENT) -> Record | None:
    with desk.units.read() as connection:
        return records.find(connection, patient)


def journal(desk: Desk, patient: str = PATIENT) -> list[Event]:
    record = found(desk, patient)
    with desk.units.read() as connection:
        return events.of_nobody(connection, patient) if record is None else events.all_of(connection, record.key)


def refused(desk: Desk, function: Any, patient: str, *given: Any, **named: Any) -> Refusal:
    """The code of a refusal that left everything as it was."""
    before, told = found(desk, patient), journal(desk, patient)
    with pytest.raises(RecordRefused) as caught:
        desk.act(function, patient, *given, **named)
    assert (found(desk, patient), journal(desk, patient)) == (before, told)
    return caught.value.code


# --- opening -----------------------------------------------------------------------------------


@pytest.mark.parametrize("channel", [one for one in Channel if one is not Channel.AUTOMATIC])
def test_s01_every_creation_stores_one_channel_of_the_list(desk: Desk, channel: str) -> None:
    assert opened(desk, channel=channel).channel == channel


def test_s01_the_channel_never_changes(desk: Desk) -> None:
    opened(desk, channel="officine")
    desk.act(life.close, PATIENT)
    assert desk.act(life.reactivate, PATIENT).channel == "officine"
    desk.act(life.close, PATIENT)
    assert opened(desk, channel="internet").channel == "officine"


def test_s01_an_unknown_channel_is_refused(desk: Desk) -> None:
    assert refused(desk, life.open_record, PATIENT, an_opening("fax")) is Refusal.UNKNOWN_CHANNEL


def test_s02_a_person_online_ends_with_an_open_record_of_the_channel_internet(desk: Desk) -> None:
    record = desk.act(life.open_record, PATIENT, an_opening("internet", how="online"), by=HOLDER)
    assert (record.state, record.channel, record.opened_how) == (RecordState.OPEN, "internet", "online")


def test_s04_the_employee_and_the_structure_that_open_are_traced(desk: Desk) -> None:
    record = desk.act(life.open_record, PATIENT, an_opening("officine"), by=DESK)
    assert record.opened_by == DESK.name
    [event] = journal(desk)
    assert (event.act, event.actor_kind, event.actor, event.structure) == (
        Act.OPEN,
        DESK.kind,
        DESK.name,
        DESK.structure,
    )


def test_s05_the_record_of_a_minor_is_linked_to_a_legal_representative(desk: Desk) -> None:
    child = an_opening(birth_date="20200101")
    assert refused(desk, life.open_record, CHILD, child) is Refusal.REPRESENTATIVE_MISSING
    desk.act(life.open_record, CHILD, an_opening(birth_date="20200101", representatives=(PARENT,)))
    parent = Actor(kind=ActorKind.REPRESENTATIVE, name=PATIENT)
    assert desk.act(life.close, CHILD, by=parent).state is RecordState.CLOSED


def test_s05_somebody_else_represents_nobody(desk: Desk) -> None:
    desk.act(life.open_record, CHILD, an_opening(birth_date="20200101", representatives=(PARENT,)))
    stranger = Actor(kind=ActorKind.REPRESENTATIVE, name=OTHER)
    assert refused(desk, life.close, CHILD, by=stranger) is Refusal.NOT_REPRESENTATIVE
    assert refused(desk, life.oppose, OTHER, by=stranger) is Refusal.NOT_REPRESENTATIVE


def test_s05_a_representative_of_a_minor_is_none_from_majority_on(desk: Desk) -> None:
    desk.act(
        life.open_record, CHILD, an_opening(birth_date="20080310", representatives=(PARENT,)), now="20260309235959"
    )
    parent = Actor(kind=ActorKind.REPRESENTATIVE, name=PATIENT)
    assert refused(desk, life.close, CHILD, by=parent, now="20260310000000") is Refusal.NOT_REPRESENTATIVE


def test_s06_a_person_has_one_record(desk: Desk) -> None:
    opened(desk)
    assert refused(desk, life.open_record, PATIENT, an_opening()) is Refusal.FOUND
    desk.act(life.suspend, PATIENT)
    assert refused(desk, life.open_record, PATIENT, an_opening()) is Refusal.FOUND


def test_s11_the_regime_opt_in_opens_nothing_by_itself(units: Units) -> None:
    desk = Desk(units, Records(rules=Rules(regime=Regime.OPT_IN)))
    assert desk.act(life.inform, PATIENT).due == ""
    assert refused(desk, life.open_record, PATIENT, AUTOMATIC, now="20300101000000") is Refusal.REGIME
    record = opened(desk, channel="es")
    assert (record.regime, record.consent) == ("opt_in", "consent")


def test_s12_a_record_opens_without_opposition_once_the_period_is_over(desk: Desk) -> None:
    assert desk.act(life.inform, PATIENT).due == SIX_WEEKS_LATER
    assert refused(desk, life.open_record, PATIENT, AUTOMATIC, now="20260421095959") is Refusal.TOO_EARLY
    record = desk.act(life.open_record, PATIENT, AUTOMATIC, by=SERVER, now=SIX_WEEKS_LATER)
    assert (record.state, record.channel, record.consent) == (RecordState.OPEN, "auto", "no_opposition")


def test_s12_nothing_opens_by_itself_for_a_person_who_was_not_informed(desk: Desk) -> None:
    assert refused(desk, life.open_record, PATIENT, AUTOMATIC) is Refusal.TOO_EARLY


@pytest.mark.parametrize(("channel", "consent"), [("auto", Consent.GIVEN), ("accueil", Consent.NO_OPPOSITION)])
def test_silence_is_consent_of_the_automatic_channel_alone(desk: Desk, channel: str, consent: Consent) -> None:
    opening = Opening(channel=channel, consent=consent)
    assert refused(desk, life.open_record, PATIENT, opening) is Refusal.NO_CONSENT


def test_s13_the_information_is_dated_and_starts_the_period(desk: Desk) -> None:
    record = desk.act(life.inform, PATIENT, through="post")
    assert (record.state, record.informed, record.informed_through) == (RecordState.INFORMED, NOW, "post")
    assert refused(desk, life.inform, PATIENT) is Refusal.FOUND


def test_s14_no_record_is_created_while_an_opposition_stands(desk: Desk) -> None:
    desk.act(life.inform, PATIENT)
    record = desk.act(life.oppose, PATIENT, by=HOLDER, how="post")
    assert (record.state, record.opposed, record.due) == (RecordState.NONE, NOW, "")
    assert refused(desk, life.open_record, PATIENT, AUTOMATIC, now="20300101000000") is Refusal.OPPOSED
    assert refused(desk, life.inform, PATIENT) is Refusal.OPPOSED
    assert refused(desk, life.oppose, PATIENT) is Refusal.OPPOSED


def test_s14_an_opposition_is_acknowledged(desk: Desk) -> None:
    desk.act(life.inform, PATIENT)
    desk.act(life.oppose, PATIENT, by=HOLDER)
    told = [(one["notice"], one["to"], one["recipient"]) for one in notices(desk.units)]
    assert told == [("opposition recorded", "holder", PATIENT)]


def test_s14_a_representative_opposes_for_a_dependant(desk: Desk) -> None:
    desk.act(life.inform, CHILD, birth_date="20200101")
    desk.act(people.add_representative, CHILD, PARENT)
    parent = Actor(kind=ActorKind.REPRESENTATIVE, name=PATIENT)
    assert desk.act(life.oppose, CHILD, by=parent).opposed == NOW


def test_s17_an_explicit_request_opens_after_an_opposition_and_after_a_closure(desk: Desk) -> None:
    desk.act(life.oppose, PATIENT)
    assert opened(desk).opposed == ""
    desk.act(life.close, PATIENT)
    assert opened(desk).state is RecordState.OPEN
    assert desk.act(life.close, PATIENT).state is RecordState.CLOSED


def test_an_opposition_is_withdrawn_and_opens_nothing(desk: Desk) -> None:
    assert refused(desk, life.withdraw_opposition, PATIENT) is Refusal.NO_RECORD
    desk.act(life.oppose, PATIENT)
    record = desk.act(life.withdraw_opposition, PATIENT)
    assert (record.state, record.opposed) == (RecordState.NONE, "")
    assert refused(desk, life.withdraw_opposition, PATIENT) is Refusal.NOT_OPPOSED


# --- closing -----------------------------------------------------------------------------------


def test_s19_a_closed_record_is_kept_ten_years(desk: Desk) -> None:
    opened(desk)
    record = desk.act(life.close, PATIENT, by=HOLDER, reason="asked")
    assert (record.state, record.closed, record.closing_reason) == (RecordState.CLOSED, NOW, "asked")
    assert record.due == "20360310100000"
    assert refused(desk, life.erase, PATIENT, now="20360310095959") is Refusal.TOO_EARLY
    erased = desk.act(life.erase, PATIENT, by=SERVER, now="20360310100000")
    assert (erased.state, erased.birth_date, erased.treating_doctor) == (RecordState.ERASED, "", "")
    assert refused(desk, life.reactivate, PATIENT) is Refusal.ERASED


def test_a_closed_record_is_erased_earlier_on_request(desk: Desk) -> None:
    opened(desk)
    assert refused(desk, life.request_erasure, PATIENT) is Refusal.NOT_OPEN
    desk.act(life.close, PATIENT)
    assert desk.act(life.request_erasure, PATIENT).due == "20260610100000"
    assert desk.act(life.reactivate, PATIENT).erasure_requested == ""


def test_closing_twice_is_told_as_the_dmp_tells_it(desk: Desk) -> None:
    opened(desk)
    desk.act(life.close, PATIENT)
    assert refused(desk, life.close, PATIENT) is Refusal.CLOSED
    assert str(Refusal.CLOSED) == "DMPClosed"
    assert str(Refusal.FOUND) == "DMPFound"


def test_a_suspended_record_closes_without_objection_after_six_weeks(desk: Desk) -> None:
    opened(desk)
    assert desk.act(life.suspend, PATIENT).due == SIX_WEEKS_LATER
    resumed = desk.act(life.resume, PATIENT, by=HOLDER)
    assert (resumed.state, resumed.due, resumed.suspended) == (RecordState.OPEN, "", "")


def test_s12_an_erased_record_opens_by_itself_after_another_information_alone(desk: Desk) -> None:
    opened(desk)
    desk.act(life.close, PATIENT)
    desk.act(life.erase, PATIENT, now="20400101000000")
    assert refused(desk, life.open_record, PATIENT, AUTOMATIC, now="20400301000000") is Refusal.TOO_EARLY


def test_who_read_an_erased_record_is_forgotten(desk: Desk) -> None:
    opened(desk)
    caller = a_professional(purpose=PurposeOfUse.NORMAL)
    desk.units.write(lambda unit: accesses.note_reading(desk.dmp, unit, PATIENT, caller, now=NOW))

    def readers() -> list[str]:
        with desk.units.read() as connection:
            return list(connection.execute(select(record_reader.c.reader).order_by("reader")).scalars())

    assert readers() == [f"professional:{DOCTOR}", f"structure:{CLINIC}"]
    desk.act(life.close, PATIENT)
    assert len(readers()) == 2
    desk.act(life.erase, PATIENT, now="20360310100000")
    assert readers() == []


def test_a_person_whose_record_was_erased_may_have_a_new_one(desk: Desk) -> None:
    opened(desk, channel="officine")
    desk.act(life.close, PATIENT)
    desk.act(life.erase, PATIENT, now="20360310100000")
    record = desk.act(life.open_record, PATIENT, an_opening("es"), now="20370101000000")
    assert (record.state, record.channel, record.opened, record.closed) == (
        RecordState.OPEN,
        "es",
        "20370101000000",
        "",
    )


_STATES = {
    RecordState.NONE: (life.oppose,),
    RecordState.INFORMED: (life.inform,),
    RecordState.SUSPENDED: ("open", life.suspend),
    RecordState.CLOSED: ("open", life.close),
}


@pytest.mark.parametrize("state", [*_STATES, RecordState.ERASED])
@pytest.mark.parametrize("act", [life.suspend, life.resume, life.close, life.reactivate, life.request_erasure])
def test_an_act_out_of_its_state_changes_nothing(desk: Desk, state: RecordState, act: Any) -> None:
    """What the table of transitions does not have is refused, whatever it is."""
    legal = {
        (RecordState.SUSPENDED, life.resume),
        (RecordState.SUSPENDED, life.close),
        (RecordState.SUSPENDED, life.reactivate),
        (RecordState.CLOSED, life.reactivate),
        (RecordState.CLOSED, life.request_erasure),
    }
    if (state, act) in legal:
        return
    for step in _STATES.get(state, ("open", life.close)):
        opened(desk) if step == "open" else desk.act(step, PATIENT)
    if state is RecordState.ERASED:
        desk.act(life.erase, PATIENT, now="20360310100000")
    refused(desk, act, PATIENT)


# --- the journal -------------------------------------------------------------------------------


def test_s48_every_change_has_author_date_and_means(desk: Desk) -> None:
    desk.act(life.oppose, PATIENT, by=HOLDER, how="post")
    desk.act(life.open_record, PATIENT, an_opening(how="orally"), by=DESK, now="20260401000000")
    first, second = journal(desk)
    assert (first.recorded, first.act, first.actor_kind, first.details["how"]) == (NOW, Act.OPPOSE, "holder", "post")
    assert (second.recorded, second.act, second.actor) == ("20260401000000", Act.OPEN, DESK.name)
    assert (second.before, second.after, second.details["how"]) == ("none", "open", "orally")


def test_a_refused_act_is_journaled_and_changes_nothing_else(desk: Desk) -> None:
    def note(act: Act, patient: str) -> None:
        desk.units.write(lambda unit: desk.dmp.note_refusal(unit, patient, act, Refusal.CLOSED, by=OPERATOR, now=NOW))

    opened(desk)
    note(Act.CLOSE, PATIENT)
    note(Act.OPEN, OTHER)
    assert (journal(desk)[-1].act, journal(desk)[-1].refusal) == (Act.CLOSE, "DMPClosed")
    assert [(one.act, one.after) for one in journal(desk, OTHER)] == [(Act.OPEN, "none")]
    assert found(desk, OTHER) is None
