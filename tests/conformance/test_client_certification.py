"""A client is certified: Carnet's own tools pass every scenario, over the recorder, judged message by message."""

import http.client
import io
import signal
import subprocess
import sys
import urllib.request
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from threading import Thread

import pytest
from rich.console import Console

from conformance.client.certification import open_certification
from conformance.client.command_line import NOT_ALL_TESTED, report
from conformance.client.http_reading import Connection
from conformance.client.judging import CONVERSATION_RULES, message_rules
from conformance.client.preparation import Prepared
from conformance.client.recorder import Recorded
from conformance.client.rules.rule import Rule
from conformance.client.scenarios import People, Step, steps_of
from conformance.client.session import MOST_FAILED, Session
from conformance.client.view import state
from conformance.client.web import WebView
from conformance.failures import KitError
from conformance.judgement import Verdict
from conformance.requirements import Actor, requirements_of
from conformance.run_folder import RunFolder
from conformance.sentence import Sentence, french
from tests import browsers
from tests.conformance.certified import HEADING, STEPS, Played, another, people, played, prepared, rules, workbench
from tests.conformance.faults_of_fhir import REPLACED, document, feeding
from tests.conformance.faulty_clients import ARCHIVE, EXIST, MASK, REPLACE, Bench, Fault, Octets, Workbench, sub
from tests.conformance.faulty_clients_page import FAULTS, PAGE, page
from tests.conformance.fhir_software import jwt_plays
from tests.conformance.vendor_software import Software, a_report, play
from tests.mutual_tls import eventually
from tests.servers import ROOT, free_port

SHOW, DELETE = "administration/showing", "administration/deletion"
__all__ = ["another", "people", "played", "prepared", "rules", "workbench"]  # fixtures of this module


def test_the_own_tools_pass_every_scenario(played: Played) -> None:
    run = played.run
    failed = [
        f"{one.step} {one.requirement} {one.message} {one.text_en} {one.location}"
        for one in run.findings
        if one.verdict is Verdict.FAILED
    ]
    assert not failed, "\n".join(failed)
    assert run.ended is not None
    assert run.findings_of("") == ()
    assert not any(one.refused for one in played.opened.session.done)


def test_every_requirement_is_tested(played: Played) -> None:
    untested = {one for one, verdict in played.run.verdicts.items() if verdict is Verdict.NOT_TESTED}
    # The own tools act as a doctor with a card: what binds a structure with a seal is in the faulty clients.
    # They show a VIHF over FHIR too: who shows a JWT is below.
    assert untested == {"CLIENT-VIHF-19", "CLIENT-VIHF-21", "CLIENT-FHIR-16"}


def test_a_client_that_has_a_jwt_alone_passes_over_fhir(
    another: Prepared, people: People, rules: tuple[Rule, ...], tmp_path: Path
) -> None:
    steps, folder = steps_of(["fhir"]), RunFolder(path=tmp_path / "run")
    folder.start(HEADING)
    (folder.path / "laboratory").symlink_to(another.folder)
    with open_certification(another, people, steps, folder, ("127.0.0.1", 0), patience=2.0, rules=rules) as opened:
        assert f"token {folder.path} --server {opened.url}" in opened.place["token"]
        software = Software(opened.url, another, people)
        play(software, opened.page, jwt_plays(software, folder.path))
    run = folder.load()
    assert [(one.step, one.requirement, one.text_en) for one in run.findings if one.verdict is Verdict.FAILED] == []
    assert b"saml2" not in b"".join(one.request for one in run.messages)
    verdicts = run.verdicts
    assert {verdicts[f"CLIENT-{one}"] for one in ("FHIR-01", "FHIR-16", "ERR-06")} == {Verdict.PASSED}
    about_vihf = {verdict for name, verdict in verdicts.items() if name.startswith("CLIENT-VIHF")}
    assert about_vihf == {Verdict.NOT_TESTED}


# --- faulty clients --------------------------------------------------------------------------------


@pytest.mark.parametrize("fault", FAULTS, ids=str)
def test_a_faulty_client_fails_its_requirement_and_no_other(workbench: Workbench, fault: Fault) -> None:
    with workbench.opened(fault.step, has_history=fault.has_history) as bench:
        fault.act(bench)
        assert set(failed := bench.failed()) == {fault.requirement}, failed


@pytest.mark.parametrize("step", [one for one in STEPS if one.question], ids=lambda one: one.key)
def test_what_a_person_saw_is_judged(workbench: Workbench, step: Step) -> None:
    with workbench.opened(step.key) as bench:
        bench.replay()
        bench.session.confirm(answer=False)
        failed = {one.requirement for one in bench.session.folder.load().findings if one.verdict is Verdict.FAILED}
        assert step.question is not None
        assert failed == {step.question.requirement}


