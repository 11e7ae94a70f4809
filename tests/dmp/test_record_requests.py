"""Existence, creation, data, closure and access of records: TD0.2, TD1.1 to TD1.5, as software sends them. DMP 3."""

from dataclasses import replace

import pytest

from access_policy.caller import OPEN_CALLER, AuthenticationMode, Caller, PurposeOfUse, Standing
from access_policy.record_facts import RecordState
from dmp import (
    life,
    td0_2_record_existence,
    td1_5_patient_access,
)
from dmp.actor import OPERATOR
from dmp.sql import accounts, persons, records
from storage.unit_of_work import Units
from tests.dmp.transaction_desk import CONSENTS, CREATE, DOCTOR, NURSE, PATIENT, REVISE, Desk, blocked, text, value
from tests.hl7v3 import record_messages as written
from xds.datatypes import CX

OTHER = CX.of(id="158063523804153", authority=written.TEST_NIR)
HOSPITAL = replace(DOCTOR, name="1750000001/service", mode=AuthenticationMode.INDIRECT)


@pytest.fixture
def desk(units: Units) -> Desk:
    return Desk(units)


def test_td0_2_a_record_is_not_found_open_authorised_and_closed(desk: Desk) -> None:
    assert desk.existence() == {"found": "NF", "authorised": "", "treating": "", "status": ""}
    desk.opened()
    assert desk.existence() == {"found": "OK", "authorised": "NON_EXISTE", "treating": "false", "status": "active"}
    assert desk.authorise("AJOUT") == "DMPOk"
    assert desk.existence()["authorised"] == "VALIDE"
    assert desk.existence(NURSE)["authorised"] == "NON_EXISTE"
    desk.now = "20270401000000"
    assert desk.existence()["authorised"] == "EXPIRE"
    assert desk.request(REVISE, "FERM", status="terminated", closing="demande du patient") == ("AA", "")
    assert (desk.existence()["found"], desk.existence()["status"]) == ("OK", "terminated")


def test_td0_2_only_the_person_of_the_assertion_is_answered(desk: Desk) -> None:
    message = written.record_query(ins=OTHER.id)
    answer = desk.ask(td0_2_record_existence.soap, message)
    assert value(answer, "acknowledgement/@typeCode") == "AE"
    assert value(answer, "acknowledgementDetail/*[local-name()='code']/@code") == "XDSPatientIdDoesNotMatch"
    assert value(desk.ask(td0_2_record_existence.soap, message, OPEN_CALLER), "queryResponseCode/@code") == "NF"


def test_td1_1_creation_keeps_what_was_said_and_makes_the_person_known(desk: Desk) -> None:
    desk.opened(observations=CONSENTS + written.observation("OPPOSITION_BRIS_DE_GLACE", "true"))
    assert desk.known == [PATIENT.key]
    with desk.service.units.read() as connection:
        record = records.find(connection, PATIENT.key)
        assert record is not None
        person = persons.find(connection, record.key)
    assert (record.channel, record.opened_by, record.opposes_break_glass) == ("psl", DOCTOR.name, True)
    assert person is not None
    assert (person.usual_family, person.address.city) == ("EXEMPLE", "Paris")
    assert desk.request(CREATE, "CREA_RD", observations=CONSENTS) == ("AE", "DMPFound")


@pytest.mark.parametrize(
    ("caller", "given", "code"),
    [
        (DOCTOR, {"observations": ""}, "consent-missing"),
        (DOCTOR, {"observations": written.observation("CONSENTEMENT_OUVERTURE_DMP", "false")}, "consent-missing"),
        (DOCTOR, {"ins": OTHER.id}, "XDSPatientIdDoesNotMatch"),
        (replace(DOCTOR, mode=AuthenticationMode.AIR), {}, "DMPAccessDeniedByRightsService"),
    ],
)
def test_td1_1_a_refused_creation_changes_nothing(desk: Desk, caller: Caller, given: dict[str, str], code: str) -> None:
    assert desk.request(CREATE, "CREA_RD", caller, **({"observations": CONSENTS} | given)) == ("AE", code)
    assert (desk.existence()["found"], desk.known) == ("NF", [])
    assert desk.events() == ([] if "ins" in given else [("open", code)])


