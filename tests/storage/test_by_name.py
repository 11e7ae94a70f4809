"""A statement that is asked often is run under the name that psycopg has given it, and answers as before."""

from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import BigInteger, Column, LargeBinary, MetaData, String, Table, bindparam, insert, select, text
from sqlalchemy.exc import IntegrityError, OperationalError

from storage import prepared
from storage.engine import open_engine
from storage.postgresql_units import PostgresqlUnits
from storage.prepared import Prepared, prepare
from storage.unit_of_work import StorageFailed, UnitOfWork

pytestmark = pytest.mark.postgresql

_OFTEN = 7  # psycopg prepares a statement that was run five times
thing = Table(
    "thing",
    MetaData(),
    Column("key", BigInteger, primary_key=True, autoincrement=False),
    Column("name", String),
    Column("octets", LargeBinary),
)
_COLUMNS = tuple(thing.columns.keys())


class Cursors:
    """Counts those that statements are run by."""

    def __init__(self, make: Any) -> None:
        self._make, self.made = make, 0

    def __call__(self, driver: Any) -> Any:
        self.made += 1
        return self._make(driver)


@pytest.fixture
def units(postgresql_url: str) -> Iterator[PostgresqlUnits]:
    engine = open_engine(postgresql_url, connections=1)
    thing.create(engine)
    opened = PostgresqlUnits(engine)
    yield opened
    opened.close()
    thing.drop(engine)
    engine.dispose()


@pytest.fixture
def cursors(monkeypatch: pytest.MonkeyPatch) -> Cursors:
    counted = Cursors(prepared.cursor_of)
    monkeypatch.setattr(prepared, "cursor_of", counted)
    return counted


def _append(units: PostgresqlUnits, key: int, name: str | None = "é", octets: bytes | None = b"\0\xff") -> None:
    def work(unit: UnitOfWork) -> None:
        row = {"key": key, "name": name, "octets": octets}
        prepare(insert(thing), unit.connection.dialect, columns=_COLUMNS).write(unit.connection, [row])

    units.append(work)


def _asked(units: PostgresqlUnits, upto: int) -> list[Any]:
    statement = select(thing).where(thing.c.key <= bindparam("upto", 0, type_=BigInteger())).order_by(thing.c.key)
    with units.read() as connection:
        return list(_kept(statement, connection).rows(connection, upto=upto))


def _kept(statement: Any, connection: Any) -> Prepared:
    return prepare(statement, connection.dialect)


def test_what_is_asked_often_needs_no_cursor_and_has_the_same_answer(units: PostgresqlUnits, cursors: Cursors) -> None:
    _append(units, 1)
    _append(units, 2, None, None)
    for _ in range(_OFTEN):
        expected = _asked(units, 2)
    made = cursors.made
    assert _asked(units, 2) == expected == [(1, "é", b"\0\xff"), (2, None, None)]
    assert _asked(units, 1) == expected[:1]
    assert _asked(units, 0) == []
    assert cursors.made == made


def test_what_is_appended_often_needs_no_cursor(units: PostgresqlUnits, cursors: Cursors) -> None:
    for key in range(_OFTEN):
        _append(units, key)
    made = cursors.made
    _append(units, _OFTEN, None, b"x" * 100_000)
    assert cursors.made == made
    assert _asked(units, _OFTEN)[-1] == (_OFTEN, None, b"x" * 100_000)


def test_a_value_of_another_type_is_another_statement(units: PostgresqlUnits) -> None:
    """The driver sends a small number as another type than a large one."""
    _append(units, 1 << 40)
    for _ in range(_OFTEN):
        assert _asked(units, 7) == []
    assert [key for key, _, _ in _asked(units, 1 << 40)] == [1 << 40]


def test_a_failure_is_told_as_that_of_a_cursor(units: PostgresqlUnits) -> None:
    for key in range(_OFTEN):
        _append(units, key)
    with pytest.raises(StorageFailed) as failed:
        _append(units, 1)
    assert isinstance(failed.value.__cause__, IntegrityError)
    _append(units, _OFTEN)


def test_a_connection_that_is_lost_is_given_up_and_another_one_asks(units: PostgresqlUnits) -> None:
    for _ in range(_OFTEN):
        _asked(units, 1)
    statement = select(thing.c.key)
    with pytest.raises(StorageFailed) as failed, units.read() as connection:
        kept = _kept(statement, connection)
        for _ in range(_OFTEN):
            kept.rows(connection)
        end = text("SELECT pg_terminate_backend(pg_backend_pid())")
        with pytest.raises(OperationalError):
            connection.execute(end)
        kept.rows(connection)
    assert failed.value.__cause__ is not None
    assert _asked(units, 1) == []


def test_all_of_a_reading_is_of_one_state_and_writes_nothing(units: PostgresqlUnits) -> None:
    for _ in range(_OFTEN):
        _asked(units, 9)
    statement = select(thing.c.key)
    with units.read() as connection:
        kept = _kept(statement, connection)
        assert kept.rows(connection) == []
        _append(units, 1)
        assert kept.rows(connection) == []
    with pytest.raises(StorageFailed), units.read() as connection:
        prepare(insert(thing), connection.dialect, columns=("key",)).write(connection, [{"key": 2}])
    assert [key for key, _, _ in _asked(units, 9)] == [1]