def test_every_requirement_on_clients_has_a_faulty_client() -> None:
    asked = {one.question.requirement for one in STEPS if one.question}
    assert {one.requirement for one in FAULTS} | asked == {one.id for one in requirements_of(Actor.CLIENT)}


def test_the_page_of_faulty_clients_is_not_stale() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "run make docs"


def test_every_rule_judges_a_requirement_that_a_step_asks_for() -> None:
    for rule in (*message_rules(), *CONVERSATION_RULES):
        assert any(step.judges_requirement(rule.requirement) for step in STEPS), rule.requirement


@pytest.mark.parametrize(
    ("step", "change", "found"),
    [
        (SHOW, sub('(nodeRepresentation=")N(")', r"\g<1>INVISIBLE_PATIENT\g<2>"), "-MASQUE_PS, INVISIBLE_PATIENT"),
        (MASK, sub("MASQUE_PS", "N"), "-MASQUE_PS, -INVISIBLE_PATIENT"),
        (ARCHIVE, sub("(?<=:)Archived", "Deleted"), "Deleted"),
        (DELETE, sub("(?<=:)Deleted", "Archived"), "Archived"),
    ],
    ids=["showing", "masking", "archiving", "deletion"],
)
def test_an_update_is_the_one_of_its_step(workbench: Workbench, step: str, change: Octets, found: str) -> None:
    with workbench.opened(step) as bench:
        for one in bench.place.steps[step].expects[:-1]:
            bench.send(one)
        bench.send("ITI-57", change)
        assert f"found {found}" in bench.failed()["CLIENT-UPD-04"]


# --- no verdict where nothing was shown ------------------------------------------------------------


def test_a_submission_that_is_refused_at_once_shows_no_waiting(workbench: Workbench) -> None:
    """Nor does the step count: the run ends with 3, and the report says why."""
    with workbench.opened("alimentation/late-answer") as bench:
        bench.send("ITI-41", step="alimentation/one-document", claim={"version": "5.0"})
        run = bench.finished()
        assert run.verdicts["CLIENT-ERR-09"] is Verdict.NOT_TESTED
        assert [one.refused for one in bench.session.done] == ["ITI-41"]
        [told] = run.findings_of("")
        assert told.text_fr.startswith("ITI-41 : le serveur n'a rien accepté dans l'étape alimentation/late-answer")


@pytest.mark.parametrize(
    ("step", "requirement"), [("consultation/noise", "CLIENT-ERR-05"), ("consultation/another-answer", "CLIENT-ERR-07")]
)
def test_silence_after_a_strange_answer_shows_nothing_without_a_person(
    workbench: Workbench, step: str, requirement: str
) -> None:
    """What the software showed is not known: it may have taken the answer for a success."""
    for answer, verdict in ((None, Verdict.NOT_TESTED), (True, Verdict.PASSED), (False, Verdict.FAILED)):
        with workbench.opened(step) as bench:
            bench.replay()
            bench.session.confirm(answer=answer, is_unasked=answer is None)
            assert bench.session.folder.load().verdicts[requirement] is verdict


def test_a_change_of_an_entry_that_no_search_gave_is_compared_with_nothing(workbench: Workbench) -> None:
    with workbench.opened(MASK) as bench:
        for one in ("TD0.2", "ITI-18"):
            bench.send(one)
        bench.send("ITI-57", sub(' lid="[^"]+"', f' lid="urn:uuid:{uuid.uuid4()}"'))
        run = bench.finished()
        assert run.verdicts["CLIENT-UPD-02"] is Verdict.NOT_TESTED
        assert [one.refused for one in bench.session.done] == ["ITI-57"]


def test_a_fault_after_which_nothing_comes_shows_no_new_assertion(workbench: Workbench) -> None:
    with workbench.opened(EXIST) as bench:
        bench.send("TD0.2", claim={"version": "5.0"})
        assert bench.finished().verdicts["CLIENT-ERR-06"] is Verdict.NOT_TESTED


