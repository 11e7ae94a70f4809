"""Every requirement on servers that a probe judges has a server that fails it, and nothing else."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from conformance.judgement import Run, Verdict
from conformance.population.people import structures
from conformance.requirements import Actor, Way, requirements_of
from conformance.run_folder import RunFolder
from conformance.server.configuration import read_configuration
from conformance.server.run import Observer, heading, run_server
from tests.conformance.faults_of_servers import FAULTS
from tests.conformance.faulty_servers import Behind, Fault, behind, faulty, runs_of
from tests.conformance.faulty_servers_page import PAGE, page

RUNS, TIMES = 8, 4


@pytest.fixture(scope="module")
def carnet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Behind]:
    with behind(tmp_path_factory.mktemp("carnet")) as both:
        yield both


def judged(carnet: Behind, faults: tuple[Fault, ...], folder: Path) -> Run:
    with faulty(carnet, faults) as url:
        file, data = folder / "server.toml", carnet.data
        card = f"{data}/pki/issued/{structures(11)[0].identifier}-authentication.pem"
        file.write_text(
            f'name = "faulty"\n[tls]\nauthorities = "{data}/pki/trust/root.pem"\ncertificate = "{card}"\n'
            f'[mhd]\nbase = "{url}/fhir"\n'
            f'[dmp]\ndata = "{data}"\nwrapped = 1\nregistry = "{url}/xds/registry"\n'
            f'repository = "{url}/xds/repository"\npatients = "{url}/xds/patients"\n'
            f'habilitations = "{url}/xds/habilitations"\n'
        )
        configuration, kept = read_configuration(file), RunFolder(path=folder / "run")
        kept.start(heading(configuration))
        return run_server(configuration, kept, Observer())


@pytest.fixture(scope="module")
def runs(carnet: Behind, tmp_path_factory: pytest.TempPathFactory) -> list[tuple[set[str], Run]]:
    """What was wrong in each run, and how it was judged."""
    return [
        ({one.requirement for one in faults}, judged(carnet, faults, tmp_path_factory.mktemp("run")))
        for faults in runs_of(FAULTS, RUNS, TIMES)
    ]


def test_every_requirement_that_a_probe_judges_has_a_fault() -> None:
    judged_by_probes = [one.id for one in requirements_of(Actor.SERVER) if one.way is Way.PROBE]
    assert sorted(one.requirement for one in FAULTS) == sorted(judged_by_probes)


@pytest.mark.parametrize("fault", FAULTS, ids=str)
def test_a_faulty_server_fails_its_requirement_and_no_other(fault: Fault, runs: list[tuple[set[str], Run]]) -> None:
    for wrong, run in runs:
        verdict = run.verdicts[fault.requirement]
        if verdict is Verdict.NOT_TESTED:
            assert fault.requirement == "SERVER-TLS-03"  # where the TLS library speaks no TLS 1.1
            continue
        told = [f"{one.step}: {one.evidence}" for one in run.findings_of(fault.requirement)]
        assert (verdict is Verdict.FAILED) is (fault.requirement in wrong), (sorted(wrong), told)


def test_the_page_of_faulty_servers_is_not_stale() -> None:
    assert PAGE.read_text("utf-8") == page(), "run: make docs"
