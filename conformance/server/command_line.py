"""The command `python -m conformance server`."""

from datetime import UTC, datetime
from pathlib import Path

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from conformance.failures import KitError
from conformance.judgement import Finding, Verdict
from conformance.report.command_line import FAILED, summarise, write_reports
from conformance.run_folder import HEADING, RunFolder
from conformance.sentence import Sentence, in_its_language
from conformance.server.configuration import read_configuration
from conformance.server.run import Observer, check, heading, probes, run_server

_out = click.Path(dir_okay=False, path_type=Path)


_HELP = """Test a server of any maker on everything it claims, requirement by requirement.

\b
python -m conformance server --config server.toml
python -m conformance server --config server.toml --run runs/monday --junit monday.xml --lang en
python -m conformance server --config server.toml --run runs/monday --resume

\b
The file has a section for each claim:
    name = "My server 2.1"
    [tls]                                   # for https
    authorities = "data/pki/trust/root.pem"
    [xds]                                   # judged by the NIST kit
    kit = "nist-xds"
    registry = "https://xds.example/registry"
    repository = "https://xds.example/repository"
    feed = "mllps://xds.example:2575"     # patients by ITI-8
    [mhd]
    base = "https://xds.example/fhir"
    [dmp]                                   # fed with a set of `python -m conformance data`
    data = "data"
    registry = "https://dmp.example/registry"
    repository = "https://dmp.example/repository"
    patients = "https://dmp.example/patients"
    habilitations = "https://dmp.example/habilitations"

Exit code 0: no requirement failed; 1: one did; 2: the run could not start.
"""


@click.command(help=_HELP)
@click.option(
    "--config", required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path), help="TOML file."
)
@click.option(
    "--run", "folder", type=click.Path(file_okay=False, path_type=Path), help="Folder of the run.  [default: runs/DATE]"
)
@click.option("--resume", is_flag=True, help="Go on with the run of the folder: what has a finding is not tried again.")
@click.option("--list", "is_listing", is_flag=True, help="List the probes of what the file claims and stop.")
@click.option("--html", type=_out, help="Write the page here.  [default: report.html in the folder]")
@click.option("--junit", type=_out, help="Write JUnit XML.")
@click.option("--json", "json_file", type=_out, help="Write JSON.")
@click.option(
    "--lang",
    "language",
    type=click.Choice(["fr", "en"]),
    default="fr",
    show_default=True,
    help="Of the page and of the terminal.",
)
@in_its_language
def server(
    config: Path,
    folder: Path | None,
    resume: bool,
    is_listing: bool,
    html: Path | None,
    junit: Path | None,
    json_file: Path | None,
    language: str,
) -> int:
    configuration = read_configuration(config)
    if is_listing:
        for one in probes(configuration):
            click.echo(f"{one.name}\t{one.title_en}")
        return 0
    check(configuration)
    kept = RunFolder(path=folder or Path("runs") / f"{datetime.now(UTC):%Y-%m-%d-%H%M%S}")
    if not resume:
        kept.start(heading(configuration))
    elif not (kept.path / HEADING).exists():
        fr, en = f"il n'y a pas d'essai dans {kept.path}", f"there is no run in {kept.path}"
        raise KitError(Sentence(fr, en).about("--resume"))
    with _Shown(language) as shown:
        run = run_server(configuration, kept, Observer(step=shown.step, finding=shown.finding))
    write_reports(run, page=html or kept.path / "report.html", junit=junit, json_file=json_file, language=language)
    summarise(run, language)
    click.echo(str(html or kept.path / "report.html"))
    return FAILED if run.has_failed else 0


class _Shown:
    """A bar for each part while it runs, a line for each failed finding."""

    def __init__(self, language: str) -> None:
        self._language = language
        console = Console(stderr=True, highlight=False)
        self._progress = Progress(
            TextColumn("{task.description:40}"), BarColumn(), TimeElapsedColumn(), console=console, transient=True
        )
        self._tasks: dict[int, TaskID] = {}

    def __enter__(self) -> "_Shown":
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def step(self, name: str, of: int) -> None:
        if of not in self._tasks:
            self._tasks[of] = self._progress.add_task(name, total=of)
        self._progress.update(self._tasks[of], description=name[:40], advance=1)

    def finding(self, finding: Finding) -> None:
        if finding.verdict is Verdict.FAILED:
            told = finding.text_en if self._language == "en" else finding.text_fr
            self._progress.console.print(f"✘ {finding.step} {told} {finding.evidence}"[:300], markup=False)
