"""A secure registry and its repository in two processes: mutual TLS between them, the caller carried and judged."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from lxml import etree

from access_policy.caller import OPEN_CALLER, Caller, PurposeOfUse
from access_policy.make_vihf import make_vihf, security_header
from carnet.carried_caller import carried_caller_header
from carnet.existing_stores import existing_units
from carnet.pki import Use
from carnet.proof import Proof
from carnet.registry_elsewhere import RegistryElsewhere
from repository.registration import RegistryNotAvailable
from storage.unit_of_work import Units
from tests import messages, mutual_tls, servers, sts
from tests.audit_store import Trail
from tests.builders import OTHER_PATIENT, PATIENT, REPOSITORY, a_submission, an_entry
from tests.dmp.people import notices
from tests.messages import Answered
from tests.mutual_tls import Pki
from tests.servers import Server
from xds.ebrim.write import write_submit_objects_request

CONTENT = b"<ClinicalDocument/>"
SECURITY = "the security header of the message is not accepted"


@dataclass(frozen=True, kw_only=True)
class Pair:
    """Both processes, and those who have certificates: the doctor, and the clinic that runs the repository."""

    pki: Pki
    registry: Server
    repository: Server
    doctor: Path
    clinic: Path

    def vihf(self, **changes: Any) -> etree._Element:
        signer = self.pki.card[Use.SIGNATURE]
        return make_vihf(sts.a_claim(**changes), signer.certificate, signer.key, now=datetime.now(UTC))

    def post(self, path: str, body: bytes, action: str, header: bytes, client: Path | None = None, **kind: Any) -> Any:
        """`path` says which of the two is asked."""
        message = messages.envelope(body, action).replace(b"</e:Header>", header + b"</e:Header>")
        content_type = messages.simple_type(action)
        if "parts" in kind:
            message, content_type = messages.multipart(message, kind["parts"]), messages.multipart_type()
        server = self.registry if path == "/xds/registry" else self.repository
        context = self.pki.context(client or self.doctor)
        answer = mutual_tls.request(server, context, "POST", path, message, {"Content-Type": content_type})
        return messages.read(answer)

    def provide(self, assertion: etree._Element, path: str = "/xds/repository", **changes: Any) -> tuple[str, Answered]:
        entry = an_entry(content=CONTENT, **changes)
        body = messages.provide_body(
            a_submission(entry, patient_id=entry.patient_id), {"Document01": messages.include("d@test")}
        )
        parts = [("d@test", CONTENT)]
        header = security_header(assertion)
        return str(entry.unique_id), self.post(path, body, messages.PROVIDE, header, parts=parts)

    def retrieve(self, unique_id: str, assertion: etree._Element) -> Answered:
        body = messages.retrieve_body((REPOSITORY, unique_id))
        header = security_header(assertion)
        answered: Answered = self.post("/xds/repository", body, messages.RETRIEVE, header, parts=[])
        return answered

    def register(self, header: bytes, client: Path) -> Answered:
        """Register Document Set-b [ITI-42] at the registry."""
        body = write_submit_objects_request(a_submission(an_entry()).objects)
        answered: Answered = self.post("/xds/registry", body, messages.REGISTER, header, client)
        return answered


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    folder = tmp_path_factory.mktemp("apart")
    pki = mutual_tls.a_pki(folder / "pki")
    of_clinic = pki.clinic[Use.AUTHENTICATION]
    clinic = pki.written(of_clinic)
    fingerprint = of_clinic.certificate.fingerprint(hashes.SHA256()).hex(":")
    port = servers.free_port()
    of_both = {"internal_certificate": str(clinic), "internal_clients": fingerprint, "audit_reserve_mb": 1}
    keeper = f"{REPOSITORY}=https://localhost:{port}"
    with mutual_tls.started(
        pki, folder / "registry", roles="registry,fhir", repositories=keeper, **of_both
    ) as registry:
        servers.know_patients(registry.settings)
        with mutual_tls.started(
            pki,
            folder / "repository",
            roles="repository,recipient",
            registry_url=f"https://localhost:{registry.settings.port}",
            port=port,
            **of_both,
        ) as repository:
            yield Pair(pki=pki, registry=registry, repository=repository, doctor=pki.client, clinic=clinic)


def test_a_professional_provides_finds_and_retrieves_across_both(pair: Pair) -> None:
    assertion = pair.vihf()
    unique_id, answer = pair.provide(assertion)
    assert answer.status == "Success", answer.contexts
    slots = {"$XDSDocumentEntryUniqueId": f"('{unique_id}')"}
    body = messages.query_body(messages.GET_DOCUMENTS, slots, "LeafClass")
    found = pair.post("/xds/registry", body, messages.QUERY_ACTION, security_header(assertion))
    assert found.status == "Success"
    assert unique_id.encode() in etree.tostring(found.envelope)
    assert messages.contents(pair.retrieve(unique_id, assertion)) == [CONTENT]


def test_fhir_at_the_registry_delivers_what_the_repository_keeps(pair: Pair) -> None:
    assertion = pair.vihf()
    unique_id, _ = pair.provide(assertion)
    slots = {"$XDSDocumentEntryUniqueId": f"('{unique_id}')"}
    body = messages.query_body(messages.GET_DOCUMENTS, slots, "LeafClass")
    found = pair.post("/xds/registry", body, messages.QUERY_ACTION, security_header(assertion))
    [entry] = found.envelope.iter("{*}ExtrinsicObject")
    path = f"/fhir/Binary/{entry.get('id').removeprefix('urn:uuid:')}"
    context = pair.pki.context(pair.doctor)
    answers = [
        mutual_tls.request(pair.registry, context, "GET", path, None, Proof(assertion=one).authorization)
        for one in (assertion, pair.vihf(patient_id=OTHER_PATIENT))
    ]
    assert [one.status for one in answers] == [200, 404]
    assert answers[0].body == CONTENT


def test_the_repository_records_whose_document_it_delivered(pair: Pair) -> None:
    unique_id, _ = pair.provide(pair.vihf())
    trail = Trail(pair.repository)
    assert pair.retrieve(unique_id, pair.vihf()).status == "Success"
    [record] = trail.records()
    assert PATIENT.key in [one.id for one in record.objects]


def test_the_repository_records_the_rule_that_let_the_caller_read(pair: Pair) -> None:
    unique_id, _ = pair.provide(pair.vihf())
    trail = Trail(pair.repository)
    for purpose in (PurposeOfUse.NORMAL, PurposeOfUse.BREAK_GLASS):
        assert pair.retrieve(unique_id, pair.vihf(purpose=purpose)).status == "Success"
    read = [one for one in trail.records() if one.type_codes[0].code == "ITI-43"]
    rules = [d.value.decode() for one in read for thing in one.objects for d in thing.details if d.type == "rule"]
    assert rules == ["authorisation.valid", "opposition.break_glass"]


def test_a_broken_glass_at_the_repository_is_told_to_the_holder_by_the_registry(pair: Pair) -> None:
    """CSP R.1111-48: whichever door it came through."""
    unique_id, _ = pair.provide(pair.vihf())
    with existing_units(pair.registry.settings) as units:
        before = len(_emergencies(units))
        pair.retrieve(unique_id, pair.vihf())
        assert len(_emergencies(units)) == before
        assert pair.retrieve(unique_id, pair.vihf(purpose=PurposeOfUse.BREAK_GLASS)).status == "Success"
        assert [one["to"] for one in _emergencies(units)[before:]] == ["holder"]


def _emergencies(units: Units) -> list[dict[str, str]]:
    return [one for one in notices(units) if one["notice"] == "emergency access"]


def test_a_submission_to_a_recipient_is_recorded_once(pair: Pair) -> None:
    trails = [Trail(pair.registry), Trail(pair.repository)]
    assert pair.provide(pair.vihf(), path="/xds/recipient")[1].status == "Success"
    recorded = [code.code for trail in trails for record in trail.records() for code in record.type_codes]
    assert recorded.count("ITI-41") == 1


def test_the_clients_of_a_record_read_no_metrics(pair: Pair) -> None:
    context = pair.pki.context(pair.doctor)
    assert mutual_tls.request(pair.registry, context, "GET", "/metrics").status == 404


def test_the_claims_of_the_caller_are_judged_by_the_registry(pair: Pair) -> None:
    """The repository knows no patients of assertions; its registry refuses a document about another one."""
    unique_id, answer = pair.provide(pair.vihf(), patient_id=OTHER_PATIENT, source_patient_id=OTHER_PATIENT)
    assert (answer.status, answer.codes) == ("Failure", ["XDSRegistryError"])
    assert "not about the patient" in answer.contexts[0]
    assert pair.retrieve(unique_id, pair.vihf()).codes == ["XDSDocumentUniqueIdError"]


def test_a_document_of_a_patient_whom_the_assertion_does_not_name_is_not_delivered(pair: Pair) -> None:
    unique_id, answer = pair.provide(pair.vihf())
    assert answer.status == "Success"
    other = pair.vihf(patient_id=OTHER_PATIENT)
    assert pair.retrieve(unique_id, other).codes == ["XDSDocumentUniqueIdError"]


def test_the_registry_records_who_asked_and_through_which_repository(pair: Pair) -> None:
    trail = Trail(pair.registry)
    assert pair.provide(pair.vihf())[1].status == "Success"
    [record] = trail.records()
    assert [one.code for one in record.type_codes] == ["ITI-42"]
    source, _, human = record.participants
    assert source.user_id == pair.pki.clinic[Use.AUTHENTICATION].certificate.subject.rfc4514_string()
    assert sts.DOCTOR.identifier in human.user_id


def test_a_repository_of_another_maker_registers_by_its_certificate(pair: Pair) -> None:
    assert pair.register(b"", pair.clinic).status == "Success"


@pytest.mark.parametrize("caller", [OPEN_CALLER, Caller(name="someone")])
def test_a_caller_is_believed_from_a_known_repository_alone(pair: Pair, caller: Caller) -> None:
    refused = pair.register(carried_caller_header(caller), pair.doctor)
    assert SECURITY in str(refused.envelope.xpath("string()"))


def test_a_repository_names_no_caller_whom_nobody_asked(pair: Pair) -> None:
    refused = pair.register(carried_caller_header(OPEN_CALLER), pair.clinic)
    assert "whom nobody asked" in str(refused.envelope.xpath("string()"))


def test_a_repository_asks_for_no_other_transaction_by_its_certificate(pair: Pair) -> None:
    body = messages.query_body(messages.GET_DOCUMENTS, {"$XDSDocumentEntryUniqueId": "('2.25.1')"}, "LeafClass")
    assert pair.post("/xds/registry", body, messages.QUERY_ACTION, b"", pair.clinic).codes == ["XDSRegistryError"]


def test_the_internal_door_is_shut_to_other_certificates(pair: Pair) -> None:
    trail = Trail(pair.registry, with_node=True)
    statuses = [
        mutual_tls.request(
            pair.registry, pair.pki.context(client), "POST", "/internal/registry/ready", b"{}", {}
        ).status
        for client in (pair.doctor, pair.clinic)
    ]
    assert statuses == [401, 200]
    [refused] = [one for one in trail.records() if "internal door" in one.description]
    assert (int(refused.outcome), refused.type_codes[0].code) == (8, "110126")
    assert sts.DOCTOR.identifier in str(refused.participants)


def test_the_registry_is_ready_for_the_certificates_it_lists_alone(pair: Pair) -> None:
    listed = pair.repository.settings
    stranger = replace(listed, internal_certificate=str(pair.pki.written(pair.pki.a_client())))
    RegistryElsewhere(listed).ready()
    with pytest.raises(RegistryNotAvailable, match="answered 401"):
        RegistryElsewhere(stranger).ready()
