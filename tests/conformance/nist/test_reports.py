"""The reports of a run: terminal, JUnit, HTML, JSON, messages on disk."""

import io
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from lxml import etree, html
from rich.console import Console

from conformance.failures import KitError
from conformance.nist.as_run import to_run
from conformance.nist.configuration import Configuration, open_session, open_system
from conformance.nist.kit import read_kit
from conformance.nist.message_files import save_messages
from conformance.nist.messages import shortened, shown_message
from conformance.nist.outcomes import RunOutcome
from conformance.nist.report_json import write_json
from conformance.nist.report_junit import write_junit
from conformance.nist.report_terminal import TerminalReport
from conformance.nist.run import Observer, run_kit
from conformance.nist.run_order import plan_run
from conformance.nist.session import Session
from conformance.nist.soap_client import HttpMessage
from conformance.report.page import write_page
from tests.conformance.fake_servers import Reply, Request, soap_server
from tests.conformance.kits import (
    a_plan,
    a_query,
    a_query_response,
    a_registry_response,
    a_step,
    a_submission,
    an_error,
    write_kit,
)

BAD = "<script>alert(1)</script> \x1b[31m"
SUBMIT = "<RegisterTransaction><MetadataFile>m.xml</MetadataFile></RegisterTransaction>"
QUERY = "<StoredQueryTransaction><MetadataFile>q.xml</MetadataFile>{}</StoredQueryTransaction>"


def plans() -> dict[str, dict[str, dict[str, str]]]:
    """A test that passes, one that fails, one that is not run, one known disagreement."""

    def files(*steps: str) -> dict[str, str]:
        return {"testplan.xml": a_plan(*steps), "m.xml": a_submission(), "q.xml": a_query()}

    counts = QUERY.format('<ExpectedContents><ObjectRefs count="1"/></ExpectedContents>')
    return {
        "good": {"a": files(a_step(SUBMIT, id="submit", more="<Goal>The goal</Goal>"))},
        "bad": {"a": files(a_step(QUERY.format(""), expected="Failure", id="one"), a_step(SUBMIT, id="two"))},
        "xdr": {"a": files(a_step(SUBMIT.replace("RegisterT", "XDRProvideAndRegisterT")))},
        "odd": {"a": files(a_step(counts, id="odd"))},
    }


def answer(request: Request) -> Reply:
    if request.action.endswith("StoredQuery"):
        return Reply(body=a_query_response(errors=an_error("W", "&lt;script>alert(1)&lt;/script>", severity="Warning")))
    return Reply(body=a_registry_response())


class Run:
    def __init__(self, folder: Path, observer: Observer, *, wanted: tuple[str, ...]) -> None:
        kit = read_kit(write_kit(folder, plans()))
        (folder / "known.toml").write_text(
            '[[disagreement]]\ntest="odd"\nsection="a"\nstep="odd"\nreason="because"\nclause="c"\n'
            "[disagreement.contents]\nObjectRefs=0\n"
        )
        with soap_server(answer) as server:
            configuration = Configuration(
                registry=server.url, is_without_feed=True, disagreements=[folder / "known.toml"]
            )
            self.session: Session = open_session(configuration, kit)
            system, planned = open_system(configuration), plan_run(kit, wanted)
            self.outcome: RunOutcome = run_kit(kit, planned, system, self.session, observer)


ALL = ("good", "bad", "xdr", "odd")


@pytest.fixture
def outcome(tmp_path: Path) -> Iterator[RunOutcome]:
    yield Run(tmp_path, Observer(), wanted=ALL).outcome


def test_junit_has_a_suite_for_each_test_and_a_case_for_each_step(outcome: RunOutcome, tmp_path: Path) -> None:
    write_junit(outcome, tmp_path / "r.xml")
    suites = etree.parse(tmp_path / "r.xml").getroot()
    found = {one.get("name").split()[0]: one for one in suites}
    assert set(found) == {"15817", *ALL}
    assert (found["bad"].get("tests"), found["bad"].get("failures"), found["bad"].get("skipped")) == ("2", "1", "1")
    failure = found["bad"].find("testcase/failure")
    assert failure.get("message") == "wrong status"
    assert "expected Failure" in failure.text
    assert "AdhocQueryRequest" in failure.text
    assert "give --xdr URL" in found["xdr"].find("testcase/skipped").get("message")
    assert "known disagreement: because (c)" in found["odd"].find("testcase/skipped").get("message")
    assert found["good"].find("testcase").get("classname") == "nist.good.a"


