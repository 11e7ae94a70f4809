"""Every requirement on servers has a server that fails it, and nothing else."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from conformance.judgement import Run, Verdict
from conformance.population.people import structures
from conformance.requirements import Actor, Way, requirements_of
from conformance.run_folder import RunFolder
from conformance.server.configuration import Mhd, ServerConfiguration, Tls, Xds, read_configuration
from conformance.server.kits import run_fhir, run_nist
from conformance.server.run import Observer, heading, run_server
from tests.conformance.carnet_under_test import kit_settings
from tests.conformance.faults_of_kit_servers import KIT_FAULTS
from tests.conformance.faults_of_servers import FAULTS
from tests.conformance.faulty_servers import Behind, Fault, behind, faulty, runs_of
from tests.conformance.faulty_servers_page import PAGE, page
from tests.servers import in_process

RUNS, TIMES = 8, 4


@pytest.fixture(scope="module")
def carnet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Behind]:
    with behind(tmp_path_factory.mktemp("carnet")) as both:
        yield both


def card_of(carnet: Behind) -> Path:
    """With which the kit connects."""
    return carnet.data / "pki" / "issued" / f"{structures(11)[0].identifier}-authentication.pem"


def judged(carnet: Behind, faults: tuple[Fault, ...], folder: Path) -> Run:
    with faulty(carnet, faults) as url:
        file, data = folder / "server.toml", carnet.data
        file.write_text(
            f'name = "faulty"\n[tls]\nauthorities = "{data}/pki/trust/root.pem"\ncertificate = "{card_of(carnet)}"\n'
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
        told = [f"{one.step}: {one.text_en}" for one in run.findings_of(fault.requirement)]
        assert (verdict is Verdict.FAILED) is (fault.requirement in wrong), (sorted(wrong), told)


# --- what the kits judge ---------------------------------------------------------------------------


@pytest.fixture(scope="module")
def affinity_domain(carnet: Behind, corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Behind]:
    """A Carnet that the kits know, with its feed of patients."""
    with in_process(kit_settings(tmp_path_factory.mktemp("kits"), corpus / "nist-xds")) as running:
        yield replace(carnet, record=running, fhir=running)


def failed_by(carnet: Behind, faults: Iterable[Fault], judging: Fault, corpus: Path) -> dict[str, list[str]]:
    """The requirements that a server with these faults fails in the tests of one of them, and how."""
    with faulty(carnet, tuple(faults)) as url:
        tls = Tls(authorities=carnet.data / "pki" / "trust" / "root.pem", certificate=card_of(carnet))
        xds = Xds(
            kit=corpus / "nist-xds",
            registry=f"{url}/xds/registry",
            repository=f"{url}/xds/repository",
            xdr=f"{url}/xds/recipient",
            feed=f"mllp://127.0.0.1:{carnet.record.feed}",
            tests=judging.tests,
            waits=False,
        )
        mhd = Mhd(base=f"{url}/fhir", kit=corpus / "mhd", tests=judging.tests)
        server = ServerConfiguration(name="faulty", tls=tls, xds=xds, mhd=mhd)
        is_xds = judging.requirement.startswith("SERVER-XDS")
        found = list((run_nist if is_xds else run_fhir)(server, xds if is_xds else mhd, ignore, ignore))
    assert any(one.requirement == judging.requirement and one.verdict is not Verdict.NOT_TESTED for one in found)
    failed: dict[str, list[str]] = {}
    for one in found:
        if one.verdict is Verdict.FAILED:
            failed.setdefault(one.requirement, []).append(f"{one.step}: {one.text_en}")
    return failed


def ignore(*_: object) -> None:
    """Messages and progress are not looked at here."""


def test_every_requirement_that_a_kit_judges_has_a_fault() -> None:
    judged_by_kits = [one.id for one in requirements_of(Actor.SERVER) if one.way in (Way.NIST, Way.FHIR)]
    assert [one.requirement for one in KIT_FAULTS] == judged_by_kits


@pytest.mark.corpus
@pytest.mark.parametrize("fault", KIT_FAULTS, ids=str)
def test_a_fault_is_seen_by_a_kit_and_the_others_are_not(fault: Fault, affinity_domain: Behind, corpus: Path) -> None:
    """With all others together its requirement is met; with this fault alone it fails, and no other."""
    others = [one for one in KIT_FAULTS if one is not fault]
    assert failed_by(affinity_domain, others, fault, corpus) == {}
    assert failed_by(affinity_domain, [fault], fault, corpus).keys() == {fault.requirement}


def test_the_page_of_faulty_servers_is_not_stale() -> None:
    assert PAGE.read_text("utf-8") == page(), "run: make docs"
