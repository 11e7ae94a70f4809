"""The rules of a pack on Saxon beside our engine: `--oracle`, `--compare`."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner
from lxml import etree

from carnet.cda_oracle import Difference, Oracle
from carnet.command_line import commands
from cda.schematron import compile_schema
from tests.cda.mutations import EXAMPLES, example, mutated

REPORT = EXAMPLES / "lettre-liaison-sortie.xml"
NAMESPACES = '<ns prefix="cda" uri="urn:hl7-org:v3"/>'
# Value set, variable, XPath 2.0, an abstract pattern, a warning, and a pattern whose first rule that matches counts.
HEADER = """
<let name="codes" value="'../../jeuxDeValeurs/levels.xml'"/>
<pattern id="level"><rule context="cda:ClinicalDocument/cda:confidentialityCode">
  <let name="code" value="@code"/>
  <assert id="in-set" test="document($codes)//*[@code = $code]">level</assert>
</rule></pattern>
<pattern abstract="true" id="once"><rule context="$where">
  <assert id="once" test="count($what) = 1">one $what</assert>
  <assert id="words" role="warning" test="every $each in $what satisfies $each/@root != ''">root</assert>
</rule></pattern>
<pattern is-a="once" id="set"><param name="where" value="cda:ClinicalDocument"/><param name="what" value="cda:setId"/></pattern>
<pattern id="first">
  <rule context="cda:templateId[@root = '1.2.250.1.213.1.1.1.1']"><assert test="true()">never</assert></rule>
  <rule context="cda:templateId"><report id="extra" test="@assigningAuthorityName">no name</report></rule>
</pattern>
"""
OTHERS = ("IHE.sch", "CI-SIS_ModelesDeContenusCDA.sch", "CI-SIS_Modeles_ANS.sch")


@pytest.fixture(scope="module")
def pack(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pack")
    profiles = folder / "schematrons" / "profils"
    (profiles / "structurationMinimale").mkdir(parents=True)
    (folder / "schematrons" / "jeuxDeValeurs").mkdir()
    (folder / "schematrons" / "jeuxDeValeurs" / "levels.xml").write_text('<v><c code="N"/><c code="R"/></v>')
    schema = '<schema xmlns="http://purl.oclc.org/dsdl/schematron" queryBinding="xslt2">{}{}</schema>'
    header = profiles / "structurationMinimale" / "ASIP-STRUCT-MIN-StrucMin.sch"
    header.write_text(schema.format(NAMESPACES, HEADER), encoding="utf-8")
    for name in OTHERS:
        (profiles / name).write_text(schema.format(NAMESPACES, ""), encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def oracle(pack: Path) -> Iterator[Oracle]:
    with Oracle(pack) as running:
        yield running


@pytest.mark.parametrize(
    ("xpath", "operation", "attribute", "value", "rule"),
    [
        ("/h:ClinicalDocument/h:confidentialityCode", "set_attribute", "code", "Z", "in-set"),
        ("/h:ClinicalDocument/h:setId", "duplicate", "", "", "once"),
        ("/h:ClinicalDocument/h:setId", "set_attribute", "root", "", "words"),
        ("/h:ClinicalDocument/h:templateId[3]", "set_attribute", "assigningAuthorityName", "x", "extra"),
    ],
)
def test_saxon_and_our_engine_see_the_same_faults(
    oracle: Oracle, xpath: str, operation: str, attribute: str, value: str, rule: str
) -> None:
    changed = etree.tostring(mutated(example(REPORT.name), xpath, operation, attribute, value))
    assert [each.rule for each in oracle.report(changed).findings] == [rule]
    assert oracle.differences(changed) == []


def test_a_difference_is_shown_with_who_sees_it(oracle: Oracle, monkeypatch: pytest.MonkeyPatch) -> None:
    """Our engine without a rule: what Saxon alone sees."""
    deaf = compile_schema(
        oracle.source("schematrons/profils/IHE.sch"),
        value_sets=None,  # type: ignore[arg-type]  # there is no rule to ask it
        open_document=lambda _path: None,
    )
    monkeypatch.setitem(oracle.rules.layers, "SM", deaf)  # type: ignore[arg-type]
    changed = etree.tostring(mutated(example(REPORT.name), "/h:ClinicalDocument/h:setId", "delete"))
    found = oracle.differences(changed)
    assert [str(each) for each in found] == ["Saxon alone: [SM] /ClinicalDocument: count(cda:setId) = 1"]
    assert isinstance(found[0], Difference)


def test_the_command_compares_a_file(pack: Path) -> None:
    result = CliRunner().invoke(commands, ["cda", "check", str(REPORT), "--rules", str(pack), "--compare"])
    assert (result.exit_code, result.output) == (0, f"{REPORT}: 0 differences\n")


def test_the_command_checks_with_saxon(pack: Path) -> None:
    result = CliRunner().invoke(commands, ["cda", "check", str(REPORT), "--rules", str(pack), "--oracle"])
    assert (result.exit_code, "valide" in result.output) == (0, True)


def test_the_oracle_needs_a_pack() -> None:
    result = CliRunner().invoke(commands, ["cda", "check", str(REPORT), "--compare"])
    assert result.exit_code == 2
    assert "--rules DIR" in result.output


def test_without_saxon_the_command_says_what_to_install(pack: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    result = CliRunner().invoke(commands, ["cda", "check", str(REPORT), "--rules", str(pack), "--oracle"])
    assert result.exit_code == 1
    assert "carnet[oracle]" in result.output
