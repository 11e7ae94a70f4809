"""A client of another maker: IPF sends every transaction and its own validators judge every answer."""

import re
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from werkzeug.serving import WSGIRequestHandler, make_server
from werkzeug.wrappers import Request, Response

from conformance.peers import ipf_server
from conformance.peers.ipf_client import Outcome
from conformance.peers.maven_build import PeerError
from tests import servers
from tests.conformance.ipf_batch import HOME, PATIENT, build_or_skip, play
from xds.datatypes import CX

TRANSACTIONS = ("iti41", "iti42", "iti18", "iti51", "iti43", "iti57", "iti61", "iti92", "iti62", "iti86")
RS = "urn:oasis:names:tc:ebxml-regrep:xsd:rs:3.0"
STATUS = "urn:oasis:names:tc:ebxml-regrep:ResponseStatusType"


@pytest.fixture(scope="module", autouse=True)
def _built() -> None:
    build_or_skip()


@pytest.fixture(scope="module")
def outcome(tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    """One batch of everything against a started Carnet."""
    folder = tmp_path_factory.mktemp("ipf")
    settings = servers.settings_for(folder / "carnet", domain="ihe", home_community_id=HOME)
    with servers.started(settings) as server:
        servers.know_patients(settings, PATIENT)
        return play(server.url, folder / "report.json", "--home", HOME)


@pytest.mark.parametrize("transaction", TRANSACTIONS)
def test_ipf_accepts_every_answer(outcome: Outcome, transaction: str) -> None:
    steps = [step for step in outcome.steps if step.transaction == transaction]
    assert steps
    assert {step.full_name: step.failure for step in steps if step.outcome != "passed"} == {}


def test_every_message_was_judged_in_both_directions(outcome: Outcome) -> None:
    judged = [message for step in outcome.steps if step.outcome == "passed" for message in step.messages]
    assert len(judged) > 100
    assert {message["requestValidator"] for message in judged} == {"accepted"}
    assert {message["responseValidator"] for message in judged} == {"accepted"}


def test_the_exit_code_and_the_last_line_say_how_it_went(outcome: Outcome) -> None:
    assert outcome.exit_code == bool(outcome.failures)
    passed = len(outcome.steps) - len(outcome.failures)
    assert outcome.output.splitlines()[-1].startswith(f"{passed} passed, {len(outcome.failures)} failed: IPF ")


# --- the judge itself: answers that must not pass


def _envelope(action: str, relates_to: str, body: str) -> bytes:
    related = f"<a:RelatesTo>{relates_to}</a:RelatesTo>" if relates_to else ""
    return (
        '<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope" xmlns:a="http://www.w3.org/2005/08/addressing">'
        f"<s:Header><a:Action>{action}</a:Action>{related}</s:Header>"
        f"<s:Body>{body}</s:Body></s:Envelope>"
    ).encode()


def _response(status: str, errors: str = "") -> str:
    return f'<rs:RegistryResponse xmlns:rs="{RS}" status="{status}">{errors}</rs:RegistryResponse>'


def _error(code: str, severity: str = "urn:oasis:names:tc:ebxml-regrep:ErrorSeverityType:Error") -> str:
    return (
        f'<rs:RegistryErrorList><rs:RegistryError errorCode="{code}" codeContext="invented" '
        f'severity="{severity}"/></rs:RegistryErrorList>'
    )


@dataclass(frozen=True, kw_only=True)
class Broken:
    """One wrong answer: to which step, what it says, what the client must say about it."""

    step: str
    body: str
    complaint: str
    action_suffix: str = "Response"
    is_related: bool = True


RIGHT = _response(f"{STATUS}:Failure", _error("UnresolvedReferenceException"))
BROKEN = {
    one.step: one
    for one in (
        Broken(
            step="iti62/unknown-id",
            body=_response(f"{STATUS}:Success"),
            complaint="expected FAILURE with UnresolvedReferenceException, found SUCCESS",
        ),
        Broken(
            step="iti42/unknown-target",
            body=_response(f"{STATUS}:Failure", _error("UnresolvedReferenceException", "urn:nobody:Grave")),
            complaint="IPF's response validator refuses the answer",
        ),
        Broken(
            step="iti57/unknown-object",
            body=_response(f"{STATUS}:Failure", '<rs:Surprise xmlns:rs="urn:nobody"/>'),
            complaint="IPF could not read an answer",
        ),
        Broken(
            step="iti61/on-demand-entry",
            body=_response(f"{STATUS}:Success"),
            action_suffix="EntryResponse",
            complaint='expected "urn:ihe:iti:2010:RegisterOnDemandDocumentResponse"',
        ),
        Broken(
            step="iti18/find-documents-of-an-unknown-patient",
            body='<q:AdhocQueryResponse xmlns:q="urn:oasis:names:tc:ebxml-regrep:xsd:query:3.0" '
            f'xmlns:rim="urn:oasis:names:tc:ebxml-regrep:xsd:rim:3.0" status="{STATUS}:Success">'
            "<rim:RegistryObjectList/></q:AdhocQueryResponse>",
            is_related=False,
            complaint='wsa:RelatesTo of the answer is "", expected "urn:uuid:',
        ),
        Broken(step="iti41/unknown-patient", body=RIGHT, complaint='expected "multipart/related"'),
    )
}


@dataclass
class Recorder:
    """What the client sent, by the transaction its wsa:Action names."""

    url: str
    requests: dict[str, tuple[str, bytes]] = field(default_factory=dict)


class _Quiet(WSGIRequestHandler):
    def log(self, type: str, message: str, *args: object) -> None:
        """Nothing: pytest shows what fails."""


@contextmanager
def _answering_wrongly() -> Iterator[Recorder]:
    recorder = Recorder(url="")

    @Request.application
    def answer(request: Request) -> Response:
        octets = request.get_data()
        action = re.search(rb"<[^>]*Action[^>]*>([^<]+)<", octets)[1].decode()  # type: ignore[index]  # always sent
        broken = next(one for one in BROKEN.values() if STEP_OF_ACTION[action] == one.step)
        message_id = re.search(rb"<[^>]*MessageID[^>]*>([^<]+)<", octets)[1].decode()  # type: ignore[index]
        recorder.requests[broken.step] = (request.headers["Content-Type"], octets)
        body = _envelope(action + broken.action_suffix, message_id if broken.is_related else "", broken.body)
        return Response(body, content_type="application/soap+xml; charset=UTF-8")

    listening = make_server("127.0.0.1", 0, answer, threaded=True, request_handler=_Quiet)
    thread = threading.Thread(target=listening.serve_forever, daemon=True)
    thread.start()
    recorder.url = f"http://127.0.0.1:{listening.server_port}"
    try:
        yield recorder
    finally:
        listening.shutdown()
        thread.join()
        listening.server_close()


STEP_OF_ACTION = {
    "urn:ihe:iti:2010:DeleteDocumentSet": "iti62/unknown-id",
    "urn:ihe:iti:2007:RegisterDocumentSet-b": "iti42/unknown-target",
    "urn:ihe:iti:2010:UpdateDocumentSet": "iti57/unknown-object",
    "urn:ihe:iti:2010:RegisterOnDemandDocumentEntry": "iti61/on-demand-entry",
    "urn:ihe:iti:2007:RegistryStoredQuery": "iti18/find-documents-of-an-unknown-patient",
    "urn:ihe:iti:2007:ProvideAndRegisterDocumentSet-b": "iti41/unknown-patient",
}


@pytest.fixture(scope="module")
def refusals(tmp_path_factory: pytest.TempPathFactory) -> tuple[Outcome, Recorder]:
    """One batch against a server that answers each step wrongly in its own way."""
    report = tmp_path_factory.mktemp("broken") / "report.json"
    with _answering_wrongly() as recorder:
        return play(recorder.url, report, "--only", ",".join(BROKEN)), recorder


@pytest.mark.parametrize("broken", BROKEN.values(), ids=lambda broken: broken.step)
def test_a_wrong_answer_is_named(refusals: tuple[Outcome, Recorder], broken: Broken) -> None:
    outcome, _ = refusals
    assert outcome.exit_code == 1
    [failure] = [step.failure for step in outcome.failures if step.full_name == broken.step]
    assert broken.complaint in failure


def test_documents_travel_as_mtom_with_percent_encoded_content_ids(refusals: tuple[Outcome, Recorder]) -> None:
    content_type, octets = refusals[1].requests["iti41/unknown-patient"]
    assert content_type.startswith("multipart/related")
    assert 'type="application/xop+xml"' in content_type
    assert re.search(rb'href="cid:[^"]+@urn%3Aihe%3Aiti%3Axds-b%3A2007"', octets)
    assert b"Compte rendu invent\xc3\xa9" in octets


def test_wrong_use_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(PeerError, match="--only knows no") as refused:
        play("http://127.0.0.1:9", tmp_path / "report.json", "--only", "iti99")
    assert "exit code 2" in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_server_that_is_not_there_fails_the_step(tmp_path: Path) -> None:
    outcome = play(
        f"http://127.0.0.1:{servers.free_port()}",
        tmp_path / "report.json",
        "--only",
        "iti62/unknown-id",
        "--timeout",
        "2",
    )
    [step] = outcome.failures
    assert outcome.exit_code == 1
    assert "IPF could not read an answer" in step.failure


# --- the client is not made to Carnet's measure


def _feed(address: tuple[str, int], patient: CX) -> bytes:
    """The acknowledgement of an ADT^A04 that makes a patient known."""
    message = f"MSH|^~\\&|TEST|TEST|||20260310||ADT^A04|1|P|2.3.1\rPID|||{patient.key}\r"
    with socket.create_connection(address, timeout=20) as connection:
        connection.sendall(b"\x0b" + message.encode() + b"\x1c\r")
        return connection.recv(4096)


def test_a_server_of_another_maker_passes_too(tmp_path: Path) -> None:
    with ipf_server.running(log=tmp_path / "server.log") as address:
        assert b"MSA|AA|1" in _feed(address.feed, PATIENT)
        outcome = play(address.url, tmp_path / "report.json", "--only", "iti41,iti42,iti18,iti43")
    assert [f"{step.full_name}: {step.failure}" for step in outcome.failures] == []
    assert len(outcome.steps) > 30
