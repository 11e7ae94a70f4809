"""A push whose answer is lost is repeated and recognised: done once, never twice, never silently not at all."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from carnet import xds_client
from carnet.exchange import AnswerLost, ClientError
from carnet.reports import Report, read_report, with_new_identity
from carnet.xds_client import XdsClient
from tests import servers
from tests.servers import ROOT, Server
from tests.ways import Losses, losing


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    settings = servers.settings_for(tmp_path_factory.mktemp("carnet"))
    with servers.in_process(settings) as running:
        servers.know_patients(settings, patient())
        yield running


@pytest.fixture(autouse=True)
def no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(xds_client, "_PAUSE_SECONDS", 0.0)


def a_report() -> Report:
    content = Path(ROOT / "examples/reports/cr-consultation.xml").read_bytes()
    return with_new_identity(read_report(content, entry_uuid="Document01"))


def patient():  # type: ignore[no-untyped-def]
    found = a_report().entry.patient_id
    assert found is not None
    return found


def entries(server: Server, report: Report) -> int:
    return len(XdsClient(server.url).get_documents(str(report.entry.unique_id)).documents)


@pytest.mark.parametrize(("answers", "requests", "before"), [(1, 0, True), (2, 0, True), (0, 1, False), (1, 1, True)])
def test_a_lost_answer_or_request_is_repeated_and_stored_once(
    server: Server, answers: int, requests: int, *, before: bool
) -> None:
    report = a_report()
    with losing(server, Losses(path="repository", answers=answers, requests=requests)) as url:
        answer = XdsClient(url).push([report])
    assert (answer.is_success, answer.was_stored_before) == (True, before)
    assert entries(server, report) == 1


def test_without_any_answer_the_submission_can_be_given_to_a_later_attempt(server: Server) -> None:
    report = a_report()
    with (
        losing(server, Losses(path="repository", answers=3)) as url,
        pytest.raises(AnswerLost, match=r"Push it again as submission 2\.25") as lost,
    ):
        XdsClient(url).push([report])
    submission = str(lost.value).rpartition(" ")[2]
    answer = XdsClient(server.url).push([report], submission_unique_id=submission)
    assert (answer.is_success, answer.was_stored_before) == (True, True)
    assert entries(server, report) == 1


def test_a_foreign_submission_under_the_same_id_stays_an_error(server: Server) -> None:
    first, other = a_report(), a_report()
    assert XdsClient(server.url).push([first], submission_unique_id="2.25.4711").is_success
    answer = XdsClient(server.url).push([other], submission_unique_id="2.25.4711")
    assert [str(one.code) for one in answer.errors] == ["XDSDuplicateUniqueIdInRegistry"]
    assert entries(server, other) == 0


def test_a_server_that_is_not_there_is_told_at_once() -> None:
    with pytest.raises(ClientError, match="cannot be reached") as problem:
        XdsClient(f"http://127.0.0.1:{servers.free_port()}").push([a_report()])
    assert not isinstance(problem.value, AnswerLost)
