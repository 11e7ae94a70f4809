"""`column IN (…)` for any number of values: long lists travel as one JSON parameter.

Drivers limit the parameters of a statement (SQLite 32,766, PostgreSQL 65,535).
"""

import json
from collections.abc import Collection
from typing import Any

from sqlalchemy import ColumnElement, String
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement

_LONGEST_LIST = 500


class JsonTexts(FunctionElement[str]):
    """The strings of a JSON array, as a sub-select."""

    type = String()
    name = "json_texts"
    inherit_cache = True


@compiles(JsonTexts, "sqlite")
def _on_sqlite(element: JsonTexts, compiler: Any, **options: Any) -> str:
    parameter = compiler.process(element.clauses, **options)
    return f"(SELECT value FROM json_each({parameter}))"  # noqa: S608 - a bound parameter, not a value


@compiles(JsonTexts, "postgresql")
def _on_postgresql(element: JsonTexts, compiler: Any, **options: Any) -> str:
    return f"(SELECT json_array_elements_text(CAST({compiler.process(element.clauses, **options)} AS json)))"


def one_of(column: ColumnElement[Any], values: Collection[Any]) -> ColumnElement[bool]:
    """The column equals one of the values, of which there is at least one. Long lists are of strings."""
    if len(values) == 1:
        is_it: ColumnElement[bool] = column == next(iter(values))
        return is_it
    if len(values) <= _LONGEST_LIST:
        return column.in_(values)
    return column.bool_op("IN")(JsonTexts(json.dumps(list(values))))
