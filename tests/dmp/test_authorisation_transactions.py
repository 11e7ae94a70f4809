"""Authorisations, and the lists of records and persons: TD0.3, TD0.4, TD0.5, TD1.6, as software sends them. DMP 3."""

from dataclasses import replace

import pytest
from lxml import etree

from access_policy.caller import Caller, PurposeOfUse
from dmp import (
    accesses,
    directory,
    td0_3_set_authorization,
    td0_4_list_records,
    td0_5_find_patient,
    td1_6_list_authorizations,
)
from dmp import rights as acts
from dmp.actor import OPERATOR
from dmp.record import HolderKind
from dmp.rights import Whom
from dmp.sql import records, rights
from storage.unit_of_work import Units
from tests.dmp.transaction_desk import DOCTOR, NURSE, PATIENT, Desk, blocked, text, value
from tests.hl7v3 import record_messages as written
from xds.datatypes import Code

SECRETARY = replace(
    DOCTOR,
    name="31750000001/secretary",
    roles=(Code(code="SECRETARIAT_MEDICAL", coding_scheme="1.2.250.1.213.1.1.4.6"),),
)
REGULATOR = replace(DOCTOR, purpose=PurposeOfUse.REGULATION, patient_id=None)


@pytest.fixture
def desk(units: Units) -> Desk:
    return Desk(units)


def test_td0_3_authorisations_come_and_go(desk: Desk) -> None:
    assert desk.authorise("AJOUT") == "DMPAccessDeniedByRightsService"
    desk.opened()
    assert [desk.authorise("AJOUT"), desk.authorise("AJOUT")] == ["DMPOk", "DMPOk"]
    assert desk.authorise("SUPPRESSION") == "DMPOk"
    assert desk.authorise("SUPPRESSION") == "no-authorisation-recorded"
    assert desk.existence()["authorised"] == "NON_EXISTE"


def test_td0_3_there_is_one_treating_doctor_and_it_is_a_doctor(desk: Desk) -> None:
    desk.opened()
    role = {"role": "MEDECIN_TRAITANT"}
    assert desk.authorise("SUPPRESSION", **role) == "DMPAccessDeniedByRightsService"
    assert desk.authorise("AJOUT", NURSE, **role) == "not-a-doctor"
    assert desk.existence(NURSE)["authorised"] == "NON_EXISTE"
    assert desk.authorise("AJOUT", **role) == "DMPOk"
    assert desk.existence()["treating"] == "true"
    second = replace(DOCTOR, name="801234567899")
    assert desk.authorise("AJOUT", second, **role) == "DMPOk"
    assert (desk.existence()["treating"], desk.existence(second)["treating"]) == ("false", "true")
    assert desk.authorise("SUPPRESSION", second, **role) == "DMPOk"
    assert desk.existence(second)["treating"] == "false"


def test_td0_3_an_employee_declares_for_the_structure(desk: Desk) -> None:
    desk.opened()
    assert desk.authorise("AJOUT", SECRETARY) == "DMPOk"
    with desk.service.units.read() as connection:
        record = records.find(connection, PATIENT.key)
        assert record is not None
        held = rights.all_of(connection, record.key)
    assert [(one.kind, one.holder) for one in held] == [(HolderKind.STRUCTURE, DOCTOR.structure)]
    assert desk.authorise("SUPPRESSION", SECRETARY) == "DMPAccessDeniedByRightsService"


@pytest.mark.parametrize("purpose", [PurposeOfUse.BREAK_GLASS, PurposeOfUse.REGULATION])
def test_td0_3_nobody_is_authorised_in_an_emergency(desk: Desk, purpose: PurposeOfUse) -> None:
    desk.opened()
    assert desk.authorise("AJOUT", replace(DOCTOR, purpose=purpose)) == "DMPAccessDeniedByRightsService"
    assert desk.events()[-1] == ("authorise", "DMPAccessDeniedByRightsService")


