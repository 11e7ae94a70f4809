"""The command `python -m conformance client`."""

import socket
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import click
from rich.console import Console
from rich.markup import escape

from conformance.client.certification import REPORT, laboratory_of, open_certification
from conformance.client.preparation import Prepared, make_token, prepare
from conformance.client.scenarios import ALL, Step, read_people, scenario_names, steps_of
from conformance.client.session import Session
from conformance.client.terminal import Guide
from conformance.client.view import LANGUAGES, setup, word
from conformance.failures import KitError
from conformance.judgement import Heading, Run, Verdict
from conformance.report.command_line import summarise, write_reports
from conformance.requirements import Actor
from conformance.run_folder import RunFolder
from conformance.sentence import Sentence, expected, in_its_language

FAILED, NOT_ALL_TESTED, INTERRUPTED = 1, 3, 130
LABORATORY = "laboratory"


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
    type=click.FloatRange(min=0),
    default=0.0,
    metavar="SECONDS",
    help="Nobody is there: confirm a step by itself, so long after its last message. Questions are not asked; what "
    "they alone test stays untested.",
)
@click.option(
    "--minutes",
    type=click.FloatRange(min=0, min_open=True),
    help="End of --unattended: a step that is not played by then is skipped.  [default: 60]",
)
@click.option(
    "--hold",
    type=click.FloatRange(min=0, min_open=True),
    metavar="SECONDS",
    help="How long the steps late-answer hold their answer, for software whose time-out is longer.  [default: 20]",
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
@in_its_language
def client(
    names: tuple[str, ...],
    listen: str,
    hosts: tuple[str, ...],
    out: Path,
    resume: bool,
    subject: str,
    web_port: int,
    unattended: float,
    minutes: float | None,
    hold: float | None,
    language: str,
) -> int:
    """Certify a client of the DMP: record what it sends, step by step, and judge every message.

    Starts a server with test identities and patients, says what to do in the software under test, and keeps and judges
    what arrives.

    Exit code 0: every step was played and no requirement failed; 1: one failed; 2: the run could not start or go on;
    3: none failed, but a step was skipped, did not come in time, was refused by the server, did not do what it is
    there for (a replacement that replaces nothing), or could not be kept; 130: interrupted.

    \b
    python -m conformance client --scenario alimentation --out run
    python -m conformance client --scenario all --listen 0.0.0.0:8443 --name lab.example.org --out run --lang en
    python -m conformance client --scenario fhir --out run
    python -m conformance client --out run --resume
    python -m conformance client --scenario consultation --out run --unattended 5 --minutes 10
    """
    _check_end(minutes, unattended)
    address = _free(_address(listen), "--listen")
    _free(("127.0.0.1", web_port), "--web")
    people, folder, console = read_people(), RunFolder(path=out), Console(highlight=False)
    heading = folder.load().heading if resume else _heading(folder, names, subject)
    steps = tuple(_with_hold(one, hold) for one in steps_of(names or heading.profiles))
    with console.status(word("title", language)):
        prepared = prepare(out / LABORATORY, people, (*hosts, address[0], "localhost", "127.0.0.1"))
        prepared.check()
        laboratory_of(prepared, people)
    if not resume:  # nothing is begun that could not be played
        folder.start(heading)
    name = hosts[0] if hosts else ""
    with open_certification(prepared, people, steps, folder, address, name=name, page_port=web_port) as opened:
        for one in setup({"page": opened.page, **opened.place}, language):
            console.print(f"{one['name']} : {escape(one['value'])}", soft_wrap=True)
        session = opened.session
        guide = Guide(session, people, console, language=language, unattended=unattended, minutes=minutes or 60)
        is_done = guide.run()
    code = report(session, out, console, language)
    return code if is_done else INTERRUPTED


def _check_end(minutes: float | None, unattended: float) -> None:
    """Raises KitError where a run that somebody plays is to end by itself."""
    if minutes and not unattended:
        fr, en = "--minutes est la fin de --unattended : donnez les deux", "--minutes is the end of --unattended"
        raise KitError(Sentence(fr, f"{en}: give both"))


def _heading(folder: RunFolder, names: tuple[str, ...], subject: str) -> Heading:
    """Of a new run. Raises KitError when the folder holds one."""
    folder.check_empty()
    started = datetime.now(UTC)
    return Heading(actor=Actor.CLIENT, subject=subject or "client", profiles=names or (ALL,), started=started)


def report(session: Session, out: Path, console: Console, language: str) -> int:
    """Write the reports, sum up on the terminal: the exit code. Raises KitError."""
    run = session.run
    page = out / REPORT
    write_reports(run, page=page, junit=out / "report.xml", json_file=out / "report.json", language=language)
    summarise(run, language)
    _tell_untested(session, run, console, language)
    console.print(str(page))
    if run.has_failed:
        return FAILED
    is_whole = not session.troubles and all(one.is_whole for one in session.done)
    return 0 if is_whole else NOT_ALL_TESTED


def _with_hold(step: Step, hold: float | None) -> Step:
    return replace(step, seconds=hold) if hold and step.seconds else step


def _tell_untested(session: Session, run: Run, console: Console, language: str) -> None:
    """What was asked for and not played, and what nothing else of the run tested."""
    skipped = {one.step for one in session.done if one.is_skipped}
    steps = [one for one in session.steps if one.key in skipped]
    untested = [
        name
        for name, verdict in run.verdicts.items()
        if verdict is Verdict.NOT_TESTED and any(one.judges_requirement(name) for one in steps)
    ]
    refused = [f"{one.step} ({one.refused})" for one in session.done if one.refused]
    unshown = [f"{one.step} ({one.unshown})" for one in session.done if one.unshown]
    told = {"not-played": sorted(skipped), "not-taken": refused, "not-shown": unshown, "not-tested": untested}
    for about, names in told.items():
        if names:
            console.print(f"[yellow]{word(about, language)}[/] : {', '.join(names)}", soft_wrap=True)


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
        fr = f"{run} : aucun émetteur de jetons ; attendu le --out de `python -m conformance client`"
        en = f"{run}: no issuer of tokens; expected the --out of `python -m conformance client`"
        raise KitError(Sentence(fr, en))
    click.echo(make_token(prepared, read_people(), patient, server, minutes=minutes))


def _address(text: str) -> tuple[str, int]:
    """HOST:PORT. Raises KitError."""
    host, _, port = text.rpartition(":")
    if not host or not port.isdigit():
        raise KitError(expected(text, "HOST:PORT (127.0.0.1:8443)", about="--listen"))
    return host, int(port)


def _free(address: tuple[str, int], option: str) -> tuple[str, int]:
    """The address, where it can be listened on: else nothing is begun. Raises KitError."""
    try:
        socket.create_server(address).close()
    except (OSError, OverflowError) as problem:
        where, why = f"{address[0]}:{address[1]}", getattr(problem, "strerror", None) or problem
        said = Sentence(f"{where} ne peut pas être écouté ({why})", f"{where} cannot be listened on ({why})")
        raise KitError(said.about(option)) from None
    return address
