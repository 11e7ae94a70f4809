"""FHIR takes the tokens of authorisation servers, over mutual TLS and beside assertions. IUA 3.72; SMART App Launch 2."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any
from wsgiref.types import WSGIEnvironment

import pytest

from access_policy.caller import OPEN_CALLER, Caller
from access_policy.make_token import new_keys, sign_token, token_claims, userinfo_claims
from access_policy.make_vihf import make_vihf
from carnet.pki import Use
from carnet.proof import Proof
from carnet.token_keys import FetchedKeys, fetch_from
from fhir_facade.patients import Patients
from tests import messages, mutual_tls, servers, sts
from tests.access_policy import tokens
from tests.builders import OTHER_PATIENT, PATIENT, a_submission, an_entry
from tests.fhir_bundles import a_bundle, a_provide_bundle
from tests.mutual_tls import Pki
from tests.registry.a_policed_record import PROOF
from tests.servers import Response, Server

CONTENT = b"<ClinicalDocument/>"
SEARCH = f"/fhir/DocumentReference?patient.identifier=urn:oid:{PATIENT.authority}|{PATIENT.id}"


@dataclass(frozen=True)
class World:
    """A server that believes one authorisation server; the certificate of every request is the doctor's."""

    server: Server
    pki: Pki
    key: dict[str, Any]

    def bearer(self, *, userinfo: bool = False, beside: dict[str, Any] | None = None, **changes: Any) -> dict[str, str]:
        given = {"audience": f"{self.server.settings.public_url}/fhir"} | changes
        worded = userinfo_claims if userinfo else token_claims
        claims = worded(tokens.told(**given), now=datetime.now(UTC))
        return {"Authorization": f"Bearer {sign_token(claims | (beside or {}), self.key)}"}

    def patient(self, **changes: Any) -> dict[str, str]:
        about = {"subject": "portal-17", "person_id": PATIENT, "name": "", "structure": "", "roles": ()}
        return self.bearer(**(about | changes))

    def ask(self, path: str, headers: dict[str, str]) -> Response:
        return self.server.request("GET", path, None, headers)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with a_world(tmp_path_factory.mktemp("jwt")) as made:
        yield made


@contextmanager
def a_world(folder: Path, **changes: Any) -> Iterator[World]:
    """One document each of two patients, whose records the doctor and the nurse may read."""
    private, public = new_keys("ES256")
    (folder / "keys.json").write_text(json.dumps(public))
    endpoints = (
        'token_endpoint = "https://as.example.org/token"\nauthorization_endpoint = "https://as.example.org/auth"\n'
    )
    modes = json.dumps(["DIRECTE", "INDIRECTE", "INDIRECTE_RENFORCEE"])
    (folder / "issuers.toml").write_text(
        f'[[issuer]]\nissuer = "{tokens.ISSUER}"\nkeys = "keys.json"\nmodes = {modes}\npatients = true\n{endpoints}'
    )
    pki = mutual_tls.a_pki(folder / "pki")
    card = pki.card[Use.AUTHENTICATION].der

    def certificate(environ: WSGIEnvironment) -> bytes | None:
        return None if environ.get("HTTP_X_TEST_NO_CERTIFICATE") else card

    issuers = str(folder / "issuers.toml")
    given = servers.settings_for(
        folder / "data", security="mtls", trust=str(pki.trust), token_issuers=issuers, **changes
    )
    with servers.in_process(given, certificate) as server:
        servers.know_patients(given)
        made = World(server=server, pki=pki, key=private)
        for number, patient in enumerate((PATIENT, OTHER_PATIENT)):
            submit(made, patient, f"2.25.480{number}")
        yield made


def submit(world: World, patient: Any, unique_id: str, **changes: Any) -> None:
    entry = an_entry(content=CONTENT, unique_id=unique_id, patient_id=patient, **changes)
    submission = a_submission(entry, patient_id=patient)
    submission = replace(submission, submission_set=replace(submission.submission_set, unique_id=f"{unique_id}.9"))
    body = messages.provide_body(submission, {entry.entry_uuid: messages.include("d@test")})
    signer = world.pki.card[Use.SIGNATURE]
    assertion = make_vihf(sts.a_claim(patient_id=patient), signer.certificate, signer.key, now=datetime.now(UTC))
    envelope = messages.envelope(body, messages.PROVIDE)
    envelope = envelope.replace(b"</e:Header>", Proof(assertion=assertion).security_header + b"</e:Header>")
    message = messages.multipart(envelope, [("d@test", CONTENT)])
    answered = messages.read(world.server.post("/xds/repository", message, messages.multipart_type()))
    assert answered.status == "Success", answered.contexts


