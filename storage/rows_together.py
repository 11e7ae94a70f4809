"""Rows of narrow tables put in by few statements: on PostgreSQL each costs more than the rows that it carries."""

from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any

from sqlalchemy import Connection, Table, bindparam, insert
from sqlalchemy.engine.interfaces import Dialect

from storage.prepared import Prepared, insertion, prepare

_SIZES = (16, 12, 10, 8, 6, 5, 4, 3, 2, 1)  # few statements to prepare, and any number of rows by few of them


def insert_together(connection: Connection, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Put in whole rows, none of them with a NULL: the driver prepares a statement for each set of columns that has.

    Raises what SQLAlchemy raises for a failure of the driver.
    """
    if connection.dialect.name != "postgresql":
        if rows:
            insertion(table, connection.dialect).write(connection, rows)
        return
    names = table.columns.keys()
    for portion in _portions(rows):
        given = {f"{name}_{at}": row[name] for at, row in enumerate(portion) for name in names}
        _insertion(table, connection.dialect, len(portion)).write(connection, [given])


def _portions(rows: Sequence[Mapping[str, Any]]) -> Iterator[Sequence[Mapping[str, Any]]]:
    start = 0
    while start < len(rows):
        size = next(size for size in _SIZES if size <= len(rows) - start)
        yield rows[start : start + size]
        start += size


@lru_cache(maxsize=64)
def _insertion(table: Table, dialect: Dialect, number: int) -> Prepared:
    rows = [{one.name: bindparam(f"{one.name}_{at}", type_=one.type) for one in table.columns} for at in range(number)]
    return prepare(insert(table).values(rows), dialect)
