"""Callers that prove themselves by certificate and assertion, over HTTP: who gets in, and what they reach."""

import base64
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from wsgiref.types import WSGIEnvironment

import pytest
from lxml import etree

from access_policy.caller import AuthenticationMode
from access_policy.make_vihf import make_vihf, security_header
from access_policy.security_header import SAML
from carnet.pki import Credential, Igc, Use, issue_card, issue_structure, make_igc
from carnet.pki_folder import revoke, write_igc
from storage.assertion_uses import StoredAssertionUses
from storage.unit_of_work import StorageFailed
from tests import messages, servers, sts
from tests.audit_store import Trail
from tests.builders import OTHER_PATIENT, PATIENT, a_status_update, a_submission, an_entry
from tests.messages import Answered
from tests.servers import Server

NOW = datetime.now(UTC).replace(microsecond=0)
CERTIFICATE = "X-Test-Client-Certificate"
CONSTANT = "the security header of the message is not accepted"
WSSE = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd"
FIND = {
    "$XDSDocumentEntryPatientId": f"'{PATIENT.key}'",
    "$XDSDocumentEntryStatus": "('urn:oasis:names:tc:ebxml-regrep:StatusType:Approved')",
}


def peer_certificate(environ: WSGIEnvironment) -> bytes | None:
    """What a proxy or the TLS socket would tell."""
    text = environ.get("HTTP_X_TEST_CLIENT_CERTIFICATE")
    return base64.b64decode(text) if text else None


@dataclass(frozen=True)
class World:
    """A server that asks for proof, and those who have some."""

    server: Server
    pki: Path
    igc: Igc
    card: dict[Use, Credential]
    nurse: dict[Use, Credential]
    clinic: dict[Use, Credential]

    def vihf(self, **changes: Any) -> etree._Element:
        claim = sts.a_claim(**changes)
        signer = self.card[Use.SIGNATURE] if claim.mode is AuthenticationMode.DIRECT else self.clinic[Use.SEAL]
        return make_vihf(claim, signer.certificate, signer.key, now=datetime.now(UTC))

    def post(
        self,
        path: str,
        body: bytes,
        action: str,
        assertion: etree._Element | None,
        client: Credential | None,
        **kind: Any,
    ) -> Answered:
        header = b"" if assertion is None else security_header(assertion)
        message = messages.envelope(body, action).replace(b"</e:Header>", header + b"</e:Header>")
        assert header in message
        content_type = messages.simple_type(action)
        if kind.get("parts"):
            message, content_type = messages.multipart(message, kind["parts"]), messages.multipart_type()
        headers = {"Content-Type": content_type}
        if client is not None:
            headers[CERTIFICATE] = base64.b64encode(client.der).decode()
        return messages.read(self.server.request("POST", path, message, headers))

    def find(self, assertion: etree._Element | None, client: Credential | None, patient: str = "") -> Answered:
        slots = FIND | ({"$XDSDocumentEntryPatientId": f"'{patient}'"} if patient else {})
        body = messages.query_body(messages.FIND_DOCUMENTS, slots, "LeafClass")
        return self.post("/xds/registry", body, messages.QUERY_ACTION, assertion, client)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("proved")
    igc = make_igc(now=NOW - timedelta(days=1))
    write_igc(folder / "pki", igc, now=NOW - timedelta(hours=1))
    settings = servers.settings_for(
        folder / "data", security="mtls", audit_reserve_mb=1, trust=str(folder / "pki" / "trust")
    )
    with servers.in_process(settings, peer_certificate) as server:
        servers.know_patients(settings)
        yield World(
            server=server,
            pki=folder / "pki",
            igc=igc,
            card=issue_card(igc, sts.DOCTOR, now=NOW),
            nurse=issue_card(igc, sts.NURSE, now=NOW),
            clinic=issue_structure(igc, sts.CLINIC, now=NOW),
        )


@contextmanager
def a_second_server(world: World, **changes: Any) -> Iterator[Server]:
    """Another process on the same data: here a second application with its own memory."""
    settings = replace(world.server.settings, port=servers.free_port(), **changes)
    with servers.in_process(settings, peer_certificate) as server:
        yield server


def submit(world: World, assertion: etree._Element | None, client: Credential | None, **changes: Any) -> Answered:
    entry = an_entry(content=b"<ClinicalDocument/>", **changes)
    submission = a_submission(entry, patient_id=entry.patient_id)
    body = messages.provide_body(submission, {"Document01": messages.include("d@test")})
    parts = [("d@test", b"<ClinicalDocument/>")]
    return world.post("/xds/repository", body, messages.PROVIDE, assertion, client, parts=parts)


