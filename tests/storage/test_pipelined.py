"""Units of work on PostgreSQL send what they write without waiting: what fails then is not lost, nor half of it kept."""

import contextlib
import logging
from collections.abc import Iterator

import psycopg
import pytest
from sqlalchemy import select, text, update
from sqlalchemy.exc import SQLAlchemyError

from storage.engine import open_engine
from storage.migrate import upgrade
from storage.outbox import outbox
from storage.postgresql_units import PostgresqlUnits
from storage.prepared import insertion
from storage.rows_together import insert_together
from storage.unit_of_work import StorageFailed, UnitOfWork

pytestmark = pytest.mark.postgresql


@pytest.fixture
def units(postgresql_url: str) -> Iterator[PostgresqlUnits]:
    engine = open_engine(postgresql_url, connections=2)
    upgrade(engine)
    opened = PostgresqlUnits(engine)
    yield opened
    opened.close()


def put(unit: UnitOfWork, *keys: int) -> None:
    rows = [{"record_key": key, "patient_key": 1, "record": "{}"} for key in keys]
    insertion(outbox, unit.connection.dialect).write(unit.connection, rows)


def keys_of(unit: UnitOfWork) -> list[int]:
    return list(unit.connection.execute(select(outbox.c.record_key).order_by(outbox.c.record_key)).scalars())


def kept(units: PostgresqlUnits) -> list[int]:
    return units.write(keys_of)


def test_what_was_written_is_seen_by_the_next_question(units: PostgresqlUnits) -> None:
    def work(unit: UnitOfWork) -> tuple[list[int], int]:
        put(unit, 1)
        put(unit, 2, 3)
        changed = unit.connection.execute(update(outbox).where(outbox.c.record_key > 1).values(record="[]"))
        return keys_of(unit), changed.rowcount

    assert units.write(work) == ([1, 2, 3], 2)
    assert kept(units) == [1, 2, 3]


def test_rows_that_come_in_portions_come_all(units: PostgresqlUnits) -> None:
    """The driver reads them with a cursor of the server."""

    def work(unit: UnitOfWork) -> list[int]:
        put(unit, *range(7))
        asked = select(outbox.c.record_key).order_by(outbox.c.record_key).execution_options(yield_per=2)
        return [row[0] for row in unit.connection.execute(asked)]

    assert units.write(work) == list(range(7))
    assert kept(units) == list(range(7))


@pytest.mark.parametrize("asks", [True, False])
def test_a_key_that_is_taken_is_a_conflict_whether_a_question_or_the_commit_finds_it(
    units: PostgresqlUnits, asks: bool
) -> None:
    """The unit is run again, and then sees what took the key."""
    attempts: list[int] = []

    def work(unit: UnitOfWork) -> None:
        key = max(keys_of(unit), default=0) + 1
        attempts.append(key)
        if len(attempts) == 1:  # another comes in between
            units.write(lambda other: put(other, key))
        put(unit, key)
        if asks:
            keys_of(unit)

    units.write(work)
    assert attempts == [1, 2]
    assert kept(units) == [1, 2]


def test_after_a_failure_nothing_is_kept_and_the_connection_serves_the_next(
    units: PostgresqlUnits, caplog: pytest.LogCaptureFixture
) -> None:
    def fails_late(unit: UnitOfWork) -> None:
        put(unit, 7)
        put(unit, 7)

    def fails_and_goes_on(unit: UnitOfWork) -> None:
        fails_late(unit)
        keys_of(unit)

    def fails_of_itself(unit: UnitOfWork) -> None:
        fails_late(unit)
        raise LookupError("mine")

    with caplog.at_level(logging.DEBUG):
        for work in (fails_late, fails_and_goes_on):
            with pytest.raises(StorageFailed, match="UniqueViolation"):
                units.write(work)
        with pytest.raises(LookupError, match="mine"):
            units.write(fails_of_itself)
    assert "(record_key)" not in caplog.text, "the driver's words hold values of rows"
    assert kept(units) == []
    units.write(lambda unit: put(unit, 8))
    assert kept(units) == [8]
    assert prepared(units) < 20


def prepared(units: PostgresqlUnits) -> int:
    """Statements that the server keeps for the connection; those that a failure left behind would stay for ever."""
    return units.write(
        lambda unit: unit.connection.execute(text("SELECT count(*) FROM pg_prepared_statements")).scalar_one()
    )


def test_a_unit_that_goes_on_after_a_failed_statement_is_not_taken_for_kept(units: PostgresqlUnits) -> None:
    """PostgreSQL answers such a COMMIT with ROLLBACK, and calls that no error."""

    def goes_on(unit: UnitOfWork) -> None:
        put(unit, 7)
        with contextlib.suppress(SQLAlchemyError):
            unit.connection.execute(text("SELECT 1 / 0"))

    def goes_on_after_writing(unit: UnitOfWork) -> None:
        put(unit, 7)
        put(unit, 7)
        with contextlib.suppress(SQLAlchemyError, psycopg.Error):
            keys_of(unit)

    for work in (goes_on, goes_on_after_writing):
        with pytest.raises(StorageFailed):
            units.write(work)
    assert kept(units) == []


def test_a_failure_leaves_no_statements_behind(units: PostgresqlUnits) -> None:
    def fails(unit: UnitOfWork) -> None:
        for key in range(10):
            put(unit, key, key + 100)
        put(unit, 1)

    for _ in range(5):
        with pytest.raises(StorageFailed):
            units.write(fails)
    assert prepared(units) <= 2


@pytest.mark.parametrize("number", [1, 2, 5, 7, 16, 37])
def test_any_number_of_rows_is_put_in_together(units: PostgresqlUnits, number: int) -> None:
    rows = [{"record_key": key, "patient_key": key * 2, "record": f"{key}"} for key in range(number)]
    units.write(lambda unit: insert_together(unit.connection, outbox, rows))
    found = units.write(lambda unit: unit.connection.execute(select(outbox).order_by(outbox.c.record_key)).fetchall())
    assert [tuple(one) for one in found] == [tuple(row.values()) for row in rows]


def test_a_row_without_one_of_its_columns_is_none(units: PostgresqlUnits) -> None:
    with pytest.raises(KeyError):
        units.write(lambda unit: insert_together(unit.connection, outbox, [{"record_key": 1, "record": "{}"}]))
    assert kept(units) == []


def test_a_connection_that_ends_in_the_middle_ends_the_attempt_alone(units: PostgresqlUnits) -> None:
    attempts = []

    def work(unit: UnitOfWork) -> None:
        attempts.append(unit.connection.execute(text("SELECT pg_backend_pid()")).scalar_one())
        put(unit, 1)
        if len(attempts) == 1:
            units.write(lambda other: other.connection.execute(text(f"SELECT pg_terminate_backend({attempts[0]})")))
        keys_of(unit)

    units.write(work)
    assert len(attempts) == 2
    assert kept(units) == [1]
