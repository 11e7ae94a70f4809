"""The IPF client against a registry and a repository apart, and against a server that answers it with faults."""

from pathlib import Path

import pytest

from conformance.peers.ipf_client import Outcome, run_client
from tests import servers
from tests.conformance.ipf_batch import HOME, PATIENT, build_or_skip, play

ONE_OF_EACH = "iti18/find-documents-of-an-unknown-patient,iti41/unknown-patient,iti62/unknown-id"


@pytest.fixture(scope="module", autouse=True)
def _built() -> None:
    build_or_skip()


@pytest.mark.parametrize(
    "only",
    [
        pytest.param(("--only", "iti41,iti43,iti86"), id="documents"),
        pytest.param((), id="everything", marks=pytest.mark.long),
    ],
)
def test_ipf_accepts_every_answer_of_a_registry_and_a_repository_apart(tmp_path: Path, only: tuple[str, ...]) -> None:
    given = {"domain": "ihe", "home_community_id": HOME}
    with servers.apart(tmp_path, servers.started, registry=given, repository=given) as server:
        servers.know_patients(server.registry_settings, PATIENT)
        report = tmp_path / "report.json"
        outcome = play(server.url, report, "--home", HOME, *only, repository_url=server.repository_url)
    assert {step.full_name: step.failure for step in outcome.failures} == {}
    assert {step.transaction for step in outcome.steps} >= {"iti41", "iti43", "iti86"}


def faults(folder: Path, status: int) -> Outcome:
    """What IPF makes of faults: each receiver is told to be the other one and answers so."""
    with servers.started(servers.settings_for(folder / "carnet", domain="ihe", fault_status=status)) as server:
        swapped = ("--registry", f"{server.url}/xds/repository", "--repository", f"{server.url}/xds/registry")
        asked = ("--patient", PATIENT.key, "--only", ONE_OF_EACH)
        return run_client((*swapped, *asked), report=folder / "report.json")


@pytest.mark.parametrize("status", [500, pytest.param(400, marks=pytest.mark.long)])
def test_ipf_reads_the_reason_of_a_fault(tmp_path: Path, status: int) -> None:
    outcome = faults(tmp_path, status)
    assert len(outcome.failures) == len(outcome.steps) == 3
    for step in outcome.failures:
        assert f'HTTP status "{status}"): wsa:Action: found \'urn:ihe:iti:' in step.failure
        assert ", expected one of urn:" in step.failure
