"""The whole run against a server: kits and probes one after the other, everything kept in the folder as it happens."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from conformance.failures import KitError, StepFailed
from conformance.judgement import Finding, Heading, Run, Verdict
from conformance.population.write_set import read_manifest
from conformance.requirements import Actor, Way, requirement_about
from conformance.run_folder import RunFolder
from conformance.sentence import NOTHING_SAID, Sentence, sentence_of
from conformance.server import (
    probes_connection,
    probes_documents,
    probes_fhir,
    probes_life,
    probes_person,
    probes_record,
    probes_vihf,
)
from conformance.server.configuration import ServerConfiguration
from conformance.server.exchange import Wire
from conformance.server.kits import run_fhir, run_nist
from conformance.server.probe import NotTestable, Probe
from conformance.server.target import Target


@dataclass(frozen=True, slots=True, kw_only=True)
class Observer:
    """Told what happens: the name of what is done, and of how many of its part; then each finding."""

    step: Callable[[str, int], None] = lambda name, of: None
    finding: Callable[[Finding], None] = lambda finding: None


def probes(configuration: ServerConfiguration) -> Iterator[Probe]:
    """Those of what the server claims."""
    if configuration.xds is not None or configuration.dmp is not None:
        for one in probes_connection.PROBES:
            if configuration.tls is not None or not one.name.startswith("tls."):
                yield one
    if configuration.mhd is not None:
        yield from probes_fhir.PROBES
    if configuration.dmp is not None:
        yield from probes_record.PROBES
        yield from probes_life.PROBES
        yield from probes_person.PROBES
        yield from probes_vihf.probes(configuration.dmp.wrapped)
        yield from probes_documents.probes()


def check(configuration: ServerConfiguration) -> None:
    """That what the run needs can be read, before it is begun. Raises KitError naming the file."""
    if configuration.tls is not None:
        configuration.tls.context()
    if configuration.dmp is not None:
        read_manifest(configuration.dmp.data)  # a run without its data set would blame the server
    for name, section in (("xds", configuration.xds), ("mhd", configuration.mhd)):
        if section is not None and section.kit is not None and not section.kit.is_dir():
            fr, en = f"[{name}] kit : {section.kit} n'est pas un dossier", f"[{name}] kit: {section.kit} is no folder"
            raise KitError(Sentence(fr, en))


def run_server(configuration: ServerConfiguration, folder: RunFolder, observer: Observer) -> Run:
    """Run everything that has no finding in the folder yet. Raises KitError and UnreachableServer."""
    done = {one.step.partition("/")[0] for one in folder.load().findings}
    if configuration.xds is not None and "nist" not in done:
        found = list(run_nist(configuration, configuration.xds, folder.add_message, observer.step))
        _keep(folder, observer, found)
    if configuration.mhd is not None and "fhir" not in done:
        found = list(run_fhir(configuration, configuration.mhd, folder.add_message, observer.step))
        _keep(folder, observer, found)
    _run_probes(configuration, folder, observer, done)
    folder.end(datetime.now(UTC))
    return folder.load()


def heading(configuration: ServerConfiguration) -> Heading:
    """Addresses among the settings, no secret."""
    addresses = {
        f"{section}.{name}": getattr(getattr(configuration, section), name, "")
        for section in configuration.claims
        for name in ("registry", "repository", "patients", "patients_pdq", "patients_specific", "habilitations", "base")
    }
    return Heading(
        actor=Actor.SERVER,
        subject=configuration.name,
        profiles=configuration.claims,
        started=datetime.now(UTC),
        settings={name: value for name, value in addresses.items() if value and isinstance(value, str)},
    )


def _run_probes(configuration: ServerConfiguration, folder: RunFolder, observer: Observer, done: set[str]) -> None:
    tls = configuration.tls
    context = None if tls is None else tls.context()
    used = len([one for one in folder.load().messages if one.id.startswith("probe-")])
    wire = Wire(context, configuration.timeout_seconds, folder.add_message, sent=used)
    target, wanted = Target(configuration, wire), tuple(probes(configuration))
    for probe in wanted:
        observer.step(probe.name, len(wanted))
        if probe.name not in done:
            wire.step = probe.name
            _keep(folder, observer, list(findings(probe, target)))


def findings(probe: Probe, target: Target) -> Iterator[Finding]:
    """One for each thing wrong, or one that says it passed or could not be tried."""
    before, target.wire.is_unreached = target.wire.last, False
    try:
        wrong = list(probe.failures(target))
        if not wrong and target.wire.is_unreached:
            raise NotTestable("personne ne répond à cette adresse", "nobody answers at this address")
        verdict = Verdict.FAILED if wrong else Verdict.PASSED
    except NotTestable as reason:
        wrong, verdict = [Sentence(reason.fr, reason.en)], Verdict.NOT_TESTED
    except (StepFailed, KitError) as problem:
        wrong, verdict = [sentence_of(problem)], Verdict.FAILED
    message = target.wire.last if target.wire.last != before else ""
    for one in wrong or [NOTHING_SAID]:
        yield Finding(
            requirement=requirement_about(Way.PROBE, probe.name),
            verdict=verdict,
            text_fr=f"{probe.title_fr} : {one.fr}" if one.fr else probe.title_fr,
            text_en=f"{probe.title_en}: {one.en}" if one.en else probe.title_en,
            message=message,
            step=probe.name,
        )


def _keep(folder: RunFolder, observer: Observer, found: list[Finding]) -> None:
    for finding in found:
        folder.add_finding(finding)
        observer.finding(finding)
