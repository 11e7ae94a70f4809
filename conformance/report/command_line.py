"""The commands `python -m conformance report` and `compare`."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from conformance.failures import KitError
from conformance.judgement import Run, Verdict
from conformance.report.comparison import Change, changes
from conformance.report.coverage import coverage_of
from conformance.report.junit import write_run_as_junit
from conformance.report.page import write_page
from conformance.report.run_json import write_run_as_json
from conformance.report.shown import visible
from conformance.report.words import COUNTED, VERDICTS, Words
from conformance.run_folder import RunFolder
from conformance.sentence import Sentence, counted, in_its_language

FAILED = 1
_COLOURS = {Verdict.PASSED: "green", Verdict.FAILED: "red", Verdict.NOT_TESTED: "yellow"}
_run = click.Path(file_okay=False, path_type=Path)
_out = click.Path(dir_okay=False, path_type=Path)


@click.command()
@click.argument("run", type=_run)
@click.option("--html", type=_out, help="Write one HTML page.  [default: RUN/report.html]")
@click.option("--junit", type=_out, help="Write JUnit XML.")
@click.option("--json", "json_file", type=_out, help="Write JSON.")
@click.option(
    "--lang", "language", type=click.Choice(["fr", "en"]), default="fr", show_default=True, help="Opens in it."
)
@in_its_language
def report(run: Path, html: Path | None, junit: Path | None, json_file: Path | None, language: str) -> int:
    """Write the reports of a run that was kept in a folder, finished or not.

    \b
    python -m conformance report runs/alimentation
    python -m conformance report runs/alimentation --html report.html --junit report.xml --json report.json --lang en

    Exit code 0: no requirement is failed; 1: one is; 2: there is no run in the folder.
    """
    loaded = RunFolder(path=run).load()
    write_reports(loaded, page=html or run / "report.html", junit=junit, json_file=json_file, language=language)
    summarise(loaded, language)
    return FAILED if loaded.has_failed else 0


@click.command()
@click.argument("before", metavar="RUN1", type=_run)
@click.argument("after", metavar="RUN2", type=_run)
@click.option("--lang", "language", type=click.Choice(["fr", "en"]), default="fr", show_default=True)
@in_its_language
def compare(before: Path, after: Path, language: str) -> int:
    """Show what changed from one run to another, requirement by requirement.

    \b
    python -m conformance compare runs/monday runs/friday
    python -m conformance compare runs/monday runs/friday --lang en

    Exit code 0: nothing got worse; 1: a requirement fails that did not, or passed and is not tested any more.
    """
    found = list(changes(RunFolder(path=before).load(), RunFolder(path=after).load()))
    _show(found, language)
    return FAILED if any(one.is_worse for one in found) else 0


def write_reports(
    run: Run,
    *,
    page: Path | None = None,
    junit: Path | None = None,
    json_file: Path | None = None,
    language: str = "fr",
) -> None:
    """Write those that have a path. Raises KitError naming the one that cannot be written."""
    in_language: Callable[[Run, Path], None] = partial(write_page, language=language)
    for write, path in ((in_language, page), (write_run_as_junit, junit), (write_run_as_json, json_file)):
        if path is None:
            continue
        try:
            write(run, path)
        except OSError as problem:
            fr, en = f"le rapport {path} ne peut pas être écrit", f"the report {path} cannot be written"
            raise KitError(Sentence(f"{fr} : {problem.strerror}", f"{en}: {problem.strerror}")) from None


def summarise(run: Run, language: str = "fr") -> None:
    """The failed requirements with their first finding, then the counts, on the terminal."""
    console, said = Console(highlight=False, soft_wrap=True), partial(_in, language)
    for one in run.requirements:
        failed = [each for each in run.findings_of(one.id) if each.verdict is Verdict.FAILED]
        if failed:
            console.print(f"[red]{said(VERDICTS[Verdict.FAILED])}[/]  {one.id}  {said((one.text_fr, one.text_en))}")
            told = visible(said((failed[0].text_fr, failed[0].text_en)))
            console.print(f"        {told} {visible(failed[0].evidence)}"[:500], markup=False)
    counts = ", ".join(f"{count} {said(COUNTED[one][count > 1])}" for one in Verdict for count in (run.counts[one],))
    coverage = coverage_of(run)
    covered = counted(coverage.tested, ("exigence", "exigences"), ("requirement", "requirements"))
    messages = counted(len(run.messages), ("message", "messages"), ("message", "messages"))
    there = coverage.of_scenarios
    fr = f"{covered.fr} sur {coverage.every}{there[0]}, {messages.fr}"
    en = f"{covered} of {coverage.every}{there[1]}, {messages}"
    console.print(said((f"{counts} ; couverture : {fr}", f"{counts}; coverage: {en}")))


def _in(language: str, words: Words) -> str:
    return words[1] if language == "en" else words[0]


def _show(found: list[Change], language: str) -> None:
    console, said = Console(highlight=False, soft_wrap=True), partial(_in, language)
    heads = (("exigence", "requirement"), ("avant", "before"), ("après", "after"))
    table = Table(*map(said, heads), "", box=None)
    for one in found:
        words = (f"[{_COLOURS[verdict]}]{said(VERDICTS[verdict])}[/]" for verdict in (one.before, one.after))
        table.add_row(one.requirement.id, *words, said((one.requirement.text_fr, one.requirement.text_en)))
    if found:
        console.print(table)
    worse = sum(one.is_worse for one in found)
    better = len(found) - worse
    changed = counted(len(found), ("changement", "changements"), ("change", "changes"))
    fr, en = f"{changed.fr} : {worse} en moins bien, {better} en mieux", f"{changed}: {worse} worse, {better} better"
    console.print(said((fr, en)))
