"""Bad input on records, over HTTP: the named error, nothing changed, and on record. DMP 4, 6, 12.3, 13"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from access_policy.caller import AuthenticationMode
from carnet.registry_wiring import open_registry
from dmp import life, rights
from dmp.actor import OPERATOR
from dmp.record import Record
from dmp.records import Records
from dmp.rights import Whom
from dmp.sql import events, records
from tests import messages, servers, sts
from tests.audit_store import Trail
from tests.builders import OTHER_PATIENT, PATIENT, REPOSITORY, an_entry
from tests.dmp.askers import PROFESSIONALS
from tests.dmp.doors import STATUSES, Doors, over_network
from tests.dmp.people import Desk
from tests.flows.test_record_transactions import CONSENT, DOCTOR, NURSE, V3, Software
from tests.hl7v3 import record_messages as written
from tests.servers import Server
from xds.datatypes import CX, Code

G15 = "1.2.250.1.71.1.2.7"
PATIENT_ROLE = (Code(code="EXP_PATIENT", coding_scheme="1.2.250.1.213.1.1.4.6"),)
REPRESENTATIVE = replace(
    DOCTOR,
    subject=str(OTHER_PATIENT),
    roles=PATIENT_ROLE,
    mode=AuthenticationMode.INDIRECT,
    display_name="MARCHAL LISE",
)


@dataclass
class Office:
    """A server, the record of the patient on it, and what is on record."""

    server: Server
    trail: Trail

    def records(self) -> tuple[Record | None, list[tuple[str, str]]]:
        """The record, and (act, refusal) of its events."""
        registry = open_registry(self.server.registry_settings)
        try:
            with registry.units.read() as connection:
                record = records.find(connection, PATIENT.key)
                nobody = events.of_nobody(connection, PATIENT.key)
                found = nobody if record is None else events.all_of(connection, record.key)
                return record, [(str(one.act), one.refusal) for one in found]
        finally:
            registry.units.close()

    def told(self) -> list[tuple[str, int, str]]:
        """(event, outcome, description) of the audit records."""
        return [(one.type_codes[0].code, int(one.outcome), one.description) for one in self.trail.records()]

    def act(self, function: object, *given: object, now: str) -> None:
        registry = open_registry(self.server.registry_settings)
        try:
            Desk(registry.units, Records(), now=now).act(function, PATIENT.key, *given, by=OPERATOR)  # type: ignore[arg-type]
        finally:
            registry.units.close()


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def office(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Office]:
    database = request.getfixturevalue("postgresql_url") if request.param == "postgresql" else ""
    with servers.in_process(servers.settings_for(tmp_path, database, domain="dmp", audit="on")) as running:
        Software(running).record("PRPA_IN201311UV02", "CREA_RD", observations=CONSENT)
        yield Office(running, Trail(running, with_node=True))


@pytest.mark.parametrize(
    "roles",
    [
        pytest.param((Code(code="999", coding_scheme=G15),), id="unknown profession"),
        pytest.param((Code(code="10", coding_scheme=G15),), id="absent second role"),
    ],
)
def test_a_caller_of_no_known_quality_is_refused(office: Office, roles: tuple[Code, ...]) -> None:
    before = office.records()
    caller = Software(office.server, replace(DOCTOR, roles=roles))
    body = messages.query_body(messages.GET_DOCUMENTS, {"$XDSDocumentEntryUniqueId": "('2.25.1')"})
    assert caller.post("/xds/registry", body, messages.QUERY_ACTION).fault[-1].endswith("FailedAuthentication")
    assert office.records() == before
    [refusal] = [description for _, outcome, description in office.told() if outcome == 8]
    assert "JDV_J65" in refusal or "second value" in refusal


def test_an_authorisation_that_expired_opens_nothing(office: Office) -> None:
    doctor, nurse = Software(office.server), Software(office.server, NURSE)
    assert doctor.feed() == "Success"
    office.act(rights.authorise, Whom(id=sts.NURSE.identifier), now="20200310100000")
    before = office.records()
    assert (nurse.existence(), nurse.found()) == (("OK", "EXPIRE"), 0)
    body = messages.retrieve_body((REPOSITORY, "2.25.1"))
    assert nurse.post("/xds/repository", body, messages.RETRIEVE).codes == ["XDSDocumentUniqueIdError"]
    assert office.records() == before
    assert ("ITI-43", 8, "XDSDocumentUniqueIdError") in office.told()


def test_a_closed_record_takes_and_shows_nothing(office: Office) -> None:
    doctor = Software(office.server)
    doctor.feed()
    office.act(life.close, now="20300310100000")
    record, acts = office.records()
    assert (doctor.feed(), doctor.found()) == ("Failure", 0)
    assert "record.closed" in doctor.said[0]
    assert doctor.authorise("AJOUT") == "DMPAccessDeniedByRightsService"
    assert office.records() == (record, [*acts, ("authorise", "DMPAccessDeniedByRightsService")])
    assert ("ITI-41", 8, "LocalPolicyRestrictionError record.closed") in office.told()


def test_an_ins_with_a_wrong_key_opens_nothing(office: Office) -> None:
    person = CX(str(PATIENT).replace("279035121518989", "279035121518901"))
    caller = Software(office.server, replace(DOCTOR, patient_id=person))
    before = office.records()
    creation = written.record_request("PRPA_IN201311UV02", "CREA_RD", ins=person.id, observations=CONSENT)
    answer = caller.post("/xds/patients", creation, f"{V3}:PRPA_IN201311UV02").body
    assert answer.find(".//{*}acknowledgementDetail/{*}code").get("code") == "ins-key-wrong"
    assert office.records() == before
    assert ("TD1.1", 8, "ins-key-wrong") in office.told()


def test_a_representative_of_nobody_is_told_nothing_and_changes_nothing(office: Office) -> None:
    doctor, stranger = Software(office.server), Software(office.server, REPRESENTATIVE)
    doctor.feed()
    record, acts = office.records()
    assert (stranger.existence()[0], stranger.found(), stranger.feed()) == ("AE", 0, "Failure")
    assert "holder.representative" in " ".join(stranger.said)
    closing = stranger.record("PRPA_IN201314UV02", "FERM", status="terminated", closing="demande")
    assert closing == "not-a-representative"
    assert office.records() == (record, [*acts, ("close", "not-a-representative")])
    assert ("TD1.4", 8, "not-a-representative") in office.told()


@pytest.mark.parametrize("code", ["XDSRegistryError", "XDSPatientIdDoesNotMatch"])
def test_the_code_for_another_patient_than_the_assertions_is_a_setting(tmp_path: Path, code: str) -> None:
    """ITI TF-2: 3.40.4.1.2.2.1 has the first, DMP 6.5 the second; a FHIR search finds nothing with either."""
    settings = servers.settings_for(tmp_path, other_patient_error=code)
    servers.know_patients(settings)
    asker = next(one for one in PROFESSIONALS if one.label == "doctor")
    with servers.in_process(settings) as server:
        doors = Doors(over_network(server))
        slots = {"XDSDocumentEntryPatientId": f"'{OTHER_PATIENT.key}'"}
        slots |= {"XDSDocumentEntryStatus": f"('{STATUSES['approved']}')"}
        assert doors.query(asker, PATIENT.id, messages.FIND_DOCUMENTS, **slots).codes == [code]
        assert code in doors.feed(asker, PATIENT.id, an_entry(patient_id=OTHER_PATIENT)).codes
        path = f"/DocumentReference?patient.identifier=urn:oid:{OTHER_PATIENT.authority}|{OTHER_PATIENT.id}"
        status, outcome = doors.fhir(asker, PATIENT.id, path)
        assert (status, outcome["total"]) == (200, 0)
