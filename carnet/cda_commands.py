"""`carnet cda`: check, metadata, show. Exit code 0: valid, 1: an error was found, 2: usage."""

import json
import sys
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeVar

import click
from rich.console import Console
from rich.progress import track

from carnet.cda_checks import Checked, RulesChoice, cda_files, check_files
from carnet.cda_oracle import Oracle, OracleNotInstalled
from carnet.cda_report import html_page, json_value, text_lines
from carnet.options import json_option
from cda.clinical_content import read_clinical_content
from cda.document import Document, read_document
from cda.document_entry import document_entry
from cda.header import read_header
from cda.render import render_html
from cda.unreadable import UnreadableDocument
from xds.failure import Failure
from xds.metadata_json import to_json

_Each = TypeVar("_Each")
REFUSED = 1
_MANY = 16
_FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)
_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.group("cda")
def cda() -> None:
    """CDA documents: check them, see their metadata, read them.

    \b
    carnet cda check report.xml
    carnet cda metadata report.xml
    carnet cda show report.xml -o report.html
    """


@cda.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
@click.option("--html", type=click.Path(dir_okay=False, path_type=Path), metavar="REPORT", help="Also write a page.")
@json_option
@click.option("--rules", type=_FOLDER, metavar="DIR", help="Rules of the ANS pack in this folder instead of our own.")
@click.option("--value-sets", type=_FOLDER, metavar="DIR", help="More value sets for our rules: SVS files (.xml).")
@click.option("--language", type=click.Choice(["fr", "en"]), default="fr", show_default=True, help="Of the findings.")
@click.option("--warnings", is_flag=True, help="Print warnings and what could not be evaluated, too.")
@click.option("--oracle", is_flag=True, help="Run the rules of --rules on Saxon instead of Carnet's engine (slow).")
@click.option("--compare", is_flag=True, help="Run them on both, and print where they differ; exit code 1 if they do.")
@click.option("--jobs", type=click.IntRange(1), default=None, help="Processes. [default: one a core for many files]")
def check(
    files: tuple[Path, ...],
    html: Path | None,
    as_json: bool,
    rules: Path | None,
    value_sets: Path | None,
    language: str,
    warnings: bool,
    oracle: bool,
    compare: bool,
    jobs: int | None,
) -> None:
    """Check documents: schema, header, sections and entries, document model, value sets, identifiers, references.

    A folder stands for every .xml file below it.

    \b
    carnet cda check report.xml --warnings
    carnet cda check outbox/ --html report.html --language en
    carnet cda check report.xml --rules testContenuCDA --json
    carnet cda check report.xml --rules testContenuCDA --compare
    """
    if rules and value_sets:
        raise click.UsageError("--rules brings its own value sets: leave --value-sets out")
    paths = cda_files(files)
    if not paths:
        raise click.UsageError("there is no .xml file in these folders")
    if (oracle or compare) and rules is None:
        raise click.UsageError("--oracle and --compare need the rules of a published pack: --rules DIR")
    if rules and compare:
        sys.exit(_compare(paths, rules))
    choice = RulesChoice(pack=rules, value_sets=value_sets, is_oracle=oracle)
    results: list[Checked] = []
    try:
        for each in _with_progress(check_files(paths, choice, jobs=jobs or 0), len(paths)):
            results.append(each)
            if not as_json:
                for line in text_lines(each, language=language, with_warnings=warnings):
                    click.echo(line)
    except OracleNotInstalled as problem:
        raise click.ClickException(str(problem)) from problem
    if as_json:
        click.echo(json.dumps([json_value(each) for each in results], ensure_ascii=False, indent=2))
    if html:
        html.write_text(html_page(results, language=language), encoding="utf-8")
    sys.exit(0 if all(each.report.is_valid for each in results) else REFUSED)


def _compare(paths: list[Path], rules: Path) -> int:
    """Print every difference between Saxon and our engine; the exit code."""
    number = 0
    try:
        with Oracle(rules) as saxon:
            for path in _with_progress(paths, len(paths)):
                found = saxon.differences(path.read_bytes())
                number += len(found)
                click.echo(f"{path}: {len(found)} differences")
                for each in found:
                    click.echo(f"  {each}")
    except (OracleNotInstalled, UnreadableDocument) as problem:
        raise click.ClickException(str(problem)) from problem
    return REFUSED if number else 0


def _with_progress(results: Iterable[_Each], number: int) -> Iterable[_Each]:
    """A bar on the terminal for many files, none where the output is read by a program."""
    console = Console(stderr=True)
    if number <= _MANY or not console.is_terminal:
        return results
    return track(results, total=number, console=console, description="CDA")


def _document(file: Path) -> Document:
    """Failure, which names the file, when it cannot be read."""
    try:
        return read_document(file.read_bytes())
    except UnreadableDocument as problem:
        raise Failure(f"{file}: {problem}") from problem


@cda.command()
@click.argument("file", type=_FILE)
@click.option(
    "--content", is_flag=True, help="Also the problems, treatments, allergies, vaccinations, results, measures."
)
def metadata(file: Path, content: bool) -> None:
    """Print the DocumentEntry that the header of a document gives, as JSON.

    Attributes that cannot be derived are listed under `missing`.

    \b
    carnet cda metadata report.xml
    carnet cda metadata report.xml --content
    """
    document = _document(file)
    derived = document_entry(read_header(document), entry_uuid="Document01")
    result: dict[str, Any] = {
        "entry": json.loads(to_json(derived.entry)),
        "missing": list(derived.missing),
        "assumed": list(derived.assumed),
    }
    if content:
        result["content"] = asdict(read_clinical_content(document))
    click.echo(json.dumps(result, ensure_ascii=False, indent=2))


@cda.command()
@click.argument("file", type=_FILE)
@click.option("-o", "--output", type=click.Path(dir_okay=False, path_type=Path), help="File to write, else the output.")
def show(file: Path, output: Path | None) -> None:
    """Write a document as an HTML page in French that runs and loads nothing.

    \b
    carnet cda show report.xml -o report.html
    """
    page = render_html(_document(file))
    if output is None:
        click.echo(page, nl=False)
    else:
        output.write_text(page, encoding="utf-8")
