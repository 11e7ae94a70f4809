"""Notices on their way to persons: a file, a web service, a mail server; pauses, dead letters, trying again."""

import json
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from access_policy.caller import PurposeOfUse
from carnet.command_line import commands
from carnet.notice_senders import sender_of
from carnet.notice_settings import notice_rules
from carnet.settings import Settings
from dmp import accesses, rights
from dmp.sql import letters, persons, records
from dmp.sql.letters import Delivery, Letter
from hl7v3.person import Person
from jobs.sent_notices import NoticeNotSent, sent_notices
from storage.unit_of_work import Units
from tests.dmp.people import DOCTOR, NURSE, PATIENT, Desk, a_professional, opened, whom

NOW = "20260310100000"
FROM = "dmp@example.org"


@pytest.fixture
def desk(units: Units) -> Desk:
    """An open record with a médecin traitant, whose glass a nurse broke."""
    made = Desk(units)
    opened(made)
    made.act(rights.declare_treating_doctor, PATIENT, whom(DOCTOR))
    break_glass(made)
    return made


def break_glass(desk: Desk) -> None:
    caller = a_professional(NURSE, structure="", purpose=PurposeOfUse.BREAK_GLASS)

    def work(unit: Any) -> None:
        record = records.find(unit.connection, PATIENT)
        assert record is not None
        accesses.note_emergency(desk.dmp, unit, record, caller, now=desk.now)

    desk.units.write(work)


def in_state(desk: Desk, state: Delivery) -> list[Letter]:
    with desk.units.read() as connection:
        return letters.in_state(connection, state, limit=100)


def run(desk: Desk, settings: Settings, now: str = NOW) -> tuple[int, int]:
    send = sender_of(settings, desk.units)
    assert send is not None
    ran = sent_notices(desk.units, send).run(now)
    return ran.done, len(ran.left)


def test_an_access_by_break_glass_is_told_to_holder_and_treating_doctor_once(desk: Desk, tmp_path: Path) -> None:
    file = tmp_path / "notices.jsonl"
    settings = Settings(notices=f"file://{file}")
    assert (run(desk, settings), run(desk, settings)) == ((2, 0), (0, 0))
    told = [json.loads(line) for line in file.read_text().splitlines()]
    assert [(one["to"], one["recipient"]) for one in told] == [("treating_doctor", DOCTOR), ("holder", PATIENT)]
    for one in told:
        assert set(one) == {"id", "notice", "to", "recipient", "recorded", "text"}
        assert NURSE not in json.dumps(one)


def test_nobody_is_told_after_an_opposition_for_nothing_was_seen(desk: Desk, tmp_path: Path) -> None:
    settings = Settings(notices=f"file://{tmp_path / 'notices.jsonl'}")
    run(desk, settings)
    desk.act(rights.set_wishes, PATIENT, {"opposes_break_glass": True})
    break_glass(desk)
    assert run(desk, settings) == (0, 0)


def test_what_is_not_taken_waits_longer_each_time_then_is_dead_and_can_be_tried_again(desk: Desk) -> None:
    tried = []

    def refusing(letter: Letter) -> None:
        tried.append(letter.key)
        raise NoticeNotSent("nobody there")

    job = sent_notices(desk.units, refusing)
    assert len(job.run(NOW).left) == 2
    assert job.run(NOW).left == ()  # not due yet
    assert [one.due for one in in_state(desk, Delivery.WAITING)] == ["20260310100200"] * 2
    for hour in range(11):
        job.run(f"202604{hour + 1:02}000000")
    assert (len(tried), len(in_state(desk, Delivery.DEAD))) == (24, 2)
    assert job.run("20270101000000").left == ()
    assert {one.reason for one in in_state(desk, Delivery.DEAD)} == {"nobody there"}
    assert desk.units.write(lambda unit: letters.revive(unit.connection, NOW, ())) == 2
    assert sent_notices(desk.units, lambda _letter: None).run(NOW).done == 2


def test_a_run_that_stops_between_sending_and_marking_sends_again(desk: Desk) -> None:
    taken: list[int] = []

    def stopped(letter: Letter) -> None:
        taken.append(letter.key)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        sent_notices(desk.units, stopped).run(NOW)
    sent_notices(desk.units, lambda letter: taken.append(letter.key)).run(NOW)
    assert len(taken) == 3
    assert len(set(taken)) == 2


