"""FHIR takes the assertion of SOAP as a token, and nothing else. IUA, SAML Token option."""

import base64
import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from wsgiref.types import WSGIEnvironment

import pytest

from access_policy.caller import AuthenticationMode
from access_policy.make_vihf import make_vihf
from carnet.pki import Use
from carnet.proof import Proof
from tests import messages, mutual_tls, servers, sts
from tests.builders import OTHER_PATIENT, PATIENT, a_submission, an_entry
from tests.mutual_tls import Pki
from tests.servers import Response, Server

CONTENT = b"<ClinicalDocument/>"
SEARCH = f"/fhir/DocumentReference?patient.identifier=urn:oid:{PATIENT.authority}|{PATIENT.id}"


@dataclass(frozen=True)
class World:
    """A server behind which the doctor's certificate has been shown to every request."""

    server: Server
    pki: Pki

    def token(self, **changes: Any) -> dict[str, str]:
        claim = sts.a_claim(**changes)
        pair = self.pki.card if claim.mode is AuthenticationMode.DIRECT else self.pki.clinic
        signer = pair[Use.SIGNATURE if pair is self.pki.card else Use.SEAL]
        assertion = make_vihf(claim, signer.certificate, signer.key, now=datetime.now(UTC))
        return Proof(assertion=assertion).authorization

    def ask(self, path: str, headers: dict[str, str]) -> Response:
        return self.server.request("GET", path, None, headers)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("tokens")
    pki = mutual_tls.a_pki(folder / "pki")
    client = pki.card[Use.AUTHENTICATION].der

    def certificate(environ: WSGIEnvironment) -> bytes | None:
        return None if environ.get("HTTP_X_TEST_NO_CERTIFICATE") else client

    settings = servers.settings_for(folder / "data", security="mtls", trust=str(pki.trust))
    with servers.in_process(settings, certificate) as server:
        servers.know_patients(settings)
        made = World(server=server, pki=pki)
        submit(made, PATIENT, "2.25.4801")
        submit(made, OTHER_PATIENT, "2.25.4802")
        yield made


def submit(world: World, patient: Any, unique_id: str) -> None:
    entry = an_entry(content=CONTENT, unique_id=unique_id, patient_id=patient)
    submission = a_submission(entry, patient_id=patient)
    submission = replace(submission, submission_set=replace(submission.submission_set, unique_id=f"{unique_id}.9"))
    body = messages.provide_body(submission, {entry.entry_uuid: messages.include("d@test")})
    signer = world.pki.card[Use.SIGNATURE]
    claim = sts.a_claim(patient_id=patient)
    assertion = make_vihf(claim, signer.certificate, signer.key, now=datetime.now(UTC))
    header = Proof(assertion=assertion).security_header
    envelope = messages.envelope(body, messages.PROVIDE).replace(b"</e:Header>", header + b"</e:Header>")
    message = messages.multipart(envelope, [("d@test", CONTENT)])
    answered = messages.read(world.server.post("/xds/repository", message, messages.multipart_type()))
    assert answered.status == "Success", answered.contexts


def test_the_patient_of_the_token_is_found_and_read(world: World) -> None:
    token = world.token()
    found = world.ask(SEARCH, token)
    assert (found.status, found.body.count(b'"resourceType":"DocumentReference"')) == (200, 1)
    [url] = [one for one in found.body.decode().split('"') if "/fhir/Binary/" in one]
    assert world.ask(url[url.index("/fhir/") :], token).body == CONTENT


def test_another_patient_is_not_there(world: World) -> None:
    token = world.token(patient_id=OTHER_PATIENT)
    other = world.ask(SEARCH, token)
    assert (other.status, b'"total":0' in other.body) == (200, True)
    found = world.ask(SEARCH.replace(PATIENT.id, OTHER_PATIENT.id), token)
    [url] = [one for one in found.body.decode().split('"') if "/fhir/Binary/" in one]
    path = url[url.index("/fhir/") :]
    assert world.ask(path, token).status == 200
    assert world.ask(path, world.token()).status == 404


def test_every_other_token_has_one_answer(world: World) -> None:
    good = world.token()["Authorization"]
    octets = base64.urlsafe_b64decode(good.removeprefix("Bearer "))
    tampered = base64.urlsafe_b64encode(octets.replace(b"801234567897", b"801234567898")).decode()
    refused = {
        "none": {},
        "empty": {"Authorization": "Bearer"},
        "other scheme": {"Authorization": good.replace("Bearer", "Basic")},
        "no base64": {"Authorization": "Bearer ****"},
        "no assertion": {"Authorization": "Bearer " + base64.urlsafe_b64encode(b"<x/>").decode()},
        "a JWT": {"Authorization": "Bearer eyJhbGciOiJub25lIn0.eyJzdWIiOiJ4In0."},
        "with a DTD": {"Authorization": "Bearer " + base64.urlsafe_b64encode(b"<!DOCTYPE x><x/>").decode()},
        "tampered": {"Authorization": f"Bearer {tampered}"},
        "expired": world.token(life=timedelta(seconds=-120)),
        "of a structure by the doctor's card": world.token(
            mode=AuthenticationMode.INDIRECT, display_name="ÉLISE VILLARD"
        ),
        "without certificate": {"Authorization": good, "X-Test-No-Certificate": "1"},
    }
    answers = {name: world.ask(SEARCH, headers) for name, headers in refused.items()}
    assert {one.status for one in answers.values()} == {401}, {name: one.status for name, one in answers.items()}
    assert len({one.body for one in answers.values()}) == 1
    assert {one.headers["www-authenticate"] for one in answers.values()} == {"Bearer"}


def test_a_token_fits_a_header(world: World) -> None:
    """The server takes 16 kB."""
    assert 4_000 < len(world.token()["Authorization"]) < 14_000


def test_metadata_needs_no_token(world: World) -> None:
    assert world.ask("/fhir/metadata", {}).status == 200


def test_a_batch_is_asked_for_the_patient_of_its_token_and_needs_one(world: World) -> None:
    other = SEARCH.replace(PATIENT.id, OTHER_PATIENT.id)
    entries = [{"request": {"method": "GET", "url": one.removeprefix("/fhir/")}} for one in (SEARCH, other)]
    body = json.dumps({"resourceType": "Bundle", "type": "batch", "entry": entries}).encode()
    kind = {"Content-Type": "application/fhir+json"}
    answered = json.loads(world.server.request("POST", "/fhir", body, world.token() | kind).body)
    assert [one["resource"]["total"] for one in answered["entry"]] == [1, 0]
    assert world.server.request("POST", "/fhir", body, kind).status == 401
