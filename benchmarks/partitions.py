"""Whether partitions help: the registry's tables whole, and divided by the hash of the patient, on PostgreSQL.

python -m benchmarks.partitions
python -m benchmarks.partitions --entries 1000000 --partitions 64

The same statements go to both, in turn: FindDocuments [ITI-18] of 20 entries in process, and the rows of submissions
of many patients inserted by the driver alone. The divided tables lie in a schema of their own, found by the search
path.
"""

import json
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import click
import psycopg
from sqlalchemy import make_url

from access_policy.caller import OPEN_CALLER
from benchmarks import databases, disk, machine, process_times
from benchmarks.bare_transaction import BareTransactions
from benchmarks.databases import Database
from benchmarks.dataset import load_dataset
from benchmarks.documents import Documents
from benchmarks.plan import QUERIED_ENTRIES, Plan, Sizes
from benchmarks.progress import Progress
from carnet.registry_wiring import open_registry
from registry import iti18_registry_stored_query as iti18
from registry.sql.tables import object_value, registry_object
from registry.store import Registry
from tests import messages
from xds.xml import parse

_SCHEMA, _TABLES = "divided", (registry_object.name, object_value.name)
_WHOLE, _DIVIDED = "whole", "divided"
_SUBMISSIONS, _CONNECTIONS = 500, 2
_SIZES = """
    SELECT coalesce(sum(pg_table_size(c.oid)), 0), coalesce(sum(pg_indexes_size(c.oid)), 0)
    FROM pg_class c WHERE c.relkind = 'r' AND c.relnamespace = %s::regnamespace AND c.relname ~ %s
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """One run: milliseconds of PostgreSQL's processors, and of a clock, for one of what is done."""

    processor: float
    clock: float


Run = Callable[[], Cost]


def divide(url: str, partitions: int) -> None:
    """Copies of the tables, divided by patient, with the same keys and indexes, in the order of time."""
    with _connected(url) as connection:
        connection.execute(f"CREATE SCHEMA {_SCHEMA}".encode())
        for table in _TABLES:
            name = f"{_SCHEMA}.{table}"
            connection.execute(
                f"CREATE TABLE {name} (LIKE public.{table} INCLUDING DEFAULTS) PARTITION BY HASH (patient_key)".encode()
            )
            for number in range(partitions):
                place = f"FOR VALUES WITH (MODULUS {partitions}, REMAINDER {number})"
                connection.execute(f"CREATE TABLE {name}_{number} PARTITION OF {name} {place}".encode())
            connection.execute(f"INSERT INTO {name} SELECT * FROM public.{table} ORDER BY object_key".encode())
            for definition in _indexes(connection, table):
                connection.execute(definition.replace(f" ON public.{table} ", f" ON {name} ").encode())
        connection.execute(b"VACUUM ANALYZE")
        connection.execute(b"CHECKPOINT")


def _indexes(connection: psycopg.Connection[tuple[str]], table: str) -> list[str]:
    found = connection.execute(
        "SELECT indexdef FROM pg_indexes WHERE schemaname = 'public' AND tablename = %s", [table]
    )
    return [row[0] for row in found]


@contextmanager
def _connected(url: str) -> Iterator[psycopg.Connection[tuple[str]]]:
    plain = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(plain, autocommit=True) as connection:
        yield connection


def url_of(database: Database, arrangement: str) -> str:
    """The database as one who finds the divided tables, or the whole ones, first."""
    path = f"{_SCHEMA},public" if arrangement == _DIVIDED else "public"
    url = make_url(database.settings.database_url).update_query_dict({"options": f"-csearch_path={path}"})
    return url.render_as_string(hide_password=False)


def megabytes(database: Database, arrangement: str) -> tuple[float, float]:
    """Of the tables and of their indexes."""
    schema = _SCHEMA if arrangement == _DIVIDED else "public"
    with _connected(database.settings.database_url) as connection:
        row = connection.execute(_SIZES, [schema, f"^({'|'.join(_TABLES)})(_[0-9]+)?$"]).fetchone()
    assert row is not None
    table, indexes = (float(one) / 1e6 for one in row)
    return table, indexes


def _asking(registry: Registry, documents: Documents, patients: Sequence[int], process: int) -> Run:
    def ask(patient: int) -> None:
        slots = {
            "$XDSDocumentEntryPatientId": f"'{documents.patient(patient).ins.key}'",
            "$XDSDocumentEntryStatus": "('urn:oasis:names:tc:ebxml-regrep:StatusType:Approved')",
        }
        answer = iti18.soap(registry, parse(messages.query_body(messages.FIND_DOCUMENTS, slots)), OPEN_CALLER)
        if answer.count(b"<rim:ExtrinsicObject ") != QUERIED_ENTRIES:
            raise click.ClickException(f"patient {patient}: expected {QUERIED_ENTRIES} entries")

    def run() -> Cost:
        used, began = process_times.processor_seconds(process), time.monotonic()
        for patient in patients:
            ask(patient)
        return _cost(process, used, began, len(patients))

    return run