def test_a_doctor_finds_and_reads_as_by_soap(world: World) -> None:
    token = world.bearer()
    found = world.ask(SEARCH, token)
    assert (found.status, json.loads(found.body)["total"]) == (200, 1), found.body
    [url] = [one for one in found.body.decode().split('"') if "/fhir/Binary/" in one]
    assert world.ask(url[url.index("/fhir/") :], token).body == CONTENT


def test_a_patient_finds_the_own_record_and_no_other(world: World) -> None:
    scopes = ("patient/DocumentReference.rs",)
    found = world.ask(SEARCH, world.patient(scopes=scopes))
    assert (found.status, json.loads(found.body)["total"]) == (200, 1), found.body
    other = world.ask(SEARCH, world.patient(scopes=scopes, person_id=OTHER_PATIENT, patient_id=OTHER_PATIENT))
    assert (other.status, json.loads(other.body)["total"]) == (200, 0), other.body


def test_who_represents_nobody_finds_nothing(world: World) -> None:
    found = world.ask(SEARCH, world.patient(person_id=OTHER_PATIENT, patient_id=PATIENT))
    assert (found.status, json.loads(found.body)["total"]) == (200, 0), found.body


def test_pro_sante_connect_reads_with_an_authorisation_and_never_feeds(world: World) -> None:
    token = world.bearer(userinfo=True)
    assert world.ask(SEARCH, token).status == 200
    headers = {"Content-Type": "application/fhir+json", **token}
    assert world.server.request("POST", "/fhir", json.dumps(a_bundle()).encode(), headers).status == 403


def test_a_bundle_about_another_patient_than_the_token_is_the_senders_fault(world: World) -> None:
    """XDS calls it XDSRegistryError, which of a registry in trouble would be 503."""
    bundle, token = a_provide_bundle(""), world.bearer()
    identifier = {"system": f"urn:oid:{OTHER_PATIENT.authority}", "value": OTHER_PATIENT.id}
    for one in bundle["entry"][:2]:
        one["resource"]["subject"] = {"type": "Patient", "identifier": identifier}
    headers = {"Content-Type": "application/fhir+json", **token}
    answer = world.server.request("POST", "/fhir", json.dumps(bundle).encode(), headers)
    issues = [(one["code"], one["details"]["coding"][0]["code"]) for one in json.loads(answer.body)["issue"]]
    assert (answer.status, answer.headers.get("retry-after")) == (400, None), answer.body
    assert ("forbidden", "LocalPolicyRestrictionError") in issues
    assert "XDSRegistryError" not in dict(issues).values()


@pytest.mark.parametrize(
    ("scopes", "path", "status"),
    [
        (("ITI-67",), SEARCH, 200),
        (("ITI-66", "ITI-68"), SEARCH, 401),
        (("user/DocumentReference.s",), SEARCH, 200),
        (("user/DocumentReference.r",), SEARCH, 401),
        (("user/DocumentReference.s",), "/fhir/DocumentReference/00000000-0000-4000-8000-000000000000", 401),
        (("user/DocumentReference.r",), "/fhir/DocumentReference/00000000-0000-4000-8000-000000000000", 404),
        (("user/Patient.s",), f"/fhir/Patient?identifier={PATIENT.id}", 200),
        (("user/DocumentReference.rs",), f"/fhir/Patient?identifier={PATIENT.id}", 401),
        ((), SEARCH, 401),
    ],
)
def test_f06_scopes_are_asked_for_each_interaction(
    world: World, scopes: tuple[str, ...], path: str, status: int
) -> None:
    found = world.ask(path, world.bearer(scopes=scopes))
    assert found.status == status, found.body
    if status == 401:
        assert found.headers["www-authenticate"] == 'Bearer error="insufficient_scope"'