def test_a_professional_feeds_finds_and_retrieves_with_one_assertion(world: World) -> None:
    assertion, client = world.vihf(), world.card[Use.AUTHENTICATION]
    unique_id = "2.25.4711001"
    assert submit(world, assertion, client, unique_id=unique_id).status == "Success"
    assert world.find(assertion, client).status == "Success"
    body = messages.retrieve_body(("1.2.250.1.213.4.1.1.1.2", unique_id))
    answered = world.post("/xds/repository", body, messages.RETRIEVE, assertion, client, parts=[])
    assert answered.status == "Success"


def test_what_a_professional_did_is_on_record_with_identity_roles_and_purpose(world: World) -> None:
    trail = Trail(world.server)
    assert world.find(world.vihf(), world.card[Use.AUTHENTICATION]).status == "Success"
    (record,) = trail.records()
    client, _, human = record.participants
    assert client.user_id == world.card[Use.AUTHENTICATION].certificate.subject.rfc4514_string()
    assert (client.network, human.is_requestor) == ("127.0.0.1", True)
    assert human.user_name == f"<{human.user_id}@{issuer_of(world.vihf())}>"
    assert human.roles
    assert record.purposes
    assert (record.patient, int(record.outcome)) == (PATIENT.key, 0)


def test_who_names_documents_and_no_patient_is_on_record_with_the_patient_of_the_proof(world: World) -> None:
    """Else a reader could choose not to be in the journal."""
    trail, client = Trail(world.server), world.card[Use.AUTHENTICATION]
    body = messages.query_body(messages.GET_DOCUMENTS, {"$XDSDocumentEntryUniqueId": "('2.25.4711001')"}, "LeafClass")
    assert world.post("/xds/registry", body, messages.QUERY_ACTION, world.vihf(), client).status == "Success"
    token = base64.urlsafe_b64encode(etree.tostring(world.vihf())).decode()
    headers = {"Authorization": f"Bearer {token}", CERTIFICATE: base64.b64encode(client.der).decode()}
    for path in ("DocumentReference?_id=x", "List?_id=x&code=submissionset", "DocumentReference?status=current"):
        world.server.request("GET", f"/fhir/{path}", headers=headers)
    world.server.request("POST", "/fhir", b"{", headers | {"Content-Type": "application/fhir+json"})
    found = [(one.type_codes[0].code, one.patient) for one in trail.records()]
    asked = ("ITI-18", "ITI-67", "ITI-66", "ITI-67", "ITI-65")
    assert found == [(one, PATIENT.key) for one in asked]


def issuer_of(assertion: etree._Element) -> str:
    return str(assertion.findtext(f"{{{SAML}}}Issuer"))


def test_a_refused_assertion_is_on_record_once_with_the_check_that_failed(world: World) -> None:
    trail = Trail(world.server, with_node=True)
    for name, (assertion, client) in refusals(world).items():
        world.find(assertion, client)
        (record,) = trail.records()
        found = (record.event_id.code, record.type_codes[0].code, int(record.outcome))
        assert (name, found) == (name, ("110114", "110122", 8))
        assert record.description
        assert [one.code for one in record.type_codes] == ["110122", "ITI-18"]
        claimed = [one for one in record.participants if [role.code for role in one.roles] == ["not-verified"]]
        assert [one.user_id for one in claimed] == ([] if assertion is None else [name_of(assertion)])


def name_of(assertion: etree._Element) -> str:
    return str(assertion.findtext(f"{{{SAML}}}Subject/{{{SAML}}}NameID"))


@pytest.mark.parametrize("mode", [AuthenticationMode.INDIRECT, AuthenticationMode.AIR])
def test_a_structure_asks_for_its_user(world: World, mode: AuthenticationMode) -> None:
    assertion = world.vihf(mode=mode, display_name="ÉLISE VILLARD", subject="3690000014/evillard")
    assert world.find(assertion, world.clinic[Use.AUTHENTICATION]).status == "Success"


def test_air_reads_but_never_feeds(world: World) -> None:
    assertion = world.vihf(mode=AuthenticationMode.AIR, display_name="ÉLISE VILLARD")
    answered = submit(world, assertion, world.clinic[Use.AUTHENTICATION])
    assert (answered.codes, answered.contexts) == (["XDSRegistryError"], ["the caller may not do this"])


