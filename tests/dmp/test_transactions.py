"""The record transactions of the DMP on messages as software sends them. DMP 3."""

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from typing import Any

import pytest
from lxml import etree

from access_policy.caller import OPEN_CALLER, AuthenticationMode, Caller, PurposeOfUse, Standing
from access_policy.record_facts import RecordState
from access_policy.tables import published
from dmp import (
    directory,
    life,
    td0_2_record_existence,
    td0_3_set_authorization,
    td0_4_list_records,
    td0_5_find_patient,
    td1_5_patient_access,
    td1_6_list_authorizations,
    td1_record_requests,
)
from dmp import rights as acts
from dmp.actor import OPERATOR
from dmp.record import HolderKind
from dmp.record_desk import RecordDesk
from dmp.records import Records
from dmp.rights import Whom
from dmp.sql import accounts, events, persons, records, rights
from schemas import resource
from storage.unit_of_work import UnitOfWork, Units
from tests.hl7v3 import record_messages as written
from xds.datatypes import CX, Code

NOW = "20260310093000"
G15, SPECIALITIES, SECTORS = "1.2.250.1.71.1.2.7", "1.2.250.1.71.4.2.5", "1.2.250.1.71.4.2.4"
PATIENT = CX.of(id=written.INS, authority=written.TEST_NIR)
OTHER = CX.of(id="158063523804153", authority=written.TEST_NIR)
DOCTOR = Caller(
    name="801234567897",
    display_name="SOIGNANT PAUL",
    roles=(Code(code="10", coding_scheme=G15), Code(code="SM26", coding_scheme=SPECIALITIES)),
    organisations=("1750000001",),
    sector=Code(code="SA07", coding_scheme=SECTORS),
    mode=AuthenticationMode.DIRECT,
    purpose=PurposeOfUse.NORMAL,
    purposes=(Code(code="normal", coding_scheme="1.2.250.1.213.1.1.4.248"),),
    patient_id=PATIENT,
)
NURSE = replace(DOCTOR, name="801234567898", roles=(Code(code="60", coding_scheme=G15),))
HOSPITAL = replace(DOCTOR, name="1750000001/service", mode=AuthenticationMode.INDIRECT)
SECRETARY = replace(
    DOCTOR,
    name="31750000001/secretary",
    roles=(Code(code="SECRETARIAT_MEDICAL", coding_scheme="1.2.250.1.213.1.1.4.6"),),
)
REGULATOR = replace(DOCTOR, purpose=PurposeOfUse.REGULATION, patient_id=None)
CONSENTS = written.observation("CONSENTEMENT_OUVERTURE_DMP", "true")
CREATE, REVISE = "PRPA_IN201311UV02", "PRPA_IN201314UV02"


class Desk:
    """The service with a clock that tests move, and the persons it told the registry of."""

    def __init__(self, units: Units) -> None:
        self.now, self.known = NOW, list[str]()
        self.service = RecordDesk(
            units=units,
            records=Records(),
            tables=published(),
            now=lambda: self.now,
            make_known=self._make_known,
        )

    def _make_known(self, _unit: UnitOfWork, patient: CX, _caller: Caller) -> None:
        self.known.append(patient.key)

    def ask(self, soap: Callable[..., bytes], message: bytes, caller: Caller = DOCTOR) -> etree._Element:
        asked = etree.fromstring(message)
        answer = etree.fromstring(soap(self.service, asked, caller))
        schema_of(answer).assertValid(answer)
        return answer

    def request(self, name: str, reason: str, caller: Caller = DOCTOR, **given: Any) -> tuple[str, str]:
        """(acknowledgement, code of its detail)."""
        answer = self.ask(td1_record_requests.soap, written.record_request(name, reason, **given), caller)
        code = answer.xpath("string(//*[local-name()='acknowledgementDetail']/*[local-name()='code']/@code)")
        return str(answer.xpath("string(//*[local-name()='acknowledgement']/@typeCode)")), str(code)

    def opened(self, **given: Any) -> "Desk":
        assert self.request(CREATE, "CREA_RD", **({"observations": CONSENTS} | given)) == ("AA", "")
        return self

    def simple(self, soap: Callable[..., bytes], name: str, caller: Caller = DOCTOR, **fields: str) -> etree._Element:
        inside = "".join(f"<{tag}>{value}</{tag}>" for tag, value in fields.items())
        return self.ask(soap, f'<{name} xmlns="urn:si-dmp-habilitations">{inside}</{name}>'.encode(), caller)

    def authorise(self, action: str, caller: Caller = DOCTOR, **fields: str) -> str:
        answer = self.simple(td0_3_set_authorization.soap, "setAuthorization", caller, action=action, **fields)
        return text(answer, "status")

    def existence(self, caller: Caller = DOCTOR) -> dict[str, str]:
        answer = self.ask(td0_2_record_existence.soap, written.record_query(), caller)
        return {
            "found": value(answer, "queryResponseCode/@code"),
            "authorised": value(answer, "attentionLine[*/@code='AUTORISATION']/*[2]/@code"),
            "treating": value(answer, "attentionLine[*/@code='STATUT_MT']/*[2]/@value"),
            "status": value(answer, "patient/*[local-name()='statusCode']/@code"),
        }

    def events(self) -> list[tuple[str, str]]:
        with self.service.units.read() as connection:
            record = records.find(connection, PATIENT.key)
            if record is None:
                found = events.of_nobody(connection, PATIENT.key)
            else:
                found = events.all_of(connection, record.key)
        return [(str(one.act), one.refusal) for one in found]


@cache
def _schema(name: str) -> etree.XMLSchema:
    return etree.XMLSchema(etree.parse(resource(f"xsd/{name}.xsd")))


def schema_of(answer: etree._Element) -> etree.XMLSchema:
    """The schema that the description of the service gives for an answer."""
    return _schema(
        {
            "urn:hl7-org:v3": "hl7v3_records",
            "asip:ci-sis:gdp:2010": "dmp_records",
            "urn:si-dmp-patients": "dmp_patients",
            "urn:si-dmp-habilitations": "dmp_habilitations",
        }[str(etree.QName(answer).namespace)]
    )


def value(answer: etree._Element, path: str) -> str:
    first, _, rest = path.partition("/")
    name, bracket, condition = first.partition("[")
    return str(answer.xpath(f"string(//*[local-name()='{name}']{bracket}{condition}/{rest})"))


def text(answer: etree._Element, tag: str) -> str:
    return str(answer.findtext(f"{{*}}{tag}"))


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


def _blocked(desk: Desk, name: str, kind: HolderKind = HolderKind.PROFESSIONAL) -> None:
    whom, given = Whom(id=name, kind=kind), {"by": OPERATOR, "now": desk.now}
    desk.service.units.write(lambda unit: acts.block(desk.service.records, unit, PATIENT.key, whom, **given))


def _administered(desk: Desk, caller: Caller) -> set[str]:
    """What TD1.2 to TD1.5 answer."""
    revised = {desk.request(REVISE, reason, caller)[1] for reason in ("FERM", "MODIF_DATA", "REAC")}
    access = desk.simple(td1_5_patient_access.soap, "createPatientAccess", caller, type="SMS", canal="0607080901")
    assert text(access, "password") == "None"
    return revised | {text(access, "status")}


def test_who_is_blocked_administers_nothing_and_is_told_no_credentials(desk: Desk) -> None:
    desk.opened()
    _blocked(desk, DOCTOR.name)
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
    _blocked(desk, DOCTOR.structure, HolderKind.STRUCTURE)
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


def test_td1_6_lists_whom_the_holder_authorised_and_blocked(desk: Desk) -> None:
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
