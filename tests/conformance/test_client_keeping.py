"""What a certification keeps: nothing is lost by a crash, and a full disk is told to those who watch and in the report."""

import io
import json
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from rich.console import Console

from conformance.client.exchanges import Exchange, Laboratory, Problem, Problems
from conformance.client.http_reading import Connection
from conformance.client.keeping import PROGRESS, UNJUDGED
from conformance.client.recorder import Recorded
from conformance.client.rules.rule import Rule
from conformance.client.scenarios import read_people, steps_of
from conformance.client.session import Session
from conformance.client.terminal import Guide
from conformance.client.view import state
from conformance.failures import KitError
from conformance.judgement import Heading
from conformance.report.page import write_page
from conformance.requirements import Actor
from conformance.run_folder import FINDINGS, MESSAGES, RunFolder
from conformance.sentence import sentence_of
from tests.certificates import an_authority
from tests.conformance.test_client_unattended import existence_test
from tests.servers import ROOT

HEADING = Heading(actor=Actor.CLIENT, subject="Carnet", profiles=("consultation",), started=datetime.now(UTC))
PEOPLE = read_people()
FIRST, SECOND = steps_of(["consultation"])[:2]
HEAD = b"POST /xds/patients HTTP/1.1\r\nContent-Type: application/soap+xml; charset=UTF-8\r\n\r\n"
PEER = Connection(address="127.0.0.1", version="TLSv1.3", suite="TLS_AES_256_GCM_SHA384")


def _shown(exchange: Exchange, laboratory: Laboratory) -> Problems:
    """Fails each message with who sent it, so that a finding tells."""
    yield Problem(fr="envoyé", en=f"sent by {exchange.connection.certificate!r}")


RULES = (Rule(requirement="CLIENT-SOAP-01", applies=lambda exchange: True, check=_shown),)


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    made = RunFolder(path=tmp_path / "run")
    made.start(HEADING)
    return made


def opened(folder: RunFolder, rules: tuple[Rule, ...] = RULES) -> Session:
    return Session((FIRST, SECOND), Laboratory(people=PEOPLE, authorities=()), folder, rules=rules)


def a_message(certificate: bytes = b"") -> Recorded:
    sender = replace(PEER, certificate=certificate)
    octets = HEAD + existence_test(PEOPLE)
    return Recorded(time=datetime.now(UTC), connection=sender, request=octets, answer=b"HTTP/1.1 200 OK\r\n\r\n")


def fill_the_disk(folder: RunFolder) -> None:
    """As far as messages and findings go: writing to /dev/full ends in ENOSPC."""
    for name in (MESSAGES, FINDINGS):
        (folder.path / name).unlink(missing_ok=True)
        (folder.path / name).symlink_to("/dev/full")


def test_what_was_kept_unjudged_is_judged_when_the_run_is_resumed(folder: RunFolder, tmp_path: Path) -> None:
    """As after a kill: who sent it is still known."""
    certificate = an_authority(tmp_path).certificate.public_bytes(Encoding.DER)
    judged = opened(folder)
    judged.recorded(a_message(certificate))
    judged.close()
    assert not list((folder.path / UNJUDGED).iterdir())
    killed = opened(folder)
    killed._queue.put = lambda exchange: None  # type: ignore[method-assign,assignment]
    killed.recorded(a_message(certificate))
    assert [file.stem for file in (folder.path / UNJUDGED).iterdir()] == ["00002"]
    again = opened(folder)
    try:
        told = [(one.message, one.text_en) for one in folder.load().findings]
        assert told == [("00001", f"sent by {certificate!r}"), ("00002", f"sent by {certificate!r}")]
        assert [one.transaction for one in again.traces] == ["TD0.2", "TD0.2"]
        assert not list((folder.path / UNJUDGED).iterdir())
    finally:
        again.close()


@pytest.mark.parametrize("name", [PROGRESS, MESSAGES, FINDINGS])
def test_a_last_line_that_was_cut_is_told_and_does_not_count(folder: RunFolder, name: str) -> None:
    folder.add_line(PROGRESS, {"step": FIRST.key, "is_skipped": True, "answer": None})
    with (folder.path / name).open("ab") as file:
        file.write(b'{"step": "consul')
    session = opened(folder)
    try:
        assert session.step == SECOND
        [trouble] = session.troubles
        assert f"la dernière ligne de {name} était coupée" in trouble.text_fr
        session.confirm(is_skipped=True)
    finally:
        session.close()
    assert [json.loads(line)["step"] for line in (folder.path / PROGRESS).read_text().splitlines()] == [
        FIRST.key,
        SECOND.key,
    ]
    assert trouble in folder.load().findings_of("")


