"""`python -m conformance report` and `compare`, over runs that lie in folders."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from lxml import etree

from conformance.client.scenarios import judged_in
from conformance.failures import KitError
from conformance.judgement import Finding, Run, Verdict
from conformance.report.comparison import changes
from conformance.requirements import Actor, requirements_of
from conformance.run_folder import RunFolder
from tests.conformance.runs import a_finding, a_run
from tests.servers import ROOT

EVERY, ASKED = len(requirements_of(Actor.CLIENT)), len(judged_in(["alimentation"]))


def kept(folder: Path, run: Run) -> Path:
    stored = RunFolder(path=folder)
    stored.start(run.heading)
    for message in run.messages:
        stored.add_message(message)
    for finding in run.findings:
        stored.add_finding(finding)
    return folder


def command(*words: str | Path) -> subprocess.CompletedProcess[str]:
    line = [sys.executable, "-m", "conformance", *map(str, words)]
    return subprocess.run(line, capture_output=True, text=True, cwd=ROOT, check=False)


def with_findings(*findings: Finding) -> Run:
    return replace(a_run(), findings=findings)


def test_a_run_that_was_kept_is_reported_in_three_forms(tmp_path: Path) -> None:
    folder = kept(tmp_path / "run", a_run())
    junit, told = tmp_path / "j.xml", tmp_path / "r.json"
    done = command("report", folder, "--junit", junit, "--json", told, "--lang", "en")
    assert done.returncode == 1
    assert (
        f"1 requirement passed, 2 requirements failed, {EVERY - 3} requirements not tested; "
        f"coverage: 3 requirements of {EVERY}; of those of the scenarios: 3 of {ASKED}, 2 messages"
    ) in done.stdout
    coverage = json.loads(told.read_text("utf-8"))["coverage"]
    assert (coverage["tested_of_scenarios"], coverage["requirements_of_scenarios"]) == (3, ASKED)
    assert 3 < ASKED < EVERY
    page = (folder / "report.html").read_text("utf-8")
    assert page.startswith('<!DOCTYPE html>\n<html lang="en">')
    suites = {one.get("name"): one for one in etree.parse(str(junit)).getroot()}
    assert (suites["SOAP"].get("tests"), suites["SOAP"].get("failures"), suites["SOAP"].get("skipped")) == (
        "10",
        "1",
        "8",
    )
    found = {one["id"]: one for one in json.loads(told.read_text("utf-8"))["requirements"]}
    assert found["CLIENT-META-05"]["verdict"] == "failed"
    assert found["CLIENT-META-05"]["findings"][0]["evidence"] == "279035121518989"
    assert found["CLIENT-TLS-01"]["verdict"] == "not tested"


def test_a_run_without_a_failure_ends_with_0(tmp_path: Path) -> None:
    folder = kept(tmp_path / "run", with_findings(a_finding("CLIENT-SOAP-02", Verdict.PASSED)))
    done = command("report", folder)
    assert done.returncode == 0
    assert (
        f"1 exigence conforme, 0 exigence non conforme, {EVERY - 1} exigences non testées ; "
        f"couverture : 1 exigence sur {EVERY} ; de celles des scénarios : 1 sur {ASKED}, 2 messages" in done.stdout
    )


def test_what_changed_between_two_runs_is_told(tmp_path: Path) -> None:
    before = with_findings(a_finding("CLIENT-SOAP-01", Verdict.FAILED), a_finding("CLIENT-SOAP-02", Verdict.PASSED))
    after = with_findings(a_finding("CLIENT-SOAP-01", Verdict.PASSED), a_finding("CLIENT-SOAP-02", Verdict.PASSED))
    first, second = kept(tmp_path / "1", before), kept(tmp_path / "2", after)
    better, worse = command("compare", first, second, "--lang", "en"), command("compare", second, first)
    assert (better.returncode, worse.returncode) == (0, 1)
    assert "1 change: 0 worse, 1 better" in better.stdout
    assert "CLIENT-SOAP-01" in worse.stdout
    assert "non conforme" in worse.stdout
    assert "1 changement : 1 en moins bien, 0 en mieux" in worse.stdout
    assert "CLIENT-SOAP-02" not in worse.stdout


def test_a_requirement_that_is_not_tested_any_more_got_worse() -> None:
    passed = with_findings(a_finding("CLIENT-SOAP-02", Verdict.PASSED))
    assert [one.is_worse for one in changes(passed, with_findings())] == [True]
    assert [one.is_worse for one in changes(with_findings(), passed)] == [False]


def test_a_client_is_not_compared_with_a_server() -> None:
    run = a_run()
    other = replace(run, heading=replace(run.heading, actor=Actor.SERVER), findings=())
    with pytest.raises(KitError, match="the two runs have no requirement in common: client, server"):
        list(changes(run, other))


def test_a_folder_without_a_run_is_one_sentence(tmp_path: Path) -> None:
    done = command("report", tmp_path)
    assert done.returncode == 2
    assert done.stderr.startswith("conformance: il n'y a pas d'essai dans")
    assert "Traceback" not in done.stderr