@pytest.mark.parametrize(
    ("step", "play", "requirement"),
    [
        (REPLACE, lambda bench: bench.push(a_report()), "CLIENT-CDA-05"),
        (REPLACED, feeding(lambda bundle: document(bundle).pop("relatesTo")), "CLIENT-FHIR-10"),
    ],
    ids=["XDS", "FHIR"],
)
def test_a_replacement_that_replaces_nothing_is_no_replacement(
    workbench: Workbench, step: str, play: Callable[[Bench], object], requirement: str
) -> None:
    """Nothing failed, nothing was shown: told, and the run ends with 3."""
    with workbench.opened(step) as bench:
        play(bench)
        run = bench.finished()
        assert (run.has_failed, run.verdicts[requirement]) == (False, Verdict.NOT_TESTED)
        [told] = run.findings_of(requirement)
        assert told.text_fr.startswith(f"l'étape {step} ne l'a pas montré ; attendu : Le nouveau document remplace")
        terminal = Console(file=io.StringIO(), width=300)
        assert report(bench.session, bench.session.folder.path, terminal, "fr") == NOT_ALL_TESTED
        assert f"ce qu'elles demandent : {step} ({requirement})" in terminal.file.getvalue()


# --- what is no message ----------------------------------------------------------------------------


def test_garbage_is_recorded_and_judged_and_the_run_goes_on(workbench: Workbench) -> None:
    with workbench.opened(EXIST) as bench:
        assert bench.octets(b"\x00\x01garbage\r\n\r\n").startswith(b"HTTP/1.1 400")
        half = bench.octets(b"POST /xds/patients HTTP/1.1\r\nContent-Length: 9\r\n\r\nhalf")
        assert half.startswith(b"HTTP/1.1 408")
        assert bench.octets(b"POST /xds/patients HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n") != b""
        assert bench.octets(b"POST /xds/patients HTTP/1.1\r\nContent-Length: 99999999999\r\n\r\n").startswith(
            b"HTTP/1.1 413"
        )
        bench.send("TD0.2")
        run = bench.finished()
        assert [one.problem != "" for one in run.messages] == [True, True, True, True, False]
        assert run.messages[1].request.endswith(b"\r\n\r\nhalf")
        assert run.messages[1].problem == "the client fell silent"
        assert french(run.messages[1].problem) == "le client n'envoie plus rien"
        assert {
            one.message for one in run.findings if one.requirement == "CLIENT-SOAP-01" and one.verdict is Verdict.FAILED
        } == {one.id for one in run.messages[:4]}
        assert bench.session.step is None


def test_a_certificate_of_an_unknown_authority_is_on_record(workbench: Workbench, prepared: Prepared) -> None:
    foreign = prepared.folder / "unknown-pki" / "issued" / "server-server.pem"
    with workbench.opened(EXIST) as bench:
        context = bench.context()
        context.load_cert_chain(foreign, foreign.with_suffix(".key"))
        assert bench.send("TD0.2", context=context) == b""
        eventually(lambda: bench.session.seen)
        [message] = bench.session.folder.load().messages
        assert message.problem.startswith("TLS: ")
        assert set(bench.failed(is_done=False)) == {"CLIENT-TLS-01"}


def test_ten_thousand_messages_are_recorded_and_the_findings_bounded(workbench: Workbench) -> None:
    """Over the session itself: ten thousand handshakes would measure OpenSSL."""
    with workbench.opened(EXIST) as bench:
        connection = Connection(address="127.0.0.1", version="TLSv1.3", suite="TLS_AES_256_GCM_SHA384")
        for number in range(10_000):
            octets = b"POST /xds/patients HTTP/1.1\r\n\r\n<noise number='%d'" % number
            bench.session.recorded(Recorded(time=datetime.now(UTC), connection=connection, request=octets, answer=b""))
        bench.send("TD0.2")
        run = bench.finished()
        assert len(run.messages) == 10_001
        assert run.messages[9_999].request.endswith(b"number='9999'")
        soap = [one for one in run.findings if one.requirement == "CLIENT-SOAP-01" and one.verdict is Verdict.FAILED]
        assert len(soap) == MOST_FAILED + 1
        assert "9980 times more" in soap[-1].text_en
        assert bench.session.step is None


