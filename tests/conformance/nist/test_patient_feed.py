"""Making patients known: ADT over MLLP, a command, nothing."""

import sys
from datetime import UTC, datetime

import pytest

from conformance.failures import ExchangeFailed, KitError, UnreachableServer
from conformance.nist.mllp_client import MllpClient, parse_feed_url
from conformance.nist.patient_feed import acknowledgement_problem, admission, feed_by_command, feed_by_mllp, no_feed
from tests.conformance.fake_servers import mllp_server

PATIENT = "P7^^^&2.25.7&ISO"


def acknowledge(message: bytes, *, code: str = "AA", id: str = "") -> bytes:
    control_id = id or message.split(b"|")[9].decode()
    return f"\x0bMSH|^~\\&|A|B|C|D|20240101||ACK|1|P|2.3.1\rMSA|{code}|{control_id}\rERR|why\r\x1c\r".encode()


def client(port: int) -> MllpClient:
    return MllpClient(host="127.0.0.1", port=port, timeout_seconds=5)


def test_a_patient_is_admitted_and_the_acknowledgement_read() -> None:
    with mllp_server(acknowledge) as (port, received):
        exchange = feed_by_mllp(client(port))(PATIENT)
    assert exchange.problem == ""
    assert received[0].startswith(b"\x0bMSH|^~\\&|")
    assert received[0].endswith(b"\r\x1c\r")
    assert b"\rPID|||P7^^^&2.25.7&ISO||" in received[0]
    assert "MSA|AA|" in exchange.response


def test_the_admission_is_hl7_2_3_1() -> None:
    message = admission(PATIENT, control_id="c1", at=datetime(2024, 12, 1, 10, 20, 30, tzinfo=UTC))
    fields = message.split("\r")[0].split("|")
    assert fields[6:] == ["20241201102030", "", "ADT^A01", "c1", "P", "2.3.1"]
    assert [segment[:3] for segment in message.split("\r")] == ["MSH", "EVN", "PID", "PV1", ""]


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        (lambda message: acknowledge(message, code="AE"), "acknowledged with AE, expected AA: MSA|AE"),
        (lambda message: acknowledge(message, id="other"), "MSA-2 is 'other'"),
        (lambda message: b"\x0bMSH|x\r\x1c\r", "has no MSA segment"),
        (lambda message: b"\x0bMSH", "has no end"),
    ],
)
def test_anything_but_an_acceptance_of_this_message_is_a_problem(answer: object, problem: str) -> None:
    with mllp_server(answer) as (port, _):  # type: ignore[arg-type]
        assert problem in feed_by_mllp(client(port))(PATIENT).problem


def test_nobody_listening_is_said_with_the_address() -> None:
    with mllp_server(acknowledge) as (port, _):
        client(port).check_reachable()
    with pytest.raises(UnreachableServer, match=f"mllp://127.0.0.1:{port}"):
        client(port).check_reachable()


def test_a_listener_that_hangs_up_gives_no_acknowledgement() -> None:
    with mllp_server(lambda message: b"") as (port, _), pytest.raises(ExchangeFailed):
        client(port).send(b"MSH")


def test_a_command_gets_the_patient_without_a_shell() -> None:
    script = "import sys; print(sys.argv[1:])"
    feed = feed_by_command(f"{sys.executable} -c '{script}' {{patient_id}} {{id}} {{authority}} '; exit 1'")
    exchange = feed(PATIENT)
    assert exchange.problem == ""
    assert exchange.response.strip() == f"['{PATIENT}', 'P7', '2.25.7', '; exit 1']"


def test_a_command_that_fails_or_does_not_exist_is_a_problem() -> None:
    assert "exit code 3" in feed_by_command(f"{sys.executable} -c 'raise SystemExit(3)'")(PATIENT).problem
    assert "the command failed" in feed_by_command("/no/such/command")(PATIENT).problem


def test_no_feed_sends_nothing_and_says_so() -> None:
    assert (no_feed(PATIENT).problem, no_feed(PATIENT).request) == ("", "")
    assert "not sent" in no_feed(PATIENT).note


@pytest.mark.parametrize(("url", "parts"), [("mllp://h:1", ("mllp", "h", 1)), ("mllps://h:2", ("mllps", "h", 2))])
def test_addresses_of_feeds(url: str, parts: tuple[str, str, int]) -> None:
    assert parse_feed_url(url) == parts


@pytest.mark.parametrize("url", ["h:1", "mllp://h", "http://h:1", "mllp://h:x", "mllp://:5"])
def test_an_address_that_is_no_feed_is_refused(url: str) -> None:
    with pytest.raises(KitError, match="expected mllp://HOST:PORT"):
        parse_feed_url(url)


def test_an_acknowledgement_with_line_feeds_is_understood() -> None:
    assert acknowledgement_problem("MSH|x\nMSA|CA|1\n", "1") == ""
