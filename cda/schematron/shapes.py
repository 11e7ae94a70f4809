"""What can be seen of an expression without running it: the template it demands, positions, variables."""

from collections.abc import Iterator

from cda.schematron.expressions import (
    Binary,
    Call,
    Castable,
    Conditional,
    Expression,
    Filter,
    Literal,
    Negative,
    Path,
    Quantified,
    Sequence,
    Step,
    Variable,
)


def required_template(step: Step) -> str | None:
    """The templateId/@root that the predicates of a step demand; of a templateId step its @root."""
    if isinstance(step.test, str) and step.test.endswith("templateId"):
        return next((root for each in step.predicates if (root := _fixed(each, ("root",)))), None)
    return next((root for each in step.predicates if (root := template_of(each))), None)


def template_of(predicate: Expression) -> str | None:
    """X when the predicate holds only for elements with templateId/@root = X."""
    match predicate:
        case Binary(operator="and", left=left, right=right):
            return template_of(left) or template_of(right)
        case Path(start=None, steps=(Step(axis="child", test=str() as test, predicates=predicates),)):
            if test.endswith("templateId"):
                return next((root for each in predicates if (root := _fixed(each, ("root",)))), None)
    return _fixed(predicate, ("templateId", "root"))


def _fixed(predicate: Expression, names: tuple[str, ...]) -> str | None:
    """The value of `a/@b = 'value'` for these local names."""
    match predicate:
        case Binary(operator="=", left=Path(start=None, steps=steps), right=Literal(value=str() as value)):
            pass
        case Binary(operator="=", left=Literal(value=str() as value), right=Path(start=None, steps=steps)):
            pass
        case Binary(operator="and", left=left, right=right):
            return _fixed(left, names) or _fixed(right, names)
        case _:
            return None
    if len(steps) != len(names) or steps[-1].axis != "attribute" or any(step.predicates for step in steps):
        return None
    same = all(
        isinstance(step.test, str) and step.test.rpartition(":")[2] == name
        for step, name in zip(steps, names, strict=True)
    )
    return value if same else None


def has_position(expression: Expression) -> bool:
    """Whether it asks where a node stands among others."""
    match expression:
        case Call(name="position" | "last"):
            return True
        case Call(arguments=arguments):
            return any(has_position(each) for each in arguments)
        case Binary(left=left, right=right):
            return has_position(left) or has_position(right)
    return False


def uses_variables(expression: Expression) -> bool:
    """Whether a `let` has to be evaluated for it."""
    return bool(_free_variables(expression))


def _free_variables(expression: Expression) -> frozenset[str]:
    match expression:
        case Variable(name=name):
            return frozenset({name})
        case Quantified(variable=bound, sequence=sequence, condition=condition):
            return _free_variables(sequence) | (_free_variables(condition) - {bound})
    return frozenset().union(*map(_free_variables, _operands(expression)))


def calls(expression: Expression) -> frozenset[str]:
    """Names of the functions in it."""
    return frozenset(each.name for each in parts(expression) if isinstance(each, Call))


def parts(expression: Expression) -> Iterator[Expression]:
    """The expression and every expression inside it."""
    yield expression
    for inside in _operands(expression):
        yield from parts(inside)


def _operands(expression: Expression) -> Iterator[Expression]:
    match expression:
        case Call(arguments=inner) | Sequence(items=inner):
            yield from inner
        case Binary(left=left, right=right):
            yield from (left, right)
        case Negative(operand=operand) | Castable(operand=operand):
            yield operand
        case Filter(primary=primary, predicates=predicates):
            yield from (primary, *predicates)
        case Conditional(condition=condition, then=then, otherwise=otherwise):
            yield from (condition, then, otherwise)
        case Quantified(sequence=sequence, condition=condition):
            yield from (sequence, condition)
        case Path(start=start, steps=steps):
            found = (start, *(each for step in steps for each in (step.test, *step.predicates)))
            yield from (each for each in found if each is not None and not isinstance(each, str))
