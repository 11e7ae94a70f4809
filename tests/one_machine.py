"""Whether a statement asks one machine of a cluster: every table in it that is divided is bound to one value.

Bound means: its dividing column equals a value or a list of values, or a column that does. What stands under OR or NOT
binds nothing.
"""

from collections.abc import Iterator, Mapping

import sqlglot
from sqlglot import exp

from storage.distribution import BY_TABLE, Place

_SELECTING = (exp.Select, exp.Update, exp.Delete)
# Of a table, by the name it has in the statement.
Column = tuple[str, str]
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
    tables = {(one.alias or one.name): one.name for one in statement.find_all(exp.Table)}
    selections = [one for one in (statement, *statement.find_all(exp.Select)) if isinstance(one, _SELECTING)]
    conditions = [one for selection in selections for one in _conditions(selection)]
    if any(_is_never(one) for one in conditions):
        return  # nobody may see anything: no machine is asked
    bound = {column for one in conditions for column in _with_value(one)}
    pairs = [pair for one in conditions for pair in _pairs(one, tables)]
    grew = True
    while grew:
        more = {one for pair in pairs if pair & bound for one in pair} - bound
        bound |= more
        grew = bool(more)
    yield from (name for alias, name in tables.items() if name in _DIVIDED and not _is_bound(alias, tables, bound))


def _is_bound(alias: str, tables: Mapping[str, str], bound: set[Column]) -> bool:
    name = tables[alias]
    alone = list(tables.values()).count(name) == 1
    return (alias, _DIVIDED[name]) in bound or (alone and ("", _DIVIDED[name]) in bound)


def _conditions(selection: exp.Expression) -> Iterator[exp.Expression]:
    """What must hold for each row: the parts of WHERE and of ON that AND joins."""
    places = [selection.args.get("where"), *(one.args.get("on") for one in selection.args.get("joins") or ())]
    waiting = [one.this if isinstance(one, exp.Where) else one for one in places if one is not None]
    while waiting:
        condition = waiting.pop().unnest()
        if isinstance(condition, exp.And):
            waiting += [condition.this, condition.expression]
        else:
            yield condition


def _is_never(condition: exp.Expression) -> bool:
    return condition.sql() == "0 = 1"


def _with_value(condition: exp.Expression) -> set[Column]:
    """Columns that equal a value, or one of a list, wherever the condition holds."""
    condition = condition.unnest()
    if isinstance(condition, exp.And):
        return _with_value(condition.this) | _with_value(condition.expression)
    if isinstance(condition, exp.Or):
        return _with_value(condition.this) & _with_value(condition.expression)
    if not isinstance(condition, exp.EQ | exp.In):
        return set()
    column, value = condition.this, condition.args.get("expression")
    if isinstance(condition, exp.In) and isinstance(column, exp.Tuple):
        # Pairs of patient and object: each names its patient. docs/scaling.md says what Citus makes of them.
        column = column.expressions[0]
    if isinstance(value, exp.Column) and not isinstance(column, exp.Column):
        column, value = value, column
    has_value = _is_list(condition) if isinstance(condition, exp.In) else _is_value(value)
    return {(column.table, column.name)} if isinstance(column, exp.Column) and has_value else set()


def _is_value(node: object) -> bool:
    """No column, and no question: Citus does not ask one first to learn whom to ask."""
    return isinstance(node, exp.Expression) and node.find(exp.Column, exp.Select) is None


def _is_list(condition: exp.In) -> bool:
    """Values; or a list that SQLite gets as one value of JSON, as PostgreSQL gets an array."""
    query = condition.args.get("query")
    return bool(condition.expressions) or (query is not None and "JSON_EACH" in query.sql().upper())


def _pairs(condition: exp.Expression, tables: Mapping[str, str]) -> Iterator[set[Column]]:
    """Columns that equal each other, unless both divide and lie apart all the same."""
    if not isinstance(condition, exp.EQ):
        return
    ends = [one for one in (condition.this, condition.expression) if isinstance(one, exp.Column)]
    divisions = {_division(tables[one.table]) for one in ends if _divides(one, tables)}
    if len(ends) == 2 and len(divisions) < 2:
        yield {(one.table, one.name) for one in ends}


def _divides(column: exp.Column, tables: Mapping[str, str]) -> bool:
    return _DIVIDED.get(tables.get(column.table, "")) == column.name


def _division(table: str) -> str:
    return BY_TABLE[table].with_table or table
