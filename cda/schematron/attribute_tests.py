"""Tests that look at one attribute, and several of them as one: what frequent rules are made of."""

from collections.abc import Callable, Iterator, Sequence

from cda.schematron.expressions import Binary, Call, Expression, Literal, Path, Step
from cda.schematron.nodes import Node, Nodes

Condition = Callable[[Node, Nodes], bool]


def members(expression: Expression) -> Iterator[Expression]:
    """The members of a disjunction or union."""
    match expression:
        case Binary(operator="or" | "|", left=left, right=right):
            yield from members(left)
            yield from members(right)
        case _:
            yield expression


def said(expression: Expression, tag: Callable[[str], str | None]) -> tuple[str, str | None] | None:
    """`@a = 'x'` as the name of the attribute and its value, `not(@a)` as the name and None; None for other tests.

    `tag` writes a name as lxml does.
    """
    value: str | None = None
    match expression:
        case Binary(operator="=", left=Path() as path, right=Literal(value=str() as value)):
            pass
        case Call(name="not", arguments=(Path() as path,)):
            pass
        case _:
            return None
    test = attribute_name(path)
    name = None if test is None else tag(test)
    return None if name is None else (name, value)


def attribute_name(path: Path) -> str | None:
    """The name in `@a`."""
    match path:
        case Path(start=None, steps=(Step(axis="attribute", test=str() as test, predicates=()),)) if test != "*":
            return test
    return None


def is_one_of(name: str, values: frozenset[str | None]) -> Condition:
    return lambda node, _nodes: node.attributes.get(name) in values


def absent_or(name: str, holds: Condition) -> Condition:
    return lambda node, nodes: name not in node.attributes or holds(node, nodes)


def any_of(conditions: Sequence[Condition]) -> Condition:
    """Tried from the first to the last: the fewer the calls the better."""
    match conditions:
        case [only]:
            return only
        case [one, other]:
            return lambda node, nodes: one(node, nodes) or other(node, nodes)
    first, *rest = conditions
    others = any_of(rest)
    return lambda node, nodes: first(node, nodes) or others(node, nodes)
