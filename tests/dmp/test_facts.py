"""The facts of a record that a decision needs, as each caller meets it."""

from dataclasses import replace

import pytest

from access_policy.caller import OPEN_CALLER, AuthenticationMode, Caller, PurposeOfUse
from access_policy.capacity import capacity_of
from access_policy.matrix import ACTIVITIES
from access_policy.record_facts import Authorisation, RecordFacts, RecordState
from access_policy.rights import Actor
from access_policy.tables import published
from dmp import directory, life, rights
from dmp.facts import record_facts
from dmp.record import HolderKind, Right
from dmp.rules import AirStructures, Rules
from dmp.sql import rights as rows
from storage.unit_of_work import Units
from tests.dmp.people import CLINIC, DOCTOR, HOLDER, NOW, NURSE, OTHER, PATIENT, Desk, a_professional, opened, whom
from xds.datatypes import Code

LATER = "20270310095959"
STRUCTURE = whom(CLINIC, kind=HolderKind.STRUCTURE)


@pytest.fixture
def desk(units: Units) -> Desk:
    return Desk(units)


def facts(desk: Desk, caller: Caller | None = None, patient: str = PATIENT, now: str = NOW) -> RecordFacts:
    with desk.units.read() as connection:
        return record_facts(connection, patient=patient, caller=caller or a_professional(), now=now)


BY_ROLE = Code(code="99", coding_scheme="1.2.250.1.213.1.6.1.140")
HEAD = "kind,id,name,profession,speciality,activity,structure,version"


def test_the_kind_of_activity_of_an_actor_by_role_comes_from_the_directory(desk: Desk) -> None:
    """DMP 12.4: from the registration, or from the VIHF."""
    lines = (HEAD, f"professional,{NURSE},X,99,,GENR08,{CLINIC},", f"professional,{NURSE},X,99,,GENR11,elsewhere,")
    desk.units.write(lambda unit: directory.load(unit, lines))
    opened(desk)
    role = Code(code="300", coding_scheme="1.2.250.1.213.1.6.1.107")
    caller = a_professional(NURSE, roles=(BY_ROLE, role), purpose=PurposeOfUse.NORMAL)
    assert facts(desk, caller).activities == ("GENR08",)
    found = capacity_of(caller, facts(desk, caller), published())
    assert found is not None
    assert found.column is not None
    assert (found.column.id, found.actor) == ("coordination_orientation", Actor.PROFESSIONAL)
    told = Code(code="GENR10", coding_scheme=ACTIVITIES)
    assert facts(desk, replace(caller, roles=(BY_ROLE, role, told))).activities == ()
    assert facts(desk, replace(caller, roles=a_professional().roles)).activities == ()
    assert facts(desk, replace(caller, mode=AuthenticationMode.INDIRECT)).activities == ()


def test_s44_air_is_for_structures_that_the_directory_enables_where_a_setting_says_so(desk: Desk) -> None:
    """With a record and without one; what the directory withdraws ends at once."""
    lines = (f"{HEAD},air", f"structure,{CLINIC},Clinique,,,SA01,,,yes", "structure,elsewhere,EHPAD,,,SA17,,,no")
    rules = Rules(air_structures=AirStructures.DIRECTORY)
    desk.units.write(lambda unit: directory.load(unit, lines))
    opened(desk)

    def may(patient: str = PATIENT, rules: Rules = rules, **changes: str) -> bool:
        caller = a_professional(mode=AuthenticationMode.AIR, **changes)
        with desk.units.read() as connection:
            return record_facts(connection, patient=patient, caller=caller, now=NOW, rules=rules).may_use_air

    assert [may(), may(OTHER), may(structure="elsewhere"), may(structure="unknown")] == [True, True, False, False]
    assert may(structure="elsewhere", rules=Rules())
    desk.units.write(lambda unit: directory.load(unit, (lines[0], lines[2])))
    assert not may()


def test_nobody_has_a_record_before_it_is_opened(desk: Desk) -> None:
    assert facts(desk) == RecordFacts(patient=PATIENT, now=NOW)


def test_a_record_is_open_and_authorises_nobody(desk: Desk) -> None:
    opened(desk)
    assert facts(desk) == RecordFacts(patient=PATIENT, now=NOW, state=RecordState.OPEN)
    assert facts(desk, patient=OTHER).state is RecordState.NONE


def test_an_authorisation_is_valid_until_its_end(desk: Desk) -> None:
    opened(desk)
    desk.act(rights.authorise, PATIENT, whom())
    assert facts(desk).authorisation is Authorisation.VALID
    assert facts(desk, now=LATER).authorisation is Authorisation.VALID
    assert facts(desk, now="20270310100000").authorisation is Authorisation.EXPIRED
    assert facts(desk, a_professional(NURSE)).authorisation is Authorisation.NONE
    assert facts(desk, patient=OTHER).authorisation is Authorisation.NONE


