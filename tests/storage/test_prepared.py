"""Statements kept as text: what they are given, and what they do not take."""

from collections.abc import Mapping, Sequence

import pytest
from sqlalchemy import bindparam, select, text

from storage.outbox import outbox
from storage.prepared import insertion, prepare
from storage.unit_of_work import StorageFailed, UnitOfWork, Units

ROWS: Sequence[Mapping[str, object]] = [{"record_key": key, "patient_key": 1, "record": "{}"} for key in (1, 2)]


def added(units: Units, rows: Sequence[Mapping[str, object]]) -> None:
    def add(unit: UnitOfWork) -> None:
        insertion(outbox, unit.connection.dialect).write(unit.connection, rows)

    units.write(add)


def kept(units: Units) -> list[int]:
    with units.read() as connection:
        return list(connection.execute(text("SELECT record_key FROM outbox ORDER BY record_key")).scalars())


def test_rows_are_inserted_one_or_many(units: Units) -> None:
    added(units, ROWS[:1])
    added(units, [{**row, "record_key": key} for row, key in zip(ROWS, (5, 6), strict=True)])
    assert kept(units) == [1, 5, 6]


@pytest.mark.parametrize("number", [1, 2])
def test_a_row_without_one_of_its_columns_is_refused_and_nothing_is_written(units: Units, number: int) -> None:
    """SQLAlchemy marks such a value by a number, which a column of numbers would take."""
    rows = [{name: value for name, value in row.items() if name != "patient_key"} for row in ROWS[:number]]
    with pytest.raises((KeyError, StorageFailed)):
        added(units, rows)
    assert kept(units) == []


def test_a_long_statement_takes_a_value_at_each_of_its_places_and_keeps_its_per_cent_signs(units: Units) -> None:
    """Past 4,096 characters, where psycopg would keep nothing of what it has read."""
    added(units, [{**ROWS[0], "record": "90 %s"}, {**ROWS[1], "record": "90 %"}])
    given, many = bindparam("given", 0), [outbox.c.record != f"{number:050}%(given)s" for number in range(250)]
    asked = select(outbox.c.record_key).where(outbox.c.record_key == given, outbox.c.patient_key <= given, *many)
    with units.read() as connection:
        statement = prepare(asked.where(outbox.c.record.like("90 %s")), connection.dialect)
        assert len(statement.text) > 4096
        assert statement.rows(connection, given=1) == [(1,)]
        assert not statement.rows(connection, given=2)
