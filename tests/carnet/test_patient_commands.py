"""`carnet patient`: add, merge, list, show."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from carnet.command_line import commands
from xds.errors import ErrorCode, Rejected

OLD, NEW = "258063523804187", "258063523804186"


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.delenv("CARNET_DATA", raising=False)
    folder = str(tmp_path / "data")
    assert CliRunner().invoke(commands, ["db", "upgrade", "--data", folder]).exit_code == 0
    return folder


def run(data: str, *arguments: str) -> Result:
    return CliRunner().invoke(commands, ["patient", *arguments, "--data", data])


def cx(identifier: str) -> str:
    return f"{identifier}^^^&1.2.250.1.213.1.4.10&ISO"


def test_patients_are_added_merged_and_shown(data: str) -> None:
    for identifier in (OLD, NEW):
        assert run(data, "add", identifier).output == "patient added\n"
    assert run(data, "show", OLD).output == "known: no objects\n"
    merged = json.loads(run(data, "merge", OLD, NEW, "--json").output)
    assert merged == {"subsumed": cx(OLD), "surviving": cx(NEW), "objects": 0}
    assert run(data, "show", OLD).output == f"merged into {cx(NEW)}: no objects\n"
    assert run(data, "list").output == f"{cx(OLD)}\t{cx(NEW)}\n{cx(NEW)}\t\n"
    listed = json.loads(run(data, "list", "--json").output)
    assert listed == [{"patient": cx(OLD), "mergedInto": cx(NEW)}, {"patient": cx(NEW), "mergedInto": None}]


def test_a_merge_with_an_unknown_patient_is_refused(data: str) -> None:
    run(data, "add", NEW)
    refused = run(data, "merge", OLD, NEW)
    assert isinstance(refused.exception, Rejected)
    assert [error.code for error in refused.exception.errors] == [ErrorCode.UNKNOWN_PATIENT_ID]


def test_an_identifier_of_another_domain_is_a_usage_error(data: str) -> None:
    refused = run(data, "merge", OLD, "1^^^&1.2.3&ISO")
    assert refused.exit_code == 2
    assert "expected an assigning authority of the domain" in refused.output


@pytest.mark.parametrize("identifier", ["123", "25806352380418", "2580635238041860", "25806352380418X", cx("123")])
def test_an_identifier_that_is_no_ins_is_refused_and_not_kept(data: str, identifier: str) -> None:
    refused = run(data, "add", identifier)
    assert refused.exit_code == 2
    assert f"found {identifier}, expected an INS: 15 characters" in refused.output
    assert run(data, "list").output == ""


def test_an_affinity_domain_of_its_own_has_identifiers_of_any_form(data: str) -> None:
    assert run(data, "add", "123^^^&1.2.3&ISO", "--domain", "ihe").output == "patient added\n"


def test_showing_an_unknown_patient_is_exit_code_1(data: str) -> None:
    shown = run(data, "show", OLD)
    assert (shown.exit_code, shown.output) == (1, "patient unknown\n")
