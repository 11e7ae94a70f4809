"""`carnet token` as a developer types it."""

import json
import stat
from pathlib import Path

import pytest

from tests.carnet.test_security_commands import DOCTOR, INS, Done, carnet

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
