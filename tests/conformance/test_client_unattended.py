"""A certification without a person: steps are confirmed by the quiet after their messages."""

import io
import threading
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console

from conformance.client.command_line import steps_of
from conformance.client.exchanges import Exchange, Laboratory, Problems
from conformance.client.http_reading import Connection
from conformance.client.recorder import Recorded
from conformance.client.rules.rule import Rule
from conformance.client.scenarios import People, read_people
from conformance.client.session import Session
from conformance.client.terminal import Guide
from conformance.judgement import Heading, Verdict
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
