"""The command `python -m conformance data`."""

from datetime import UTC, datetime
from pathlib import Path

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from conformance.population.people import STATES
from conformance.population.write_set import Size, steps, write_set

_BEGINNING = datetime(2026, 1, 5, 8, 0)  # noqa: DTZ001 - UTC is said where it is read


@click.command()
@click.option(
    "--patients", type=click.IntRange(1, 10_000_000), default=len(STATES), show_default=True, help="How many."
)
@click.option("--documents", type=click.IntRange(1, 99), default=6, show_default=True, help="Documents of each record.")
@click.option(
    "--seed", type=click.IntRange(0), default=1, show_default=True, help="The same seed gives the same files."
)
@click.option(
    "--now",
    type=click.DateTime(["%Y-%m-%dT%H:%M:%SZ"]),
    default=_BEGINNING.strftime("%Y-%m-%dT%H:%M:%SZ"),
    show_default=True,
    help="The instant everything is dated from, UTC.",
)
@click.option("--out", required=True, type=click.Path(file_okay=False, path_type=Path), help="A new or empty folder.")
def data(patients: int, documents: int, seed: int, now: datetime, out: Path) -> None:
    """Make test data of any size: authorities, professionals, patients in every state, documents of every kind.

    \b
    python -m conformance data --patients 20 --seed 1 --out data
    python -m conformance data --patients 10000 --seed 7 --now 2026-03-01T08:00:00Z --out large

    Twenty patients have every state of a record; more repeat the states in turn. README.md in the folder says what is
    where, and how a server is fed with it.
    """
    size = Size(patients=patients, documents=documents, seed=seed, now=now.replace(tzinfo=UTC))
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as progress:
        task = progress.add_task("certificates and patients", total=steps(size))
        made = write_set(size, out, lambda done: progress.advance(task, done))
    click.echo(f"{patients} patients, {made} documents in {out}; see {out / 'README.md'}")