def refusals(world: World) -> dict[str, tuple[etree._Element | None, Credential | None]]:
    client = world.card[Use.AUTHENTICATION]
    tampered = world.vihf()
    tampered.find(f".//{{{SAML}}}NameID").text = "801234567898"
    stranger = issue_card(make_igc(now=NOW), sts.DOCTOR, now=NOW)[Use.SIGNATURE]
    expired = sts.a_claim(life=timedelta(minutes=5))
    signer = world.card[Use.SIGNATURE]
    return {
        "no certificate": (world.vihf(), None),
        "tampered": (tampered, client),
        "unknown authority": (make_vihf(sts.a_claim(), stranger.certificate, stranger.key, now=NOW), client),
        "expired": (make_vihf(expired, signer.certificate, signer.key, now=NOW - timedelta(minutes=10)), client),
        "other card": (world.vihf(), world.nurse[Use.AUTHENTICATION]),
        "attribute": (world.vihf(version="1.0"), client),
        "audience": (world.vihf(audience="https://ailleurs.example/"), client),
    }


def test_every_cause_has_one_answer(world: World) -> None:
    answers, times = {}, {}
    for name, proof in refusals(world).items():
        began = time.monotonic()
        answers[name] = world.find(*proof)
        times[name] = time.monotonic() - began
    bodies = {name: etree.tostring(one.body) for name, one in answers.items()}
    assert set(bodies.values()) == {bodies["expired"]}, bodies
    assert {one.response.status for one in answers.values()} == {400}
    assert min(times.values()) >= 0.025, times
    assert answers["expired"].fault == ["env:Sender", "s:FailedAuthentication"]
    assert CONSTANT.encode() in bodies["expired"]
    assert answers["expired"].action == "http://www.w3.org/2005/08/addressing/soap/fault"


def test_a_message_without_assertion_is_refused(world: World) -> None:
    answered = world.find(None, world.card[Use.AUTHENTICATION])
    assert (answered.response.status, answered.fault) == (400, ["env:Sender", "s:InvalidSecurity"])


def test_the_dmp_says_that_the_signer_has_no_signature_certificate(world: World) -> None:
    client = world.card[Use.AUTHENTICATION]
    assertion = make_vihf(sts.a_claim(), client.certificate, client.key, now=NOW)
    assert world.find(assertion, client).fault == ["env:Sender", "DMPInvalidCertificate"]


def test_a_refused_submission_keeps_nothing(world: World) -> None:
    kept = list((Path(world.server.settings.data) / "documents").rglob("*"))
    answered = submit(world, None, world.card[Use.AUTHENTICATION])
    assert answered.fault == ["env:Sender", "s:InvalidSecurity"]
    assert list((Path(world.server.settings.data) / "documents").rglob("*")) == kept


def test_the_patient_of_the_assertion_bounds_reading_and_feeding(world: World) -> None:
    client = world.card[Use.AUTHENTICATION]
    other = world.find(world.vihf(), client, patient=OTHER_PATIENT.key)
    assert other.codes == ["XDSRegistryError"]
    fed = submit(world, world.vihf(), client, patient_id=OTHER_PATIENT)
    assert fed.codes == ["XDSRegistryError"]
    assert other.contexts == fed.contexts


def test_a_document_of_another_patient_does_not_exist_for_the_caller(world: World) -> None:
    client, unique_id = world.card[Use.AUTHENTICATION], "2.25.4711002"
    about_other = world.vihf(patient_id=OTHER_PATIENT)
    assert submit(world, about_other, client, unique_id=unique_id, patient_id=OTHER_PATIENT).status == "Success"
    body = messages.query_body(messages.GET_DOCUMENTS, {"$XDSDocumentEntryUniqueId": f"('{unique_id}')"}, "ObjectRef")
    mine = world.post("/xds/registry", body, messages.QUERY_ACTION, world.vihf(), client)
    theirs = world.post("/xds/registry", body, messages.QUERY_ACTION, about_other, client)
    assert [one.status for one in (mine, theirs)] == ["Success", "Success"]
    assert [len(one.body.findall(".//{*}ObjectRef")) for one in (mine, theirs)] == [0, 1]
    retrieve = messages.retrieve_body(("1.2.250.1.213.4.1.1.1.2", unique_id))
    absent = messages.retrieve_body(("1.2.250.1.213.4.1.1.1.2", "2.25.4711009"))
    refused, unknown = (
        world.post("/xds/repository", one, messages.RETRIEVE, world.vihf(), client, parts=[])
        for one in (retrieve, absent)
    )
    assert refused.codes == unknown.codes == ["XDSDocumentUniqueIdError"]