def _inserting(bare: BareTransactions, seconds: float, process: int) -> Run:
    def run() -> Cost:
        used, began = process_times.processor_seconds(process), time.monotonic()
        return _cost(process, used, began, bare.run(_CONNECTIONS, seconds).requests)

    return run


def _cost(process: int, used: float, began: float, count: int) -> Cost:
    took, clock = process_times.processor_seconds(process) - used, time.monotonic() - began
    return Cost(processor=took * 1000 / count, clock=clock * 1000 / count)


def in_turn(runs: Mapping[str, Run], rounds: int) -> dict[str, list[Cost]]:
    """Each arrangement once in every round, the first by turns; one run of each before counts for nothing."""
    for run in runs.values():
        run()
    found: dict[str, list[Cost]] = {name: [] for name in runs}
    for number in range(rounds):
        for name in list(runs) if number % 2 == 0 else reversed(list(runs)):
            found[name].append(runs[name]())
    return found


def measure(database: Database, plan: Plan, rounds: int, seconds: float) -> Iterator[tuple[str, str, str]]:
    """(what, whole, divided) for a table."""
    documents, names = Documents(plan), (_WHOLE, _DIVIDED)
    sizes = {name: megabytes(database, name) for name in names}
    yield "tables, MB", *(f"{sizes[name][0]:,.0f}" for name in names)
    yield "their indexes, MB", *(f"{sizes[name][1]:,.0f}" for name in names)
    asked = [plan.queried[number * 7919 % len(plan.queried)] for number in range(1000)]
    fed = [documents.entry_uuid(patient, 0) for patient in plan.order[:: max(1, len(plan.order) // _SUBMISSIONS)]]
    with ExitStack() as stack:
        settings = {name: replace(database.settings, database=url_of(database, name)) for name in names}
        registries = {name: open_registry(settings[name]) for name in names}
        for one in registries.values():
            stack.callback(one.units.close)
        bare = {name: stack.enter_context(closing(BareTransactions(url_of(database, name), *fed))) for name in names}
        searches = {name: _asking(registries[name], documents, asked, database.process) for name in names}
        inserts = {name: _inserting(bare[name], seconds, database.process) for name in names}
        for what, runs in (("FindDocuments, 20 entries", searches), ("rows of a submission", inserts)):
            found = in_turn(runs, rounds)
            for attribute, title in (("processor", "ms of PostgreSQL's processors"), ("clock", "ms")):
                yield f"{what}: {title}", *(_median([getattr(one, attribute) for one in found[name]]) for name in names)


def _median(values: Sequence[float]) -> str:
    return f"{statistics.median(values):.2f} ({min(values):.2f}–{max(values):.2f})"


@click.command(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.option("--entries", default=200_000, show_default=True, help="DocumentEntries in the registry.")
@click.option("--partitions", default=16, show_default=True, help="Of each table.")
@click.option("--rounds", default=7, show_default=True, help="Rounds; each goes to both in turn.")
@click.option("--seconds", default=3.0, show_default=True, help="Length of a run that inserts.")
def main(entries: int, partitions: int, rounds: int, seconds: float) -> None:
    """Measure the tables of the registry whole and divided by the hash of the patient."""
    if databases.POSTGRESQL not in databases.available():
        raise click.UsageError("PostgreSQL is not installed (Debian package postgresql)")
    sizes, load = Sizes(entries=entries), machine.load_average()
    with tempfile.TemporaryDirectory(prefix="carnet-partitions-") as place:
        folder = Path(place)
        folder.chmod(0o755)  # the database server may run as another user
        click.echo(disk.check(folder, 2 * disk.needed(entries, [databases.POSTGRESQL])), err=True)
        with databases.opened(databases.POSTGRESQL, folder, threads=4, workers=1) as database:
            with Progress("loading", entries) as progress:
                load_dataset(sizes, [database.settings], on_progress=progress.at)
            divide(database.settings.database_url, partitions)
            click.echo(f"| {entries:,} entries | whole | {partitions} partitions by patient |\n|---|--:|--:|")
            for cells in measure(database, Plan(sizes), rounds, seconds):
                click.echo(f"| {' | '.join(cells)} |")
            told = {"machine": machine.machine(), "postgresql": database.version, "load_before": load}
    click.echo(json.dumps({**told, "load_after": machine.load_average(), "rounds": rounds, "cores": os.cpu_count()}))


if __name__ == "__main__":
    main()
