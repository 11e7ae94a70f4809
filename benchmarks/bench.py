"""Every transaction over real HTTP, beside the same server answering canned bytes of the same length.

python -m benchmarks.bench
python -m benchmarks.bench --entries 1000000 --data bench-data
python -m benchmarks.bench --entries 10000 --database SQLite --only iti18-leaf-class --rounds 9
"""

import json
import os
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.markdown import Markdown

from benchmarks import databases, machine, process_times, servers
from benchmarks.canned import PATH
from benchmarks.client import ClientProcess, Load
from benchmarks.closed_loop import WrongAnswer
from benchmarks.databases import Database
from benchmarks.dataset import CannotLoad, is_loaded, load_dataset
from benchmarks.outcome import DatabaseOutcome, Measured, Outcome, Round, Run
from benchmarks.page import PAGE, show
from benchmarks.plan import Sizes, UnusablePlan
from benchmarks.profiles import profile
from benchmarks.progress import Progress
from benchmarks.servers import Server, ServerFailed
from benchmarks.tables import markdown
from benchmarks.transactions import BY_KEY, TRANSACTIONS, Transaction
from carnet.settings import Settings

RESULTS = machine.ROOT / "benchmarks" / "results"
_WARM_UP_SECONDS = 1.0
# Settings that "everything on" adds to "open": none exists yet, so the second column says "as open".
EVERYTHING_ON: Mapping[str, Any] = {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Method:
    """How to measure."""

    connections: int
    rounds: int
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """The two servers that are compared, and the database behind one of them."""

    carnet: Server
    canned: Server
    database: Database


def measure(pair: Pair, transaction: Transaction, client: ClientProcess, method: Method) -> Measured:
    """Look at every answer, warm both servers up, then measure them in turn, each first in every other round."""
    length = client.look(transaction.key, pair.carnet.port)
    own = Load(key=transaction.key, port=pair.carnet.port, connections=method.connections, seconds=_WARM_UP_SECONDS)
    canned = replace(own, port=pair.canned.port, canned=f"{PATH}{length}", canned_length=length)
    for load in (own, canned):
        client.run(load)
    own, canned = replace(own, seconds=method.seconds), replace(canned, seconds=method.seconds)
    rounds = []
    for number in range(method.rounds):
        loads = (own, canned) if number % 2 == 0 else (canned, own)
        runs = {load.canned: _run(pair, client, load) for load in loads}
        rounds.append(Round(carnet=runs[own.canned], canned=runs[canned.canned]))
    return Measured(
        key=transaction.key,
        title=transaction.title,
        target=transaction.target,
        answer_length=length,
        rounds=tuple(rounds),
    )


def _run(pair: Pair, client: ClientProcess, load: Load) -> Run:
    server = pair.canned if load.canned else pair.carnet
    before = _times(server.process), _times(pair.database.process)
    sample = client.run(load)
    after = _times(server.process), _times(pair.database.process)
    server_seconds, database_seconds = (
        None if one is None or other is None else other - one for one, other in zip(before, after, strict=True)
    )
    return Run(
        sample=sample,
        server_seconds=server_seconds,
        database_seconds=None if load.canned else database_seconds,
    )


def _times(process: int) -> float | None:
    return process_times.processor_seconds(process) if process and process_times.is_known() else None


def measure_database(
    database: Database, transactions: Sequence[Transaction], client: ClientProcess, method: Method, console: Console
) -> DatabaseOutcome:
    """All transactions on one database, with servers of their own."""
    measured = []
    with (
        servers.carnet(database.settings) as carnet,
        servers.canned(database.settings, servers.free_port()) as canned,
    ):
        pair = Pair(carnet=carnet, canned=canned, database=database)
        for transaction in transactions:
            one = measure(pair, transaction, client, method)
            measured.append(one)
            console.print(_said(database, one))
    return DatabaseOutcome(name=database.name, version=database.version, measured=tuple(measured))


def _said(database: Database, one: Measured) -> str:
    target = "" if one.target is None else f", target {one.target:.2f} {'MISSED' if one.is_missed else 'met'}"
    spread = f"{one.ratios[0]:.2f} to {one.ratios[-1]:.2f}"
    return f"{database.name:10} {one.title:46} {one.ratio:.2f} of canned ({spread}){target}"


def _with_profiles(outcome: DatabaseOutcome, sizes: Sizes, settings: Settings) -> DatabaseOutcome:
    """A missed target is explained by a profile."""
    measured = tuple(
        replace(one, profile=profile(one.key, sizes, settings)) if one.is_missed else one for one in outcome.measured
    )
    return replace(outcome, measured=measured)


def measure_all(
    sizes: Sizes,
    names: Sequence[str],
    transactions: Sequence[Transaction],
    method: Method,
    *,
    folder: Path,
    workers: int = 1,
    console: Console,
) -> Outcome:
    """Load the data set where it is not yet, measure every database, one after the other."""
    load_before = machine.load_average()
    with ExitStack() as stack:
        opened = [
            stack.enter_context(databases.opened(name, folder, threads=Settings().threads, workers=workers))
            for name in names
        ]
        seconds = _load(sizes, [one.settings for one in opened], console)
        client = stack.enter_context(ClientProcess(sizes))
        found = []
        for database in opened:
            outcome = measure_database(database, transactions, client, method, console)
            found.append(_with_profiles(outcome, sizes, database.settings))
    circumstances = {
        "entries": sizes.entries,
        "patients": sizes.patient_count,
        "seed": sizes.seed,
        "connections": method.connections,
        "rounds": method.rounds,
        "seconds": method.seconds,
        "workers": workers,
        "threads": Settings().threads,
        "everything_on": dict(EVERYTHING_ON),
        "load_seconds": seconds,
        "load_before": load_before,
        "load_after": machine.load_average(),
    }
    return Outcome(
        made=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        commit=machine.commit(),
        circumstances=circumstances,
        machine=machine.machine(),
        versions=machine.versions(),
        databases=tuple(found),
    )


def _load(sizes: Sizes, targets: Sequence[Settings], console: Console) -> float | None:
    """Seconds that loading took, None when everything was there."""
    missing = [target for target in targets if not is_loaded(sizes, target)]
    if not missing:
        console.print("the data set is there already")
        return None
    with Progress("loading", sizes.entries) as progress:
        return load_dataset(sizes, missing, on_progress=progress.at).seconds


def keep(outcome: Outcome, folder: Path) -> Path:
    """Write the JSON and the Markdown; returns the path of the Markdown."""
    folder.mkdir(parents=True, exist_ok=True)
    plain = outcome.plain()
    name = f"{plain['made'][:10]}-{plain['circumstances']['entries']}"
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
@click.option("--workers", default=1, show_default=True, help="Server processes on PostgreSQL.")
@click.option("--data", default="", help="Folder in which the data set is kept and found again.")
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
    workers: int,
    data: str,
    results: str,
    document: bool,
) -> None:
    """Measure every transaction beside the same server answering canned bytes.

    \b
    python -m benchmarks.bench
    python -m benchmarks.bench --entries 1000000 --data bench-data
    python -m benchmarks.bench --entries 10000 --database SQLite --only iti18-leaf-class --rounds 9
    """
    console = Console(stderr=True, highlight=False)
    sizes, transactions = Sizes(entries=entries, patients=patients, seed=seed), [BY_KEY[key] for key in only]
    missing = [name for name in names if name not in databases.available()]
    if missing:
        raise click.UsageError(f"{missing[0]} is not installed (Debian package postgresql)")
    try:
        with _folder(data) as folder:
            outcome = measure_all(
                sizes,
                names or databases.available(),
                transactions or TRANSACTIONS,
                Method(connections=connections, rounds=rounds, seconds=seconds),
                folder=folder,
                workers=workers,
                console=console,
            )
    except (CannotLoad, UnusablePlan, WrongAnswer, ServerFailed, OSError) as problem:
        click.echo(f"bench: {problem}", err=True)
        sys.exit(1)
    kept = keep(outcome, Path(results))
    if document:
        show(PAGE, kept.stem, kept.read_text(encoding="utf-8"))
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