def test_the_authorisation_of_a_structure_serves_those_who_act_for_it(desk: Desk) -> None:
    opened(desk)
    desk.act(rights.authorise, PATIENT, STRUCTURE)
    assert facts(desk, a_professional(NURSE)).authorisation is Authorisation.VALID
    assert facts(desk, a_professional(NURSE, structure="elsewhere")).authorisation is Authorisation.NONE


def test_a_block_of_either_wins_over_every_authorisation(desk: Desk) -> None:
    opened(desk)
    desk.act(rights.authorise, PATIENT, STRUCTURE)
    desk.act(rights.block, PATIENT, whom())
    assert facts(desk).authorisation is Authorisation.BLOCKED
    assert facts(desk, a_professional(NURSE)).authorisation is Authorisation.VALID
    desk.act(rights.block, PATIENT, STRUCTURE)
    assert facts(desk, a_professional(NURSE)).authorisation is Authorisation.BLOCKED


def test_a_professional_is_never_taken_for_a_structure_of_the_same_identifier(desk: Desk) -> None:
    practice = "0751234560"  # an ADELI number identifies either
    opened(desk)
    desk.act(rights.authorise, PATIENT, whom(practice))
    assert facts(desk, a_professional(structure=practice)).authorisation is Authorisation.NONE
    assert facts(desk, a_professional(practice, structure="")).authorisation is Authorisation.VALID


def test_in_indirect_mode_the_name_is_of_the_structure_and_stands_for_nobody(desk: Desk) -> None:
    opened(desk)
    desk.act(rights.authorise, PATIENT, whom())
    desk.act(rights.declare_treating_doctor, PATIENT, whom())
    indirect = facts(desk, a_professional(mode=AuthenticationMode.INDIRECT))
    assert (indirect.authorisation, indirect.is_treating_doctor) == (Authorisation.NONE, False)
    assert facts(desk, a_professional(mode=AuthenticationMode.AIR)).is_treating_doctor


def test_the_treating_doctor_is_authorised_as_long_as_nobody_else_is(desk: Desk) -> None:
    opened(desk)
    desk.act(rights.declare_treating_doctor, PATIENT, whom())
    found = facts(desk, now="20990101000000")
    assert (found.is_treating_doctor, found.authorisation) == (True, Authorisation.VALID)
    desk.act(rights.declare_treating_doctor, PATIENT, whom(NURSE))
    assert (facts(desk).is_treating_doctor, facts(desk).authorisation) == (False, Authorisation.NONE)


def test_a_blocked_treating_doctor_is_none_any_more(desk: Desk) -> None:
    opened(desk)
    desk.act(rights.declare_treating_doctor, PATIENT, whom())
    desk.act(rights.block, PATIENT, whom(), by=HOLDER)
    assert (facts(desk).is_treating_doctor, facts(desk).authorisation) == (False, Authorisation.BLOCKED)


def test_the_caller_of_an_open_server_is_nobody_in_particular(desk: Desk) -> None:
    record = opened(desk)
    named_alike = Right(kind=HolderKind.PROFESSIONAL, holder=OPEN_CALLER.name, is_block=False, since=NOW)
    desk.units.write(lambda unit: rows.put(unit.connection, record.key, named_alike))
    assert facts(desk, OPEN_CALLER) == RecordFacts(patient=PATIENT, now=NOW, state=RecordState.OPEN)


def test_wishes_and_minority_are_facts(desk: Desk) -> None:
    opened(desk)
    wishes = {"opposes_break_glass": True, "masked_in_emergency": True, "occupational_consent": True}
    desk.act(rights.set_wishes, PATIENT, wishes)
    found = facts(desk)
    assert (found.opposes_break_glass, found.opposes_regulation) == (True, False)
    assert (found.masked_in_emergency, found.occupational_consent) == (True, True)
    assert not found.holder_is_minor


def test_a_minor_comes_of_age(desk: Desk) -> None:
    desk.act(life.inform, OTHER, birth_date="20080311")
    assert facts(desk, patient=OTHER, now="20260310235959").holder_is_minor
    assert not facts(desk, patient=OTHER, now="20260311000000").holder_is_minor


def test_an_authorisation_is_found_among_many(desk: Desk) -> None:
    opened(desk)
    for number in range(30):
        desk.act(rights.authorise, PATIENT, whom(f"80000000{number:04d}"))
    desk.act(rights.authorise, PATIENT, whom(DOCTOR))
    assert facts(desk).authorisation is Authorisation.VALID
    assert facts(desk, a_professional("800000000017", structure="")).authorisation is Authorisation.VALID
    assert facts(desk, a_professional("800000000030", structure="")).authorisation is Authorisation.NONE
