"""A run kept in a folder: what was written is read again, also after a crash."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from conformance.failures import KitError
from conformance.judgement import Finding, Heading, Message, Run, Verdict
from conformance.requirements import Actor, requirements_of
from conformance.run_folder import FINDINGS, MESSAGES, RunFolder
from conformance.sentence import sentence_of

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
HEADING = Heading(
    actor=Actor.CLIENT, subject="Logiciel 1.0", profiles=("alimentation",), started=NOW, settings={"listen": "x"}
)
MESSAGE = Message(
    id="0001",
    time=NOW,
    transaction="ITI-41",
    peer="127.0.0.1",
    request=b"POST /\r\n\r\n\xff\x00",
    answer=b"HTTP 200",
    step="a/1",
)
FINDING = Finding(
    requirement="CLIENT-SOAP-01",
    verdict=Verdict.FAILED,
    text_fr="non",
    text_en="no",
    message="0001",
    location="/a",
    evidence="<b>\ud800",
)


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    kept = RunFolder(path=tmp_path / "run")
    kept.start(HEADING)
    return kept


def test_what_was_kept_comes_back(folder: RunFolder) -> None:
    folder.add_message(MESSAGE)
    kept = replace(FINDING, evidence="é <b>")
    folder.add_finding(kept)
    folder.end(NOW)
    assert folder.load() == Run(heading=HEADING, messages=(MESSAGE,), findings=(kept,), ended=NOW)


def test_a_run_goes_on_where_it_was_cut(folder: RunFolder) -> None:
    folder.add_message(MESSAGE)
    folder.add_finding(replace(FINDING, evidence=""))
    for name in (MESSAGES, FINDINGS):
        with (folder.path / name).open("ab") as file:
            file.write(b'{"id": "00')
    again = RunFolder(path=folder.path)
    assert [one.id for one in again.load().messages] == ["0001"]
    again.add_message(replace(MESSAGE, id="0002"))
    assert [one.id for one in again.load().messages] == ["0001", "0002"]
    assert len(again.load().findings) == 1


def test_text_that_is_no_unicode_is_kept_all_the_same(folder: RunFolder) -> None:
    folder.add_finding(FINDING)
    assert folder.load().findings[0].evidence == "<b>?"


def test_a_run_is_not_started_over_another(folder: RunFolder) -> None:
    with pytest.raises(KitError, match="holds a run already"):
        folder.start(HEADING)


@pytest.mark.parametrize("name", ["../0001", "", "a/b", ".hidden"])
def test_the_id_of_a_message_is_no_path(folder: RunFolder, name: str) -> None:
    with pytest.raises(KitError, match="found the message id"):
        folder.add_message(replace(MESSAGE, id=name))
    assert folder.load().messages == ()


def test_a_folder_without_a_run_is_told(tmp_path: Path) -> None:
    with pytest.raises(KitError, match=r"there is no run in .*: expected a file run\.json"):
        RunFolder(path=tmp_path).load()


def test_a_damaged_line_is_named(folder: RunFolder) -> None:
    (folder.path / FINDINGS).write_bytes(b"not json\n")
    with pytest.raises(KitError, match=r"findings\.jsonl, line 1") as raised:
        folder.load()
    assert "findings.jsonl, ligne 1" in sentence_of(raised.value).fr


def test_one_failed_finding_fails_a_requirement_and_the_others_are_not_tested() -> None:
    passed = replace(FINDING, verdict=Verdict.PASSED)
    other = replace(passed, requirement="CLIENT-SOAP-02")
    run = Run(heading=HEADING, findings=(passed, FINDING, passed, other))
    assert run.verdicts["CLIENT-SOAP-01"] is Verdict.FAILED
    assert run.verdicts["CLIENT-SOAP-02"] is Verdict.PASSED
    assert run.coverage == (2, len(requirements_of(Actor.CLIENT)))
    assert run.counts[Verdict.NOT_TESTED] == len(requirements_of(Actor.CLIENT)) - 2
    assert run.has_failed