def test_of_everybody_in_a_system_a_proof_shows_its_own_patient(world: World) -> None:
    """The database has another patient with an identifier of the same system."""
    system = f"urn:oid:{PATIENT.authority}"
    found = json.loads(world.ask(f"/fhir/Patient?identifier={system}%7C", world.bearer()).body)
    assert [one["resource"]["identifier"][0]["value"] for one in found["entry"]] == [PATIENT.id]
    registry = servers.open_registry(world.server.settings)
    try:
        for caller, ids in (
            (OPEN_CALLER, [PATIENT.id, OTHER_PATIENT.id]),
            (Caller(name="doctor", credentials=PROOF, patient_id=PATIENT), [PATIENT.id]),
            (Caller(name="nobody", credentials=PROOF), []),
        ):
            rows = Patients(registry=registry, caller=caller, base_url="").of_system(system, most=10)
            assert {one.patient_id.id for one in rows} == set(ids), caller.name
    finally:
        registry.units.close()


@pytest.mark.parametrize(
    ("scopes", "included"),
    [
        (("user/DocumentReference.rs",), set()),
        (("user/DocumentReference.rs", "user/List.r"), {"List"}),
        (("user/*.rs",), {"List", "Patient"}),
        (("ITI-67",), {"Patient"}),
        (("ITI-66", "ITI-67"), {"List", "Patient"}),
        (("user/DocumentReference.s",), set()),
    ],
)
def test_f06_what_stands_beside_matches_needs_a_scope_of_its_own(
    world: World, scopes: tuple[str, ...], included: set[str]
) -> None:
    asked = f"{SEARCH}&_revinclude=List:item&_include=DocumentReference:patient&_include=DocumentReference:relatesto"
    found = world.ask(asked, world.bearer(scopes=scopes))
    assert found.status == 200, found.body
    beside = [one for one in json.loads(found.body)["entry"] if one["search"]["mode"] == "include"]
    assert {one["resource"]["resourceType"] for one in beside} == included


def test_f06_documents_of_lists_need_a_scope_of_documents(world: World) -> None:
    asked = SEARCH.replace("DocumentReference", "List") + "&code=submissionset&_include=List:item"
    for scopes, number in ((("user/List.s",), 0), (("user/List.s", "user/DocumentReference.r"), 1)):
        found = world.ask(asked, world.bearer(scopes=scopes))
        assert found.status == 200, found.body
        modes = [one["search"]["mode"] for one in json.loads(found.body)["entry"]]
        assert (modes.count("match"), modes.count("include")) == (1, number)


@pytest.mark.parametrize(
    ("scopes", "status"),
    [
        (("user/DocumentReference.u",), 401),
        (("ITI-57",), 401),
        (("user/DocumentReference.ur",), 401),
        (("user/DocumentReference.us",), 404),
        (("ITI-57", "ITI-67"), 404),
    ],
)
def test_f06_a_patch_by_criteria_is_a_search_too(world: World, scopes: tuple[str, ...], status: int) -> None:
    headers = {"Content-Type": "application/json-patch+json", **world.bearer(scopes=scopes)}
    path = SEARCH.partition("?")[0] + "?identifier=urn:oid:1.2.3.4.5"
    patched = world.server.request("PATCH", path, b'[{"op":"test","path":"/status","value":"current"}]', headers)
    assert patched.status == status, patched.body


def test_f06_every_refused_token_has_one_answer(world: World) -> None:
    good = world.bearer()["Authorization"]
    head, body, signature = good.split(".")
    stranger = sign_token(token_claims(tokens.told(), now=datetime.now(UTC)), new_keys("ES256")[0])
    refused = {
        "none": {},
        "unsigned": {"Authorization": f"Bearer eyJhbGciOiJub25lIn0.{body}."},
        "stripped": {"Authorization": f"{head}.{body}."},
        "tampered": {"Authorization": f"{head}.{body[:-4]}AAAA.{signature}"},
        "of a stranger": {"Authorization": f"Bearer {stranger}"},
        "expired": world.bearer(life=timedelta(minutes=-10)),
        "for others": world.bearer(audience="https://other.example.org/fhir"),
        "of another issuer": world.bearer(issuer="https://other.example.org/"),
        "without profession": world.bearer(roles=()),
        "bound to another key": world.bearer(beside={"cnf": {"x5t#S256": "AAAA"}}),
        "without certificate": {"Authorization": good, "X-Test-No-Certificate": "1"},
    }
    answers = {name: world.ask(SEARCH, headers) for name, headers in refused.items()}
    answers["in the URL"] = world.ask(f"{SEARCH}&access_token={good.removeprefix('Bearer ')}", {})
    assert {one.status for one in answers.values()} == {401}, {name: one.status for name, one in answers.items()}
    assert len({one.body for one in answers.values()}) == 1
    assert {one.headers["www-authenticate"] for one in answers.values()} == {"Bearer"}


