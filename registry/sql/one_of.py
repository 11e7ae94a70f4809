"""`column IN (…)` for any number of values: long lists travel as one JSON parameter.

Drivers limit the parameters of a statement (SQLite 32,766, PostgreSQL 65,535).
"""

import json
from collections.abc import Collection
from typing import Any

from sqlalchemy import ColumnElement, Integer, String
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.types import TypeEngine

_LONGEST_LIST = 500


class JsonValues(FunctionElement[Any]):
    """The strings or whole numbers of a JSON array, as a sub-select."""

    name = "json_values"


class JsonTexts(JsonValues):
    type: TypeEngine[Any] = String()
    inherit_cache = True


class JsonNumbers(JsonValues):
    type: TypeEngine[Any] = Integer()
    inherit_cache = True


@compiles(JsonTexts, "sqlite")
@compiles(JsonNumbers, "sqlite")
def _on_sqlite(element: JsonValues, compiler: Any, **options: Any) -> str:
    parameter = compiler.process(element.clauses, **options)
    return f"(SELECT value FROM json_each({parameter}))"  # noqa: S608 - a bound parameter, not a value


@compiles(JsonTexts, "postgresql")
def _texts_on_postgresql(element: JsonTexts, compiler: Any, **options: Any) -> str:
    return f"(SELECT json_array_elements_text(CAST({compiler.process(element.clauses, **options)} AS json)))"


@compiles(JsonNumbers, "postgresql")
def _numbers_on_postgresql(element: JsonNumbers, compiler: Any, **options: Any) -> str:
    values = f"json_array_elements_text(CAST({compiler.process(element.clauses, **options)} AS json))"
    return f"(SELECT CAST({values} AS bigint))"


def one_of(column: ColumnElement[Any], values: Collection[Any]) -> ColumnElement[bool]:
    """The column equals one of the values, of which there is at least one: strings, or whole numbers."""
    if len(values) == 1:
        is_it: ColumnElement[bool] = column == next(iter(values))
        return is_it
    if len(values) <= _LONGEST_LIST:
        return column.in_(values)
    kind = JsonNumbers if isinstance(column.type, Integer) else JsonTexts
    return column.bool_op("IN")(kind(json.dumps(list(values))))
