"""Statements put together once and run many times with other values.

Building and compiling an expression costs several times what the database needs for its answer, and
so does describing a result; a statement that nearly every request runs is kept as text and handed to
the driver. It is still made by the builders of all other statements.
"""

import sqlite3
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import psycopg
from sqlalchemy import Connection, Table, insert
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg
from sqlalchemy.engine.interfaces import Dialect
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.crud import REQUIRED
from sqlalchemy.sql.elements import ClauseElement

from storage import by_name
from storage.failures import failure_of_driver


@dataclass(frozen=True, slots=True)
class Prepared:
    """A compiled statement: its text, the values that never change, their order where the driver asks for one.

    `conversions` of values into what the driver takes, for those that have one.
    """

    text: str
    values: Mapping[str, Any]
    order: Sequence[str] | None
    conversions: Mapping[str, Callable[[Any], Any]]

    def parameters(self, values: Mapping[str, Any]) -> dict[str, Any] | tuple[Any, ...]:
        """What the driver gets for these values of the `bindparam`s."""
        given = {**self.values, **values}
        for name, convert in self.conversions.items():
            given[name] = convert(given[name])
        return given if self.order is None else tuple(given[name] for name in self.order)

    def rows(self, connection: Connection, **values: Any) -> Sequence[tuple[Any, ...]]:
        """All rows; `values` are those of the `bindparam`s it was built with.

        Raises what SQLAlchemy raises for a failure of the driver.
        """
        given = self.parameters(values)
        with self._driver(connection) as driver:
            found = _by_name(driver, self.text, given)
            if found is None:
                with closing(cursor_of(driver)) as cursor:
                    cursor.execute(self.text, given)
                    found = cursor.fetchall()
        return found

    def write(self, connection: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
        """Run it with each of these, of which there is at least one, for what it changes.

        In a unit of work on PostgreSQL it is not waited for (`storage.pipelined`): what it fails with is raised by the
        next statement that is, or by the commit. Raises what SQLAlchemy raises for a failure of the driver.
        """
        given = [self.parameters(row) for row in rows]
        with self._driver(connection) as driver:
            if len(given) == 1 and _by_name(driver, self.text, given[0]) is not None:
                return
            with closing(cursor_of(driver)) as cursor:
                if len(given) == 1:
                    cursor.execute(self.text, given[0])
                else:
                    cursor.executemany(self.text, given)

    @contextmanager
    def _driver(self, connection: Connection) -> Iterator[Any]:
        """The driver's connection, its failures raised as SQLAlchemy's."""
        try:
            yield connection.connection.driver_connection
        except connection.dialect.loaded_dbapi.Error as problem:
            raise failure_of_driver(connection, problem, self.text) from problem


def prepare(statement: ClauseElement, dialect: Dialect, *, columns: Collection[str] | None = None) -> Prepared:
    """Compile a statement for a dialect; lists in it are part of its text from then on.

    `columns`: those that an insertion or an update sets, from values under their names.
    """
    compiled = statement.compile(
        dialect=_spelling(dialect), column_keys=columns and list(columns), compile_kwargs={"render_postcompile": True}
    )
    assert isinstance(compiled, SQLCompiler)  # noqa: S101 - a statement on rows is compiled to one
    order = compiled.positiontup if compiled.positional else None
    found = (
        (name, one.type.dialect_impl(dialect).bind_processor(dialect)) for one, name in compiled.bind_names.items()
    )
    conversions = {name: convert for name, convert in found if convert is not None}
    # The mark of a value that must be given is a number, which a driver would write.
    values = {name: value for name, value in compiled.params.items() if value is not REQUIRED}
    return Prepared(text=str(compiled), values=values, order=order, conversions=conversions)


@lru_cache(maxsize=4)
def _spelling(dialect: Dialect) -> Dialect:
    """How places of values are written: psycopg would look for its own in the text each time, past 4,096 characters."""
    if dialect.name != "postgresql":
        return dialect
    return PGDialect_psycopg(paramstyle="numeric_dollar")  # type: ignore[no-untyped-call]


def _by_name(driver: Any, text: str, given: Any) -> Sequence[tuple[Any, ...]] | None:
    """The rows of a statement that PostgreSQL has prepared; None for any other."""
    return by_name.run(driver, text, given) if isinstance(driver, psycopg.Connection) else None


def cursor_of(driver: sqlite3.Connection | psycopg.Connection[Any]) -> Any:
    """Takes `$1` as PostgreSQL does. Octets come as they are, not as hexadecimal text of twice their length."""
    if isinstance(driver, sqlite3.Connection):
        return driver.cursor()
    cursor = psycopg.RawCursor(driver)
    cursor.format = psycopg.pq.Format.BINARY
    return cursor


@lru_cache(maxsize=64)
def insertion(table: Table, dialect: Dialect) -> Prepared:
    """Whole rows into a table, by the names of its columns."""
    return prepare(insert(table), dialect, columns=tuple(table.columns.keys()))