def test_td1_1_a_wrong_key_of_the_ins_is_refused(desk: Desk) -> None:
    wrong = "258063523804187"
    caller = replace(DOCTOR, patient_id=CX.of(id=wrong, authority=written.TEST_NIR))
    answer = desk.request(CREATE, "CREA_RD", caller, ins=wrong, observations=CONSENTS)
    assert answer == ("AE", "ins-key-wrong")


def test_td1_1_may_be_left_to_automatic_opening(desk: Desk) -> None:
    desk.service = replace(desk.service, creation_by_software=False)
    assert desk.request(CREATE, "CREA_RD", observations=CONSENTS) == ("AE", "DMPAccessDeniedByRightsService")


def test_td1_4_and_td1_2_closing_and_reactivating(desk: Desk) -> None:
    again = {"observations": written.observation("CONSENTEMENT_REACTIVATION_DMP", "true")}
    assert desk.request(REVISE, "FERM", status="terminated") == ("AE", "record-not-found")
    desk.opened()
    assert desk.request(REVISE, "REAC", **again) == ("AE", "DMPFound")
    assert desk.request(REVISE, "FERM", status="terminated", closing="demande") == ("AA", "")
    assert desk.request(REVISE, "FERM", status="terminated") == ("AE", "DMPClosed")
    assert desk.request(CREATE, "CREA_RD", observations=CONSENTS) == ("AE", "DMPClosed")
    assert desk.request(REVISE, "REAC") == ("AE", "consent-missing")
    assert desk.request(REVISE, "REAC", **again) == ("AA", "")
    assert desk.existence()["status"] == "active"


def test_td1_3_administrative_data_are_changed_and_read(desk: Desk) -> None:
    desk.opened()
    moved = written.PERSON.replace("Paris", "Rouen")
    against = written.observation("OPPOSITION_ACCES_URGENCE", "true")
    assert desk.request(REVISE, "MODIF_DATA", person=moved, observations=against) == ("AA", "")
    answer = desk.ask(td0_2_record_existence.soap, written.record_query("CNSLT_DATA"))
    assert value(answer, "city/text()") == "Rouen"
    path = "administrativeObservation[*/@code='OPPOSITION_ACCES_URGENCE']/*[local-name()='value']/@value"
    assert value(answer, path) == "true"
    existence = desk.ask(td0_2_record_existence.soap, written.record_query())
    assert value(existence, path) == ""


def test_td1_3b_a_day_of_birth_that_is_put_right_says_who_is_a_minor(desk: Desk) -> None:
    desk.opened()
    young = written.PERSON.replace("19580617", "20200617")
    assert young != written.PERSON
    assert desk.request(REVISE, "MODIF_DATA", person=young) == ("AA", "")
    with desk.service.units.read() as connection:
        assert desk.service.facts(connection, DOCTOR, PATIENT.key).holder_is_minor


def test_records_that_mon_espace_sante_reaches_are_not_changed_by_software(desk: Desk) -> None:
    desk.opened()
    with desk.service.units.read() as connection:
        record = records.find(connection, PATIENT.key)
    assert record is not None
    desk.service.units.write(lambda unit: records.save(unit.connection, replace(record, is_attached=True)))
    for reason in ("FERM", "MODIF_DATA"):
        assert desk.request(REVISE, reason) == ("AE", "DMPAccessDeniedByRightsService")
    desk.service = replace(desk.service, attached_may_change=True)
    assert desk.request(REVISE, "MODIF_DATA") == ("AA", "")


def _administered(desk: Desk, caller: Caller) -> set[str]:
    """What TD1.2 to TD1.5 answer."""
    revised = {desk.request(REVISE, reason, caller)[1] for reason in ("FERM", "MODIF_DATA", "REAC")}
    access = desk.simple(td1_5_patient_access.soap, "createPatientAccess", caller, type="SMS", canal="0607080901")
    assert text(access, "password") == "None"
    return revised | {text(access, "status")}


