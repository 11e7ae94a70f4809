"""Assertions and reports: XPath over the log."""

from datetime import date
from pathlib import Path

import pytest
from lxml import etree

from conformance.failures import StepFailed
from conformance.nist.assertions import assertion_data, check_assertions
from conformance.nist.kit import Section
from conformance.nist.log_tree import Logs, SectionLog, StepLog, start_step
from conformance.nist.step_reports import automatic_reports, planned_reports
from conformance.nist.testplan import Assertion, Report, Step
from tests.conformance.kits import element

DAY = date(2024, 12, 1)


def findings(xpath: str, data: str = "<Data/>", **symbols: str) -> list[str]:
    found = check_assertions([Assertion(id="a", xpath=xpath)], etree.fromstring(data), symbols, DAY)
    return [str(one) for one in found]


@pytest.mark.parametrize(
    "xpath",
    [
        "1 = 1",
        "count(//x) = 2",
        "//x/@v = 'b'",
        "'20241201120000' < '20241201120005'",
        "substring('20241201',1,8) = '$DATE$'",
        "string(//x[1]/@v) equalsIgnoreCase 'A'",
        "'TRUE'",
        "true()",
    ],
)
def test_true_assertions(xpath: str) -> None:
    assert findings(xpath, "<Data><x v='a'/><x v='b'/></Data>") == []


@pytest.mark.parametrize("xpath", ["1 = 2", "//x", "count(//x)", "'yes'", "string(//x/@v) equalsIgnoreCase 'B'"])
def test_anything_else_than_true_fails(xpath: str) -> None:
    (finding,) = findings(xpath, "<Data><x v='a'/></Data>")
    assert finding.startswith("assertion a is")


def test_symbols_of_the_step_are_replaced_in_the_xpath() -> None:
    assert findings("'orig_uuid' = 'u1'", orig_uuid="u1") == []


def test_an_xpath_that_is_none_is_said_to_be_so() -> None:
    assert "cannot be evaluated" in findings("count(")[0]


def section_log() -> tuple[SectionLog, StepLog]:
    log = Logs().start(Section(test="1", name="a", folder=Path()))
    log.steps["s"] = start_step(Step(id="s"))
    return log, log.steps["s"]


def test_this_is_the_whole_log_of_the_section_and_other_files_are_files(tmp_path: Path) -> None:
    (tmp_path / "o.xml").write_text("<other/>")
    log, _ = section_log()
    data = assertion_data(log, [("THIS", "output"), ("o.xml", "file")], tmp_path)
    assert data.xpath("count(/Data/output/TestResults/TestStep) = 1 and count(/Data/file/other) = 1")
    with pytest.raises(StepFailed, match=r"no.xml"):
        assertion_data(log, [("no.xml", "x")], tmp_path)


def test_without_data_reference_the_data_is_empty(tmp_path: Path) -> None:
    log, _ = section_log()
    assert len(assertion_data(log, [], tmp_path)) == 0


def test_a_report_starts_at_its_section_and_slashes_at_the_log_of_the_step() -> None:
    log, step = section_log()
    log.steps["other"] = start_step(Step(id="other"))
    log.steps["other"].add("Result", element("<r:o/>"))
    step.add("InputMetadata", element("<r:i/>"))
    step.add("Result", element('<r:o id="1"/>'))
    reports = (
        Report(name="relative", section="Result", xpath="*/@id"),
        Report(name="sees input", section="Result", xpath="count(//*[local-name()='i'])"),
        Report(name="not other steps", section="Result", xpath="count(//*[local-name()='o'])"),
        Report(name="empty", section="Result", xpath="//nothing"),
    )
    assert planned_reports(step, reports) == {"relative": "1", "sees input": "1", "not other steps": "1", "empty": ""}


@pytest.mark.parametrize("report", [{"section": "Nowhere", "xpath": "."}, {"section": "Result", "xpath": "("}])
def test_a_report_that_cannot_be_made_fails(report: dict[str, str]) -> None:
    _, step = section_log()
    step.add("Result", "x")
    with pytest.raises(StepFailed, match="report r"):
        planned_reports(step, (Report(name="r", **report),))


def test_automatic_reports_name_parameters_assigned_ids_and_retrieved_documents() -> None:
    _, step = section_log()
    step.add_assigned("AssignedUids", [("Document01", "1.2")])
    step.add_assigned("AssignedUuids", [("Document01", "urn:uuid:1")])
    document = (
        "<x:HomeCommunityId>h</x:HomeCommunityId><x:RepositoryUniqueId>r</x:RepositoryUniqueId>"
        "<x:mimeType>text/plain</x:mimeType><x:Document>YWJj</x:Document>"
    )
    step.add("Result", element(f"<x:R><x:DocumentResponse>{document}</x:DocumentResponse></x:R>"))
    reports = automatic_reports(step, {"$patientid$": "P"})
    assert reports == {
        "$patientid$": "P",
        "Document01_uid": "1.2",
        "Document01_uuid": "urn:uuid:1",
        "$home_doc0$": "h",
        "$repuid_doc0$": "r",
        "$mimetype_doc0$": "text/plain",
        "$hash_doc0$": "a9993e364706816aba3e25717850c26c9cd0d89d",
        "$size_doc0$": "3",
    }
