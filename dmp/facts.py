"""What a decision needs of a record, in one look: the row of the person and the rights of the caller. DMP 12.3"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import Connection

from access_policy.caller import AuthenticationMode, Caller, Standing
from access_policy.matrix import ACTIVITIES, BY_ROLE
from access_policy.record_facts import Authorisation, RecordFacts, RecordState
from dmp.rules import AirStructures, Rules
from dmp.sql import directory, facts, records, rights

_LAW = Rules()


def record_facts(connection: Connection, *, patient: str, caller: Caller, now: str, rules: Rules = _LAW) -> RecordFacts:
    """The record of the person with this CX key, present or former, as this caller meets it.

    `now` is a DTM of 14 digits, UTC. Without a record its state is NONE and `patient` is what was asked for, empty
    where nobody was.
    """
    professional = professional_of(caller)
    structure = "" if caller.is_patient_side else caller.structure  # a portal is nobody whom a holder blocks
    found, held = facts.find(connection, patient=patient, professional=professional, structure=structure)
    nothing = RecordFacts(
        patient=patient,
        now=now,
        activities=_activities(connection, caller),
        may_use_air=_may_use_air(connection, caller, rules),
    )
    if not found:
        return nothing
    is_treating_doctor = professional != "" and found["treating_doctor"] == professional
    wishes: dict[str, Any] = {name: bool(found[name]) for name in facts.WISHES}
    return replace(
        nothing,
        patient=found["patient"],
        state=RecordState(found["state"]),
        authorisation=_authorisation(held, is_treating_doctor, now),
        is_treating_doctor=is_treating_doctor,
        holder_is_minor=rules.is_minor(found["birth_date"], now),
        is_representative=_represents(connection, caller, found["patient"], now, rules.majority(found["birth_date"])),
        **wishes,
    )


def _activities(connection: Connection, caller: Caller) -> tuple[str, ...]:
    """Of an actor characterised by role, whose column of the matrix they select: said by the VIHF, or registered.

    DMP 12.4
    """
    profession, professional = caller.profession, professional_of(caller)
    if profession is None or (profession.coding_scheme, profession.code) != BY_ROLE or not professional:
        return ()
    if any(one.coding_scheme == ACTIVITIES for one in caller.roles):
        return ()
    return directory.activities(connection, professional, caller.structure, profession.code)


def _may_use_air(connection: Connection, caller: Caller, rules: Rules) -> bool:
    """Asked anew each time: what the directory withdraws ends at once. DMP 1 (S44)"""
    if rules.air_structures is AirStructures.ANY or caller.mode is not AuthenticationMode.AIR:
        return True
    return directory.enables_air(connection, caller.structure)


def _represents(connection: Connection, caller: Caller, patient: str, now: str, majority: str) -> bool:
    """Only a representative is looked up: no other caller is one. CSP R.1111-50"""
    if caller.standing is not Standing.REPRESENTATIVE:
        return False
    present = identity_of(connection, caller.name)
    named = (one for one in rights.representatives_of(connection, patient) if one.patient == present)
    return any(one.acts_at(now, majority) for one in named)


def identity_of(connection: Connection, patient: str) -> str:
    """The present identifier of a person who is named by this one, present or former."""
    own = records.find(connection, patient)
    return patient if own is None else own.patient


def professional_of(caller: Caller) -> str:
    """PS_IdNat; in indirect mode the name is an internal one of the structure and stands for nobody. DMP 6.4"""
    is_person = not (caller.is_open or caller.is_patient_side or caller.mode is AuthenticationMode.INDIRECT)
    return caller.name if is_person else ""


def _authorisation(held: Sequence[tuple[bool, str]], is_treating_doctor: bool, now: str) -> Authorisation:
    """Of the caller or the structure: a block wins, then what is valid; the médecin traitant needs no other."""
    if any(is_block for is_block, _ in held):
        return Authorisation.BLOCKED
    if is_treating_doctor or any(until == "" or now < until for _, until in held):
        return Authorisation.VALID
    return Authorisation.EXPIRED if held else Authorisation.NONE
