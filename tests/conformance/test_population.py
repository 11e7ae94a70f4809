"""Test data by a seed: the same octets again, numbers and signatures that hold, files that servers take."""

import hashlib
import json
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding
from lxml import etree

from access_policy.authentication import Authenticator, Rules
from access_policy.trust import Trust
from access_policy.vihf import VihfRules
from access_policy.vihf_attributes import Expected
from carnet.cda_checks import RulesChoice, check_files
from conformance.failures import KitError
from conformance.population.chance import Chance
from conformance.population.documents import kinds
from conformance.population.keys import rsa_key
from conformance.population.people import STATES, key_of, patients, professionals
from conformance.population.pki import read_credential
from conformance.population.structured import MODELS
from conformance.population.value_sets import rows
from conformance.population.write_set import MANIFEST, Size, read_table, write_set
from conformance.vihf import security_header
from tests import servers, sts
from tests.servers import ROOT, Server
from xds.datatypes import CX
from xds.xml import parse

NOW = datetime(2026, 1, 5, 8, 0, tzinfo=UTC)
SIZE = Size(patients=len(STATES), documents=6, seed=5, now=NOW)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("population") / "data"
    write_set(SIZE, folder)
    return folder


def manifest(folder: Path) -> dict[str, str]:
    found: dict[str, str] = json.loads((folder / MANIFEST).read_text("utf-8"))["files"]
    return found


def test_the_same_seed_gives_the_same_octets_and_more_patients_change_nothing_of_the_first(
    data: Path, tmp_path: Path
) -> None:
    write_set(Size(patients=2, documents=6, seed=5, now=NOW), tmp_path / "again")
    again = manifest(tmp_path / "again")
    whole = manifest(data)
    tables = {"patients.csv", "documents.csv"}
    assert {name: digest for name, digest in again.items() if name not in tables} == {
        name: whole[name] for name in again if name not in tables
    }
    first = (tmp_path / "again" / "documents.csv").read_text("utf-8")
    assert (data / "documents.csv").read_text("utf-8").startswith(first)


def test_another_seed_gives_other_people() -> None:
    for make in (lambda seed: list(patients(seed, 3, NOW.date())), professionals):
        assert make(1) != make(2)


def test_the_manifest_names_every_file_with_its_digest(data: Path) -> None:
    found = {str(one.relative_to(data)): one for one in data.rglob("*") if one.is_file() and one.name != MANIFEST}
    assert manifest(data) == {name: hashlib.sha256(one.read_bytes()).hexdigest() for name, one in found.items()}


def test_numbers_are_valid_and_nobody_shares_one(data: Path) -> None:
    people = list(read_table(data, "patients.csv"))
    numbers = [number for one in people for number in (one["ins"], one["former_ins"], one["representative"]) if number]
    assert len(set(numbers)) == len(numbers)
    assert [one for one in numbers if len(one) != 15 or one[13:] != key_of(one[:13])] == []
    assert {one["state"] for one in people} == {one.name for one in STATES}


def test_every_type_professionals_feed_is_in_every_media_type() -> None:
    left_out = {"EXPPAT_1", "EXPPAT_2", "EXPPAT_3", "E1762", "REMB", "74465-6"}
    types = {row["code"] for row in rows("JDV_J66")} - left_out
    types = {one for one in types if not one.startswith("DOCPAT")}
    assert {one.type.code for one in kinds()} == types
    assert len(kinds()) == len(MODELS) + 5 * len(types)


def test_every_document_is_a_valid_cda(data: Path) -> None:
    files = sorted((data / "documents").rglob("*.xml"))
    found = {one.path: one for one in check_files(files, RulesChoice(), jobs=1)}
    assert len(found) == len(files)
    assert {path: one.report.findings for path, one in found.items() if not one.report.is_valid} == {}


def test_documents_with_sections_are_of_every_model_and_without_a_finding(data: Path) -> None:
    with_sections = [one for one in read_table(data, "documents.csv") if one["body"] == "structured"]
    assert {one["type"] for one in with_sections} == {one.type_code for one in MODELS}
    files = [data / one["file"] for one in with_sections]
    assert {one.path: one.report.findings for one in check_files(files, RulesChoice(), jobs=1)} == dict.fromkeys(
        files, ()
    )
    assert all(b"<structuredBody" in one.read_bytes() for one in files)


