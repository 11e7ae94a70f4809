"""The command `python -m conformance nist`."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from conformance.failures import KitError
from conformance.nist.as_run import to_run
from conformance.nist.configuration import Configuration, check_server, open_session, open_system
from conformance.nist.findings import CHECKS
from conformance.nist.kit import Kit, read_kit
from conformance.nist.message_files import save_messages
from conformance.nist.outcomes import RunOutcome
from conformance.nist.report_json import write_json
from conformance.nist.report_junit import write_junit
from conformance.nist.report_terminal import TerminalReport
from conformance.nist.run import run_kit
from conformance.nist.run_order import plan_run, select
from conformance.nist.transactions import REGISTRY_ENDPOINTS, REPOSITORY_ENDPOINTS, XDR_ENDPOINTS
from conformance.report.page import write_page
from conformance.sentence import Sentence, reason

FAILED = 1
_OVERRIDES = (*REGISTRY_ENDPOINTS, *REPOSITORY_ENDPOINTS, *XDR_ENDPOINTS)
_file = click.Path(exists=True, dir_okay=False, path_type=Path)
_out = click.Path(dir_okay=False, path_type=Path)
Decorated = Callable[..., Any]


def _address_options(command: Decorated) -> Decorated:
    """One option for each transaction that may have an address of its own."""
    for name in reversed(_OVERRIDES):
        command = click.option(f"--{name.replace('_', '-')}", name, metavar="URL", help=_meaning(name))(command)
    return command


def _meaning(name: str) -> str:
    if name == "xdr":
        return "XDR document recipient without limited metadata."
    if name == "xdr_limited":
        return "XDR document recipient that accepts limited metadata."
    default = "--registry" if name in REGISTRY_ENDPOINTS else "--repository"
    return f"Address for {name.upper().replace('ITI', 'ITI-')} alone.  [default: {default}]"


def _pairs(context: click.Context, parameter: click.Parameter, values: Sequence[str]) -> dict[str, str]:
    """NAME=VALUE options."""
    pairs = {}
    for value in values:
        name, separator, content = value.partition("=")
        if not separator or not name or not content:
            raise click.BadParameter(f"found {value}, expected {parameter.metavar}")
        pairs[name] = content
    return pairs


def _words(context: click.Context, parameter: click.Parameter, values: Sequence[str]) -> tuple[str, ...]:
    """Values that may also be lists, separated by commas."""
    return tuple(word.strip() for value in values for word in value.split(",") if word.strip())


@click.command()
@click.option("--kit", "kit_folder", metavar="DIR", required=True, type=click.Path(path_type=Path), help="The kit.")
@click.option("--registry", metavar="URL", default="", help="Document registry: ITI-18, 42, 51, 57, 61, 62, 92.")
@click.option("--repository", metavar="URL", default="", help="Document repository: ITI-41, 43, 86.")
@click.option("--feed", metavar="URL", default="", help="Patient identity feed [ITI-8], mllp://… or mllps://…")
@click.option(
    "--feed-command",
    metavar="COMMAND",
    default="",
    help="Run this for each patient instead; {patient_id}, {id}, {authority} are filled in.",
)
@click.option("--no-feed", "is_without_feed", is_flag=True, help="Patients are known already; see --patient.")
@click.option(
    "--patient",
    "patients",
    metavar="NAME=CX",
    multiple=True,
    callback=_pairs,
    help="Use this id for a patient of the run: register, registerAlt, sq, mpq1, mpq2. Each must be new to the server.",
)
@click.option(
    "--authority", metavar="OID", default="", help="Authority of new patient ids.  [default: the first of codes.xml]"
)
@click.option("--tests", metavar="LIST", multiple=True, callback=_words, help="Tests to run, e.g. 11897,12346,3000*.")
@click.option("--skip-tests", metavar="LIST", multiple=True, callback=_words, help="Tests to leave out.")
@click.option(
    "--actor", "tags", metavar="LIST", multiple=True, callback=_words, help="Only tests for: reg, rep, reg_mu…"
)
@click.option("--list", "is_listing", is_flag=True, help="List the selected tests and stop.")
@_address_options
@click.option(
    "--repository-of",
    "repositories",
    metavar="OID=URL",
    multiple=True,
    callback=_pairs,
    help="Where the documents of a repositoryUniqueId are retrieved.",
)
@click.option("--home-community", "home_community_id", metavar="URN", default="", help="Home community of the server.")
@click.option("--codes", type=_file, help="Code table.  [default: environment/default/codes.xml of the kit]")
@click.option(
    "--schemas",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Folder with the XSDs of RegRep 3.0 and XDS.b.  [default: schemas/xsd beside this package]",
)
@click.option(
    "--skip-check", "left_out_checks", multiple=True, type=click.Choice(list(CHECKS)), help="Leave a check out."
)
@click.option("--strict", "is_strict", is_flag=True, help="Remarks fail a step too.")
@click.option("--disagreements", type=_file, multiple=True, help="A further list of known disagreements (TOML).")
@click.option(
    "--no-disagreements",
    "has_shipped_disagreements",
    is_flag=True,
    default=True,
    flag_value=False,
    help="Judge by the kit alone.",
)
@click.option("--timeout", "timeout_seconds", default=60.0, show_default=True, help="Seconds to wait for an answer.")
@click.option("--tls-ca", "tls_authorities", type=_file, help="Authorities to trust, for https and mllps (PEM).")
@click.option("--tls-cert", "tls_certificate", type=_file, help="Client certificate (PEM).")
@click.option("--tls-key", type=_file, help="Its key, when it is in a file of its own.")
@click.option("--soap-header", type=_file, help="XML element to add to the SOAP header of every request.")
@click.option("--junit", type=_out, help="Write the report as JUnit XML.")
@click.option("--html", type=_out, help="Write the report as one HTML page.")
@click.option("--json", "json_file", type=_out, help="Write the report as JSON.")
@click.option("--save", type=click.Path(file_okay=False, path_type=Path), help="Keep all messages in this folder.")
@click.option("-v", "--verbose", is_flag=True, help="A line for each step; messages at full length.")
@click.option("-q", "--quiet", is_flag=True, help="Failures and the summary only.")
def nist(
    kit_folder: Path,
    tests: tuple[str, ...],
    skip_tests: tuple[str, ...],
    tags: tuple[str, ...],
    is_listing: bool,
    codes: Path | None,
    junit: Path | None,
    html: Path | None,
    json_file: Path | None,
    save: Path | None,
    verbose: bool,
    quiet: bool,
    **given: Any,
) -> int:
    """Run the NIST XDS test kit against a registry and a repository.

    Set-up tests that a selected test relies on are run first. Exit code 0: every step passed or is a known
    disagreement between the kit and the standard, 1: a step failed, 2: the run could not start.

    \b
    python -m conformance nist --kit nist-xds --registry http://127.0.0.1:8080/xds/registry \\
        --repository http://127.0.0.1:8080/xds/repository --feed mllp://127.0.0.1:2575 --html report.html
    python -m conformance nist --kit nist-xds --list --actor reg_mu
    python -m conformance nist --kit nist-xds --tests '11897,1200*' --registry https://xds.example/registry \\
        --tls-ca ca.pem --tls-cert client.pem --feed-command 'carnet patient add {patient_id} --domain ihe'
    """
    kit = read_kit(kit_folder, codes=codes)
    ids = select(kit, tests, left_out=skip_tests, tags=tags)
    if is_listing:
        _list(kit, ids)
        return 0
    addresses = {name: url for name in _OVERRIDES if (url := given.pop(name))}
    outcome = _run(kit, ids, Configuration(addresses=addresses, **given), 2 if verbose else int(not quiet), save)
    for write, path in ((write_junit, junit), (_write_page, html), (write_json, json_file)):
        if path is not None:
            _write(write, outcome, path)
    return FAILED if outcome.has_failed else 0


def _run(kit: Kit, ids: Sequence[str], configuration: Configuration, detail: int, save: Path | None) -> RunOutcome:
    planned = plan_run(kit, ids)
    system, session = open_system(configuration), open_session(configuration, kit)
    check_server(configuration, system)
    with TerminalReport(Console(highlight=False), tests=len(planned), detail=detail) as report:
        outcome = run_kit(kit, planned, system, session, report.observer)
    report.summarise(outcome)
    if save is not None:
        save_messages(outcome, session.logs, save)
    return outcome


def _write_page(outcome: RunOutcome, path: Path) -> None:
    write_page(to_run(outcome), path, language="en")


def _write(write: Callable[[RunOutcome, Path], None], outcome: RunOutcome, path: Path) -> None:
    try:
        write(outcome, path)
    except OSError as problem:
        raise KitError(
            Sentence(
                f"le rapport {path} ne peut pas être écrit : {reason(problem).fr}",
                f"the report {path} cannot be written: {reason(problem)}",
            )
        ) from None


def _list(kit: Kit, ids: Sequence[str]) -> None:
    """One line for each test: id, actors, sections, steps, title."""
    for planned in plan_run(kit, ids):
        if planned.test.id in ids:
            test, steps = planned.test, sum(len(plan.steps) for plan in planned.plans.values())
            counts = f"{len(test.sections)} sections, {steps} steps"
            note = f"  (not run: {planned.unsupported})" if planned.unsupported else ""
            click.echo(f"{test.id}\t{','.join(test.tags)}\t{counts}\t{test.title}{note}")
