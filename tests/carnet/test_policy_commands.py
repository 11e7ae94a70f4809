"""`carnet policy`: a decision explained, tables exported and compared."""

import csv
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from lxml import etree

from access_policy.caller import OPEN_CALLER
from carnet.clock import true_time
from carnet.command_line import commands
from carnet.record_opening import open_known
from carnet.record_wiring import open_records
from carnet.registry_wiring import open_registry
from carnet.settings import SettingsError
from dmp import rights
from dmp.actor import OPERATOR
from dmp.life import Opening
from dmp.record import Channel
from dmp.rights import Whom
from registry import iti42_register_document_set_b as iti42
from tests import servers, sts
from tests.builders import PATIENT, a_reading, a_submission, an_entry
from xds.datatypes import Code

NURSE, PODIATRIST = ("--role", "60^^1.2.250.1.71.1.2.7"), ("--role", "80^^1.2.250.1.71.1.2.7")
ADMISSION = Code(code="67851-6", coding_scheme="2.16.840.1.113883.6.1")
MASKED = Code(code="MASQUE_PS", coding_scheme="1.2.250.1.213.1.1.4.13")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An open record that authorises one nurse, with a plain document, a masked one and one podiatrists may not read."""
    folder = tmp_path_factory.mktemp("policy")
    settings = servers.settings_for(folder)
    registry, dmp, now = open_registry(settings), open_records(settings), true_time()
    opening = Opening(channel=Channel.RECEPTION, how="test")

    def work(unit):  # type: ignore[no-untyped-def]
        open_known(registry, dmp, unit, PATIENT.key, opening, by=OPERATOR, now=now)
        rights.authorise(dmp, unit, PATIENT.key, Whom(id="899700218896"), by=OPERATOR, now=now)
        for unique_id, changes in (
            ("2.25.701", {}),
            ("2.25.702", {"confidentiality_code": (MASKED,)}),
            ("2.25.703", {"type_code": ADMISSION}),
        ):
            entry = an_entry(unique_id=unique_id, **changes)
            iti42.handle(registry, unit, a_reading(a_submission(entry)), OPEN_CALLER)

    registry.units.write(work)
    registry.units.close()
    return folder


def explained(data: Path, *words: str) -> Result:
    given = ["--data", str(data), "--patient", PATIENT.id, "--authority", PATIENT.authority]
    return CliRunner().invoke(commands, ["policy", "explain", *given, *words])


def test_an_allowed_decision_names_its_last_rule(data: Path) -> None:
    result = explained(data, *NURSE, "--name", "899700218896", "--document", "2.25.701", "--lang", "en")
    assert result.exit_code == 0, result.output
    lines = result.output.splitlines()
    assert lines[-1] == "ALLOWED  matrix:infirmier/11488-4^^2.16.840.1.113883.6.1  (allow)"
    assert any(line.startswith("yes  authorisation.valid") for line in lines)


@pytest.mark.parametrize(
    ("words", "rule"),
    [
        ((*NURSE, "--name", "1"), "authorisation.none"),
        ((*NURSE, "--name", "899700218896", "--document", "2.25.702"), "right:document.read_masked/"),
        ((*PODIATRIST, "--name", "899700218896", "--document", "2.25.703"), "matrix:pedicure_podologue/67851-6"),
        ((*NURSE, "--name", "1", "--mode", "air", "--action", "document.feed"), "right:document.submit_by_cpe/air"),
        (("--as", "representative", "--name", PATIENT.id), "holder.representative"),
    ],
)
def test_a_refusal_stops_at_the_rule_that_decided(data: Path, words: tuple[str, ...], rule: str) -> None:
    result = explained(data, *words)
    assert result.exit_code == 1, result.output
    assert result.output.splitlines()[-1].startswith(f"REFUSÉ  {rule}")
    assert result.output.splitlines()[-2].startswith(f"non  {rule}")


def test_a_vihf_is_a_caller_and_the_answer_is_json(data: Path, tmp_path: Path) -> None:
    file = tmp_path / "vihf.xml"
    file.write_bytes(etree.tostring(sts.a_vihf()))
    told = json.loads(explained(data, "--caller", str(file), "--document", "2.25.702", "--json").output)
    assert told["decision"]["allowed"]
    assert told["document"]["traits"] == ["MASKED"]
    assert told["facts"]["state"] == "open"
    assert told["steps"][-1]["passed"]


def test_s44_a_structure_without_air_is_named_as_the_rule(data: Path) -> None:
    words = (*NURSE, "--name", "899700218896", "--structure", "10B0000000", "--mode", "air")
    assert explained(data, *words).exit_code == 0
    result = explained(data, *words, "--air-structures", "directory", "--lang", "en")
    assert result.exit_code == 1
    first, last = result.output.splitlines()
    assert (first[:15], last) == ("no   caller.air", "REFUSED  caller.air  (deny)")
    assert first.endswith("AIR is enabled for the structure")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ((), "found no caller"),
        ((*NURSE, "--document", "2.25.799"), "found no such document"),
        ((*NURSE, "--document", ""), "found no such document"),
        ((*NURSE, "--role", "nurse"), "expected code^^codingScheme"),
        (("--role", "zz^^1.2.3"), "--role: value 1 is not in JDV_J65"),
        (("--role", "10^^1.2.250.1.71.1.2.7"), "--role: the second value must be"),
        (("--as", "representative"), "found no --name, expected the INS of the representative"),
    ],
)
def test_what_cannot_be_explained_says_why(data: Path, words: tuple[str, ...], told: str) -> None:
    result = explained(data, *words)
    assert result.exit_code != 0
    assert told in result.output


def test_a_caller_of_json_that_is_too_deep_is_told(data: Path, tmp_path: Path) -> None:
    file = tmp_path / "caller.json"
    file.write_text('{"name":' * 5000)
    assert "too deep" in explained(data, "--caller", str(file)).output


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda lines: [*lines[:2], lines[2] + ",astrologue", *(one + ",1" for one in lines[3:])], "found astrologue"),
        (lambda lines: [*lines[:2], lines[2] + ",medecin", *(one + ",1" for one in lines[3:])], "found one twice"),
        (lambda lines: lines[:3], "found no document type"),
        (lambda lines: [*lines, lines[3]], "found twice"),
        (lambda lines: [*lines[:3], lines[3][:-1] + "2"], "line 4: social_encadrement: found '2', expected 1 or 0"),
        (lambda lines: lines[1:], "found no line '# version: …'"),
        (lambda lines: [*lines[:3], lines[3].rpartition(",")[0]], "line 4: found 22 columns, expected 23"),
    ],
)
def test_a_matrix_that_says_something_else_than_who_reads_what_is_refused(
    tmp_path: Path, change: Callable[[list[str]], list[str]], told: str
) -> None:
    exported = CliRunner().invoke(commands, ["policy", "export"]).output.splitlines()
    file = tmp_path / "matrix.csv"
    file.write_text("\n".join(change(exported)) + "\n")
    result = CliRunner().invoke(commands, ["policy", "diff", str(file)])
    assert isinstance(result.exception, SettingsError)
    assert told in str(result.exception)


def test_an_exported_matrix_can_be_loaded_and_changes_nothing(tmp_path: Path) -> None:
    file = tmp_path / "matrix.csv"
    assert CliRunner().invoke(commands, ["policy", "export", "-o", str(file)]).exit_code == 0
    rows = list(csv.DictReader(line for line in file.read_text().splitlines() if not line.startswith("#")))
    assert (len(rows), sum(row["medecin"] == "1" for row in rows)) == (108, 108)
    result = CliRunner().invoke(commands, ["policy", "diff", str(file)])
    assert result.output == "0 decisions change with version 2024-09-25\n"


def test_a_new_version_reports_every_decision_that_changes(tmp_path: Path) -> None:
    file = tmp_path / "rights.csv"
    CliRunner().invoke(commands, ["policy", "export", "--table", "rights", "-o", str(file)])
    text = file.read_text().replace("any,own_only", "any,allow", 1).replace("# version: ", "# version: 2031 ", 1)
    file.write_text(text)
    told = json.loads(CliRunner().invoke(commands, ["policy", "diff", str(file), "--json"]).output)
    assert [(one["before"], one["after"]) for one in told["changes"]] == [("own_only", "allow")]
    assert told["version"].startswith("2031")


def test_another_matrix_decides_where_the_settings_name_one(data: Path, tmp_path: Path) -> None:
    file = tmp_path / "matrix.csv"
    CliRunner().invoke(commands, ["policy", "export", "-o", str(file)])
    lines = file.read_text().splitlines(keepends=True)
    file.write_text("".join(line for line in lines if ",11488-4," not in line))
    words = (*NURSE, "--name", "899700218896", "--document", "2.25.701", "--policy-matrix", str(file))
    assert "matrix:infirmier/11488-4" in explained(data, *words).output.splitlines()[-1]
    broken = tmp_path / "broken.csv"
    broken.write_text("no policy")
    refused = explained(data, *NURSE, "--policy-matrix", str(broken))
    assert "found no line '# version: …'" in f"{refused.output}{refused.exception}"
