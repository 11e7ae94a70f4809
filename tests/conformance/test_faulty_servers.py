"""Every requirement on servers has a server that fails it, and nothing else."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from conformance.judgement import Finding, Verdict
from conformance.population.people import structures
from conformance.requirements import Actor, Way, requirement_about, requirements_of
from conformance.server.configuration import Mhd, ServerConfiguration, Tls, Xds, read_configuration
from conformance.server.exchange import Wire
from conformance.server.kits import run_fhir, run_nist
from conformance.server.probe import Probe
from conformance.server.run import findings, probes
from conformance.server.target import Target
from tests.conformance.carnet_under_test import kit_settings
from tests.conformance.faults_of_kit_servers import KIT_FAULTS
from tests.conformance.faults_of_servers import FAULTS
from tests.conformance.faulty_servers import Behind, Fault, Gate, behind, faulty
from tests.conformance.faulty_servers_page import PAGE, page
from tests.servers import in_process

# Where the TLS library speaks no TLS 1.1.
MAYBE_UNTESTED = {"SERVER-TLS-03"}


@pytest.fixture(scope="module")
def carnet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Behind]:
    with behind(tmp_path_factory.mktemp("carnet")) as both:
        yield both


def card_of(carnet: Behind) -> Path:
    """With which the kit connects."""
    return carnet.data / "pki" / "issued" / f"{structures(11)[0].identifier}-authentication.pem"


@dataclass(frozen=True, kw_only=True)
class Bench:
    """The kit before a server whose faults can be changed, and every probe by its name."""

    gate: Gate
    target: Target
    probes: Mapping[str, Probe]

    def of(self, requirement: str) -> tuple[str, ...]:
        return tuple(name for name in self.probes if requirement_about(Way.PROBE, name) == requirement)

    def tried(self, names: Iterable[str]) -> list[Finding]:
        """What these probes find."""
        found: list[Finding] = []
        for name in names:
            self.target.wire.step = name
            found += findings(self.probes[name], self.target)
        return found


@pytest.fixture(scope="module")
def bench(carnet: Behind, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    file, data = tmp_path_factory.mktemp("bench") / "server.toml", carnet.data
    with faulty(carnet) as gate:
        url = gate.url
        file.write_text(
            f'name = "faulty"\n[tls]\nauthorities = "{data}/pki/trust/root.pem"\ncertificate = "{card_of(carnet)}"\n'
            f'[mhd]\nbase = "{url}/fhir"\n'
            f'[dmp]\ndata = "{data}"\nwrapped = 1\nregistry = "{url}/xds/registry"\n'
            f'repository = "{url}/xds/repository"\npatients = "{url}/xds/patients"\n'
            f'habilitations = "{url}/xds/habilitations"\n'
        )
        configuration = read_configuration(file)
        context = Tls(authorities=data / "pki" / "trust" / "root.pem", certificate=card_of(carnet)).context()
        target = Target(configuration, Wire(context, configuration.timeout_seconds, ignore))
        yield Bench(gate=gate, target=target, probes={one.name: one for one in probes(configuration)})


@pytest.fixture(scope="module")
def touched(bench: Bench) -> Mapping[str, set[str]]:
    """Probes in whose messages each fault would change anything: found in a run over a server that has those of TLS
    alone, which fail nothing but their own requirements."""
    of_tls, others = ([one for one in FAULTS if bool(one.tls) is is_tls] for is_tls in (True, False))
    bench.gate.use(*of_tls)
    bench.gate.watch(*others, where=lambda: bench.target.wire.step)
    failed = failures(bench.tried(bench.probes))
    assert failed.keys() | MAYBE_UNTESTED == {one.requirement for one in of_tls} | MAYBE_UNTESTED, failed
    bench.gate.watch(where=str)
    return {
        **bench.gate.touched,
        **{one.requirement: {name for name in bench.probes if name.startswith("tls.")} for one in of_tls},
    }


def failures(found: Iterable[Finding]) -> dict[str, list[str]]:
    """Requirement → what was wrong."""
    failed: dict[str, list[str]] = {}
    for one in found:
        if one.verdict is Verdict.FAILED:
            failed.setdefault(one.requirement, []).append(f"{one.step}: {one.text_en}")
    return failed


def test_every_requirement_that_a_probe_judges_has_a_fault() -> None:
    judged_by_probes = [one.id for one in requirements_of(Actor.SERVER) if one.way is Way.PROBE]
    assert sorted(one.requirement for one in FAULTS) == sorted(judged_by_probes)


@pytest.mark.parametrize("fault", FAULTS, ids=str)
def test_a_faulty_server_fails_its_requirement_and_no_other(
    fault: Fault, bench: Bench, touched: Mapping[str, set[str]]
) -> None:
    """With this fault alone its own probes fail, and no other does in which it changes anything."""
    own = fault.tests or bench.of(fault.requirement)
    bench.gate.use(fault)
    found = bench.tried(own)
    others = [name for name in bench.probes if name in touched.get(fault.requirement, ()) and name not in own]
    failed = failures([*found, *bench.tried(others)])
    if fault.requirement in MAYBE_UNTESTED and all(one.verdict is Verdict.NOT_TESTED for one in found):
        assert failed == {}
    else:
        assert failed.keys() == {fault.requirement}, failed


# --- what the kits judge ---------------------------------------------------------------------------


@pytest.fixture(scope="module")
def affinity_domain(carnet: Behind, corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Behind]:
    """A Carnet that the kits know, with its feed of patients."""
    with in_process(kit_settings(tmp_path_factory.mktemp("kits"), corpus / "nist-xds")) as running:
        yield replace(carnet, record=running, fhir=running)


def failed_by(carnet: Behind, faults: Iterable[Fault], judging: Fault, corpus: Path) -> dict[str, list[str]]:
    """The requirements that a server with these faults fails in the tests of one of them, and how."""
    with faulty(carnet, tuple(faults)) as gate:
        url = gate.url
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
    return failures(found)


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
