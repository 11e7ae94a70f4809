"""Lists of values as one parameter: a statement has the same text, and so the same plan, for a list of any length.

Drivers limit the parameters of a statement (SQLite 32,766, PostgreSQL 65,535), and keep what they have
prepared by its text. PostgreSQL gets an array, SQLite the list as JSON.
"""

import json
from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, Integer, String, bindparam
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.engine.interfaces import Dialect
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.types import TypeDecorator, TypeEngine


class _Texts(TypeDecorator[Sequence[Any]]):
    """A list of strings."""

    impl = String
    cache_ok = True
    _item: TypeEngine[Any] = String()

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        kind: TypeEngine[Any] = ARRAY(self._item) if dialect.name == "postgresql" else String()
        return dialect.type_descriptor(kind)

    def process_bind_param(self, value: Sequence[Any] | None, dialect: Dialect) -> Any:
        return value if dialect.name == "postgresql" else json.dumps(value)


class _Numbers(_Texts):
    """A list of whole numbers."""

    cache_ok = True
    _item = BigInteger()


class _Pairs(TypeDecorator[Collection[tuple[int, int]]]):
    """Pairs of whole numbers, as JSON."""

    impl = String
    cache_ok = True

    def process_bind_param(self, value: Collection[tuple[int, int]] | None, _dialect: Dialect) -> Any:
        return json.dumps([list(pair) for pair in value or ()])


class OneOf(FunctionElement[Any]):
    """A column and a list: the column equals one of the values.

    It says no type: to SQLite, which has no Boolean, one is written as `… = 1`, and no index serves that.
    """

    name = "one_of"
    inherit_cache = True


class OneOfPairs(FunctionElement[Any]):
    """Two columns of whole numbers and a JSON array of pairs: together they equal one of the pairs."""

    name = "one_of_pairs"
    inherit_cache = True


@compiles(OneOf, "sqlite")
def _one_of_on_sqlite(element: OneOf, compiler: Any, **options: Any) -> str:
    column, values = (compiler.process(one, **options) for one in element.clauses)
    return f"{column} IN (SELECT value FROM json_each({values}))"  # noqa: S608 - bound parameters, no values


@compiles(OneOf, "postgresql")
def _one_of_on_postgresql(element: OneOf, compiler: Any, **options: Any) -> str:
    column, values = (compiler.process(one, **options) for one in element.clauses)
    return f"{column} = ANY ({values})"


@compiles(OneOfPairs, "sqlite")
def _pairs_on_sqlite(element: OneOfPairs, compiler: Any, **options: Any) -> str:
    """Never `IN (VALUES …)`: SQLite answers that by reading the whole table."""
    first, second, pairs = (compiler.process(one, **options) for one in element.clauses)
    ends = "json_extract(value, '$[0]'), json_extract(value, '$[1]')"
    return f"({first}, {second}) IN (SELECT {ends} FROM json_each({pairs}))"  # noqa: S608 - bound parameters, no values


@compiles(OneOfPairs, "postgresql")
def _pairs_on_postgresql(element: OneOfPairs, compiler: Any, **options: Any) -> str:
    first, second, pairs = (compiler.process(one, **options) for one in element.clauses)
    ends = "CAST(pair ->> 0 AS bigint), CAST(pair ->> 1 AS bigint)"
    return f"({first}, {second}) IN (SELECT {ends} FROM json_array_elements(CAST({pairs} AS json)) AS pair)"  # noqa: S608 - bound parameters, no values


def one_of(column: ColumnElement[Any], values: Collection[Any]) -> ColumnElement[bool]:
    """The column equals one of the values, of which there is at least one: strings, or whole numbers."""
    if len(values) == 1:
        is_it: ColumnElement[bool] = column == next(iter(values))
        return is_it
    return OneOf(column, bindparam(None, list(values), type_=_list_of(column)))


def one_of_given(column: ColumnElement[Any], name: str) -> ColumnElement[bool]:
    """The same for the list that the statement is run with under this name."""
    return OneOf(column, bindparam(name, [], type_=_list_of(column)))


def _list_of(column: ColumnElement[Any]) -> _Texts:
    return _Numbers() if isinstance(column.type, Integer) else _Texts()


def one_of_pairs(
    first: ColumnElement[int], second: ColumnElement[int], pairs: Collection[tuple[int, int]]
) -> ColumnElement[bool]:
    """The two columns are one of the pairs, such as a primary key."""
    return OneOfPairs(first, second, bindparam(None, pairs, type_=_Pairs()))


def one_of_pairs_given(first: ColumnElement[int], second: ColumnElement[int], name: str) -> ColumnElement[bool]:
    """The same for the pairs that the statement is run with under this name."""
    return OneOfPairs(first, second, bindparam(name, (), type_=_Pairs()))
