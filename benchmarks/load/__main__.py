"""A load on a server with everything of security on: python -m benchmarks.load PROFILE."""

import json
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from benchmarks import databases
from benchmarks.dataset import CannotLoad
from benchmarks.load.generator import GeneratorFailed
from benchmarks.load.load_tables import markdown
from benchmarks.load.measurement import Measurement, measure
from benchmarks.load.profiles import BY_NAME, PROFILES
from benchmarks.load.result import Result
from benchmarks.machine import ROOT
from benchmarks.page import show
from benchmarks.plan import Sizes, UnusablePlan
from benchmarks.servers import ServerFailed
from carnet.settings import SettingsError

PAGE, RESULTS = ROOT / "docs" / "load.md", ROOT / "benchmarks" / "results"
_PROBLEMS = (GeneratorFailed, ServerFailed, CannotLoad, UnusablePlan, SettingsError, OSError)


@contextmanager
def _folder(given: str) -> Iterator[Path]:
    if given:
        Path(given).mkdir(parents=True, exist_ok=True)
        yield Path(given).absolute()
        return
    with tempfile.TemporaryDirectory(prefix="carnet-load-") as folder:
        # The database server may run as another user.
        Path(folder).chmod(0o755)
        yield Path(folder)


def _settings(given: tuple[str, ...]) -> dict[str, Any]:
    wrong = [one for one in given if "=" not in one]
    if wrong:
        raise click.UsageError(f"--set {wrong[0]}: expected NAME=VALUE, a setting of carnet serve")
    return dict(one.split("=", 1) for one in given)


def keep(result: Result, folder: Path) -> Path:
    """Write the JSON; returns its path."""
    folder.mkdir(parents=True, exist_ok=True)
    plain = result.plain()
    file = folder / f"{plain['made'][:10]}-load-{plain['profile']}-{plain['database']['name']}.json"
    file.write_text(json.dumps(plain, ensure_ascii=False) + "\n", encoding="utf-8")
    return file


_EPILOG = "Profiles: " + "; ".join(f"{one.name} ({one.meaning})" for one in PROFILES) + "."


@click.command(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110}, epilog=_EPILOG)
@click.argument("names", nargs=-1, required=True, type=click.Choice(list(BY_NAME)), metavar="PROFILE...")
@click.option("--database", type=click.Choice(["PostgreSQL", "SQLite"]), default="PostgreSQL", show_default=True)
@click.option("--entries", default=100_000, show_default=True, help="DocumentEntries in the registry before.")
@click.option("--rate", default=0.0, help="Arrivals a second.  [default: that of the goal]")
@click.option("--seconds", default=600.0, show_default=True, help="How long, after the warm-up.")
@click.option("--warm-up", default=30.0, show_default=True, help="Seconds before, which count for nothing.")
@click.option("--seed", default=1, show_default=True, help="Seed of the arrivals.")
@click.option("--generators", default=1, show_default=True, help="Processes that send.")
@click.option("--connections", default=0, help="Connections, kept alive.  [default: that of the profile]")
@click.option("--workers", default=0, help="Server processes.  [default: 2 on PostgreSQL, 1 on SQLite]")
@click.option("--reuse", default=4, show_default=True, help="Messages that a client shows one assertion with.")
@click.option("--read-back", default=1000, show_default=True, help="Acknowledged documents to compare after; 0: all.")
@click.option("--set", "given", multiple=True, metavar="NAME=VALUE", help="Another setting of the server.")
@click.option("--keep", "--data", "data", default="", help="Folder in which the data set is kept and found again.")
@click.option("--results", default=str(RESULTS), help="Folder of the results.  [default: benchmarks/results]")
@click.option("--document", is_flag=True, help="Show the result in docs/load.md too.")
def main(
    names: tuple[str, ...],
    database: str,
    entries: int,
    seed: int,
    workers: int,
    given: tuple[str, ...],
    data: str,
    results: str,
    document: bool,
    **how: Any,
) -> None:
    """Send a load in an open loop: arrivals are drawn before, times count from the intended start.

    The server asks for client certificates and assertions, checks documents, decides who sees what and records it; it
    is started here, beside its database. Exit code 0: the goal was held; 3: it was missed; 1: nothing was measured.

    \b
    python -m benchmarks.load feed --seconds 60 --entries 10000
    python -m benchmarks.load feed search search-fhir --entries 1000000 --keep DIR --document
    python -m benchmarks.load overload --database SQLite --seconds 240
    """
    console = Console(stderr=True, highlight=False)
    if database not in databases.available():
        raise click.UsageError(f"{database} is not installed (Debian package postgresql)")
    held = True
    for name in names:
        plan = Measurement(
            profile=BY_NAME[name],
            sizes=Sizes(entries=entries),
            database=database,
            seed=seed,
            workers=workers or (2 if database == "PostgreSQL" else 1),
            settings=_settings(given),
            **how,
        )
        held = _one(plan, data, Path(results), console, document=document) and held
    sys.exit(0 if held else 3)


def _one(plan: Measurement, data: str, results: Path, console: Console, *, document: bool) -> bool:
    try:
        with _folder(data) as folder:
            result = measure(plan, folder, console.print)
    except _PROBLEMS as problem:
        click.echo(f"load: {problem}", err=True)
        sys.exit(1)
    kept, text = keep(result, results), markdown(result.plain())
    if document:
        show(PAGE, kept.stem, text, place=f"{plan.profile.name} {plan.database}")
    click.echo(text)
    console.print(f"kept in {os.path.relpath(kept)}")
    return not list(result.misses())


if __name__ == "__main__":
    main()
