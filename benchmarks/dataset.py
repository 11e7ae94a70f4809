"""A registry full of invented patients and documents, of any size, the same for the same seed.

python -m benchmarks.dataset --entries 100000 --data bench-data
python -m benchmarks.dataset --entries 1000000 --data bench-data --database postgresql+psycopg://carnet@localhost/bench
carnet serve --security open --data bench-data
"""

import json
import os
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import ExitStack, closing
from dataclasses import asdict, dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import click

from benchmarks.documents import Documents
from benchmarks.loaders import add_all, open_loader
from benchmarks.plan import Plan, Sizes, UnusablePlan
from benchmarks.progress import Progress
from benchmarks.rows import PATIENT, TABLES, Batch, RowMaker
from carnet.document_stores import open_documents
from carnet.registry_wiring import open_units
from carnet.settings import Settings, SettingsError, load
from registry.sql.identities import patients_known
from repository.index import StoredDocument, add
from storage.engine import open_engine

# Changed when the same sizes give other rows: a data set kept from before is then not used again.
EDITION = 6
_BATCH = 500
_MARK = "dataset.json"


class CannotLoad(Exception):
    """The database is not one a data set may be loaded into; the text is one sentence."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """What a load brought, and how long it took in seconds."""

    entries: int
    patients: int
    held: int
    seconds: float

    @property
    def seconds_per_100_000(self) -> float:
        return self.seconds * 100_000 / self.entries


OnProgress = Callable[[int], None]


def load_dataset(
    sizes: Sizes, targets: Sequence[Settings], *, processes: int = 0, on_progress: OnProgress = lambda _: None
) -> Loaded:
    """Load the same data set into every target, which must be empty; `on_progress` is told the entries done.

    Rows are made once, by `processes` processes (0: one for each processor). Raises CannotLoad and UnusablePlan.
    """
    began = time.monotonic()
    plan, maker = Plan(sizes), RowMaker(sizes)
    for target in targets:
        _check_empty(target)
    with ExitStack() as stack:
        loaders = [stack.enter_context(closing(open_loader(target.database_url))) for target in targets]
        add_all(loaders, PATIENT, maker.patients())
        done = 0
        for batch in _batches(sizes, processes or os.cpu_count() or 1):
            for table in TABLES:
                add_all(loaders, table, batch.rows[table.name])
            done += batch.submissions
            on_progress(done)
        for loader in loaders:
            loader.finish()
    for target in targets:
        _keep_documents(plan, target)
        _mark(target).write_text(json.dumps(_description(sizes), indent=2) + "\n", encoding="utf-8")
    return Loaded(
        entries=sizes.entries, patients=sizes.patient_count, held=len(plan.held), seconds=time.monotonic() - began
    )


def is_loaded(sizes: Sizes, target: Settings) -> bool:
    """Whether the target was loaded with exactly this data set; what was submitted to it since does not matter."""
    try:
        found = json.loads(_mark(target).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return bool(found == _description(sizes))


def _description(sizes: Sizes) -> dict[str, Any]:
    return {"edition": EDITION, **asdict(sizes), "patients": sizes.patient_count}


def _mark(target: Settings) -> Path:
    return target.data_folder / _MARK


def _check_empty(target: Settings) -> None:
    """Bring the database to the newest schema; it must hold no patient yet."""
    target.data_folder.mkdir(parents=True, exist_ok=True)
    open_units(target).close()
    engine = open_engine(target.database_url)
    with engine.connect() as connection:
        found = patients_known(connection)
    engine.dispose()
    if found:
        raise CannotLoad(f"{engine.url.render_as_string()}: found {found} patients, expected an empty database")


def _batches(sizes: Sizes, processes: int) -> Iterator[Batch]:
    """All submissions in the order of time; never more than a few batches are in memory."""
    if sizes.entries <= _BATCH:
        yield RowMaker(sizes).batch(0, sizes.entries)
        return
    starts = range(0, sizes.entries, _BATCH)
    waiting: deque[Future[Batch]] = deque()
    with ProcessPoolExecutor(processes, get_context("spawn"), initializer=_prepare, initargs=(sizes,)) as pool:
        for first in starts:
            waiting.append(pool.submit(_make, first, min(first + _BATCH, sizes.entries)))
            if len(waiting) > 2 * processes:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


class _Process:
    """What a process of the pool keeps between batches."""

    maker: RowMaker


def _prepare(sizes: Sizes) -> None:
    _Process.maker = RowMaker(sizes)


def _make(first: int, last: int) -> Batch:
    return _Process.maker.batch(first, last)


def _keep_documents(plan: Plan, target: Settings) -> None:
    """The octets of the held documents, in the file store and the index of the repository."""
    documents, store = Documents(plan), open_documents(target)
    held = []
    for patient in plan.held:
        blob = store.receive()
        blob.write(documents.content(patient))
        digest, key = blob.digest(), blob.keep()
        held.append(
            StoredDocument(
                unique_id=documents.unique_id(patient, 0),
                size=digest.size,
                sha1=digest.sha1,
                sha256=digest.sha256,
                blob_key=key,
                mime_type="text/xml",
            )
        )
    engine = open_engine(target.database_url)
    with engine.connect() as connection, connection.begin():
        add(connection, held)
    engine.dispose()


@click.command(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.option("--entries", default=Sizes().entries, show_default=True, help="DocumentEntries.")
@click.option("--patients", default=0, help="Patients.  [default: one for every 20 entries]")
@click.option("--seed", default=1, show_default=True, help="The same seed gives the same data set.")
@click.option(
    "--documents", default=Sizes().held, show_default=True, help="Documents of 140 kB kept with their octets."
)
@click.option("--data", required=True, help="Data folder of the server, as in carnet serve.")
@click.option("--database", default="", help="Database of the server, as in carnet serve.  [default: SQLite in --data]")
@click.option("--processes", default=0, help="Processes that make rows.  [default: one for each processor]")
def main(entries: int, patients: int, seed: int, documents: int, data: str, database: str, processes: int) -> None:
    """Fill an empty registry and repository with invented patients and documents.

    \b
    python -m benchmarks.dataset --entries 100000 --data bench-data
    python -m benchmarks.dataset --entries 1000000 --data bench-data --database postgresql+psycopg://carnet@localhost/x
    carnet serve --security open --data bench-data
    """
    sizes = Sizes(entries=entries, patients=patients, seed=seed, held=documents)
    try:
        target = load({"data": data, "database": database, "security": "open"})
        with Progress("loading", entries) as progress:
            loaded = load_dataset(sizes, [target], processes=processes, on_progress=progress.at)
    except (CannotLoad, SettingsError, UnusablePlan, OSError) as problem:
        click.echo(f"dataset: {problem}", err=True)
        sys.exit(1)
    click.echo(
        f"{loaded.entries} entries of {loaded.patients} patients, {loaded.held} documents with octets, "
        f"in {loaded.seconds:.0f} s ({loaded.seconds_per_100_000:.0f} s per 100,000)"
    )


if __name__ == "__main__":
    main()
