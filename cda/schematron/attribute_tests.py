"""Tests that look at one attribute, and several of them as one: what frequent rules are made of."""

from collections.abc import Callable, Iterator

from cda.schematron.expressions import Binary, Call, Expression, Literal, Path, Step


def members(expression: Expression, *operators: str) -> Iterator[Expression]:
    """What these operators, such as `or`, join."""
    match expression:
        case Binary(operator=operator, left=left, right=right) if operator in operators:
            yield from members(left, *operators)
            yield from members(right, *operators)
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