@pytest.mark.parametrize("fields", [{"action": "AJOUTER"}, {"action": "AJOUT", "other": "x"}, {"role": "MT"}])
def test_td0_3_a_wrong_field_is_named(desk: Desk, fields: dict[str, str]) -> None:
    desk.opened()
    answer = desk.simple(td0_3_set_authorization.soap, "setAuthorization", **fields)
    assert text(answer, "status") == "field-malformed"
    assert "expected" in text(answer, "context")


def test_td0_4_lists_the_records_one_is_authorised_on(desk: Desk) -> None:
    desk.opened()
    assert _listed(desk) == []
    desk.authorise("AJOUT", role="MEDECIN_TRAITANT")
    [one] = _listed(desk)
    assert (one["ins"], one["lastName"], one["firstName"], one["MT"]) == (PATIENT.id, "EXEMPLE", "Anne Lise", "true")
    assert _listed(desk, NURSE) == []
    assert [len(_listed(desk, startDate=one)) for one in ("20260310093000", "20260311000000", "11032026")] == [1, 0, 0]
    assert _status(desk, startDate="hier") == "date-malformed"
    desk.now = "20280401000000"
    assert _listed(desk, NURSE) == []


def test_td0_4_by_the_last_document(desk: Desk) -> None:
    """LASTDOC; lastAddDate and lastUpdateDate are those of documents that the caller finds."""
    desk.opened()
    desk.authorise("AJOUT")
    asked = []

    def last(_connection: object, caller: Caller) -> tuple[str, str]:
        asked.append(caller.patient_id)
        return "20260309120000", "20260310080000"

    desk.service = replace(desk.service, last_submitted=last)
    [one] = _listed(desk, dateType="LASTDOC", startDate="20260309")
    assert (one["lastAddDate"], one["lastUpdateDate"]) == ("20260309120000", "20260310080000")
    assert _listed(desk, dateType="LASTDOC", startDate="20260310") == []
    assert len(_listed(desk, dateType="LASTAUTORIZATION", startDate="20260310")) == 1
    assert {one and one.key for one in asked} == {PATIENT.key}


def test_td0_4_tells_when_the_reader_read_last_and_never_when_others_did(desk: Desk) -> None:
    """To the hour; of the structure in its own list. The treating doctor needs no authorisation for that."""
    desk.opened()
    desk.authorise("AJOUT", role="MEDECIN_TRAITANT")
    desk.authorise("AJOUT", NURSE)
    elsewhere = replace(NURSE, organisations=("1750000018",))

    def last_read(caller: Caller = DOCTOR, **fields: str) -> str:
        [one] = _listed(desk, caller, **fields)
        return one["lastAccessDate"]

    assert (last_read(), last_read(NURSE)) == ("", "")
    _read(desk, DOCTOR, "20260310093012")
    _read(desk, DOCTOR, "20260311104512")
    _read(desk, DOCTOR, "20260310120000")  # that an earlier one is noted later changes nothing
    assert (last_read(), last_read(NURSE)) == ("20260311100000", "")
    _read(desk, elsewhere, "20260312080000")
    assert (last_read(), last_read(NURSE)) == ("20260311100000", "20260312080000")
    desk.authorise("SUPPRESSION", NURSE)
    desk.authorise("AJOUT", NURSE)
    assert last_read(NURSE) == "20260312080000"
    desk.authorise("AJOUT", SECRETARY)
    assert last_read(SECRETARY) == "20260311100000"


def _read(desk: Desk, caller: Caller, now: str) -> None:
    dmp, units = desk.service.records, desk.service.units
    units.write(lambda unit: accesses.note_reading(dmp, unit, PATIENT.key, caller, now=now))


def test_td0_4_an_employee_lists_what_is_open_to_the_professionals_of_the_structure(desk: Desk) -> None:
    """Same structure, by the directory; psOwnerId is one of them. PDT-INF-526"""
    desk.opened()
    desk.authorise("AJOUT")
    assert _listed(desk, SECRETARY) == []
    lines = (
        "kind,id,name,profession,speciality,activity,structure,version",
        f"professional,{DOCTOR.name},SOIGNANT PAUL,10,SM26,,{DOCTOR.structure},",
        f"professional,{NURSE.name},SOIGNANTE LEA,60,,,elsewhere,",
    )
    desk.service.units.write(lambda unit: directory.load(unit, lines))
    assert [one["ins"] for one in _listed(desk, SECRETARY)] == [PATIENT.id]
    assert len(_listed(desk, SECRETARY, psOwnerId=DOCTOR.name)) == 1
    assert _refused_list(desk, SECRETARY, NURSE.name) == "DMPAccessDeniedByRightsService"
    assert _refused_list(desk, NURSE, DOCTOR.name) == "DMPAccessDeniedByRightsService"
    blocked(desk, DOCTOR.structure, HolderKind.STRUCTURE)
    assert _listed(desk, SECRETARY) == []


