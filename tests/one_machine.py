"""Whether a statement asks one machine of a cluster: every table in it that is divided is bound to one value.

Bound means: its dividing column equals a value or a list of values, or the column of another bound table of the same
division.
"""

from collections.abc import Iterator

import sqlglot
from sqlglot import exp

from storage.distribution import BY_TABLE, Place

_DIVIDED = {
    name: one.column
    for name, one in BY_TABLE.items()
    if one.place in (Place.BY_PATIENT, Place.BY_RECORD, Place.BY_OWN_KEY)
}


def unbound(sql: str) -> list[str]:
    """Tables of a statement (SQLite's dialect) that more than one machine would be asked about."""
    statement = sqlglot.parse_one(sql, read="sqlite")
    if isinstance(statement, exp.Insert):
        return _of_insertion(statement)
    return list(_of_scope(statement))


def _of_insertion(statement: exp.Insert) -> list[str]:
    """Rows name the column that says where they lie."""
    into = statement.this
    table = into.find(exp.Table).name
    named = {column.name for column in into.expressions} if isinstance(into, exp.Schema) else set()
    missing = [table] if table in _DIVIDED and _DIVIDED[table] not in named else []
    source = statement.args.get("expression")
    return missing + (list(_of_scope(source)) if isinstance(source, exp.Query) else [])


def _of_scope(statement: exp.Expression) -> Iterator[str]:
    tables = {(one.alias or one.name): one.name for one in statement.find_all(exp.Table) if one.name in _DIVIDED}
    bound = {alias for alias, name in tables.items() if _has_value(statement, alias, name, tables)}
    pairs = list(_pairs(statement, tables))
    grew = True
    while grew:
        more = {one for pair in pairs if pair & bound for one in pair} - bound
        bound |= more
        grew = bool(more)
    yield from (name for alias, name in tables.items() if alias not in bound)


def _has_value(statement: exp.Expression, alias: str, name: str, tables: dict[str, str]) -> bool:
    for condition in statement.find_all(exp.EQ, exp.In):
        column, value = condition.this, condition.args.get("expression")
        if isinstance(condition, exp.In) and isinstance(column, exp.Tuple):
            # Pairs of patient and object: each names its patient. docs/scaling.md says what Citus makes of them.
            column = column.expressions[0]
        if isinstance(value, exp.Column) and not isinstance(column, exp.Column):
            column, value = value, column
        if not _is_column(column, alias, name, tables):
            continue
        if isinstance(condition, exp.In) and (condition.expressions or _is_list(condition)):
            return True
        if isinstance(condition, exp.EQ) and not isinstance(value, exp.Column):
            return True
    return False


def _is_list(condition: exp.In) -> bool:
    """A list that SQLite gets as one value of JSON, as PostgreSQL gets an array."""
    query = condition.args.get("query")
    return query is not None and "JSON_EACH" in query.sql().upper()


def _is_column(node: object, alias: str, name: str, tables: dict[str, str]) -> bool:
    if not isinstance(node, exp.Column) or node.name != _DIVIDED[name]:
        return False
    return node.table == alias or (not node.table and list(tables.values()).count(name) == 1)


def _pairs(statement: exp.Expression, tables: dict[str, str]) -> Iterator[set[str]]:
    """Two tables that are joined by the columns that divide them."""
    for condition in statement.find_all(exp.EQ):
        ends = []
        for node in (condition.this, condition.expression):
            ends += [alias for alias, name in tables.items() if _is_column(node, alias, name, tables)]
        if len(ends) == 2 and len({_division(tables[one]) for one in ends}) == 1:
            yield set(ends)


def _division(table: str) -> str:
    return BY_TABLE[table].with_table or table