def test_the_vihf_of_every_profession_is_accepted_by_a_server_that_trusts_the_authorities(data: Path) -> None:
    people = list(read_table(data, "professionals.csv"))
    devices = "1.2.250.1.213.1.1.4.6"  # of these, a medical secretary alone is a person
    professions = [one for one in rows("JDV_J65") if one["vihf_occurrence"] == "1" and one["system"] != devices]
    expected = {f"{one['code']}^^{one['system']}" for one in professions} | {f"SECRETARIAT_MEDICAL^^{devices}"}
    assert {one["roles"].split()[0] for one in people} == expected
    authenticator = Authenticator(
        Rules(
            trust=trust(data),
            vihf=VihfRules(expected=Expected(patient_authorities=frozenset({"1.2.250.1.213.1.4.10"}))),
        ),
        sts.RememberedUses(),
        now=lambda: NOW + timedelta(minutes=1),
    )
    for one in people:
        name = one["identifier"].replace("/", "-") if one["card"] else one["structure"]
        client = read_credential(data / "pki" / "issued" / f"{name}-authentication.pem").certificate
        header = security_header(etree.fromstring((data / one["vihf"]).read_bytes()))
        caller = authenticator.caller(parse(sts.enveloped(header)), client.public_bytes(Encoding.DER))
        assert str(caller.structure) == one["structure"], one


def trust(data: Path) -> Trust:
    folder = data / "pki" / "trust"
    root, persons, organisations = (
        x509.load_pem_x509_certificate((folder / f"{name}.pem").read_bytes())
        for name in ("root", "persons", "organisations")
    )
    lists = [x509.load_pem_x509_crl(one.read_bytes()) for one in folder.glob("*.crl")]
    return Trust([root], [persons, organisations], lists)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, data: Path) -> Iterator[Server]:
    with servers.in_process(servers.settings_for(tmp_path_factory.mktemp("carnet"))) as running:
        servers.know_patients(running.settings, *(CX(one["cx"]) for one in read_table(data, "patients.csv")))
        yield running


def test_a_server_takes_every_submission(data: Path, server: Server) -> None:
    refused = {}
    messages = sorted((data / "iti41").rglob("*.mime"))
    for one in messages:
        content_type = one.with_suffix(".type").read_text("ascii")
        answer = server.post("/xds/repository", one.read_bytes(), content_type)
        if b"ResponseStatusType:Success" not in answer.body:
            refused[one.name] = answer.body[:2000]
    assert refused == {}
    assert len(messages) == sum(6 for one in STATES if one.has_documents)


def test_a_server_takes_the_same_by_fhir(data: Path, tmp_path: Path) -> None:
    with servers.in_process(servers.settings_for(tmp_path)) as running:
        people = list(read_table(data, "patients.csv"))[:2]
        servers.know_patients(running.settings, *(CX(one["cx"]) for one in people))
        for one in people:
            for bundle in sorted((data / "fhir" / "0000" / one["ins"]).glob("0*.json")):
                answer = running.post("/fhir", bundle.read_bytes(), "application/fhir+json")
                assert answer.status == 200, answer.body


def test_a_folder_that_holds_something_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "kept").write_text("mine")
    with pytest.raises(KitError, match="is not empty"):
        write_set(SIZE, tmp_path)
    assert [one.name for one in tmp_path.iterdir()] == ["kept"]


def test_the_command_says_what_it_made_and_refuses_what_it_cannot(tmp_path: Path) -> None:
    def run(*words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "conformance", "data", *words]
        return subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)

    refused = run("--patients", "0", "--out", str(tmp_path / "d"))
    assert (refused.returncode, (tmp_path / "d").exists()) == (2, False)
    assert "0 is not in the range" in refused.stderr
    help_text = run("--help").stdout
    assert "python -m conformance data --patients 20 --seed 1 --out data" in help_text


def test_a_key_with_a_factor_that_is_no_prime_is_not_taken() -> None:
    """Primes are drawn by a test that lets some numbers through; the library refuses the key they would give."""
    small = [rsa.generate_private_key(65537, 1024).private_numbers().p for _ in range(2)]
    composite, prime = small[0] * small[1], rsa_key(Chance(1, "prime")).private_numbers().p
    private = pow(65537, -1, (composite - 1) * (prime - 1))
    numbers = rsa.RSAPrivateNumbers(
        p=composite,
        q=prime,
        d=private,
        dmp1=rsa.rsa_crt_dmp1(private, composite),
        dmq1=rsa.rsa_crt_dmq1(private, prime),
        iqmp=rsa.rsa_crt_iqmp(composite, prime),
        public_numbers=rsa.RSAPublicNumbers(65537, composite * prime),
    )
    with pytest.raises(ValueError, match="key"):
        numbers.private_key()