def test_a_line_that_is_no_step_is_told(folder: RunFolder) -> None:
    folder.add_line(PROGRESS, {"what": 1})
    with pytest.raises(KitError, match="expected a step and its answer"):
        opened(folder)


def test_a_message_that_a_full_disk_refuses_is_told(folder: RunFolder, tmp_path: Path) -> None:
    """On the terminal, on the page and in the report; the step waits, and it goes on once there is room."""
    session = opened(folder)
    fill_the_disk(folder)
    try:
        session.recorded(a_message())
        session.settle()
        assert session.missing == ("TD0.2",)
        [trouble] = session.troubles
        assert "un message n'a pas été conservé ni jugé : le disque est plein" in trouble.text_fr
        assert state(session, PEOPLE, "fr")["troubles"] == [trouble.text_fr]
        assert "the disk is full" in state(session, PEOPLE, "en")["troubles"][0]
        shown = io.StringIO()
        Guide(session, PEOPLE, Console(file=shown, width=200), language="fr")._show()
        assert "le disque est plein" in shown.getvalue()
        (folder.path / MESSAGES).unlink()
        session.recorded(a_message())
        session.settle()
        assert session.missing == ()
        (folder.path / FINDINGS).unlink()
        session.confirm()
        page = tmp_path / "page.html"
        write_page(session.run, page)
        assert "le disque est plein" in page.read_text(encoding="utf-8")
    finally:
        session.close()
    run = folder.load()
    assert [one.id for one in run.messages] == ["00002"]
    assert trouble in run.findings
    assert "00002" in [one.message for one in run.findings_of("CLIENT-SOAP-01")]


def test_findings_that_a_full_disk_refuses_are_written_later(folder: RunFolder) -> None:
    session = opened(folder)
    fill_the_disk(folder)
    try:
        (folder.path / MESSAGES).unlink()
        session.recorded(a_message())
        session.settle()
        assert "des constats ne sont pas encore écrits : le disque est plein" in session.troubles[0].text_fr
        assert [file.stem for file in (folder.path / UNJUDGED).iterdir()] == ["00001"], "a crash now loses no judgement"
        (folder.path / FINDINGS).unlink()
    finally:
        session.close()
    assert {one.requirement for one in folder.load().findings} == {"CLIENT-SOAP-01", ""}


def test_a_step_that_cannot_be_noted_is_not_confirmed(folder: RunFolder) -> None:
    session = opened(folder)
    try:
        session.recorded(a_message())
        (folder.path / PROGRESS).symlink_to("/dev/full")
        with pytest.raises(KitError, match="the step is not confirmed: the disk is full") as told:
            session.confirm()
        assert "l'étape n'est pas confirmée : le disque est plein" in sentence_of(told.value).fr
        assert session.step == FIRST
        (folder.path / PROGRESS).unlink()
        session.confirm()
        assert session.step == SECOND
    finally:
        session.close()


def test_a_run_that_is_resumed_shows_what_failed_before(folder: RunFolder) -> None:
    session = opened(folder)
    session.recorded(a_message())
    session.confirm()
    session.close()
    again = opened(folder)
    try:
        assert state(again, PEOPLE, "fr")["steps"][0]["state"] == "failed"
        assert [(one.step, one.is_skipped) for one in again.done] == [(FIRST.key, False)]
    finally:
        again.close()


def client(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "conformance", "client", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT, timeout=120)


@pytest.mark.parametrize(("language", "told"), [("fr", "ne peut pas être utilisé"), ("en", "cannot be used")])
def test_a_certificate_that_is_missing_is_told_before_the_run_is_begun(
    tmp_path: Path, language: str, told: str
) -> None:
    laboratory = tmp_path / "run" / "laboratory"
    for made in (laboratory / "issuer", laboratory / "pki" / "trust"):
        made.mkdir(parents=True)
    (laboratory / "prepared").touch()
    done = client("--out", str(tmp_path / "run"), "--listen", "127.0.0.1:0", "--lang", language)
    assert (done.returncode, done.stdout) == (2, "")
    assert told in done.stderr
    assert "server-server.pem" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "run" / "run.json").exists()