def test_who_isblocked_administers_nothing_and_is_told_no_credentials(desk: Desk) -> None:
    desk.opened()
    blocked(desk, DOCTOR.name)
    assert _administered(desk, DOCTOR) == {"DMPAccessDeniedByRightsService"}
    assert desk.existence(NURSE)["status"] == "active"
    assert desk.events()[-1] == ("change_access", "DMPAccessDeniedByRightsService")


@pytest.mark.parametrize("purpose", [PurposeOfUse.BREAK_GLASS, PurposeOfUse.REGULATION])
def test_nobody_administers_a_record_in_an_emergency(desk: Desk, purpose: PurposeOfUse) -> None:
    desk.opened()
    assert _administered(desk, replace(DOCTOR, purpose=purpose)) == {"DMPAccessDeniedByRightsService"}


def test_s02_a_person_who_asks_online_has_a_record_of_the_channel_internet(desk: Desk) -> None:
    holder = replace(HOSPITAL, name=PATIENT.key, standing=Standing.PATIENT)
    assert desk.request(CREATE, "CREA_RD", holder, observations=CONSENTS) == ("AA", "")
    with desk.service.units.read() as connection:
        record = records.find(connection, PATIENT.key)
    assert record is not None
    assert (record.channel, record.opened_by) == ("internet", PATIENT.key)


def test_td1_1_comes_in_no_secret_connection(desk: Desk) -> None:
    """EX_0.1-1100"""
    secret = replace(DOCTOR, is_secret_connection=True)
    assert desk.request(CREATE, "CREA_RD", secret, observations=CONSENTS) == ("AE", "field-malformed")


def test_td1_1_opens_a_new_record_after_an_erasure(desk: Desk) -> None:
    desk.opened()
    assert desk.request(REVISE, "FERM", status="terminated") == ("AA", "")
    desk.now = "20370101000000"
    given = {"by": OPERATOR, "now": desk.now}
    desk.service.units.write(lambda unit: life.erase(desk.service.records, unit, PATIENT.key, **given))
    assert desk.existence()["found"] == "NF"
    assert desk.request(CREATE, "CREA_RD", observations=CONSENTS) == ("AA", "")


def test_td1_5_the_account_of_the_holder_its_channels_and_new_credentials(desk: Desk) -> None:
    desk.opened()
    soap = td1_5_patient_access.soap
    first = desk.simple(soap, "createPatientAccess", type="EMAIL", canal="anne@example.org")
    assert text(first, "status") == "DMPOk"
    again = desk.simple(soap, "createPatientAccess", type="EMAIL", canal="anne@example.org")
    assert text(again, "status") == "DMPPatientAccessAlreadyExists"
    fields = {"type": "SMS", "canal": "0607080901"}
    assert text(desk.simple(soap, "patientOTPUpdate", **fields, action="MODIFICATION"), "status") != "DMPOk"
    assert text(desk.simple(soap, "patientOTPUpdate", **fields, action="AJOUT"), "status") == "DMPOk"
    twice = desk.simple(soap, "patientOTPUpdate", **fields, action="AJOUT")
    assert text(twice, "status") == "DMPPatientAccessOTPAlreadyExists"
    second = desk.simple(soap, "updatePatientAccess")
    with desk.service.units.read() as connection:
        record = records.find(connection, PATIENT.key)
        assert record is not None
        account = accounts.find(connection, record.key)
        channels = accounts.channels(connection, record.key)
    assert account is not None
    assert (account.login, channels) == (
        text(second, "login"),
        {"EMAIL": "anne@example.org", "SMS": "0607080901"},
    )
    assert account.accepts(text(second, "password"))
    assert not account.accepts(text(first, "password"))
    assert desk.existence()["status"] == "active"


def test_every_state_but_open_refuses_what_needs_an_open_record(desk: Desk) -> None:
    desk.opened()
    desk.request(REVISE, "FERM", status="terminated")
    assert desk.authorise("AJOUT") == "DMPAccessDeniedByRightsService"
    answer = desk.ask(td0_2_record_existence.soap, written.record_query("CNSLT_DATA"))
    assert value(answer, "acknowledgement/@typeCode") == "AE"
    with desk.service.units.read() as connection:
        record = records.find(connection, PATIENT.key)
    assert record is not None
    assert record.state is RecordState.CLOSED
