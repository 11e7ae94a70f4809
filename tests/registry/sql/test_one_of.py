"""`column IN (…)` with lists of any length, of strings and of keys, on both databases."""

import pytest
from sqlalchemy import BigInteger, Column, MetaData, String, Table, insert, select

from registry.sql.one_of import one_of
from storage.unit_of_work import Units

_table = Table("thing", MetaData(), Column("key", BigInteger, primary_key=True), Column("name", String))


@pytest.mark.parametrize("length", [1, 2, 500, 501, 40_000])
def test_lists_of_any_length_find_their_rows(units: Units, length: int) -> None:
    def found(unit: object) -> tuple[list[int], list[int]]:
        connection = unit.connection  # type: ignore[attr-defined]
        _table.create(connection)
        connection.execute(insert(_table), [{"key": key, "name": f"n'{key}"} for key in (0, 1, 2**62)])
        keys = [0, 2**62, *range(100, 98 + length)][:length]
        names = [f"n'{key}" for key in keys]
        by_key = connection.execute(select(_table.c.key).where(one_of(_table.c.key, keys))).scalars()
        by_name = connection.execute(select(_table.c.key).where(one_of(_table.c.name, names))).scalars()
        return sorted(by_key), sorted(by_name)

    expected = [0] if length == 1 else [0, 2**62]
    assert units.write(found) == (expected, expected)
