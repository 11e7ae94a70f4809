"""Readers that stay open leave connections to those who write."""

import threading
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from storage.engine import open_engine
from storage.migrate import upgrade
from storage.outbox import post
from storage.postgresql_units import PostgresqlUnits
from storage.unit_of_work import UnitOfWork

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
