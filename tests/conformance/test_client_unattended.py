"""A certification without a person: steps are confirmed by the quiet after their messages."""

import io
import json
import threading
from base64 import urlsafe_b64encode
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import CliRunner
from rich.console import Console

from conformance.client.command_line import client
from conformance.client.exchanges import Exchange, Laboratory, Problems, replayed
from conformance.client.http_reading import Connection
from conformance.client.recorder import Recorded
from conformance.client.rules.rule import Rule
from conformance.client.scenarios import People, read_people, steps_of
from conformance.client.session import Session
from conformance.client.terminal import Guide
from conformance.client.traces import trace_of
from conformance.client.view import state
from conformance.failures import KitError
from conformance.judgement import Heading, Message, Verdict
from conformance.requirements import Actor
from conformance.run_folder import RunFolder
from conformance.server.probes_record import record_query
from tests.conformance.faulty_clients import EXIST

HEADING = Heading(actor=Actor.CLIENT, subject="Carnet", profiles=("all",), started=datetime.now(UTC))


def test_a_step_is_confirmed_when_it_is_quiet_and_questions_are_left_out(tmp_path: Path) -> None:
    """A step waits for its messages, then for the quiet after the last one; nothing is read from the terminal."""
    people = read_people()
    every = steps_of(["alimentation"])
    first = next(one for one in every if one.key == EXIST)
    asked = replace(next(one for one in every if one.question), expects=())
    folder = RunFolder(path=tmp_path / "run")
    folder.start(HEADING)
    session = Session((first, asked), Laboratory(people=people, authorities=()), folder, rules=())
    shown = io.StringIO()
    guide = Guide(session, people, Console(file=shown, width=200), language="fr", unattended=0.5)
    ended: list[bool] = []
    thread = threading.Thread(target=lambda: ended.append(guide.run()), daemon=True)
    try:
        thread.start()
        thread.join(timeout=1.5)
        assert thread.is_alive()
        assert session.step == first
        head = b"POST /xds/patients HTTP/1.1\r\nContent-Type: application/soap+xml; charset=UTF-8\r\n\r\n"
        asking = Recorded(
            time=datetime.now(UTC),
            connection=Connection(address="127.0.0.1"),
            request=head + existence_test(people),
            answer=b"HTTP/1.1 200 OK\r\n\r\n",
        )
        session.recorded(asking)
        thread.join(timeout=60)
        assert ended == [True]
        assert [(one.is_skipped, one.answer) for one in session.done] == [(False, None), (False, None)]
        assert asked.question is not None
        assert session.run.verdicts[asked.question.requirement] is Verdict.NOT_TESTED
    finally:
        session.close()
    assert "1/2 Test d'existence" in shown.getvalue()


def test_a_run_without_a_person_has_an_end(tmp_path: Path) -> None:
    """A step that nobody plays is skipped when the time is over, and said so."""
    people, folder = read_people(), RunFolder(path=tmp_path / "run")
    steps = steps_of(["alimentation"])[:3]
    folder.start(HEADING)
    session = Session(steps, Laboratory(people=people, authorities=()), folder, rules=())
    shown = io.StringIO()
    console = Console(file=shown, width=200)
    try:
        guide = Guide(session, people, console, language="fr", unattended=0.1, minutes=0.01)
        assert guide.run()
        assert [one.is_skipped for one in session.done] == [True, True, True]
    finally:
        session.close()
    assert shown.getvalue().count("cette étape n'est pas jouée") == 3


def test_a_message_that_a_rule_could_not_judge_is_in_the_run(tmp_path: Path) -> None:
    """It is no verdict on the client, and it is not hidden."""

    def breaks(exchange: Exchange, laboratory: Laboratory) -> Problems:
        raise KeyError("something")

    people, folder = read_people(), RunFolder(path=tmp_path / "run")
    folder.start(HEADING)
    rule = Rule(requirement="CLIENT-SOAP-01", applies=lambda exchange: True, check=breaks)
    first = next(one for one in steps_of(["alimentation"]) if one.key == EXIST)
    session = Session((first,), Laboratory(people=people, authorities=()), folder, rules=(rule,))
    octets = b"POST / HTTP/1.1\r\n\r\n"
    session.recorded(Recorded(time=datetime.now(UTC), connection=Connection(address="127.0.0.1"), request=octets))
    session.close()
    [finding] = folder.load().findings
    assert (finding.verdict, finding.message) == (Verdict.NOT_TESTED, "00001")
    assert "KeyError" in finding.text_en


def existence_test(people: People) -> bytes:
    """An envelope with the message of TD0.2."""
    message = record_query("TEST_EXST", people.patient("followed").ins)
    return b'<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope"><s:Body>%s</s:Body></s:Envelope>' % message


def test_an_end_without_unattended_is_refused(tmp_path: Path) -> None:
    """A person has no time limit: that one was given is a mistake, which nothing hides."""
    for language, told in (("fr", "--minutes est la fin de --unattended"), ("en", "--minutes is the end of")):
        line = ["--out", str(tmp_path / "run"), "--minutes", "10", "--lang", language]
        refused = CliRunner().invoke(client, line, standalone_mode=False).exception
        assert isinstance(refused, KitError)
        assert str(refused).startswith(told)
    assert not (tmp_path / "run").exists()


def test_the_purpose_that_a_jwt_names_is_known() -> None:
    """Break-glass is seen in a token as it is in a VIHF."""
    said = {"extensions": {"ihe_iua": {"purpose_of_use": [{"system": "urn:oid:1", "code": "bris_de_glace"}]}}}
    token = ".".join(urlsafe_b64encode(part).decode().rstrip("=") for part in (b"{}", json.dumps(said).encode(), b"x"))
    request = f"GET /fhir/DocumentReference?status=current HTTP/1.1\r\nAuthorization: Bearer {token}\r\n\r\n"
    message = Message(id="1", time=datetime.now(UTC), transaction="", peer="", request=request.encode())
    assert trace_of(replayed(message, steps_of(["fhir"])[0])).purpose == "bris_de_glace"


def test_a_server_that_nobody_called_was_refused_by_nobody(tmp_path: Path) -> None:
    """The step waits for the connection that is to be refused, and what it brings belongs to no other step."""
    people, folder = read_people(), RunFolder(path=tmp_path / "run")
    steps = steps_of(["alimentation"])[:2]
    folder.start(HEADING)
    session = Session(steps, Laboratory(people=people, authorities=()), folder, rules=())
    try:
        with pytest.raises(KitError, match="waits for a connection, which the software must refuse"):
            session.confirm()
        assert not state(session, people, "fr")["step"]["ready"]
        session.recorded(Recorded(time=datetime.now(UTC), connection=Connection(address="127.0.0.1"), request=b""))
        assert state(session, people, "fr")["step"]["ready"]
        session.confirm()
        assert session.run.verdicts["CLIENT-TLS-04"] is Verdict.PASSED
    finally:
        session.close()