def test_an_update_of_another_patients_document_is_refused(world: World) -> None:
    client, about_other = world.card[Use.AUTHENTICATION], world.vihf(patient_id=OTHER_PATIENT)
    submit(world, about_other, client, unique_id="2.25.4711003", patient_id=OTHER_PATIENT)
    body = messages.query_body(messages.GET_DOCUMENTS, {"$XDSDocumentEntryUniqueId": "('2.25.4711003')"}, "ObjectRef")
    found = world.post("/xds/registry", body, messages.QUERY_ACTION, about_other, client)
    target = found.body.find(".//{*}ObjectRef").get("id")
    update = messages.write_submit_objects_request(a_status_update(target, "Approved", "Deprecated").objects)
    answered = world.post("/xds/registry", update, messages.UPDATE, world.vihf(), client)
    assert answered.codes == ["UnresolvedReferenceException"]


def test_transactions_that_no_assertion_opens_are_refused(world: World) -> None:
    body = (
        f'<l:RemoveObjectsRequest xmlns:l="{messages.LCM}" xmlns:r="{messages.RIM}"><r:ObjectRefList>'
        '<r:ObjectRef id="urn:uuid:6d1f1b7e-7d4b-4b6c-8f0e-0a4c6d1f1b7e"/></r:ObjectRefList></l:RemoveObjectsRequest>'
    ).encode()
    client = world.card[Use.AUTHENTICATION]
    answered = world.post("/xds/registry", body, messages.REMOVE_METADATA, world.vihf(), client)
    assert answered.contexts == ["the caller may not do this"]


def test_a_patient_feed_that_no_assertion_opens_gets_a_fault(world: World) -> None:
    name = "PRPA_IN201301UV02"
    body = f'<v:{name} xmlns:v="urn:hl7-org:v3" ITSVersion="XML_1.0"/>'.encode()
    answered = world.post("/xds/patients", body, f"urn:hl7-org:v3:{name}", world.vihf(), world.card[Use.AUTHENTICATION])
    assert (answered.response.status, answered.fault) == (400, ["env:Sender"])
    assert answered.body.findtext(".//{*}Text") == "the caller may not do this"


def test_fhir_asks_for_a_token(world: World) -> None:
    answer = world.server.request("GET", f"/fhir/DocumentReference?patient.identifier={PATIENT.id}")
    assert (answer.status, answer.headers["www-authenticate"]) == (401, "Bearer")


def test_the_same_client_may_use_an_assertion_again_another_may_not(world: World) -> None:
    assertion = world.vihf()
    assert [world.find(assertion, world.card[Use.AUTHENTICATION]).status for _ in range(2)] == ["Success"] * 2
    assert world.find(assertion, world.nurse[Use.AUTHENTICATION]).fault[1] == "s:FailedAuthentication"


def test_the_memory_of_assertions_is_shared_and_survives_a_restart(world: World) -> None:
    """The other client renewed its card: same holder, other certificate, so that only the memory refuses it."""
    assertion, renewed = world.vihf(), issue_card(world.igc, sts.DOCTOR, now=NOW)[Use.AUTHENTICATION]
    assert world.find(assertion, world.card[Use.AUTHENTICATION]).status == "Success"
    with a_second_server(world) as second:
        elsewhere = replace(world, server=second)
        assert elsewhere.find(assertion, renewed).fault[1] == "s:FailedAuthentication"
        assert elsewhere.find(assertion, world.card[Use.AUTHENTICATION]).status == "Success"


def test_never_refuses_the_second_use(world: World) -> None:
    assertion, client = world.vihf(), world.card[Use.AUTHENTICATION]
    with a_second_server(world, assertion_reuse="never") as strict:
        elsewhere = replace(world, server=strict)
        assert elsewhere.find(assertion, client).status == "Success"
        assert elsewhere.find(assertion, client).fault[1] == "s:FailedAuthentication"


