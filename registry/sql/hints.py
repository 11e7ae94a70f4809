"""What SQLite must be told to choose the right index: it guesses from the form of a condition alone.

PostgreSQL has statistics, and sees the plain condition.
"""

from typing import Any

from sqlalchemy import ColumnElement
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement


class Unindexed(FunctionElement[str]):
    """A column of texts that is looked at row by row: no index of its own is to serve it."""

    name = "unindexed"
    inherit_cache = True


@compiles(Unindexed)
def _as_it_is(element: Unindexed, compiler: Any, **options: Any) -> str:
    return str(compiler.process(element.clauses, **options))


@compiles(Unindexed, "sqlite")
def _on_sqlite(element: Unindexed, compiler: Any, **options: Any) -> str:
    return f"+{compiler.process(element.clauses, **options)}"


def unindexed(column: ColumnElement[str]) -> ColumnElement[str]:
    """The column, for a question that starts from something rarer."""
    hidden = Unindexed(column)
    hidden.type = column.type
    return hidden
