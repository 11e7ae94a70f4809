"""Lists of any length as one parameter, of strings, of keys and of pairs of keys, on both databases."""

import pytest
from sqlalchemy import BigInteger, Column, MetaData, String, Table, insert, select

from registry.sql.lists import one_of, one_of_pairs
from storage.unit_of_work import Units

_table = Table(
    "thing",
    MetaData(),
    Column("owner", BigInteger, primary_key=True),
    Column("key", BigInteger, primary_key=True),
    Column("name", String),
)
ROWS = [(owner, key) for owner in (1, 2**61) for key in (0, 1, 2**62)]
AWKWARD = "n'\"\\,{}\u00e9%s"


@pytest.mark.parametrize("length", [1, 2, 500, 501, 40_000])
def test_lists_of_any_length_find_their_rows(units: Units, length: int) -> None:
    def found(unit: object) -> tuple[list[int], list[int], list[tuple[int, int]]]:
        connection = unit.connection  # type: ignore[attr-defined]
        _table.create(connection)
        rows = [{"owner": owner, "key": key, "name": f"{AWKWARD}{key}"} for owner, key in ROWS]
        connection.execute(insert(_table), rows)
        keys = [0, 2**62, *range(100, 98 + length)][:length]
        names = [f"{AWKWARD}{key}" for key in keys]
        pairs = [(1, 0), (2**61, 2**62), *((1, key) for key in keys[2:])][:length]
        columns = _table.c
        by_key = connection.execute(select(columns.key).where(one_of(columns.key, keys))).scalars()
        by_name = connection.execute(select(columns.key).where(one_of(columns.name, names))).scalars()
        statement = select(columns.owner, columns.key).where(one_of_pairs(columns.owner, columns.key, pairs))
        by_pair = connection.execute(statement).fetchall()
        return sorted(by_key), sorted(by_name), sorted((row[0], row[1]) for row in by_pair)

    expected = [0, 0] if length == 1 else [0, 0, 2**62, 2**62]
    pairs = [(1, 0)] if length == 1 else [(1, 0), (2**61, 2**62)]
    assert units.write(found) == (expected, expected, pairs)


def test_a_statement_has_one_text_for_lists_of_every_length(units: Units) -> None:
    with units.read() as connection:
        texts = {
            str(select(_table.c.key).where(one_of(_table.c.name, ["x"] * length)).compile(connection))
            for length in (2, 3, 40, 4000)
        }
        assert len(texts) == 1
