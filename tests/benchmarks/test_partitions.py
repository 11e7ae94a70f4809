"""Partitions beside whole tables, at the smallest size: the same questions go to both, and both answer."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from benchmarks.bare_transaction import BareTransactions
from benchmarks.databases import Database
from benchmarks.dataset import load_dataset
from benchmarks.documents import Documents
from benchmarks.partitions import divide, megabytes, url_of
from benchmarks.plan import Plan, Sizes
from tests import servers
from tests.servers import ROOT

SIZES = Sizes(entries=60, patients=4, held=1)
pytestmark = pytest.mark.postgresql


@pytest.fixture
def database(postgresql_url: str, tmp_path: Path) -> Iterator[Database]:
    settings = servers.settings_for(tmp_path, postgresql_url)
    load_dataset(SIZES, [settings])
    divide(settings.database_url, 4)
    yield Database(name="PostgreSQL", version="", settings=settings)


def test_the_divided_tables_are_found_and_hold_the_same(database: Database) -> None:
    kinds, rows = {}, {}
    for name in ("whole", "divided"):
        engine = create_engine(url_of(database, name))
        with engine.connect() as connection:
            kind = "SELECT relkind FROM pg_class WHERE oid = 'registry_object'::regclass"
            kinds[name] = connection.execute(text(kind)).scalar_one()
            columns = "SELECT * FROM {0} ORDER BY {0}::text"
            rows[name] = [
                connection.execute(text(columns.format(table))).all() for table in ("registry_object", "object_value")
            ]
            indexes = "SELECT count(*) FROM pg_index WHERE indrelid = 'registry_object'::regclass"
            rows[name].append(connection.execute(text(indexes)).all())
        engine.dispose()
    assert {name: str(kind) for name, kind in kinds.items()} == {"whole": "r", "divided": "p"}
    assert rows["whole"] == rows["divided"]
    assert min(megabytes(database, "divided")) > 0


def test_submissions_of_several_patients_are_inserted_in_turn(database: Database) -> None:
    documents = Documents(Plan(SIZES))
    named = [documents.entry_uuid(patient, 0) for patient in range(3)]
    count = text("SELECT patient_key, count(*) FROM registry_object GROUP BY 1")
    engine = create_engine(url_of(database, "divided"))
    with engine.connect() as connection:
        before = dict(connection.execute(count).all())
    with closing(BareTransactions(url_of(database, "divided"), *named)) as bare:
        bare.run(1, 0.2)
    with engine.connect() as connection:
        after = dict(connection.execute(count).all())
    engine.dispose()
    assert sum(after[patient] > before[patient] for patient in before) == 3


def test_the_command_measures_both() -> None:
    command = [sys.executable, "-m", "benchmarks.partitions", "--entries", "60", "--partitions", "2"]
    command += ["--rounds", "1", "--seconds", "0.1"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr
    assert "| 60 entries | whole | 2 partitions by patient |" in done.stdout
    assert done.stdout.count("ms of PostgreSQL's processors") == 2