def _refused_list(desk: Desk, caller: Caller, owner: str) -> str:
    return text(desk.simple(td0_4_list_records.soap, "patientList", caller, psOwnerId=owner), "status")


def _listed(desk: Desk, caller: Caller = DOCTOR, **fields: str) -> list[dict[str, str]]:
    nobody = replace(caller, patient_id=None)
    answer = desk.simple(td0_4_list_records.soap, "patientList", nobody, **fields)
    assert text(answer, "status") == "DMPOk"
    return [
        {etree.QName(field).localname: field.text or "" for field in one} for one in answer.iter("{*}patientlistData")
    ]


def _status(desk: Desk, **fields: str) -> str:
    return text(desk.simple(td0_4_list_records.soap, "patientList", **fields), "status")


def test_td1_6_lists_whom_the_holder_authorised_andblocked(desk: Desk) -> None:
    desk.opened()
    desk.authorise("AJOUT", role="MEDECIN_TRAITANT")
    blocked = Whom(id="801234567000", display="BLOQUE JEAN", speciality="G15_60")
    given = {"by": OPERATOR, "now": desk.now}
    desk.service.units.write(lambda unit: acts.block(desk.service.records, unit, PATIENT.key, blocked, **given))
    modes = {mode: _professionals(desk, mode) for mode in ("ACTIVE", "INTERDITE", "TOUTE")}
    assert modes == {
        "ACTIVE": [(DOCTOR.name, "G15_10/SM26", "MEDECIN_TRAITANT")],
        "INTERDITE": [("801234567000", "G15_60", "None")],
        "TOUTE": [("801234567000", "G15_60", "None"), (DOCTOR.name, "G15_10/SM26", "MEDECIN_TRAITANT")],
    }


def _professionals(desk: Desk, mode: str) -> list[tuple[str, str, str]]:
    answer = desk.simple(td1_6_list_authorizations.soap, "listAuthorizationByPatient", mode=mode)
    assert text(answer, "status") == "DMPOk"
    names = ("nationalId", "codeSpeciality", "specificRight")
    return [
        (text(one, names[0]), text(one, names[1]), text(one, names[2]))
        for one in answer.iter("{*}listOfAuthorizationByPatient")
    ]


def test_td0_5_a_regulator_finds_who_may_be_meant(desk: Desk) -> None:
    desk.opened()
    answer = desk.ask(td0_5_find_patient.soap, written.patient_search("durand", "anne"), REGULATOR)
    assert value(answer, "patient/*[local-name()='id']/@extension") == PATIENT.id
    assert value(answer, "queryMatchObservation/*[local-name()='value']/@value") == "100"
    answer = desk.ask(td0_5_find_patient.soap, written.patient_search("EXEMPLE", "Jean", "M", "19600101"), REGULATOR)
    assert value(answer, "queryMatchObservation/*[local-name()='value']/@value") == "42"
    answer = desk.ask(td0_5_find_patient.soap, written.patient_search("INCONNU"), REGULATOR)
    assert value(answer, "queryResponseCode/@code") == "NF"


def test_td0_5_is_for_regulators_alone(desk: Desk) -> None:
    desk.opened()
    for caller in (DOCTOR, replace(DOCTOR, purpose=PurposeOfUse.BREAK_GLASS)):
        answer = desk.ask(td0_5_find_patient.soap, written.patient_search(), caller)
        assert value(answer, "acknowledgementDetail/*[local-name()='code']/@code") == "DMPAccessDeniedByRightsService"
