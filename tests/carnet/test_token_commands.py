"""`carnet token` as a developer types it."""

import json
import stat
from pathlib import Path

import pytest

from carnet.reports import read_report, with_new_identity
from tests import servers
from tests.carnet.test_security_commands import DOCTOR, INS, Done, carnet
from tests.conformance.vendor_software import next_version
from tests.servers import ROOT

PERSON = ("--subject", "801234567897", "--name", "ÉLISE VILLARD", "--structure", "1690000014")
ROLES = ("--role", DOCTOR[0], "--role", DOCTOR[1])


@pytest.fixture
def issuer(tmp_path: Path) -> Path:
    assert carnet(tmp_path, "token", "init").returncode == 0
    return tmp_path


def made(folder: Path, *words: str) -> str:
    done = carnet(folder, "token", "make", *words)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def checked(folder: Path, token: str, *words: str) -> Done:
    (folder / "token.txt").write_text(f"Bearer {token}\n")
    return carnet(folder, "token", "check", "token.txt", "--lang", "en", *words)


def test_the_signing_key_is_its_owners_alone(issuer: Path) -> None:
    assert stat.S_IMODE((issuer / "carnet-tokens" / "signing-key.json").stat().st_mode) == 0o600
    assert "d" not in json.loads((issuer / "carnet-tokens" / "keys.json").read_text())["keys"][0]
    again = carnet(issuer, "token", "init")
    assert (again.returncode, "there already" in again.stderr) == (2, True)


@pytest.mark.parametrize("mode", ["direct", "indirect", "air"])
def test_a_token_that_was_made_is_valid(issuer: Path, mode: str) -> None:
    found = checked(issuer, made(issuer, *PERSON, *ROLES, "--patient", INS, "--mode", mode))
    assert found.returncode == 0, found.stdout
    [scope] = [one for one in found.stdout.splitlines() if "scope = " in one]
    opened = scope.partition("→")[2]
    assert all(one in opened for one in ("ITI-65", "ITI-66", "ITI-67", "ITI-68", "ITI-105", "ITI-106"))


def test_userinfo_and_patients_are_valid(issuer: Path) -> None:
    for token in (
        made(issuer, *PERSON, *ROLES, "--userinfo", "--patient", INS),
        made(issuer, "--person", INS, "--scope", "patient/*.rs"),
    ):
        found = checked(issuer, token)
        assert found.returncode == 0, found.stdout


@pytest.mark.parametrize(
    ("words", "name", "reason"),
    [
        (("--minutes", "-10"), "nbf, iat, exp", "expired"),
        (("--audience", "https://other.example.org/"), "aud", "another audience"),
        (("--scope", "openid"), "scope", "opens no transaction"),
        (("--claim", 'SubjectNameID=""', "--claim", "jti=1"), "claims", "expected jti"),
        (("--sector", "XX^^1.2.3"), "Secteur_Activite", "expected code^system"),
        (("--claim", 'iss="https://other.example.org/"'), "iss", "no configured issuer"),
    ],
)
def test_what_a_server_would_refuse_is_named(issuer: Path, words: tuple[str, ...], name: str, reason: str) -> None:
    found = checked(issuer, made(issuer, *PERSON, *ROLES, "--patient", INS, *words))
    assert found.returncode == 1
    [line] = [one for one in found.stdout.splitlines() if one.startswith("REFUSED") and name in one]
    assert reason in line


def test_a_changed_token_shows_whose_signature_failed(issuer: Path) -> None:
    head, body, _ = made(issuer, *PERSON, *ROLES).split(".")
    other = made(issuer, *PERSON, *ROLES, "--patient", INS).split(".")[2]
    found = checked(issuer, f"{head}.{body}.{other}", "--json")
    wrong = [one["name"] for one in json.loads(found.stdout) if not one["valid"]]
    assert (found.returncode, wrong) == (1, ["signature"])


def test_what_is_missing_is_asked_for(issuer: Path) -> None:
    done = carnet(issuer, "token", "make")
    assert (done.returncode, "--person" in done.stderr) == (2, True)
    elsewhere = carnet(issuer, "token", "make", "--folder", "nowhere", "--person", INS)
    assert (elsewhere.returncode, "carnet token init" in elsewhere.stderr) == (2, True)


def test_reports_are_pushed_and_found_over_fhir_with_a_token(issuer: Path) -> None:
    """A report, its next version, and what is left to be found."""
    first = with_new_identity(read_report((ROOT / "examples/reports/cr-consultation.xml").read_bytes(), entry_uuid="a"))
    second = next_version(first)
    (issuer / "first.xml").write_bytes(first.content)
    (issuer / "second.xml").write_bytes(second.content)
    trusted = str(issuer / "carnet-tokens" / "issuers.toml")
    with servers.started(servers.settings_for(issuer / "data", token_issuers=trusted)) as server:
        for words in (("open", INS), ("authorise", INS, "801234567897")):
            assert carnet(issuer, "record", *words, "--data", str(server.settings.data)).returncode == 0
        who = (*PERSON, *ROLES, "--patient", INS, "--mode", "direct", "--audience", f"{server.url}/fhir")
        (issuer / "token.txt").write_text(made(issuer, *who))
        shown = ("--fhir", "--token", "token.txt", "--url", server.url)
        for name in ("first.xml", "second.xml"):
            pushed = carnet(issuer, "push", name, *shown, "--json")
            assert pushed.returncode == 0, pushed.stderr
            [told] = json.loads(pushed.stdout)["documents"]
            assert told["file"] == name
            assert "DocumentReference/" in told["address"]
        found = json.loads(carnet(issuer, "find", INS, *shown, "--json").stdout)
        assert [one["uniqueId"] for one in found] == [second.entry.unique_id]
        assert carnet(issuer, "push", "first.xml", *shown).returncode == 1
        (issuer / "token.txt").write_text(made(issuer, *who, "--minutes", "-10"))
        old = carnet(issuer, "find", INS, *shown)
        assert (old.returncode, "401" in old.stderr) == (1, True)


@pytest.mark.parametrize("words", [("find", INS), ("push", "token.txt")])
def test_a_token_goes_with_fhir_alone(issuer: Path, words: tuple[str, str]) -> None:
    (issuer / "token.txt").write_text("a.b.c")
    done = carnet(issuer, *words, "--token", "token.txt")
    assert (done.returncode, "--fhir" in done.stderr) == (2, True)