def test_a_refused_token_is_on_record_with_what_it_claims(world: World) -> None:
    world.ask(SEARCH, world.bearer(subject="899700218896", life=timedelta(minutes=-10)))
    with servers.open_registry(world.server.settings).units.read() as connection:
        rows = connection.exec_driver_sql("SELECT message FROM audit_record ORDER BY record_key DESC LIMIT 1").all()
    assert b"899700218896" in bytes(rows[0][0])
    assert b"not-verified" in bytes(rows[0][0])


def test_metadata_and_smart_configuration_say_so(world: World) -> None:
    stated = json.loads(world.ask("/fhir/metadata", {}).body)["rest"][0]["security"]
    assert [one["coding"][0]["code"] for one in stated["service"]] == ["Certificates", "OAuth", "SMART-on-FHIR"]
    found = json.loads(world.ask("/fhir/.well-known/smart-configuration", {}).body)
    assert found["token_endpoint"] == "https://as.example.org/token"
    assert "permission-v2" in found["capabilities"]


def test_whoever_needs_the_keys_while_they_are_fetched_waits_for_them() -> None:
    """The first requests of a server come together; none is refused because another one fetches."""
    private, public = new_keys("ES256")
    asked, answered = threading.Event(), threading.Event()

    def fetch() -> bytes:
        asked.set()
        assert answered.wait(30)
        return json.dumps(public).encode()

    keys, found = FetchedKeys(fetch), list[int]()
    threads = [threading.Thread(target=lambda: found.append(len(keys(private["kid"])))) for _ in range(8)]
    for one in threads:
        one.start()
    assert asked.wait(30)
    threading.Event().wait(0.2)
    assert found == []
    answered.set()
    for one in threads:
        one.join()
    assert found == [1] * 8


def test_whoever_has_the_key_does_not_wait_for_newer_ones() -> None:
    private, public = new_keys("ES256")
    clock, may_answer = [0.0], threading.Event()
    may_answer.set()

    def fetch() -> bytes:
        assert may_answer.wait(30)
        return json.dumps(public).encode()

    keys = FetchedKeys(fetch, seconds=lambda: clock[0])
    assert keys(private["kid"])
    clock[0] += 700
    may_answer.clear()
    fetching = threading.Thread(target=lambda: keys(private["kid"]))
    fetching.start()
    assert keys(private["kid"])
    may_answer.set()
    fetching.join()


def test_keys_are_fetched_once_and_again_for_a_new_one() -> None:
    private, public = new_keys("ES256")
    asked: list[str] = []
    served = [public]

    class Keys(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(200)
            self.end_headers()
            self.wfile.write(json.dumps(served[0]).encode())

        def log_message(self, format: str, *args: object) -> None:
            """Nothing."""

    door = HTTPServer(("127.0.0.1", 0), Keys)
    thread = threading.Thread(target=door.serve_forever)
    thread.start()
    try:
        clock = [0.0]
        keys = FetchedKeys(fetch_from(f"http://127.0.0.1:{door.server_port}/certs", None), seconds=lambda: clock[0])
        assert [one.kid for one in keys(private["kid"])] == [private["kid"]]
        assert keys(private["kid"])
        assert len(asked) == 1
        other, served[0] = new_keys("ES256")
        keys("any other name")
        assert len(asked) == 1  # not within half a minute
        clock[0] += 31
        assert [one.kid for one in keys(other["kid"])] == [other["kid"]]
    finally:
        door.shutdown()
        door.server_close()
        thread.join()
    clock[0] += 700
    assert keys(other["kid"])  # the address is gone: what was known stays