@contextmanager
def serving(server: socketserver.BaseServer) -> Iterator[int]:
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server.server_address[1]  # type: ignore[index, misc]
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_a_web_service_is_told_in_json_and_its_refusal_is_kept_without_its_words(
    desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy"):  # notices go where the settings say
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    bodies, answers = [], [503, 302, 204, 204]

    class Service(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            bodies.append((self.headers["Authorization"], self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(answers.pop(0))
            self.send_header("Location", "http://127.0.0.1:1/")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            """Nothing."""

    secret = tmp_path / "token"
    secret.write_text("a-token\n")
    with serving(HTTPServer(("127.0.0.1", 0), Service)) as port:
        settings = Settings(notices=f"http://127.0.0.1:{port}/notices", notices_secret_file=str(secret))
        assert run(desk, settings) == (0, 2)
        assert {one.reason for one in in_state(desk, Delivery.WAITING)} == {
            "web service: answered 503",
            "web service: answered 302",
        }
        assert run(desk, settings, "20260310110000") == (2, 0)
    assert {token for token, _ in bodies} == {"Bearer a-token"}
    assert json.loads(bodies[0][1])["notice"] == "emergency access"


class Mail(socketserver.StreamRequestHandler):
    """As much of SMTP as a message needs. RFC 5321"""

    def handle(self) -> None:
        self.wfile.write(b"220 mail\r\n")
        while line := self.rfile.readline():
            word = line[:4].upper()
            if word == b"DATA":
                self.wfile.write(b"354 go on\r\n")
                lines = iter(self.rfile.readline, b".\r\n")
                self.server.messages.append(b"".join(lines))  # type: ignore[attr-defined]
            self.wfile.write(b"221 bye\r\n" if word == b"QUIT" else b"250 ok\r\n")
            if word == b"QUIT":
                return


def test_mail_goes_to_the_address_of_the_record_and_to_the_mssante_address_of_the_doctor(desk: Desk) -> None:
    def know(unit: Any) -> None:
        record = records.find(unit.connection, PATIENT)
        assert record is not None
        persons.put(unit.connection, record.key, Person(telecoms=("tel:0102030405", "mailto:lise@example.org")))

    desk.units.write(know)
    server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Mail)
    server.messages = []  # type: ignore[attr-defined]
    with serving(server) as port:
        given = Settings(notices=f"smtp://127.0.0.1:{port}", notices_from=FROM)
        settings = replace(given, notices_doctor_address="{id}@medecin.mssante.example")
        assert run(desk, settings) == (2, 0)
    text = b"\n".join(server.messages).decode()  # type: ignore[attr-defined]
    assert "To: lise@example.org" in text
    assert f"To: {DOCTOR}@medecin.mssante.example" in text
    for hidden in (PATIENT.partition("^")[0], NURSE):
        assert hidden not in text


@pytest.mark.parametrize(
    "address", ["a@", "<", "a@b\nc", "x@y.example, evil@z.example", "Lise <lise@example.org>", "é@example.org"]
)
def test_what_is_not_one_plain_address_is_a_dead_letter_and_stops_nothing(desk: Desk, address: str) -> None:
    def know(unit: Any) -> None:
        record = records.find(unit.connection, PATIENT)
        assert record is not None
        persons.put(unit.connection, record.key, Person(telecoms=(f"mailto:{address}",)))

    desk.units.write(know)
    assert run(desk, Settings(notices="smtp://127.0.0.1:1", notices_from=FROM)) == (0, 2)
    assert "mail: found something else than one address" in {one.reason for one in in_state(desk, Delivery.DEAD)}


def test_whoever_has_no_address_is_a_dead_letter_at_once(desk: Desk) -> None:
    settings = Settings(notices="smtp://127.0.0.1:1", notices_from=FROM)
    assert run(desk, settings) == (0, 2)
    assert {one.reason for one in in_state(desk, Delivery.DEAD)} == {"mail: the recipient has no address"}


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"notices": "ftp://example.org"}, "expected smtp://HOST"),
        ({"notices": "http://example.org/notices"}, "expected https"),
        ({"notices": "smtps://example.org"}, "notices_from"),
        ({"notices": "smtp://"}, "expected smtp://HOST"),
        ({"notices": "https://example.org:port/"}, "expected smtp://HOST"),
        ({"notices": "https://["}, "expected smtp://HOST"),
    ],
)
def test_settings_that_send_nowhere_or_in_the_clear_are_refused(given: dict[str, str], expected: str) -> None:
    assert expected in " ".join(notice_rules(Settings(**given)))


def test_a_mail_server_beyond_this_machine_must_offer_tls(monkeypatch: pytest.MonkeyPatch, desk: Desk) -> None:
    """A server that offers none gets no message: smtplib refuses STARTTLS that is not announced."""
    monkeypatch.setattr("carnet.notice_senders.is_loopback", lambda _host: False)
    server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Mail)
    server.messages = []  # type: ignore[attr-defined]
    with serving(server) as port:
        settings = Settings(notices=f"smtp://127.0.0.1:{port}", notices_from=FROM)
        settings = replace(settings, notices_doctor_address="{id}@medecin.mssante.example")
        assert run(desk, settings) == (0, 2)
    assert server.messages == []  # type: ignore[attr-defined]
    assert in_state(desk, Delivery.WAITING)[0].reason == "mail: SMTPNotSupportedError"


def test_dead_letters_are_shown_and_tried_again_by_command(tmp_path: Path) -> None:
    data, file = tmp_path / "data", tmp_path / "notices.jsonl"
    options = ["--data", str(data)]
    assert done(["db", "upgrade", *options]) is not None
    ins = PATIENT.partition("^")[0]
    done(["record", "inform", ins, "--now", "20250101", *options])
    mail = ["--notices", "smtp://127.0.0.1:1", "--notices-from", FROM]
    done(["jobs", "run", *mail, *options], code=1)
    [line] = done(["notices", "list", *options]).splitlines()
    assert "the recipient has no address" in line
    assert ins not in line
    assert json.loads(done(["notices", "retry", "--json", *options])) == {"revived": 1}
    done(["jobs", "run", "--notices", f"file://{file}", *options])
    assert json.loads(file.read_text())["notice"] == "record created automatically"
    assert json.loads(done(["notices", "list", "--state", "sent", "--json", *options]))[0]["attempts"] == 1


def done(words: list[str], *, code: int = 0) -> str:
    result = CliRunner().invoke(commands, words)
    assert result.exit_code == code, (result.output, result.exception)
    return result.stdout
