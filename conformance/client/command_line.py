"""The command `python -m conformance client`."""

import socket
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import click
from rich.console import Console
from rich.markup import escape

from conformance.client.certification import REPORT, open_certification
from conformance.client.preparation import Prepared, make_token, prepare
from conformance.client.scenarios import Step, read_people, read_scenario, scenario_names
from conformance.client.terminal import Guide
from conformance.client.view import LANGUAGES, setup, word
from conformance.failures import KitError
from conformance.judgement import Heading
from conformance.report.command_line import summarise, write_reports
from conformance.requirements import Actor
from conformance.run_folder import RunFolder

FAILED = 1
ALL, LABORATORY = "all", "laboratory"


@click.command()
@click.option(
    "--scenario",
    "names",
    multiple=True,
    type=click.Choice([*scenario_names(), ALL]),
    help="What is certified, repeatable; all: everything over SOAP, fhir is played by its name.  "
    "[default: all, or what the run to go on with is about]",
)
@click.option(
    "--listen", default="127.0.0.1:8443", show_default=True, metavar="HOST:PORT", help="Where the software connects."
)
@click.option(
    "--name", "hosts", multiple=True, metavar="NAME", help="Name or address the software connects to, if not HOST."
)
@click.option("--out", required=True, type=click.Path(file_okay=False, path_type=Path), help="Folder of the run.")
@click.option("--resume", is_flag=True, help="Go on with the run in --out.")
@click.option("--subject", default="", help="Name and version of the software, for the report.")
@click.option("--web", "web_port", default=0, metavar="PORT", help="Port of the page on 127.0.0.1; 0 takes a free one.")
@click.option(
    "--unattended",
    default=0.0,
    metavar="SECONDS",
    help="Confirm a step by itself, so long after its last message; questions are left out.",
)
@click.option(
    "--lang",
    "--language",
    "language",
    type=click.Choice(LANGUAGES),
    default="fr",
    show_default=True,
    help="Of the page and of the terminal.",
)
def client(
    names: tuple[str, ...],
    listen: str,
    hosts: tuple[str, ...],
    out: Path,
    resume: bool,
    subject: str,
    web_port: int,
    unattended: float,
    language: str,
) -> int:
    """Certify a client of the DMP: record what it sends, step by step, and judge every message.

    Starts a server with test identities and patients, says what to do in the software under test, and keeps and judges
    what arrives. Exit code 0: no requirement failed, 1: one failed, 2: the run could not start, 130: interrupted.

    \b
    python -m conformance client --scenario alimentation --out run
    python -m conformance client --scenario all --listen 0.0.0.0:8443 --name lab.example.org --out run --lang en
    python -m conformance client --scenario fhir --out run
    python -m conformance client --out run --resume
    """
    address = _free(_address(listen), "--listen")
    if web_port:
        _free(("127.0.0.1", web_port), "--web")
    people, folder = read_people(), _folder(out, names or (ALL,), subject, resume=resume)
    steps = steps_of(names or folder.load().heading.profiles)
    console = Console(highlight=False)
    with console.status(word("title", language)):
        prepared = prepare(out / LABORATORY, people, (*hosts, address[0], "localhost", "127.0.0.1"))
    name = hosts[0] if hosts else ""
    with open_certification(prepared, people, steps, folder, address, name=name, page_port=web_port) as opened:
        for one in setup({"page": opened.page, **opened.place}, language):
            console.print(f"{one['name']} : {escape(one['value'])}", soft_wrap=True)
        is_done = Guide(opened.session, people, console, language=language, unattended=unattended).run()
    run = folder.load()
    reports = {"page": out / REPORT, "junit": out / "report.xml", "json_file": out / "report.json"}
    write_reports(run, **reports, language=language)
    summarise(run, language)
    console.print(str(reports["page"]))
    if not is_done:
        return 130
    return FAILED if run.has_failed else 0


@click.command()
@click.argument("run", metavar="RUN", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--server", default="https://127.0.0.1:8443", show_default=True, help="Where the software connects.")
@click.option(
    "--patient",
    type=click.Choice([one.id for one in read_people().patients]),
    default="followed",
    show_default=True,
    help="Whose record, as in conformance/scenarios/people.toml.",
)
@click.option("--minutes", type=click.IntRange(1, 1440), default=60, show_default=True, help="Validity.")
def token(run: Path, server: str, patient: str, minutes: int) -> None:
    """Print a new token (JWT) of the doctor, which the server of the certification in RUN believes.

    For software that speaks FHIR and has no VIHF: Authorization: Bearer TOKEN.

    \b
    python -m conformance token runs/mine
    python -m conformance token runs/mine --server https://lab.example.org:8443 --minutes 5
    """
    prepared = Prepared(folder=run / LABORATORY)
    if not prepared.issuer.exists():
        raise KitError(f"{run}: found no issuer of tokens, expected the --out of `python -m conformance client`")
    click.echo(make_token(prepared, read_people(), patient, server, minutes=minutes))


def steps_of(names: Sequence[str]) -> tuple[Step, ...]:
    """Of the scenarios, in their order. Raises KitError."""
    known = [read_scenario(name) for name in scenario_names()]
    wanted = [one for one in known if one.name in names or (ALL in names and not one.is_apart)]
    return tuple(step for one in wanted for step in one.steps)


def _folder(out: Path, names: tuple[str, ...], subject: str, *, resume: bool) -> RunFolder:
    """The folder of a new run, or of one to go on with. Raises KitError."""
    folder = RunFolder(path=out)
    if resume:
        folder.load()
        return folder
    heading = Heading(actor=Actor.CLIENT, subject=subject or "client", profiles=names, started=datetime.now(UTC))
    folder.start(heading)
    return folder


def _address(text: str) -> tuple[str, int]:
    """HOST:PORT. Raises KitError."""
    host, _, port = text.rpartition(":")
    if not host or not port.isdigit():
        raise KitError(f"--listen: found {text}, expected HOST:PORT such as 127.0.0.1:8443")
    return host, int(port)


def _free(address: tuple[str, int], option: str) -> tuple[str, int]:
    """The address, where it can be listened on: else nothing is begun. Raises KitError."""
    try:
        socket.create_server(address).close()
    except (OSError, OverflowError) as problem:
        raise KitError(f"{option}: {address[0]}:{address[1]} cannot be listened on: {problem}") from None
    return address
