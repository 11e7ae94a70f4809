"""Bulk loading: COPY into PostgreSQL without its indexes, which are built at the end; one transaction into SQLite.

SQLite keeps its indexes meanwhile: it would read a table larger than memory again for each of them.
"""

import sqlite3
from collections.abc import Iterable, Sequence
from typing import Any, Protocol

import psycopg
from sqlalchemy import BigInteger, Boolean, Column, LargeBinary, SmallInteger, Table, make_url
from sqlalchemy import types as column_types

from benchmarks.rows import PATIENT, TABLES, columns
from benchmarks.templates import Row

_SQLITE_CACHE_KIB = 1024 * 1024
# For the sorting of one index; as much again in files where an index is larger.
_POSTGRESQL_SORTING = "1GB"
_POSTGRESQL_TYPES: tuple[tuple[type[Any], str], ...] = (
    (BigInteger, "int8"),
    (SmallInteger, "int2"),
    (Boolean, "bool"),
    (LargeBinary, "bytea"),
    (column_types.String, "text"),
)
# What PostgreSQL itself says of the keys, and of the indexes that are left without them.
_KEYS = """
    SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint
    WHERE conrelid = ANY(%s::regclass[]) AND contype IN ('p', 'u') ORDER BY 1, 2
"""
_INDEXES = "SELECT indexname, indexdef FROM pg_indexes WHERE tablename = ANY(%s) ORDER BY 1"


class Loader(Protocol):
    """Takes rows in any number of calls; nothing counts before `finish`."""

    def add(self, table: Table, rows: Sequence[Row]) -> None: ...

    def finish(self) -> None:
        """Commit, and bring the database into the state that a server in use would have it in."""
        ...

    def close(self) -> None:
        """Release the database; without `finish` what was added is lost."""
        ...


class SqliteLoader:
    """One transaction, without a journal: a new file that is of no use before it is complete."""

    def __init__(self, file: str) -> None:
        self._connection = sqlite3.connect(file, isolation_level=None)
        for pragma in ("journal_mode=OFF", "synchronous=OFF", f"cache_size=-{_SQLITE_CACHE_KIB}"):
            self._connection.execute(f"PRAGMA {pragma}")
        self._connection.execute("BEGIN")

    def add(self, table: Table, rows: Sequence[Row]) -> None:
        marks = ", ".join("?" * len(table.columns))
        self._connection.executemany(f"INSERT INTO {table.name} ({', '.join(columns(table))}) VALUES ({marks})", rows)

    def finish(self) -> None:
        self._connection.execute("COMMIT")
        self._connection.execute("PRAGMA journal_mode=WAL")

    def close(self) -> None:
        self._connection.close()


class PostgresqlLoader:
    """COPY in the binary form and the indexes, in one transaction; then what autovacuum would have done by then."""

    def __init__(self, url: str) -> None:
        parsed = make_url(url).set(drivername="postgresql")
        self._connection = psycopg.connect(parsed.render_as_string(hide_password=False))
        self._connection.execute(f"SET maintenance_work_mem = '{_POSTGRESQL_SORTING}'".encode())
        self._indexes = _without_indexes(self._connection)

    def add(self, table: Table, rows: Sequence[Row]) -> None:
        statement = f"COPY {table.name} ({', '.join(columns(table))}) FROM STDIN (FORMAT BINARY)"
        with self._connection.cursor() as cursor, cursor.copy(statement.encode()) as copy:
            copy.set_types([_type_of(column) for column in table.columns])
            for row in rows:
                copy.write_row(row)

    def finish(self) -> None:
        for statement in self._indexes:
            self._connection.execute(statement.encode())
        self._connection.commit()
        self._connection.autocommit = True
        self._connection.execute("VACUUM ANALYZE")
        self._connection.execute("CHECKPOINT")

    def close(self) -> None:
        self._connection.close()


def open_loader(url: str) -> Loader:
    """The loader for the URL of a database, as in the settings of the server."""
    parsed = make_url(url)
    if parsed.get_backend_name() == "sqlite":
        return SqliteLoader(parsed.database or "")
    return PostgresqlLoader(url)


def _without_indexes(connection: psycopg.Connection[Any]) -> list[str]:
    """Drop keys and indexes of the tables that are loaded; the statements that make the very same again."""
    tables = [table.name for table in (PATIENT, *TABLES)]
    keys = connection.execute(_KEYS, [tables]).fetchall()
    for table, name, _ in keys:
        connection.execute(f"ALTER TABLE {table} DROP CONSTRAINT {name}".encode())
    indexes = connection.execute(_INDEXES, [tables]).fetchall()
    for name, _ in indexes:
        connection.execute(f"DROP INDEX {name}".encode())
    again = [f"ALTER TABLE {table} ADD CONSTRAINT {name} {definition}" for table, name, definition in keys]
    return again + [definition for _, definition in indexes]


def add_all(loaders: Iterable[Loader], table: Table, rows: Sequence[Row]) -> None:
    for loader in loaders:
        loader.add(table, rows)


def _type_of(column: Column[Any]) -> str:
    return next(name for kind, name in _POSTGRESQL_TYPES if isinstance(column.type, kind))
