"""Whether a statement asks one machine of a cluster: every table in it that is divided is bound to one value.

Bound means: its dividing column equals a value or a list of values, or a column that does. What stands under OR or NOT
binds nothing, nor does what holds in another SELECT of the same statement, nor the ON of an outer join for the table
that keeps its rows. Where rows are locked a list binds nothing: Citus locks rows of one machine alone.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

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
# As SQLite and PostgreSQL are told that nothing may be found.
_NEVER = ("0 = 1", "FALSE")
_NUMBERED = re.compile(r"\$(\d+)")


def unbound(sql: str, dialect: str = "sqlite") -> list[str]:
    """Tables of a statement that more than one machine would be asked about."""
    # The parser takes what stands between $1 and $2 for a quoted text.
    text = _NUMBERED.sub(r":value_\1", sql) if dialect == "postgresql" else sql
    statement = sqlglot.parse_one(text, read="postgres" if dialect == "postgresql" else "sqlite")
    return list(_of_insertion(statement) if isinstance(statement, exp.Insert) else _of_parts(statement, _Scope()))


def _of_insertion(statement: exp.Insert) -> Iterator[str]:
    """Rows name the column that says where they lie."""
    into = statement.this
    table = into.find(exp.Table).name
    named = {column.name for column in into.expressions} if isinstance(into, exp.Schema) else set()
    if table in _DIVIDED and _DIVIDED[table] not in named:
        yield table
    yield from _of_parts(statement, _Scope())


@dataclass(slots=True, kw_only=True)
class _Scope:
    """What is known where a part of a statement stands: tables by the names they have, columns that have a value."""

    tables: Mapping[str, str] = field(default_factory=dict)
    bound: frozenset[Column] = frozenset()


def _of_parts(node: exp.Expression, outer: _Scope) -> Iterator[str]:
    """Each SELECT, UPDATE and DELETE of it for itself; `outer` is what surrounds it."""
    if isinstance(node, _SELECTING):
        yield from _of_selection(node, outer)
        return
    for part in _nearest(node):
        yield from _of_selection(part, outer)


def _of_selection(statement: exp.Expression, outer: _Scope) -> Iterator[str]:
    own = [one for one in statement.find_all(exp.Table) if one.find_ancestor(*_SELECTING) is statement]
    tables = {(one.alias or one.name): one.name for one in own}
    facts = [_named(one, tables) for one in _facts(statement)]
    if any(one.condition.sql() in _NEVER for one in facts):
        return  # nobody may see anything: no machine is asked
    within = _Scope(tables={**outer.tables, **tables}, bound=_bound(facts, {**outer.tables, **tables}, outer.bound))
    lists = _lists(facts) if statement.args.get("locks") else frozenset()
    for alias, name in tables.items():
        if name in _DIVIDED and (alias, _DIVIDED[name]) not in within.bound - lists:
            yield name
    for part in _nearest(statement):
        yield from _of_selection(part, within)


def _nearest(node: exp.Expression) -> Iterator[exp.Expression]:
    """The selections within it that stand in no other one."""
    around = node if isinstance(node, _SELECTING) else None
    for one in node.find_all(*_SELECTING):
        if one is not node and one.find_ancestor(*_SELECTING) is around:
            yield one


@dataclass(frozen=True, slots=True, kw_only=True)
class _Fact:
    """A condition that holds for each row. `only`: the tables that it binds, all where there are none."""

    condition: exp.Expression
    only: frozenset[str] = frozenset()

    def binds(self, column: Column) -> bool:
        return not self.only or column[0] in self.only


def _facts(statement: exp.Expression) -> Iterator[_Fact]:
    """The parts of WHERE and of each ON that AND joins."""
    where = statement.args.get("where")
    waiting = [] if where is None else [_Fact(condition=where.this)]
    for join in statement.find_all(exp.Join):
        if join.find_ancestor(*_SELECTING) is statement and join.args.get("on") is not None:
            waiting.append(_Fact(condition=join.args["on"], only=_brought(join)))
    while waiting:
        fact = waiting.pop()
        condition = fact.condition.unnest()
        if isinstance(condition, exp.And):
            waiting += [_Fact(condition=one, only=fact.only) for one in (condition.this, condition.expression)]
        else:
            yield _Fact(condition=condition, only=fact.only)


def _brought(join: exp.Join) -> frozenset[str]:
    """Whose rows the ON of an outer join chooses: those of LEFT's right side; of others nothing is said."""
    if not join.side:
        return frozenset()
    return frozenset({join.this.alias_or_name} if join.side == "LEFT" else {""})


def _named(fact: _Fact, tables: Mapping[str, str]) -> _Fact:
    """With the name of the table before each column, where there is but one."""
    if len(tables) != 1:
        return fact
    (alias,) = tables
    condition = fact.condition.copy()
    for column in condition.find_all(exp.Column):
        if not column.table and column.find_ancestor(exp.Select) is None:
            column.set("table", exp.to_identifier(alias))
    return _Fact(condition=condition, only=fact.only)


def _bound(facts: list[_Fact], tables: Mapping[str, str], known: frozenset[Column]) -> frozenset[Column]:
    """Columns that have a value: by a fact, or by one that equals them."""
    bound = set(known) | {one for fact in facts for one in _with_value(fact.condition) if fact.binds(one)}
    pairs = [(fact, pair) for fact in facts for pair in _pairs(fact.condition, tables)]
    grew = True
    while grew:
        more = {one for fact, pair in pairs if pair & bound for one in pair if fact.binds(one)} - bound
        bound |= more
        grew = bool(more)
    return frozenset(bound)


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


def _lists(facts: list[_Fact]) -> frozenset[Column]:
    """Columns that equal one of a list, and no single value."""
    several = {fact.condition for fact in facts if isinstance(fact.condition, exp.In) or fact.condition.find(exp.Any)}
    alone = {one for fact in facts if fact.condition not in several for one in _with_value(fact.condition)}
    return frozenset({one for condition in several for one in _with_value(condition)} - alone)


def _is_value(node: object) -> bool:
    """No column, and no question: Citus does not ask one first to learn whom to ask."""
    return isinstance(node, exp.Expression) and node.find(exp.Column, exp.Select) is None


def _is_list(condition: exp.In) -> bool:
    """Values; or a list that SQLite gets as one value of JSON, as PostgreSQL gets an array."""
    query = condition.args.get("query")
    return bool(condition.expressions) or (query is not None and "JSON_" in query.sql().upper())


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
