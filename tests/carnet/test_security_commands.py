"""`carnet pki` and `carnet vihf` as a developer types them."""

import io
import json
import stat
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from access_policy.times import write_time
from carnet.command_line import main
from carnet.reports import read_report
from tests import servers
from tests.builders import TEST_INS
from tests.conftest import ROOT
from tests.servers import Server
from xds.datatypes import CX

DOCTOR = ("10^^1.2.250.1.71.1.2.7", "SM04^^1.2.250.1.71.4.2.5")
INS = "258063523804186"


@dataclass(frozen=True)
class Done:
    """What a command left behind."""

    returncode: int
    stdout: str
    stderr: str


def carnet(folder: Path, *words: str) -> Done:
    """The entry point with these words, in this process."""
    out, err = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8", write_through=True) for _ in range(2))
    with pytest.MonkeyPatch.context() as patched:
        patched.chdir(folder)
        patched.setattr(sys, "argv", ["carnet", *words])
        patched.setattr(sys, "stdout", out)
        patched.setattr(sys, "stderr", err)
        with pytest.raises(SystemExit) as ended:
            main()
    texts = [one.buffer.getvalue().decode() for one in (out, err)]
    return Done(int(ended.value.code or 0), *texts)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An IGC with a card and a structure."""
    made = tmp_path_factory.mktemp("developer")
    for words in (
        ("pki", "init"),
        ("pki", "issue", "card", "801234567897", "--family", "VILLARD", "--given", "ÉLISE"),
        ("pki", "issue", "structure", "1690000014", "--name", "Clinique des Tilleuls"),
        ("pki", "issue", "server", "localhost", "127.0.0.1"),
    ):
        done = carnet(made, *words)
        assert done.returncode == 0, done.stderr
    return made


def issued(name: str) -> str:
    return f"carnet-pki/issued/{name}"


SIGNATURE, SEAL = issued("801234567897-signature.pem"), issued("1690000014-seal.pem")
TRUST = ("--trust", "carnet-pki/trust")
ROLES = tuple(word for role in DOCTOR for word in ("--role", role))


def make(folder: Path, *words: str) -> Path:
    done = carnet(folder, "vihf", "make", *words, "-o", "vihf.xml")
    assert done.returncode == 0, done.stderr
    return folder / "vihf.xml"


def test_an_igc_is_made_once_and_its_keys_are_the_owners(folder: Path) -> None:
    again = carnet(folder, "pki", "init")
    assert (again.returncode, "holds an IGC already" in again.stderr) == (1, True)
    keys = list((folder / "carnet-pki").rglob("*.key"))
    assert len(keys) == 3 + 5
    assert {stat.S_IMODE(one.stat().st_mode) for one in keys} == {0o600}
    assert len(list((folder / "carnet-pki" / "trust").iterdir())) == 6


def test_a_vihf_of_a_card_is_made_and_found_valid(folder: Path) -> None:
    make(folder, SIGNATURE, "--structure", "1690000014", *ROLES, "--patient", INS)
    client = issued("801234567897-authentication.pem")
    done = carnet(folder, "vihf", "check", "vihf.xml", *TRUST, "--client", client)
    assert done.returncode == 0, done.stdout
    assert "REFUSÉ" not in done.stdout
    assert f"{INS}^^^&1.2.250.1.213.1.4.10&ISO^NH" in done.stdout
    assert "valide   TLS = 801234567897" in done.stdout


@pytest.mark.parametrize("mode", ["indirect", "air"])
@pytest.mark.parametrize("version", ["2.0", "3.0", "4.0"])
def test_a_vihf_of_a_seal_is_made_in_every_mode_and_version(folder: Path, mode: str, version: str) -> None:
    make(
        folder, SEAL, "--mode", mode, "--name", "ÉLISE VILLARD", "--version", version, "--purpose", "centre-15", *ROLES
    )
    assert carnet(folder, "vihf", "check", "vihf.xml", *TRUST).returncode == 0


def test_what_is_wrong_is_told_attribute_by_attribute_in_both_languages(folder: Path) -> None:
    make(folder, SIGNATURE, "--structure", "clinique", "--role", DOCTOR[0])
    french = carnet(folder, "vihf", "check", "vihf.xml", *TRUST)
    english = carnet(folder, "vihf", "check", "vihf.xml", *TRUST, "--lang", "en")
    assert french.returncode == english.returncode == 1
    assert (
        "REFUSÉ   Identifiant_Structure (structure (Struct_IdNat)) = clinique : attendu : un Struct_IdNat"
        in french.stdout
    )
    assert "la seconde valeur doit être une spécialité (TRE_R01)" in french.stdout
    assert "the second value must be a speciality (TRE_R01)" in english.stdout
    assert "valid    VIHF_Version" in english.stdout


def test_the_findings_come_as_json_too(folder: Path) -> None:
    make(folder, SIGNATURE, "--structure", "1690000014", "--role", DOCTOR[0])
    done = carnet(folder, "vihf", "check", "vihf.xml", *TRUST, "--json")
    rows = {row["name"]: row for row in json.loads(done.stdout)}
    role = rows["urn:oasis:names:tc:xacml:2.0:subject:role"]
    assert (role["valid"], role["problem"]["en"]) == (False, "the second value must be a speciality (TRE_R01)")
    assert rows["VIHF_Version"] == {"name": "VIHF_Version", "found": "3.0", "valid": True, "problem": None}


def test_a_tampered_or_stale_vihf_is_told(folder: Path) -> None:
    file = make(folder, SIGNATURE, "--structure", "1690000014", *ROLES)
    late = carnet(
        folder, "vihf", "check", "vihf.xml", *TRUST, "--now", write_time(datetime.now(UTC) + timedelta(days=1))
    )
    assert (late.returncode, "REFUSÉ   Conditions" in late.stdout) == (1, True)
    file.write_bytes(file.read_bytes().replace(b"1690000014", b"1690000015"))
    spoilt = carnet(folder, "vihf", "check", "vihf.xml", *TRUST)
    assert (spoilt.returncode, "REFUSÉ   Signature" in spoilt.stdout) == (1, True)
    no_certificate = carnet(folder, "vihf", "check", "vihf.xml", "--client", "vihf.xml")
    assert (no_certificate.returncode, "found no certificate" in no_certificate.stderr) == (2, True)
    file.write_bytes(b"<nothing")
    assert "not well-formed" in carnet(folder, "vihf", "check", "vihf.xml").stderr


def test_a_header_and_a_message_are_explained_as_well(folder: Path) -> None:
    words = (SIGNATURE, "--structure", "1690000014", *ROLES)
    header = carnet(folder, "vihf", "make", *words, "--header").stdout.encode()
    (folder / "header.xml").write_bytes(header)
    envelope = b'<e:Envelope xmlns:e="http://www.w3.org/2003/05/soap-envelope"><e:Header>%s</e:Header><e:Body><q/></e:Body></e:Envelope>'
    (folder / "message.xml").write_bytes(envelope % header)
    for name in ("header.xml", "message.xml"):
        assert carnet(folder, "vihf", "check", name, *TRUST).returncode == 0


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ((SIGNATURE, *ROLES), "give --structure"),
        ((SEAL, *ROLES), "give --name"),
        ((SIGNATURE, "--structure", "1690000014", *ROLES, "--patient", INS, "--authority", "mine"), "expected CX"),
        ((issued("localhost-server.pem"), *ROLES), "of no card and no structure"),
        ((SIGNATURE, "--structure", "\x1b[31m", *ROLES), "characters that XML cannot carry"),
        ((SIGNATURE, "--structure", "1690000014", *ROLES, "--minutes", "99999999999"), "--minutes"),
    ],
)
def test_what_is_missing_is_asked_for(folder: Path, words: tuple[str, ...], sentence: str) -> None:
    done = carnet(folder, "vihf", "make", *words)
    assert (done.returncode, sentence in done.stderr) == (2, True), done.stderr


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("card", "", "--family", "VILLARD", "--given", "ÉLISE"), "PS_IDNAT: found 0"),
        (("card", "801234567897", "--family", " ", "--given", "ÉLISE"), "family: found 1"),
        (("structure", "1690000014", "--name", "x" * 65), "name: found 65"),
    ],
)
def test_a_name_that_no_certificate_can_have_is_told_and_nothing_is_issued(
    folder: Path, words: tuple[str, ...], sentence: str
) -> None:
    before = {one: one.read_bytes() for one in (folder / "carnet-pki" / "issued").iterdir()}
    done = carnet(folder, "pki", "issue", *words)
    assert (done.returncode, sentence in done.stderr) == (2, True), done.stderr
    assert {one: one.read_bytes() for one in (folder / "carnet-pki" / "issued").iterdir()} == before


def test_a_file_that_is_no_message_is_told_in_a_sentence(folder: Path) -> None:
    (folder / "deep.xml").write_bytes(b"<a>" * 255 + b"</a>" * 255)
    done = carnet(folder, "vihf", "check", "deep.xml")
    assert (done.returncode, "deep.xml: the XML is" in done.stderr) == (2, True), done.stderr


def test_a_revoked_card_is_refused(folder: Path) -> None:
    carnet(folder, "pki", "issue", "card", "899700218896", "--family", "KERGOAT", "--given", "MAËL")
    signature = issued("899700218896-signature.pem")
    make(folder, signature, "--structure", "1690000014", *ROLES)
    assert carnet(folder, "vihf", "check", "vihf.xml", *TRUST).returncode == 0
    assert carnet(folder, "pki", "revoke", signature).returncode == 0
    revoked = carnet(folder, "vihf", "check", "vihf.xml", *TRUST)
    assert (revoked.returncode, "révoqué" in revoked.stdout) == (1, True)


def test_every_command_helps_with_an_example(folder: Path) -> None:
    for words in (("pki",), ("pki", "init"), ("pki", "issue"), ("pki", "issue", "card"), ("pki", "issue", "structure")):
        assert "carnet pki" in carnet(folder, *words, "--help").stdout
    for words in (("vihf",), ("vihf", "make"), ("vihf", "check")):
        assert "carnet vihf" in carnet(folder, *words, "--help").stdout


def test_a_signed_push_names_a_key_that_does_not_fit(folder: Path) -> None:
    done = carnet(folder, "push", SIGNATURE, "--sign", SIGNATURE, "--key", issued("1690000014-seal.key"))
    assert done.returncode == 1
    assert "is not the RSA key of" in done.stderr or "document" in done.stderr


@pytest.fixture(scope="module")
def asked(folder: Path) -> Iterator[Server]:
    """A server that takes every client for the card, as a proxy would tell it, and asks for proof."""
    pem = (folder / issued("801234567897-authentication.pem")).read_bytes()
    client = x509.load_pem_x509_certificates(pem)[0].public_bytes(Encoding.DER)
    trust = str(folder / "carnet-pki" / "trust")
    settings = servers.settings_for(folder / "data", security="mtls", trust=trust, submission_signature="required")
    with servers.in_process(settings, lambda _environ: client) as server:
        patient = CX.of(id=INS, authority=TEST_INS)
        servers.know_patients(settings, patient)
        yield server


def result(done: Done) -> Any:
    """What was printed as JSON, without the log of the server in this process."""
    return json.loads("".join(line for line in done.stdout.splitlines() if not line[:4].isdigit()))


def test_an_assertion_and_a_signature_go_with_what_is_pushed_found_and_read(folder: Path, asked: Server) -> None:
    report = str(ROOT / "examples" / "reports" / "cr-consultation.xml")
    author = read_report(Path(report).read_bytes(), entry_uuid="Document01").entry.author[0].author_institution[0].id
    assert carnet(folder, "pki", "issue", "structure", author, "--name", "Cabinet").returncode == 0
    make(folder, SIGNATURE, "--structure", "1690000014", *ROLES, "--patient", INS)
    proof = ("--url", asked.url, "--assertion", "vihf.xml")
    pushed = carnet(folder, "push", report, "--sign", issued(f"{author}-seal.pem"), *proof, "--json")
    assert pushed.returncode == 0, pushed.stderr + pushed.stdout
    [document] = result(pushed)["documents"]
    found = carnet(folder, "find", INS, *proof, "--json")
    titles = {row["uniqueId"]: row["title"] for row in result(found)}
    assert sorted(titles) == sorted(
        {document["uniqueId"], *(one for one, title in titles.items() if title == "Source")}
    )
    read = carnet(folder, "get", document["uniqueId"], "-o", "read.xml", *proof)
    assert (read.returncode, (folder / "read.xml").read_bytes()) == (0, Path(report).read_bytes())


def test_without_an_assertion_such_a_server_answers_nothing(folder: Path, asked: Server) -> None:
    done = carnet(folder, "find", INS, "--url", asked.url)
    assert (done.returncode, "the security header of the message is not accepted" in done.stderr) == (1, True)
    (folder / "other.xml").write_text("<other/>", encoding="utf-8")
    wrong = carnet(folder, "find", INS, "--url", asked.url, "--assertion", "other.xml")
    assert (wrong.returncode, "expected a SAML 2.0 assertion" in wrong.stderr) == (2, True)
