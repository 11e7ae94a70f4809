"""`carnet cda` as a user meets it."""

import json
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from lxml import etree

from carnet.command_line import commands
from carnet.rule_folder import OfficialPack, RuleFolder, own_rules_with
from cda.findings import Layer
from cda.schematron import SchemaError
from cda.validate import check_bytes
from tests.cda.mutations import EXAMPLES, example, mutated

REPORT = EXAMPLES / "lettre-liaison-sortie.xml"


def run(*arguments: object) -> Result:
    return CliRunner().invoke(commands, ["cda", *(str(each) for each in arguments)])


@pytest.fixture
def faulty(tmp_path: Path) -> Path:
    path = tmp_path / "faulty.xml"
    path.write_bytes(etree.tostring(mutated(example(REPORT.name), "/h:ClinicalDocument/h:setId", "delete")))
    return path


def test_a_valid_document_ends_with_0() -> None:
    result = run("check", REPORT)
    assert result.exit_code == 0
    assert "valide (LDL-SES 2022.01; 0 erreur, 0 avertissement)" in result.output


def test_an_error_ends_with_1_and_says_rule_place_expected_and_found(faulty: Path) -> None:
    result = run("check", faulty)
    assert result.exit_code == 1
    assert "erreur [SM] SM-document-" in result.output
    assert "/ClinicalDocument" in result.output
    assert "attendu : exactement 1 élément setId" in result.output
    english = run("check", faulty, "--language", "en")
    assert "expected : exactly 1 element setId" in english.output


def test_json_has_everything(faulty: Path) -> None:
    (found,) = json.loads(run("check", faulty, "--json").output)
    assert found["valid"] is False
    assert found["model"] == "LDL-SES"
    finding = found["findings"][0]
    assert set(finding) == {"rule", "layer", "severity", "location", "line", "found", "expected"}
    assert finding["expected"]["fr"]
    assert finding["expected"]["en"]


def test_a_file_that_cannot_be_read_has_no_model(tmp_path: Path) -> None:
    path = tmp_path / "cut.xml"
    path.write_bytes(REPORT.read_bytes()[:500])
    result = run("check", path)
    assert result.exit_code == 1
    assert "non valide (-; 1 erreur, 0 avertissement)" in result.output


def test_the_page_escapes_what_documents_say(tmp_path: Path) -> None:
    hostile = mutated(
        example(REPORT.name), "/h:ClinicalDocument/h:confidentialityCode", "set_attribute", "code", "<script>"
    )
    path, page = tmp_path / "hostile.xml", tmp_path / "report.html"
    path.write_bytes(etree.tostring(hostile))
    assert run("check", path, REPORT, "--html", page).exit_code == 1
    text = page.read_text(encoding="utf-8")
    assert "<script>" not in text
    assert "1 / 2 valide" in text


def test_a_folder_is_every_xml_file_below_it_also_in_several_processes(tmp_path: Path, faulty: Path) -> None:
    for number in range(3):
        shutil.copy(REPORT, tmp_path / f"{number}.xml")
    result = run("check", tmp_path, "--jobs", "2", "--json")
    assert result.exit_code == 1
    assert [each["valid"] for each in json.loads(result.output)] == [True, True, True, False]


def test_a_file_that_is_no_cda_is_a_finding_not_a_crash(tmp_path: Path) -> None:
    path = tmp_path / "x.xml"
    path.write_text("<a>", encoding="utf-8")
    result = run("check", path)
    assert result.exit_code == 1
    assert "[XML]" in result.output


@pytest.mark.parametrize("command", ["metadata", "show"])
def test_a_file_that_cannot_be_read_is_named_with_the_place(tmp_path: Path, command: str) -> None:
    path = tmp_path / "x.xml"
    path.write_text("<a>\n</b>", encoding="utf-8")
    result = run(command, path)
    assert result.exit_code == 1
    assert str(result.exception).startswith(f"{path}: The document is not well-formed XML")
    assert "(line 2, column 3)" in str(result.exception)


def test_an_empty_folder_and_two_sets_of_rules_are_usage_errors(tmp_path: Path) -> None:
    assert run("check", tmp_path).exit_code == 2
    assert run("check", REPORT, "--rules", tmp_path, "--value-sets", tmp_path).exit_code == 2


def test_a_folder_without_a_pack_is_named(tmp_path: Path) -> None:
    with pytest.raises(SchemaError, match="there is no schematrons/profils"):
        OfficialPack(tmp_path)


def test_metadata_are_those_of_the_header() -> None:
    found = json.loads(run("metadata", REPORT, "--content").output)
    assert found["missing"] == []
    assert found["entry"]["formatCode"]
    assert "problems" in found["content"]


def test_show_writes_a_page(tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    assert run("show", REPORT, "-o", page).exit_code == 0
    assert page.read_text(encoding="utf-8") == run("show", REPORT).output


def test_file_names_are_found_without_regard_to_case_and_space(tmp_path: Path) -> None:
    (tmp_path / "Sets").mkdir()
    (tmp_path / "Sets" / "JDV-a .xml").write_text("<a/>", encoding="utf-8")
    folder = RuleFolder(tmp_path)
    assert folder.read("sets/jdv-A.xml") == b"<a/>"
    with pytest.raises(FileNotFoundError):
        folder.read("../sets/jdv-a.xml")


def test_value_sets_of_a_folder_are_used(tmp_path: Path) -> None:
    (tmp_path / "jdv-modalite-entree-cisis.xml").write_text(
        '<x xmlns="urn:ihe:iti:svs:2008"><Concept code="A" codeSystem="1.2"/></x>', encoding="utf-8"
    )
    rules = own_rules_with(tmp_path)
    model = rules.model("LDL-SES", "2022.01")
    assert model is not None
    assert not [each for each in model.not_run if "modalite-entree" in each.reason]
    assert check_bytes(REPORT.read_bytes(), own_rules_with(tmp_path)).errors(Layer.HEADER) == 0


@pytest.mark.corpus
def test_the_official_pack_runs_from_its_folder(corpus: Path) -> None:
    document = corpus / "cda" / "examples" / "current" / "VAC_2023.01.xml"
    result = run("check", document, "--rules", corpus / "cda" / "official")
    assert result.exit_code == 0, result.output
    assert "VAC 2023.01" in result.output
