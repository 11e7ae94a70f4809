"""A record lives by SOAP, as software drives it: created, authorised, fed, read, closed; every step is on record. DMP 3."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
import zeep
from lxml import etree

from access_policy.caller import PurposeOfUse
from access_policy.make_vihf import Vihf, make_vihf, security_header
from audit.record import Record
from carnet.clock import true_time
from carnet.pki import Use
from tests import messages, servers, sts
from tests.audit_store import Trail
from tests.builders import PATIENT, REPOSITORY, a_submission, a_submission_set, an_entry
from tests.hl7v3 import record_messages as written
from tests.messages import Answered
from tests.servers import Server
from xds.datatypes import Code
from xds.ebrim.read import read_document_entries
from xds.metadata import DocumentEntry

DMP = "/si-dmp-server/v2/services"
V3, HABILITATIONS, PATIENTS = "urn:hl7-org:v3", "urn:si-dmp-habilitations", "urn:si-dmp-patients"
CONSENT = written.observation("CONSENTEMENT_OUVERTURE_DMP", "true")
DOCTOR = sts.a_claim()
MASKED = Code(code="MASQUE_PS", coding_scheme="1.2.250.1.213.1.1.4.13", display_name="Masqué")
NURSE = sts.a_claim(subject=sts.NURSE.identifier, roles=(sts.NURSING,), display_name="KERGOAT MAËL")


@dataclass
class Software:
    """Software of one professional against one server."""

    server: Server
    claim: Vihf = DOCTOR
    said: list[str] = field(default_factory=list)

    def post(self, path: str, body: bytes, action: str) -> Answered:
        signer = sts.card()[Use.SIGNATURE]
        header = security_header(make_vihf(self.claim, signer.certificate, signer.key, now=datetime.now(UTC)))
        message = messages.envelope(body, action).replace(b"</e:Header>", header + b"</e:Header>")
        return messages.read(self.server.post(path, message, messages.simple_type(action)))

    def record(self, name: str, reason: str, path: str = "/xds/patients", **given: str) -> str:
        """AA, or the code of the refusal."""
        body = written.record_request(name, reason, ins=PATIENT.id, **given)
        answer = self.post(path, body, f"{V3}:{name}").body
        code = answer.findtext(".//{*}acknowledgementDetail/{*}code")
        codes = [str(one.get("code")) for one in answer.iterfind(".//{*}acknowledgementDetail/{*}code")]
        assert code is None or codes
        return codes[0] if codes else str(answer.find(".//{*}acknowledgement").get("typeCode"))

    def existence(self, path: str = "/xds/patients") -> tuple[str, str]:
        """(OK or NF, AUTORISATION)."""
        answer = self.post(path, written.record_query(ins=PATIENT.id), f"{V3}:PRPA_IN201307UV02").body
        found = answer.find(".//{*}queryResponseCode")
        value = answer.find(".//{*}attentionLine/{*}value")
        assert found is not None
        return str(found.get("code")), "" if value is None else str(value.get("code"))

    def authorise(self, action: str, path: str = "/xds/habilitations", **fields: str) -> str:
        inside = "".join(f"<{name}>{value}</{name}>" for name, value in {"action": action, **fields}.items())
        body = f'<setAuthorization xmlns="{HABILITATIONS}">{inside}</setAuthorization>'.encode()
        answer = self.post(path, body, f"{HABILITATIONS}:HabilitationsEndPoint:setAuthorization").body
        return str(answer.findtext("{*}status"))

    def listed(self) -> list[str]:
        body = f'<patientList xmlns="{PATIENTS}"/>'.encode()
        answer = self.post("/xds/patients", body, f"{PATIENTS}:PatientSpecificEndPoint:patientList").body
        return [str(one.findtext("{*}ins")) for one in answer.iter("{*}patientlistData")]

    def told(self, name: str) -> str | None:
        """A field of the one record that is listed."""
        body, action = f'<patientList xmlns="{PATIENTS}"/>'.encode(), f"{PATIENTS}:PatientSpecificEndPoint:patientList"
        [one] = self.post("/xds/patients", body, action).body.iter("{*}patientlistData")
        return one.findtext(f"{{*}}{name}")

    def found(self) -> int:
        return len(self.entries())

    def entries(self) -> tuple[DocumentEntry, ...]:
        slots = {
            "$XDSDocumentEntryPatientId": f"'{PATIENT.key}'",
            "$XDSDocumentEntryStatus": "('urn:oasis:names:tc:ebxml-regrep:StatusType:Approved')",
        }
        body = messages.query_body("urn:uuid:14d4debf-8f97-4251-9a74-a90016b0af0d", slots)
        return read_document_entries(self.post("/xds/registry", body, messages.QUERY_ACTION).envelope)

    def feed(self, *restrictions: Code) -> str:
        codes = (*an_entry().confidentiality_code, *restrictions)
        entry = an_entry(content=b"a report", confidentiality_code=codes)
        submission = a_submission(entry)
        documents = {entry.entry_uuid: messages.include("d@test")}
        signer = sts.card()[Use.SIGNATURE]
        header = security_header(make_vihf(self.claim, signer.certificate, signer.key, now=datetime.now(UTC)))
        root = messages.envelope(messages.provide_body(submission, documents), messages.PROVIDE)
        root = root.replace(b"</e:Header>", header + b"</e:Header>")
        message = messages.multipart(root, [("d@test", b"a report")])
        answered = messages.read(self.server.post("/xds/repository", message, messages.multipart_type()))
        self.said = answered.contexts
        return answered.status


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Server]:
    """Open, on loopback: whoever comes with a VIHF is taken at their word and judged by the policy."""
    database = request.getfixturevalue("postgresql_url") if request.param == "postgresql" else ""
    with servers.in_process(servers.settings_for(tmp_path, database, domain="dmp", audit="on")) as running:
        yield running


def test_a_record_lives_by_soap(server: Server) -> None:
    doctor, nurse = Software(server), Software(server, NURSE)
    assert doctor.existence() == ("NF", "")
    assert doctor.feed() == "Failure"
    assert doctor.record("PRPA_IN201311UV02", "CREA_RD", observations=CONSENT) == "AA"
    assert doctor.record("PRPA_IN201311UV02", "CREA_RD", observations=CONSENT) == "DMPFound"
    fed = doctor.feed()
    assert (fed, doctor.said) == ("Success", [])
    assert (doctor.found(), nurse.found()) == (1, 0)  # one's own needs no authorisation
    assert (nurse.authorise("AJOUT"), nurse.existence()) == ("DMPOk", ("OK", "VALIDE"))
    assert (nurse.found(), nurse.listed()) == (1, [PATIENT.id])
    assert (nurse.authorise("SUPPRESSION"), nurse.found()) == ("DMPOk", 0)
    assert doctor.record("PRPA_IN201314UV02", "FERM", status="terminated", closing="demande") == "AA"
    assert (doctor.found(), doctor.feed(), nurse.authorise("AJOUT")) == (
        0,
        "Failure",
        "DMPAccessDeniedByRightsService",
    )


def test_a_list_tells_when_a_document_was_added_that_its_reader_finds(server: Server) -> None:
    doctor, nurse = Software(server), Software(server, NURSE)
    doctor.record("PRPA_IN201311UV02", "CREA_RD", observations=CONSENT)
    for one in (doctor, nurse):
        one.authorise("AJOUT")
    assert nurse.told("lastAddDate") == ""
    assert doctor.feed(MASKED) == "Success"
    submitted = str(a_submission_set().submission_time)
    assert (doctor.told("lastAddDate"), nurse.told("lastAddDate")) == (submitted.ljust(14, "0"), "")


def test_a_list_tells_when_its_reader_retrieved_a_document_last(server: Server) -> None:
    """DMP 3 (TD0.4); what was only found was not read."""
    doctor, nurse = Software(server), Software(server, NURSE)
    doctor.record("PRPA_IN201311UV02", "CREA_RD", observations=CONSENT)
    for one in (doctor, nurse):
        one.authorise("AJOUT")
    doctor.feed()
    [entry] = nurse.entries()
    assert nurse.told("lastAccessDate") == ""
    body = messages.retrieve_body((REPOSITORY, str(entry.unique_id)))
    before = true_time()
    assert nurse.post("/xds/repository", body, messages.RETRIEVE).codes == []
    assert nurse.told("lastAccessDate") in {f"{one[:10]}0000" for one in (before, true_time())}
    assert doctor.told("lastAccessDate") == ""


def test_every_step_is_on_record_with_its_person(server: Server) -> None:
    trail, doctor = Trail(server), Software(server)
    doctor.existence()
    doctor.record("PRPA_IN201311UV02", "CREA_RD", observations=CONSENT)
    doctor.authorise("AJOUT")
    doctor.authorise("AJOUT", role="NEITHER")
    doctor.listed()
    told = [(one.type_codes[0].code, int(one.outcome), _patient(one)) for one in trail.records()]
    assert told == [
        ("TD0.2", 0, PATIENT.id),
        ("TD1.1", 0, PATIENT.id),
        ("TD0.3", 0, PATIENT.id),
        ("TD0.3", 8, PATIENT.id),
        ("TD0.4", 0, PATIENT.id),
    ]


def test_what_was_read_is_on_record_with_the_rule_that_let_it(server: Server) -> None:
    trail, doctor, nurse = Trail(server), Software(server), Software(server, NURSE)
    breaking = Software(server, replace(NURSE, purpose=PurposeOfUse.BREAK_GLASS, reason="inconscient"))
    doctor.record("PRPA_IN201311UV02", "CREA_RD", observations=CONSENT)
    assert doctor.feed() == "Success"
    for one, expected in ((doctor, 1), (nurse, 0), (breaking, 1)):
        assert one.found() == expected
    nurse.authorise("AJOUT")
    assert nurse.found() == 1
    rules = [
        [d.value.decode() for thing in one.objects for d in thing.details if d.type == "rule"]
        for one in trail.records()
        if one.type_codes[0].code == "ITI-18"
    ]
    assert [one[-1] for one in rules] == [
        "authorisation.none",  # one's own documents alone
        "authorisation.none",
        "opposition.break_glass",
        "authorisation.valid",
    ]


def _patient(record: Record) -> str:
    return next((one.id.partition("^")[0] for one in record.objects if one.is_patient), "")


def test_the_paths_and_the_wrong_actions_of_the_dmp_are_taken(server: Server) -> None:
    doctor = Software(server)
    assert doctor.record("PRPA_IN201311UV02", "CREA_RD", f"{DMP}/patients", observations=CONSENT) == "AA"
    assert doctor.authorise("AJOUT", f"{DMP}/habilitations") == "DMPOk"
    wrong = doctor.post(f"{DMP}/patients", written.record_query(ins=PATIENT.id), f"{V3}:PRPA_IN201308UV02")
    assert wrong.body.find(".//{*}queryResponseCode").get("code") == "OK"
    regulator = replace(DOCTOR, purpose=PurposeOfUse.REGULATION)
    search = Software(server, regulator).post(f"{DMP}/patientsPDQ", written.patient_search(), f"{V3}:PRPA_IN201305UV02")
    assert [one.get("extension") for one in search.body.iterfind(".//{*}patient/{*}id")] == [PATIENT.id]


@pytest.mark.parametrize("root", ["!.2.250.1.213.1.4.10", "1.2.250.1.213.1.4.", "urn:oid:1.2.3"])
def test_a_root_that_is_no_oid_identifies_nobody(server: Server, root: str) -> None:
    """And is no failure of the service. HL7 v3: II"""
    query = written.record_query(ins=PATIENT.id, root=root)
    answer = Software(server).post(f"{DMP}/patients", query, f"{V3}:PRPA_IN201307UV02")
    assert answer.fault == []
    assert answer.body.find(".//{*}acknowledgementDetail/{*}code").get("code") == "ins-malformed"


def test_a_client_made_from_the_descriptions_talks_to_the_server(server: Server) -> None:
    """zeep, with nothing but the two WSDLs; without assertion it is the open caller."""
    base = f"http://{server.settings.address}/xds"
    client = zeep.Client(f"{base}/habilitations?wsdl")
    answer = client.service.setAuthorization(action="AJOUT")
    assert answer.status == "ins-malformed"
    assert "expected the INS" in answer.context
    client = zeep.Client(f"{base}/patients?wsdl")
    assert client.service.patientList().status == "DMPOk"


def test_garbage_on_the_doors_of_records_is_refused_in_kind(server: Server) -> None:
    doctor = Software(server)
    empty = f'<PRPA_IN201307UV02 xmlns="{V3}"/>'.encode()
    answer = doctor.post("/xds/patients", empty, f"{V3}:PRPA_IN201307UV02").body
    assert answer.find("{*}acknowledgement").get("typeCode") == "AE"
    assert len(list(answer.iter("{*}acknowledgementDetail"))) > 3
    answer = doctor.post("/xds/patients", f'<PRPA_IN201314UV02 xmlns="{V3}"/>'.encode(), f"{V3}:PRPA_IN201314UV02").body
    assert answer.tag == "{asip:ci-sis:gdp:2010}PRPA_IN201314UV02_Response"
    assert etree.QName(answer[0]).localname == "PRPA_IN201316UV02"