def test_a_revoked_card_gets_nowhere_once_the_list_is_read(world: World) -> None:
    gone = issue_card(world.igc, sts.DOCTOR, now=NOW)
    revoke(world.pki, gone[Use.SIGNATURE].certificate, now=NOW)
    assertion = make_vihf(sts.a_claim(), gone[Use.SIGNATURE].certificate, gone[Use.SIGNATURE].key, now=NOW)
    with a_second_server(world) as second:
        elsewhere = replace(world, server=second)
        assert elsewhere.find(assertion, world.card[Use.AUTHENTICATION]).fault[1] == "s:FailedAuthentication"
        assert elsewhere.find(world.vihf(), world.card[Use.AUTHENTICATION]).status == "Success"


def test_what_was_wrong_stays_out_of_the_answer_and_the_claims_out_of_the_log(
    world: World, capfd: pytest.CaptureFixture[str]
) -> None:
    world.find(world.vihf(version="1.0"), world.card[Use.AUTHENTICATION])
    told = capfd.readouterr()
    assert PATIENT.id not in told.out + told.err


def test_a_database_that_cannot_note_a_use_lets_nobody_in(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object, **__: object) -> None:
        raise StorageFailed("no space left")

    monkeypatch.setattr(StoredAssertionUses, "first_client", fails)
    client = world.card[Use.AUTHENTICATION]
    body = messages.query_body(messages.FIND_DOCUMENTS, FIND, "LeafClass")
    message = messages.envelope(body, messages.QUERY_ACTION)
    message = message.replace(b"</e:Header>", security_header(world.vihf()) + b"</e:Header>")
    headers = {
        "Content-Type": messages.simple_type(messages.QUERY_ACTION),
        CERTIFICATE: base64.b64encode(client.der).decode(),
    }
    answer = world.server.request("POST", "/xds/registry", message, headers)
    assert (answer.status, "retry-after" in answer.headers) == (503, True)
    assert b"unexpected" not in answer.body


def test_wrapped_messages_get_the_constant_answer_at_the_door(world: World) -> None:
    forged, signed = world.vihf(), world.vihf()
    forged.remove(forged.find("{http://www.w3.org/2000/09/xmldsig#}Signature"))
    body = messages.query_body(messages.FIND_DOCUMENTS, FIND, "LeafClass")
    message = messages.envelope(body, messages.QUERY_ACTION)
    message = message.replace(b"</e:Header>", security_header(forged, signed) + b"</e:Header>")
    headers = {
        "Content-Type": messages.simple_type(messages.QUERY_ACTION),
        CERTIFICATE: base64.b64encode(world.card[Use.AUTHENTICATION].der).decode(),
    }
    answered = messages.read(world.server.request("POST", "/xds/registry", message, headers))
    assert (answered.response.status, answered.fault) == (400, ["env:Sender", "s:InvalidSecurity"])
    assert answered.body.findtext(".//{*}Text") == CONSTANT


@pytest.mark.corpus
def test_no_file_of_the_corpus_opens_the_door_or_breaks_it(world: World, corpus: Path) -> None:
    """As it is, in place of the security header, and inside one."""
    files = [*(corpus / "attacks" / "saml").glob("*.xml"), *(corpus / "attacks" / "xmldsig").glob("*.xml")]
    assert len(files) > 100
    body = messages.query_body(messages.FIND_DOCUMENTS, FIND, "LeafClass")
    message = messages.envelope(body, messages.QUERY_ACTION)
    client = base64.b64encode(world.card[Use.AUTHENTICATION].der).decode()
    headers = {"Content-Type": messages.simple_type(messages.QUERY_ACTION), CERTIFICATE: client}
    subcodes = {"s:InvalidSecurity", "s:UnsupportedSecurityToken", "s:UnsupportedAlgorithm", "s:FailedAuthentication"}
    for file in files:
        content = file.read_bytes()
        content = content.partition(b"?>")[2] if content.startswith(b"<?xml") else content
        wrapped = b'<w:Security xmlns:w="%s">%s</w:Security>' % (WSSE.encode(), content)
        for block in (content, wrapped):
            sent = message.replace(b"</e:Header>", block + b"</e:Header>")
            began = time.monotonic()
            answered = messages.read(world.server.request("POST", "/xds/registry", sent, headers))
            assert time.monotonic() - began < 2, file.name
            assert (answered.response.status, answered.fault[0]) == (400, "env:Sender"), file.name
            assert set(answered.fault[1:]) <= subcodes, file.name
            assert b"Traceback" not in answered.response.body