def test_html_is_the_page_of_the_kit_with_failures_and_their_messages(outcome: RunOutcome, tmp_path: Path) -> None:
    """The tests of this kit belong to no requirement: they stand beside them."""
    write_page(to_run(outcome), tmp_path / "r.html", language="en")
    page = html.parse(tmp_path / "r.html", html.HTMLParser(encoding="utf-8")).getroot()
    failed = page.xpath("//details[@data-verdict='failed' and not(@class)]")
    assert ["Test bad, step a/one" in one.text_content() for one in failed] == [True]
    (message,) = failed[0].xpath(".//a/@href")
    assert "AdhocQueryRequest" in page.xpath(f"string(//details[@id='{message[1:]}']//pre)")
    assert "alert(1)" in page.text_content()
    assert len(page.xpath("//script")) == 1


def test_json_tells_every_step(outcome: RunOutcome, tmp_path: Path) -> None:
    write_json(outcome, tmp_path / "r.json")
    found = json.loads((tmp_path / "r.json").read_text())
    assert found["counts"]["tests"] == {"passed": 2, "failed": 1, "known disagreement": 1, "not run": 1}
    steps = {f"{test['id']}/{step['step']}": step for test in found["tests"] for step in test["steps"]}
    assert steps["bad/one"]["failures"][0]["expected"] == "Failure"
    assert steps["bad/two"]["status"] == "not run"
    assert steps["odd/odd"]["note"] == "because (c)"


def terminal(tmp_path: Path, *, detail: int) -> str:
    console = Console(file=io.StringIO(), width=100, force_terminal=False)
    report = TerminalReport(console, tests=4, detail=detail)
    with report:
        run = Run(tmp_path, report.observer, wanted=ALL)
    report.summarise(run.outcome)
    return console.file.getvalue()  # type: ignore[attr-defined, no-any-return]


def test_the_terminal_shows_reason_request_and_answer_of_a_failure(tmp_path: Path) -> None:
    text = terminal(tmp_path, detail=1)
    assert "FAILED bad/a/one" in text
    assert "ITI-18, expected Failure" in text
    assert "expected: wrong status" in text
    assert "<query:AdhocQueryResponse" in text.replace("<q:", "<query:")
    assert "passed   good Title of good  1 of 1 steps" in text
    assert "not run xdr: no address" in text
    assert "known disagreement odd/a/odd: because (c)" in text
    assert text.rstrip().endswith("failed bad/a/one: wrong status")


def test_quiet_leaves_out_tests_that_pass_and_verbose_shows_every_step(tmp_path: Path) -> None:
    quiet, verbose = terminal(tmp_path / "q", detail=0), terminal(tmp_path / "v", detail=2)
    assert "Title of good" not in quiet
    assert "FAILED bad/a/one" in quiet
    assert "a/submit" in verbose
    assert "not run    a/two" in verbose


def test_messages_are_kept_as_they_were_on_the_wire(tmp_path: Path) -> None:
    run = Run(tmp_path / "kit", Observer(), wanted=("good",))
    save_messages(run.outcome, run.session.logs, tmp_path / "saved")
    request = (tmp_path / "saved/good/a/submit.request").read_bytes()
    assert request.startswith(b"POST /xds\r\nContent-Type: application/soap+xml")
    assert b"\r\n\r\n<?xml" in request
    assert b"HTTP 200 OK" in (tmp_path / "saved/good/a/submit.answer").read_bytes()
    log = etree.parse(tmp_path / "saved/good/a/log.xml")
    assert log.xpath("count(/TestResults/TestStep[@id='submit']/RegisterTransaction/Result)") == 1
    (tmp_path / "file").write_text("")
    with pytest.raises(KitError, match="messages cannot be saved"):
        save_messages(run.outcome, run.session.logs, tmp_path / "file")


def test_a_multipart_message_is_shown_by_its_root_and_the_names_of_its_parts() -> None:
    body = b"--b\r\nContent-ID: <r>\r\n\r\n<a><b/></a>\r\n--b\r\nContent-ID: <d>\r\nContent-Type: text/plain\r\n\r\nxyz\r\n--b--"
    headers = (("Content-Type", "multipart/related; boundary=b"),)
    text = shown_message(HttpMessage(start_line="POST /", headers=headers, body=body))
    assert text.endswith("<a>\n  <b/>\n</a>\n[part d: text/plain, 3 octets]")
    broken = shown_message(HttpMessage(start_line="POST /", headers=headers, body=b"--b\xff"))
    assert "closing boundary" in broken


def test_long_messages_are_shortened_and_say_so() -> None:
    assert shortened("a\nb\nc", 3) == "a\nb\nc"
    assert shortened("a\nb\nc", 1) == "a\n… 2 more lines"
