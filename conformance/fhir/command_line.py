"""The command `python -m conformance fhir`."""

import ssl
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

import click
from rich.console import Console

from conformance.failures import KitError
from conformance.fhir.bundle_cases import KnownPatient, make_patient, read_cases, run_case, selected
from conformance.fhir.client import JSON, XML, Client
from conformance.fhir.outcomes import CaseOutcome, RunOutcome, Status
from conformance.fhir.reports import write_html, write_junit
from conformance.fhir.test_scripts import read_scripts, run_script
from conformance.sentence import Sentence
from conformance.tls import client_context

FAILED = 1
_FORMATS = {"json": JSON, "xml": XML}
_COLOURS = {Status.PASSED: "green", Status.FAILED: "red", Status.SKIPPED: "yellow"}
_out = click.Path(dir_okay=False, path_type=Path)
_file = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command()
@click.option(
    "--base", required=True, metavar="URL", help="FHIR base of the server, such as http://127.0.0.1:8080/fhir."
)
@click.option(
    "--kit",
    required=True,
    envvar="FHIR_KIT",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Folder with nist/ (request Bundles) and fhir-rest/testscripts/; also by FHIR_KIT.",
)
@click.option("--format", "formats", type=click.Choice(list(_FORMATS)), multiple=True, help="Formats.  [default: json]")
@click.option("--tests", multiple=True, metavar="TEXT", help="Only cases whose name holds this text; repeatable.")
@click.option("--patient", metavar="URL,SYSTEM|VALUE", help="A patient the server knows; else one is made by POST.")
@click.option("--header", "headers", multiple=True, metavar="NAME:VALUE", help="Goes with every request; repeatable.")
@click.option("--tls-ca", type=_file, help="Authorities of the server's certificate, PEM.")
@click.option("--tls-cert", type=_file, help="Client certificate, PEM, with its key.")
@click.option("--junit", type=_out, help="Write a JUnit report.")
@click.option("--html", "page", type=_out, help="Write a report of one page.")
def fhir(
    base: str,
    kit: Path,
    formats: Sequence[str],
    tests: Sequence[str],
    patient: str | None,
    headers: Sequence[str],
    tls_ca: Path | None,
    tls_cert: Path | None,
    junit: Path | None,
    page: Path | None,
) -> int:
    """Play request Bundles of MHD and FHIR TestScripts against a server.

    \b
    python -m conformance fhir --base http://127.0.0.1:8080/fhir --kit mhd
    python -m conformance fhir --base http://127.0.0.1:8080/fhir --kit mhd --format json --format xml --html report.html

    A TestScript that uses what the server's CapabilityStatement does not declare is skipped, and the reason told.
    Exit code 0: nothing failed; 1: a case failed; 2: the run could not start.
    """
    console, started = Console(highlight=False), datetime.now(UTC)
    cases: list[CaseOutcome] = []
    tls = _tls(tls_ca, tls_cert)
    for name in formats or ("json",):
        client = Client(base=base.rstrip("/"), headers=_headers(headers), content_type=_FORMATS[name], tls=tls)
        for case in run_cases(client, kit, tests, known_patient(patient) if patient else None):
            cases.append(case)
            _tell(console, case, name)
    outcome = RunOutcome(base=base, started=started, cases=cases)
    if not cases:
        raise KitError(Sentence("--tests : aucun cas de ce nom", "--tests: found no case of this name"))
    if junit is not None:
        write_junit(outcome, junit)
    if page is not None:
        write_html(outcome, page)
    console.print(", ".join(f"{len(outcome.of(status))} {status.value}" for status in Status))
    return FAILED if outcome.of(Status.FAILED) else 0


def run(client: Client, kit: Path) -> list[CaseOutcome]:
    """Everything of a kit."""
    return list(run_cases(client, kit, (), None))


def run_cases(client: Client, kit: Path, tests: Sequence[str], patient: KnownPatient | None) -> Iterator[CaseOutcome]:
    """The cases whose name holds one of `tests`, all without, as they end. `patient` is made when none is given."""
    cases = selected(read_cases(kit), tests)
    if cases:
        known = patient or make_patient(client, kit)
        yield from (run_case(client, kit, case, known) for case in cases)
    for script in read_scripts(kit):
        yield from run_script(client, script, tests)


def known_patient(text: str) -> KnownPatient:
    """`URL,SYSTEM|VALUE`."""
    url, comma, token = text.partition(",")
    if not comma or "|" not in token:
        raise click.BadParameter(f"found {text}, expected URL,SYSTEM|VALUE", param_hint="--patient")
    return KnownPatient(url=url, token=token)


def _headers(values: Sequence[str]) -> dict[str, str]:
    pairs = [value.partition(":") for value in values]
    if any(not colon for _, colon, _ in pairs):
        raise click.BadParameter("expected NAME:VALUE", param_hint="--header")
    return {name.strip(): value.strip() for name, _, value in pairs}


def _tls(authorities: Path | None, certificate: Path | None) -> ssl.SSLContext | None:
    return None if authorities is None and certificate is None else client_context(authorities, certificate)


def _tell(console: Console, case: CaseOutcome, name: str) -> None:
    colour = _COLOURS[case.status]
    console.print(f"[{colour}]{case.status.value:8}[/] {case.name} ({name})", markup=True)
    for text in (*case.failures, *((case.skipped,) if case.skipped else ())):
        console.print(f"         {text}", markup=False)
