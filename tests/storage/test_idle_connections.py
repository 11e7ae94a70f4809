"""Connections that stay open leave others to those who write."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import pytest
from sqlalchemy import text

from storage.engine import open_engine
from storage.migrate import upgrade
from storage.outbox import post
from storage.postgresql_units import PostgresqlUnits
from storage.unit_of_work import StorageFailed, UnitOfWork

pytestmark = pytest.mark.postgresql


@pytest.fixture
def units(postgresql_url: str) -> Iterator[PostgresqlUnits]:
    engine = open_engine(postgresql_url, connections=1)
    upgrade(engine)
    opened = PostgresqlUnits(engine)
    yield opened
    opened.close()


def test_many_readers_at_once_keep_nobody_from_writing(units: PostgresqlUnits) -> None:
    """One request at a time, and what no request asks for: the sealer, jobs, senders."""
    with ExitStack() as reading:
        for _ in range(8):
            reading.enter_context(units.read())
    writing = threading.Thread(target=units.write, args=(_keep,), daemon=True)
    writing.start()
    writing.join(timeout=10)
    assert not writing.is_alive()


def test_a_reader_writes_meanwhile(units: PostgresqlUnits) -> None:
    with units.read():
        units.write(_keep)


def _keep(unit: UnitOfWork) -> None:
    post(unit.connection, record_key=1, patient_key=1, record={"number": "1"})


def test_who_writes_finds_a_connection_open_however_many_did_so_at_once(units: PostgresqlUnits) -> None:
    """Opening one costs PostgreSQL a process, and its statements are read and planned anew."""
    together = threading.Barrier(4, timeout=30)

    def work(unit: UnitOfWork) -> int:
        together.wait()
        return int(unit.connection.execute(text("SELECT pg_backend_pid()")).scalar_one())

    with ThreadPoolExecutor(4) as pool:
        rounds = [set(pool.map(units.write, [work] * 4)) for _ in range(3)]
    assert rounds[1] | rounds[2] == rounds[0]


def test_what_is_appended_goes_by_the_connection_that_stays_open(units: PostgresqlUnits) -> None:
    def process(unit: UnitOfWork) -> int:
        return int(unit.connection.execute(text("SELECT pg_backend_pid()")).scalar_one())

    with units.read():
        assert len({units.append(process) for _ in range(3)}) == 1
    together = threading.Barrier(3, timeout=30)
    with ThreadPoolExecutor(3) as pool:
        kept = set(pool.map(units.append, [lambda unit: (together.wait(), process(unit))[1]] * 3))
    assert len(kept) == 3
    units.write(_keep)


def test_what_cannot_be_appended_leaves_a_connection_that_can(units: PostgresqlUnits) -> None:
    with pytest.raises(StorageFailed):
        units.append(lambda unit: unit.connection.execute(text("SELECT 1 / 0")))
    units.append(_keep)
