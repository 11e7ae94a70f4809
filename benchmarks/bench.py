"""Every transaction over real HTTP, beside the same server answering canned bytes of the same length.

python -m benchmarks.bench
python -m benchmarks.bench --entries 1000000 --keep bench-data
python -m benchmarks.bench --entries 10000 --database SQLite --only iti18-leaf-class --rounds 9
"""

import json
import os
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.markdown import Markdown

from benchmarks import databases, disk, machine, servers
from benchmarks.client import ClientProcess
from benchmarks.closed_loop import WrongAnswer
from benchmarks.databases import Database
from benchmarks.dataset import CannotLoad, is_loaded, load_dataset
from benchmarks.measuring import Method, Registry, measure, measure_growth, with_footprint
from benchmarks.opened_records import open_for_the_doctor
from benchmarks.outcome import DatabaseOutcome, Measured, Outcome
from benchmarks.page import PAGE, show
from benchmarks.plan import Plan, Sizes, UnusablePlan
from benchmarks.profiles import profile
from benchmarks.progress import Progress
from benchmarks.servers import ServerFailed
from benchmarks.tables import markdown
from benchmarks.transaction import Transaction
from benchmarks.transactions import BY_KEY, TRANSACTIONS
from carnet.settings import Settings

RESULTS = machine.ROOT / "benchmarks" / "results"
# Settings that "everything on" adds to "open": none here, so the second column says "as open"; `layers` measures them.
EVERYTHING_ON: Mapping[str, Any] = {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """What to measure: databases, transactions, and beside which smaller registry if beside one."""

    sizes: Sizes
    names: Sequence[str]
    transactions: Sequence[Transaction]
    method: Method
    workers: int = 1
    beside: Sizes | None = None


def measure_database(
    registry: Registry, transactions: Sequence[Transaction], method: Method, *, small: Registry | None, console: Console
) -> DatabaseOutcome:
    """All transactions on one database, each beside its floor, or beside the same in a smaller registry."""
    database, measured = registry.database, []
    with _beside(registry, small) as way_of:
        for transaction in transactions:
            way = partial(way_of, transaction, method)
            one = with_footprint(registry, way, brings=transaction.brings)
            measured.append(one)
            console.print(_said(database, one))
    return DatabaseOutcome(name=database.name, version=database.version, measured=tuple(measured))


@contextmanager
def _beside(registry: Registry, small: Registry | None) -> Iterator[Callable[[Transaction, Method], Measured]]:
    """How a transaction is measured."""
    if small is not None:
        yield partial(measure_growth, registry, small)
        return
    with servers.canned(registry.database.settings, servers.free_port()) as canned:
        yield partial(measure, registry, canned)


def _said(database: Database, one: Measured) -> str:
    target = "" if one.target is None else f", target {one.target:.2f} {'MISSED' if one.is_missed else 'met'}"
    spread = f"{one.ratios[0]:.2f} to {one.ratios[-1]:.2f}"
    return f"{database.name:10} {one.title:59} {one.ratio:.2f} of {one.floor.value} ({spread}){target}"


def _with_profiles(outcome: DatabaseOutcome, plan: Measurement, settings: Settings) -> DatabaseOutcome:
    """A missed target is explained by a profile."""
    measured = tuple(
        replace(one, profile=profile(one.key, plan.sizes, settings, plan.method.profiled)) if one.is_missed else one
        for one in outcome.measured
    )
    return replace(outcome, measured=measured)


def measure_all(plan: Measurement, *, folder: Path, console: Console) -> Outcome:
    """Load the data set where it is not yet, measure every database, one after the other."""
    load_before, sizes = machine.load_average(), plan.sizes
    Plan(sizes)  # before anything is started
    with ExitStack() as stack:
        opened = _opened(stack, plan, folder)
        seconds = _load(sizes, opened, console)
        small = [] if plan.beside is None else _opened(stack, plan, folder / f"beside-{plan.beside.entries}")
        if plan.beside is not None:
            _load(plan.beside, small, console)
        _open_records(plan, opened, small)
        client = stack.enter_context(ClientProcess(sizes))
        other = client if plan.beside is None else stack.enter_context(ClientProcess(plan.beside))
        found = []
        for number, database in enumerate(opened):
            with (
                _served(database, client) as registry,
                _served(small[number], other) if small else nullcontext() as beside,
            ):
                outcome = measure_database(registry, plan.transactions, plan.method, small=beside, console=console)
            found.append(outcome if small else _with_profiles(outcome, plan, database.settings))
    return Outcome(
        made=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        commit=machine.commit(),
        circumstances=_circumstances(plan, seconds, load_before),
        machine=machine.machine(),
        versions=machine.versions(),
        databases=tuple(found),
    )


def _open_records(plan: Measurement, opened: Sequence[Database], small: Sequence[Database]) -> None:
    """For the transactions of the record; the others are asked without a caller, who sees everything."""
    if not any(one.of_record for one in plan.transactions):
        return
    for sizes, databases_of in ((plan.sizes, opened), (plan.beside, small)):
        for database in databases_of if sizes is not None else ():
            open_for_the_doctor(sizes, database.settings)


def _circumstances(plan: Measurement, load_seconds: float | None, load_before: float) -> dict[str, Any]:
    return {
        "entries": plan.sizes.entries,
        "patients": plan.sizes.patient_count,
        "seed": plan.sizes.seed,
        "beside": None if plan.beside is None else plan.beside.entries,
        "connections": plan.method.connections,
        "rounds": plan.method.rounds,
        "seconds": plan.method.seconds,
        "workers": plan.workers,
        "threads": Settings().threads,
        "everything_on": dict(EVERYTHING_ON),
        "load_seconds": load_seconds,
        "load_before": load_before,
        "load_after": machine.load_average(),
    }


def _opened(stack: ExitStack, plan: Measurement, folder: Path) -> list[Database]:
    threads = Settings().threads
    return [
        stack.enter_context(databases.opened(name, folder, threads=threads, workers=plan.workers))
        for name in plan.names
    ]


@contextmanager
def _served(database: Database, client: ClientProcess) -> Iterator[Registry]:
    with servers.carnet(database.settings) as server:
        yield Registry(server=server, database=database, client=client)


def _load(sizes: Sizes, targets: Sequence[Database], console: Console) -> float | None:
    """Seconds that loading took, None when everything was there. Raises CannotLoad where the disk is too small."""
    missing = [target for target in targets if not is_loaded(sizes, target.settings)]
    if not missing:
        console.print(f"the data set of {sizes.entries} entries is there already")
        return None
    needed = disk.needed(sizes.entries, [target.name for target in missing])
    console.print(disk.check(missing[0].settings.data_folder, needed))
    with Progress("loading", sizes.entries) as progress:
        return load_dataset(sizes, [target.settings for target in missing], on_progress=progress.at).seconds


def keep(outcome: Outcome, folder: Path) -> Path:
    """Write the JSON and the Markdown; returns the path of the Markdown."""
    folder.mkdir(parents=True, exist_ok=True)
    plain = outcome.plain()
    beside = plain["circumstances"]["beside"]
    name = f"{plain['made'][:10]}-{plain['circumstances']['entries']}" + (f"-beside-{beside}" if beside else "")
    (folder / f"{name}.json").write_text(json.dumps(plain, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    page = folder / f"{name}.md"
    page.write_text(markdown(plain), encoding="utf-8")
    return page


@contextmanager
def _folder(given: str) -> Iterator[Path]:
    if given:
        yield Path(given).absolute()
        return
    with tempfile.TemporaryDirectory(prefix="carnet-bench-") as folder:
        # The database server may run as another user.
        Path(folder).chmod(0o755)
        yield Path(folder)


@click.command(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.option("--entries", default=Sizes().entries, show_default=True, help="DocumentEntries in the registry.")
@click.option("--patients", default=0, help="Patients.  [default: one for every 20 entries]")
@click.option("--seed", default=1, show_default=True, help="Seed of the data set.")
@click.option("--database", "names", multiple=True, type=click.Choice(["SQLite", "PostgreSQL"]), help="Only this one.")
@click.option("--only", multiple=True, type=click.Choice(list(BY_KEY)), help="Only this transaction.")
@click.option("--connections", default=4, show_default=True, help="Connections of the client.")
@click.option("--rounds", default=5, show_default=True, help="Rounds of Carnet and canned bytes in turn.")
@click.option("--seconds", default=1.5, show_default=True, help="Length of one run.")
@click.option("--profiled", default=300, show_default=True, help="Requests profiled where a target is missed.")
@click.option("--workers", default=1, show_default=True, help="Server processes on PostgreSQL.")
@click.option("--beside", default=0, help="Beside a registry with so many entries, in place of the floors.")
@click.option("--keep", "--data", "data", default="", help="Folder in which the data set is kept and found again.")
@click.option("--results", default=str(RESULTS), help="Folder of the results.  [default: benchmarks/results]")
@click.option("--document", is_flag=True, help="Show the result in docs/benchmarks.md too.")
def main(
    entries: int,
    patients: int,
    seed: int,
    names: tuple[str, ...],
    only: tuple[str, ...],
    connections: int,
    rounds: int,
    seconds: float,
    profiled: int,
    workers: int,
    beside: int,
    data: str,
    results: str,
    document: bool,
) -> None:
    """Measure every transaction beside the same server answering canned bytes.

    \b
    python -m benchmarks.bench
    python -m benchmarks.bench --entries 1000000 --keep bench-data
    python -m benchmarks.bench --entries 1000000 --beside 10000 --keep bench-data
    python -m benchmarks.bench --entries 10000 --database SQLite --only iti18-leaf-class --rounds 9
    """
    console = Console(stderr=True, highlight=False)
    missing = [name for name in names if name not in databases.available()]
    if missing:
        raise click.UsageError(f"{missing[0]} is not installed (Debian package postgresql)")
    plan = Measurement(
        sizes=Sizes(entries=entries, patients=patients, seed=seed),
        names=names or databases.available(),
        transactions=[BY_KEY[key] for key in only] or TRANSACTIONS,
        method=Method(connections=connections, rounds=rounds, seconds=seconds, profiled=profiled),
        workers=workers,
        beside=Sizes(entries=beside, seed=seed) if beside else None,
    )
    try:
        with _folder(data) as folder:
            outcome = measure_all(plan, folder=folder, console=console)
    except (CannotLoad, UnusablePlan, WrongAnswer, ServerFailed, OSError) as problem:
        click.echo(f"bench: {problem}", err=True)
        sys.exit(1)
    kept = keep(outcome, Path(results))
    if document:
        show(PAGE, kept.stem, kept.read_text(encoding="utf-8"), place="growth" if beside else "entries")
    _print(outcome)
    console.print(f"kept in {os.path.relpath(kept)} and the JSON beside it")


def _print(outcome: Outcome) -> None:
    text = markdown(outcome.plain())
    if sys.stdout.isatty():
        Console().print(Markdown(text))
    else:
        click.echo(text)


if __name__ == "__main__":
    main()