def test_a_run_holds_no_more_than_it_may(workbench: Workbench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("conformance.client.keeping.MOST_KEPT", 10_000)
    with workbench.opened(EXIST) as bench:
        connection = Connection(address="127.0.0.1")
        for _ in range(3):
            octets = b"POST / HTTP/1.1\r\n\r\n" + b"x" * 9_000
            bench.session.recorded(Recorded(time=datetime.now(UTC), connection=connection, request=octets))
        bench.session.settle()
        kept = [len(one.request) for one in bench.session.folder.load().messages]
        assert kept == [9_019, 9_019, 4_096]


# --- what a person sees ----------------------------------------------------------------------------


def test_the_page_obeys_only_who_looks_at_it(played: Played) -> None:
    page = played.opened.page
    host = page.removeprefix("http://").rstrip("/")
    with urllib.request.urlopen(page, timeout=30) as answer:
        assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
        assert b"http" not in answer.read().replace(b"http-equiv", b"")
    for path, headers in (("confirm", {}), ("state", {"Host": "evil.example:80"})):
        connection = http.client.HTTPConnection(host, timeout=30)
        connection.request("POST" if path == "confirm" else "GET", f"/{path}", body=b"{}", headers=headers)
        assert connection.getresponse().status == 403
        connection.close()


def test_the_page_says_what_is_wrong_in_both_languages(workbench: Workbench, people: People) -> None:
    with workbench.opened(EXIST) as bench:
        bench.send("TD0.2", sub(' env:mustUnderstand="1"'))
        bench.session.settle()
        french, english = (state(bench.session, people, language) for language in ("fr", "en"))
        assert french["step"]["title"] == "Test d'existence"
        assert english["step"]["expects"] == [{"transaction": "TD0.2", "arrived": True}]
        [problem] = english["messages"][0]["problems"]
        assert problem["requirement"] == "CLIENT-SOAP-03"
        assert french["messages"][0]["problems"][0]["text"].startswith("trouvé")


def test_a_step_is_not_done_before_what_it_waits_for_has_come(workbench: Workbench) -> None:
    with workbench.opened(EXIST) as bench:
        with pytest.raises(KitError, match=r"still waits for TD0\.2"):
            bench.session.confirm()
        bench.send("TD0.2")
        bench.session.confirm(step=EXIST)
        with pytest.raises(KitError, match="is done"):
            bench.session.confirm(step=EXIST)


def test_a_step_is_not_done_while_its_answer_is_held(workbench: Workbench) -> None:
    """A client that asks again before the first answer has come: the first message belongs to this step too."""
    with workbench.opened("alimentation/late-answer") as bench:
        first = Thread(target=bench.push, args=(a_report(),), daemon=True)
        first.start()
        eventually(lambda: bench.session._under_way)
        assert bench.push(a_report()).is_success
        bench.session.settle()
        assert bench.session.missing == ()
        with pytest.raises(KitError, match="waits for a held answer"):
            bench.session.confirm(answer=True)
        assert bench.session.is_waiting
        first.join()
        bench.session.confirm(answer=True)
        assert len(bench.session.folder.load().messages) == 2


def test_a_run_goes_on_after_its_last_step(workbench: Workbench) -> None:
    steps = steps_of(["consultation"])[:2]
    with workbench.opened("consultation/existence") as bench:
        folder = bench.session.folder
        session = Session(steps, workbench.laboratory, folder, rules=workbench.rules)
        try:
            bench.session.steps = steps
            bench.send("TD0.2")
            bench.session.confirm()
        finally:
            session.close()
        again = Session(steps, workbench.laboratory, folder, rules=workbench.rules)
        again.close()
        assert (again.step, [one.transaction for one in again.traces]) == (steps[1], ["TD0.2"])
        with pytest.raises(KitError, match="other scenarios"):
            Session(steps_of(["alimentation"]), workbench.laboratory, folder, rules=workbench.rules)


# --- the command -----------------------------------------------------------------------------------


def test_the_command_guides_reports_and_goes_on(another: Prepared, people: People, tmp_path: Path) -> None:
    """Interrupted at the second step, resumed to the end; the laboratory is the one that is prepared already."""
    out, port = tmp_path / "run", free_port()
    out.mkdir()
    (out / "laboratory").symlink_to(another.folder)
    command = [sys.executable, "-m", "conformance", "client", "--out", str(out)]
    command += ["--listen", f"127.0.0.1:{port}", "--lang", "en"]
    software = Software(f"https://127.0.0.1:{port}", another, people)
    with conducted([*command, "--scenario", "consultation"]) as process:
        assert process.stdin is not None
        read_until(process, "1/9 Existence test")
        software.tests_existence()
        read_until(process, "TD0.2, answer: success")
        process.stdin.write("\n")
        process.stdin.flush()
        read_until(process, "Search the documents of the patient")
        process.stdin.write("q\n")
        process.stdin.flush()
        assert process.wait(timeout=60) == 130
    with conducted([*command, "--resume"]) as process:
        assert process.stdin is not None
        read_until(process, "2/9 Search")
        process.stdin.write("s\n" * 8)  # skipped: what the own tools do in them is tested above
        process.stdin.flush()
        assert process.wait(timeout=60) == 3, process.stdout and process.stdout.read()
    assert b"CLIENT-ADM-01" in (out / "report.html").read_bytes()
    assert (out / "report.xml").exists()
    assert RunFolder(path=out).load().verdicts["CLIENT-ADM-01"] is Verdict.PASSED


@pytest.mark.parametrize("by", [signal.SIGTERM, signal.SIGKILL])
def test_a_certification_that_is_stopped_leaves_no_server(
    another: Prepared, tmp_path: Path, by: signal.Signals
) -> None:
    """Told so as a continuous integration does, or killed."""
    out, port = tmp_path / "run", free_port()
    out.mkdir()
    (out / "laboratory").symlink_to(another.folder)
    command = [sys.executable, "-m", "conformance", "client", "--scenario", "consultation", "--out", str(out)]
    with conducted([*command, "--listen", f"127.0.0.1:{port}", "--unattended", "60", "--lang", "en"]) as process:
        read_until(process, "1/9 Existence test")
        process.send_signal(by)
        assert process.wait(timeout=60) == (128 + by if by is signal.SIGTERM else -by)

    def is_gone() -> bool:
        words = ["pgrep", "-f", f"base-url https://127.0.0.1:{port}"]
        return subprocess.run(words, capture_output=True, check=False).stdout == b""

    eventually(is_gone)


def test_a_run_that_nobody_played_is_no_success(another: Prepared, tmp_path: Path) -> None:
    """Without a person it has an end, says what was not played, and its exit code says so too."""
    out = tmp_path / "run"
    out.mkdir()
    (out / "laboratory").symlink_to(another.folder)
    command = [sys.executable, "-m", "conformance", "client", "--scenario", "consultation", "--out", str(out)]
    command += ["--listen", f"127.0.0.1:{free_port()}", "--unattended", "0.1", "--minutes", "0.01"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT, timeout=120)
    assert done.returncode == 3, done.stdout + done.stderr
    assert "Étapes non jouées : consultation/another-answer, consultation/authorisation" in done.stdout
    assert "Exigences non testées de ce fait : CLIENT-TLS-01" in done.stdout
    assert "0 exigence conforme" in done.stdout
    assert (out / "report.html").exists()


@contextmanager
def conducted(command: list[str]) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=ROOT
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def read_until(process: subprocess.Popen[str], words: str) -> None:
    told = ""
    assert process.stdout is not None
    while words not in told:
        line = process.stdout.readline()
        assert line, f"{words!r} did not come: {told}"
        told += line


@pytest.mark.browser
def test_the_page_is_live_and_used_by_keyboard_on_a_phone(workbench: Workbench, people: People) -> None:
    with workbench.opened(EXIST) as bench:
        place = {"server": bench.url, "trust": "/laboratory/pki/trust"}
        page = WebView(bench.session, people, place=place)
        page.start()
        try:
            with browsers.opened(page.url, width=360, locale="en-GB") as shown:
                shown.page.wait_for_selector("h2:text-is('Existence test')")
                assert shown.page.is_disabled("#next")
                bench.send("TD0.2", sub(' env:mustUnderstand="1"'))
                shown.page.wait_for_selector("text=CLIENT-SOAP-03")
                assert shown.page.text_content("#setup dd") == bench.url
                assert shown.page.text_content("#messages .failed") == "1 problem"
                shown.page.focus("#messages summary")
                shown.page.keyboard.press("Enter")
                bench.send("TD0.2")
                shown.page.wait_for_selector("#messages li:nth-child(2)")
                assert shown.page.is_visible("#messages details[open]"), "it was closed by the next message"
                wide = shown.page.evaluate(
                    "document.documentElement.scrollWidth > document.documentElement.clientWidth"
                )
                assert not wide
                shown.page.focus("[data-language=fr]")
                shown.page.keyboard.press("Enter")
                shown.page.wait_for_selector('h2:text-is("Test d\'existence")')
                shown.page.focus("#next")
                shown.page.keyboard.press("Enter")
                shown.page.wait_for_selector("#end:not([hidden])")
                assert bench.session.step is None
                assert shown.complaints == []
                bench.session._keeping._tell(Sentence("le disque est plein", "the disk is full"))
                shown.page.wait_for_selector("#trouble li:text-is('le disque est plein')")
                page.stop()  # as the command does after the last step: nothing is offered that is gone
                shown.page.evaluate("refresh()")
                assert shown.page.is_hidden("#lost")
                assert shown.page.query_selector("#end a") is None
        finally:
            page.stop()
