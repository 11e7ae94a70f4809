"""The log of a section, and references into the logs of others."""

from pathlib import Path

import pytest

from conformance.failures import StepFailed
from conformance.nist.kit import NAMELESS, Section
from conformance.nist.log_tree import Logs, StepLog, place_of, start_step
from conformance.nist.references import resolve_use_ids, resolve_use_reports
from conformance.nist.testplan import Step, UseId, UseReport

HERE = Section(test="1", name="a", folder=Path())


def logs_with(section: Section, step: str = "s") -> tuple[Logs, StepLog]:
    logs = Logs()
    log = logs.start(section)
    log.steps[step] = start_step(Step(id=step))
    return logs, log.steps[step]


@pytest.mark.parametrize(
    ("section", "testdir", "place"),
    [
        ("a", "", ("1", "a")),
        ("a", "../submit", ("1", "submit")),
        ("a", "../../12346/single_doc", ("12346", "single_doc")),
        ("a", "submit", ("1", "a/submit")),
        (NAMELESS, "", ("1", NAMELESS)),
        ("a", "../../2", ("2", NAMELESS)),
    ],
)
def test_a_testdir_is_relative_to_the_section(section: str, testdir: str, place: tuple[str, str]) -> None:
    assert place_of(Section(test="1", name=section, folder=Path()), testdir) == place


def test_a_use_id_finds_what_a_step_assigned() -> None:
    logs, log = logs_with(Section(test="2", name="b", folder=Path()))
    log.add_assigned("AssignedUids", [("D", "1.2"), ("E", "1.3")])
    use = UseId(id="E", symbol="$e$", step="s", section="AssignedUids", testdir="../../2/b")
    assert resolve_use_ids(logs, HERE, [use]) == {"$e$": "1.3"}


@pytest.mark.parametrize("wrong", [{"id": "X"}, {"section": "AssignedUuids"}, {"step": "t"}, {"testdir": "../../3/b"}])
def test_a_use_id_that_leads_nowhere_fails(wrong: dict[str, str]) -> None:
    logs, log = logs_with(Section(test="2", name="b", folder=Path()))
    log.add_assigned("AssignedUids", [("D", "1.2")])
    values = {"id": "D", "symbol": "$e$", "step": "s", "section": "AssignedUids", "testdir": "../../2/b", **wrong}
    with pytest.raises(StepFailed):
        resolve_use_ids(logs, HERE, [UseId(**values)])


def test_use_report_means_this_section_another_one_or_the_nameless_one() -> None:
    logs, log = logs_with(HERE)
    log.add_reports({"r": "here"})
    nameless = logs.start(Section(test="2", name=NAMELESS, folder=Path()))
    nameless.steps["s"] = start_step(Step(id="s"))
    nameless.steps["s"].add_reports({"r": "there"})
    uses = [
        UseReport(report_name="r", use_as="1", step="s", section="THIS"),
        UseReport(report_name="r", use_as="2", step="s", section="a"),
        UseReport(report_name="r", use_as="3", step="s", test="2"),
    ]
    assert resolve_use_reports(logs, HERE, uses) == {"1": "here", "2": "here", "3": "there"}


def test_an_empty_report_leaves_the_symbol_and_a_missing_one_fails() -> None:
    logs, log = logs_with(HERE)
    log.add_reports({"empty": ""})
    assert resolve_use_reports(logs, HERE, [UseReport(report_name="empty", use_as="x", step="s", section="THIS")]) == {}
    with pytest.raises(StepFailed, match="has no report other"):
        resolve_use_reports(logs, HERE, [UseReport(report_name="other", use_as="x", step="s", section="THIS")])


def test_the_newest_run_of_a_section_counts() -> None:
    logs, log = logs_with(HERE)
    log.add_reports({"r": "old"})
    logs.start(HERE).steps["s"] = start_step(Step(id="s"))
    with pytest.raises(StepFailed):
        resolve_use_reports(logs, HERE, [UseReport(report_name="r", use_as="x", step="s", section="THIS")])


def test_the_tree_holds_every_step_with_its_status() -> None:
    logs, log = logs_with(HERE)
    log.status = "Pass"
    log.add("Result", "text")
    tree = logs.sections["1", "a"].tree()
    assert tree.xpath("string(/TestResults/TestStep[@id='s'][@status='Pass']//Result)") == "text"
