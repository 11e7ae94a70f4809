"""`carnet record`: what an administrator does with a record, and what refuses."""

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from carnet.command_line import commands
from dmp.refusal import RecordRefused, Refusal

INS, WRONG_KEY = "258063523804186", "258063523804187"
DOCTOR = "899700218896"


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("CARNET_CLOCK", "20260310100000")
    folder = str(tmp_path / "data")
    assert CliRunner().invoke(commands, ["db", "upgrade", "--data", folder]).exit_code == 0
    return folder


def run(data: str, *arguments: str) -> Result:
    return CliRunner().invoke(commands, ["record", *arguments, "--data", data])


def done(data: str, *arguments: str) -> dict[str, Any]:
    result = run(data, *arguments, "--json")
    assert result.exit_code == 0, result.output or result.exception
    found: dict[str, Any] = json.loads(result.output)
    return found


def refused(data: str, *arguments: str) -> Refusal:
    before = run(data, "show", INS, "--json").output
    result = run(data, *arguments)
    assert isinstance(result.exception, RecordRefused), result.exception
    assert run(data, "show", INS, "--json").output == before
    return result.exception.code


def test_a_record_is_opened_and_its_person_is_known_to_the_registry(data: str) -> None:
    found = done(data, "open", INS, "--channel", "officine", "--by", "staff:3A12@10B0000000", "--how", "orally")
    assert (found["state"], found["channel"], found["openedBy"]) == ("open", "officine", "3A12")
    assert (found["opened"], found["regime"], found["consent"]) == ("20260310100000", "opt_out", "consent")
    listed = CliRunner().invoke(commands, ["patient", "list", "--data", data])
    assert listed.output == f"{INS}^^^&1.2.250.1.213.1.4.10&ISO\t\n"


def test_a_record_is_opened_once(data: str) -> None:
    done(data, "open", INS)
    assert refused(data, "open", INS) is Refusal.FOUND


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("open", WRONG_KEY), Refusal.WRONG_INS_KEY),
        (("open", "25806352380418"), Refusal.WRONG_INS),
        (("open", INS, "--channel", "fax"), Refusal.UNKNOWN_CHANNEL),
        (("open", INS, "--channel", "auto"), Refusal.TOO_EARLY),
        (("open", INS, "--birth-date", "2012"), Refusal.WRONG_DATE),
        (("open", INS, "--birth-date", "20121004"), Refusal.REPRESENTATIVE_MISSING),
        (("open", INS, "--by", "representative:258063523804186"), Refusal.NOT_REPRESENTATIVE),
        (("close", INS), Refusal.NO_RECORD),
        (("authorise", INS, DOCTOR), Refusal.NO_RECORD),
    ],
)
def test_bad_input_is_refused_by_name_and_nothing_is_opened(
    data: str, arguments: tuple[str, ...], expected: Refusal
) -> None:
    result = run(data, *arguments)
    assert isinstance(result.exception, RecordRefused), result.exception
    assert result.exception.code is expected
    assert isinstance(run(data, "show", INS).exception, RecordRefused)


def test_rights_are_given_and_taken_back(data: str) -> None:
    done(data, "open", INS)
    done(data, "authorise", INS, DOCTOR, "--name", "VILLARD Elise")
    [right] = done(data, "show", INS)["rights"]
    assert (right["authorisation"], right["until"], right["name"]) == ("VALIDE", "20270310100000", "VILLARD Elise")
    assert done(data, "show", INS, "--now", "20270310100000")["rights"][0]["authorisation"] == "EXPIRE"
    done(data, "block", INS, DOCTOR, "--by", "holder")
    assert done(data, "show", INS)["rights"][0]["authorisation"] == "INTERDIT"
    assert refused(data, "authorise", INS, DOCTOR) is Refusal.BLOCKED
    done(data, "unblock", INS, DOCTOR)
    assert done(data, "show", INS)["rights"] == []


def test_the_treating_doctor_is_one(data: str) -> None:
    done(data, "open", INS)
    assert done(data, "treating-doctor", INS, DOCTOR)["treatingDoctorFrom"] == "declared"
    changed = done(data, "treating-doctor", INS, "899700218904", "--by", "insurer")
    assert (changed["treatingDoctor"], changed["treatingDoctorFrom"]) == ("899700218904", "insurer")
    assert "treatingDoctor" not in done(data, "treating-doctor", INS, "--drop")


def test_an_unknown_actor_is_a_usage_error(data: str) -> None:
    result = run(data, "open", INS, "--by", "server")
    assert result.exit_code == 2
    assert "--by" in result.output
