"""A FHIR client of another maker: HAPI feeds and reads a started Carnet, in JSON and XML."""

import http.client
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from werkzeug.serving import WSGIRequestHandler, make_server
from werkzeug.wrappers import Request, Response

from conformance.peers.hapi_client import Outcome, run_client
from conformance.peers.maven_build import HAPI, PeerError
from tests import servers
from tests.conformance.ipf_batch import build_or_skip
from tests.servers import Server

STEPS = {
    *("metadata/statement", "ITI-104/create-patient", "ITI-65/provide", "ITI-65/replace", "ITI-65/refused"),
    *("ITI-66/submission-sets", "ITI-67/read", "ITI-67/not-modified", "ITI-67/search-by-get", "ITI-67/search-by-post"),
    *("ITI-67/author", "ITI-67/include", "ITI-67/pages", "ITI-67/history", "ITI-67/unknown", "ITI-68/resource"),
}


@pytest.fixture(scope="module", autouse=True)
def _built() -> None:
    build_or_skip(HAPI)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with servers.started(servers.settings_for(tmp_path_factory.mktemp("carnet"), domain="ihe")) as running:
        yield running


def play(url: str, folder: Path) -> Outcome:
    return run_client(["--base", f"{url}/fhir"], report=folder / "report.json")


def test_hapi_feeds_and_reads_in_both_formats(server: Server, tmp_path: Path) -> None:
    outcome = play(server.url, tmp_path)
    assert [f"{one.format} {one.transaction}/{one.step}: {one.failure}" for one in outcome.failures] == []
    for form in ("JSON", "XML"):
        assert {f"{one.transaction}/{one.step}" for one in outcome.steps if one.format == form} == STEPS
    assert outcome.exit_code == 0
    assert outcome.output.splitlines()[-1].startswith("32 passed, 0 failed: HAPI FHIR ")


# --- the judge itself: answers that must not pass

SPOILT = {
    "DocumentReference?": (b'"total":1', b'"total":2'),
    "DocumentReference/": (b'"superseded"', b'"current"'),
    "": (b'"expression":', b'"location":'),
}


class _Quiet(WSGIRequestHandler):
    def log(self, type: str, message: str, *args: object) -> None:
        """Nothing: pytest shows what fails."""


@contextmanager
def _spoiling(server: Server) -> Iterator[str]:
    """The address of a door before the server that forgets what the client has, and spoils answers."""

    @Request.application
    def forward(request: Request) -> Response:
        lost = ("Host", "If-None-Match", "Accept-Encoding")
        kept = {name: value for name, value in request.headers if name not in lost}
        connection = http.client.HTTPConnection(server.settings.host, server.settings.port, timeout=60)
        path = request.full_path if request.query_string else request.path
        connection.request(request.method, path, body=request.get_data() or None, headers=kept)
        answer = connection.getresponse()
        body = answer.read()
        connection.close()
        resource = path.removeprefix("/fhir").lstrip("/").replace("/_search", "?")
        for place, (right, wrong) in SPOILT.items():
            if resource.startswith(place):
                body = body.replace(right, wrong)
        told = [(name, value) for name, value in answer.getheaders() if name.startswith(("Content-Type", "Location"))]
        return Response(body, answer.status, told)

    listening = make_server("127.0.0.1", 0, forward, threaded=True, request_handler=_Quiet)
    thread = threading.Thread(target=listening.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listening.server_port}"
    finally:
        listening.shutdown()
        thread.join()
        listening.server_close()


def test_spoilt_answers_are_found_and_named(server: Server, tmp_path: Path) -> None:
    with _spoiling(server) as url:
        outcome = play(url, tmp_path)
    found = {f"{one.transaction}/{one.step}": one.failure for one in outcome.failures if one.format == "JSON"}
    assert found.keys() == {
        *("ITI-67/search-by-get", "ITI-67/search-by-post", "ITI-67/author", "ITI-67/include", "ITI-67/not-modified"),
        *("ITI-65/replace", "ITI-65/refused"),
    }
    assert found["ITI-67/search-by-get"] == "total: found 2, expected 1"
    assert found["ITI-65/replace"] == "status: found current, expected superseded"
    assert found["ITI-67/not-modified"].endswith('expected 304 for If-None-Match W/"1"')
    assert {one.step for one in outcome.failures if one.format == "XML"} == {"not-modified", "replace"}
    assert outcome.exit_code == 1


def test_wrong_use_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(PeerError, match="--base takes an http or https URL") as refused:
        run_client(["--base", "nowhere"], report=tmp_path / "report.json")
    assert "exit code 2" in str(refused.value)
