"""Statements kept as text: what they are given, and what they do not take."""

from collections.abc import Mapping, Sequence

import pytest
from sqlalchemy import text

from storage.outbox import outbox
from storage.prepared import insertion
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
