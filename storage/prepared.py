"""Statements put together once and run many times with other values.

Building and compiling an expression costs several times what the database needs for its answer, and
so does describing a result; a statement that nearly every request runs is kept as text and handed to
the driver. It is still made by the builders of all other statements.
"""

from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Select
from sqlalchemy.engine.interfaces import Dialect
from sqlalchemy.sql.compiler import SQLCompiler

from storage.unit_of_work import StorageFailed

# psycopg: octets come as they are, not as hexadecimal text of twice their length.
_CURSOR_OPTIONS = {"postgresql": {"binary": True}}


@dataclass(frozen=True, slots=True)
class Prepared:
    """A compiled statement: its text, the values that never change, their order where the driver asks for one."""

    text: str
    values: Mapping[str, Any]
    order: Sequence[str] | None

    def rows(self, connection: Connection, **values: Any) -> Sequence[tuple[Any, ...]]:
        """All rows; `values` are those of the `bindparam`s it was built with. Raises StorageFailed."""
        given = {**self.values, **values}
        parameters = given if self.order is None else tuple(given[name] for name in self.order)
        dialect = connection.dialect
        try:
            with closing(connection.connection.cursor(**_CURSOR_OPTIONS.get(dialect.name, {}))) as cursor:
                cursor.execute(self.text, parameters)
                found: Sequence[tuple[Any, ...]] = cursor.fetchall()
        except dialect.loaded_dbapi.Error as problem:
            raise StorageFailed(f"the database could not be read: {type(problem).__name__}") from problem
        return found


def prepare(statement: Select[Any], dialect: Dialect) -> Prepared:
    """Compile a statement for a dialect; lists in it are part of its text from then on."""
    compiled = statement.compile(dialect=dialect, compile_kwargs={"render_postcompile": True})
    assert isinstance(compiled, SQLCompiler)  # noqa: S101 - every statement that selects is compiled to one
    order = compiled.positiontup if compiled.positional else None
    return Prepared(text=str(compiled), values=dict(compiled.params), order=order)
