"""Expression trees as XPath 1.0 text for libxml2. XML Path Language 1.0.

What XPath 1.0 has no words for is said in other words, or with an extension function of `functions.py`.
Variables get names that hold only letters, digits and `_`.
"""

import re

from cda.schematron.expressions import (
    ANY_DEPTH,
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

_BOOLEAN_CALLS = frozenset(
    {"not", "true", "false", "boolean", "contains", "starts-with", "matches", "empty", "exists", "ends-with", "lang"}
)
_NUMBER_CALLS = frozenset({"count", "number", "string-length", "sum", "floor", "ceiling", "round", "position", "last"})
_COMPARISONS = frozenset({"=", "!=", "<", "<=", ">", ">="})
_NOTHING = "/.."


class NotXPath1(ValueError):
    """An expression that XPath 1.0 with our functions cannot say."""


def variable_name(name: str) -> str:
    """The name of a `let` as XPath 1.0 takes it: other characters become their code point."""
    return "v_" + re.sub(r"[^A-Za-z0-9_]", lambda found: f"_{ord(found.group()):x}_", name.strip())


def is_boolean(expression: Expression) -> bool:
    match expression:
        case Binary(operator=operator):
            return operator in _COMPARISONS or operator in {"and", "or"}
        case Call(name=name):
            return name in _BOOLEAN_CALLS
        case Quantified() | Castable():
            return True
        case Conditional(then=then, otherwise=otherwise):
            return is_boolean(then) and is_boolean(otherwise)
    return False


def is_number(expression: Expression) -> bool:
    match expression:
        case Literal(value=value):
            return isinstance(value, float)
        case Call(name=name):
            return name in _NUMBER_CALLS
    return isinstance(expression, Negative)


def write_condition(expression: Expression) -> str:
    """The expression where only its effective boolean value counts."""
    match expression:
        case Binary(operator="and" | "or" as operator, left=left, right=right):
            return f"({write_condition(left)} {operator} {write_condition(right)})"
        case Binary(operator=operator, left=left, right=right) if operator in _COMPARISONS:
            return _comparison(operator, left, right)
        case Call(name="not", arguments=(operand,)):
            return f"not({write_condition(operand)})"
        case Conditional(condition=condition, then=then, otherwise=otherwise):
            asked = write_condition(condition)
            return f"(({asked} and {write_condition(then)}) or (not({asked}) and {write_condition(otherwise)}))"
        case Quantified():
            return _quantified(expression)
        case Path(start=start, steps=(*steps, Step(axis="value", test=test))) if not isinstance(test, str) and (
            is_boolean(test) or isinstance(test, Call)
        ):
            return f"boolean({_where(start, steps, test)})"
    return write(expression) if is_boolean(expression) else f"boolean({write(expression)})"


def _where(start: "Expression | str | None", steps: list[Step], condition: Expression) -> str:
    """`A/f(x)` used as a condition is true for a node of A that satisfies it."""
    if not steps:
        raise NotXPath1("a function follows no step")
    *before, last = steps
    return write(Path(start, (*before, Step(last.axis, last.test, (*last.predicates, condition)))))


def _comparison(operator: str, left: Expression, right: Expression) -> str:
    for one, other, flipped in ((left, right, False), (right, left, True)):
        if isinstance(one, Sequence):
            pairs = (Binary(operator, *((other, item) if flipped else (item, other))) for item in one.items)
            alternatives = [_comparison(each.operator, each.left, each.right) for each in pairs]
            return f"({' or '.join(alternatives)})" if alternatives else "false()"
    for one, other, flipped in ((left, right, False), (right, left, True)):
        match one:
            case Path(start=start, steps=(*steps, Step(axis="value", test=Call() as test))) if not _reads_path(other):
                inner = Binary(operator, other, test) if flipped else Binary(operator, test, other)
                return f"boolean({_where(start, steps, inner)})"
    return f"({write(left)} {operator} {write(right)})"


def _reads_path(expression: Expression) -> bool:
    return isinstance(expression, Path | Filter)


def _quantified(expression: Quantified) -> str:
    condition = replaced(expression.condition, expression.variable, Path(None, (Step("self", "node()"),)))
    inverted = Call("not", (condition,)) if expression.kind == "every" else condition
    found = f"({write(expression.sequence)})[{write_condition(inverted)}]"
    return f"not({found})" if expression.kind == "every" else f"boolean({found})"


def replaced(expression: Expression, name: str, by: Expression) -> Expression:
    """The expression with a variable replaced everywhere."""
    match expression:
        case Variable(name=found):
            return by if found == name else expression
        case Call(name=called, arguments=arguments):
            return Call(called, tuple(replaced(each, name, by) for each in arguments))
        case Binary(operator=operator, left=left, right=right):
            return Binary(operator, replaced(left, name, by), replaced(right, name, by))
        case Filter(primary=primary, predicates=predicates):
            return _filter(replaced(primary, name, by), tuple(replaced(each, name, by) for each in predicates))
        case Path(start=start, steps=steps):
            first = start if start is None or isinstance(start, str) else replaced(start, name, by)
            return Path(first, tuple(_replaced_step(step, name, by) for step in steps))
        case Negative(operand=operand):
            return Negative(replaced(operand, name, by))
        case Castable(operand=operand, type=kind):
            return Castable(replaced(operand, name, by), kind)
        case Sequence(items=items):
            return Sequence(tuple(replaced(each, name, by) for each in items))
        case Conditional():
            parts = (expression.condition, expression.then, expression.otherwise)
            return Conditional(*(replaced(each, name, by) for each in parts))
    return expression


def _filter(primary: Expression, predicates: tuple[Expression, ...]) -> Expression:
    """`.[p]` is no XPath 1.0; `self::node()[p]` is."""
    if primary == Path(None, (Step("self", "node()"),)):
        return Path(None, (Step("self", "node()", predicates),))
    return Filter(primary, predicates)


def _replaced_step(step: Step, name: str, by: Expression) -> Step:
    test = step.test if isinstance(step.test, str) else replaced(step.test, name, by)
    return Step(step.axis, test, tuple(replaced(each, name, by) for each in step.predicates))


def write(expression: Expression) -> str:
    """The expression with its value. NotXPath1 when there are no words for it."""
    match expression:
        case Literal(value=float() as number):
            return f"{number:.15g}"
        case Literal(value=str() as text):
            return _literal(text)
        case Variable(name=name):
            return f"${variable_name(name)}"
        case Call():
            return _call(expression)
        case Binary(operator="except", left=left, right=right):
            return _except(left, right)
        case Binary(operator=operator) if operator in {"and", "or"} or operator in _COMPARISONS:
            return write_condition(expression)
        case Binary(operator=operator, left=left, right=right):
            return f"({write(left)} {operator} {write(right)})"
        case Negative(operand=operand):
            return f"-{write(operand)}"
        case Filter(primary=primary, predicates=predicates):
            return f"({write(primary)}){_predicates(predicates)}"
        case Castable(operand=operand, type=kind):
            return f"castable({write(operand)}, '{kind}')"
        case Conditional(condition=condition, then=then, otherwise=otherwise):
            return f"choose({write_condition(condition)}, {write(then)}, {write(otherwise)})"
        case Quantified():
            return _quantified(expression)
        case Sequence(items=()):
            return _NOTHING
        case Path():
            return _path(expression)
    raise NotXPath1("a sequence of values")


def _literal(text: str) -> str:
    if "'" not in text:
        return f"'{text}'"
    if '"' not in text:
        return f'"{text}"'
    parts = ', "\'", '.join(f"'{part}'" for part in text.split("'"))
    return f"concat({parts})"


def _call(call: Call) -> str:
    name = call.name.replace(":", "-")
    if name == "count" and len(call.arguments) == 1 and (is_boolean(call.arguments[0]) or is_number(call.arguments[0])):
        return "1"  # XPath 2.0 counts one item, XPath 1.0 refuses
    if name == "count" and isinstance(call.arguments[0], Variable):
        return f"count-items({write(call.arguments[0])})"
    if name in {"not", "boolean"}:
        return f"{name}({write_condition(call.arguments[0])})"
    if name == "string-join" and isinstance(call.arguments[0], Sequence):
        items, separator = call.arguments[0].items, call.arguments[1]
        return f"join-values({', '.join(write(each) for each in (separator, *items))})"
    return f"{name}({', '.join(write(each) for each in call.arguments)})"


def _predicates(predicates: tuple[Expression, ...]) -> str:
    return "".join(f"[{write(each) if is_number(each) else write_condition(each)}]" for each in predicates)


def _path(path: Path) -> str:
    match path:
        case Path(start=start, steps=(*steps, Step(axis="value", test=test))):
            return _valued(start, steps, test)
    written = []
    for step in _from_document_element(path):
        written.append("" if step == ANY_DEPTH else _step(step))
    text = "/".join(written)
    match path.start:
        case None:
            return text if written and written[0] else f".//{text.lstrip('/')}"
        case "/":
            return f"/{text}"
    start = path.start
    inner = write(start) if not isinstance(start, str) else start
    return f"{inner}/{text}" if isinstance(start, Variable | Call) else f"({inner})/{text}"


def _from_document_element(path: Path) -> tuple[Step, ...]:
    """`document(x)/a` begins at the document node; our function answers its element, so `a` is that element."""
    match path:
        case Path(
            start=Call(name="doc" | "document"), steps=(Step(axis="child", test=str() as test, predicates=found), *rest)
        ):
            return (Step("self", test, found), *rest)
    return path.steps


def _valued(start: "Expression | str | None", steps: list[Step], test: "str | Expression") -> str:
    """A path that ends with a function: its boolean, its value on the way, or its values on each node."""
    if isinstance(test, str):
        raise NotXPath1(f"a step {test}")
    if is_boolean(test):
        return _where(start, steps, test)
    before = Path(start, tuple(steps))
    match test:
        case Call(name=name, arguments=(Path(start=None, steps=inner),)) if name in {"number", "xs:decimal"}:
            return write(Call(name, (Path(start, (*steps, *inner)),)))
        case Path(start=None, steps=inner):
            return write(Path(start, (*steps, *inner)))
    return f"each({write(before)}, {_literal(write(test))})"


def _step(step: Step) -> str:
    if not isinstance(step.test, str):
        if isinstance(step.test, Binary) and step.test.operator == "|":
            return _alternatives(step.test) + _predicates(step.predicates)
        raise NotXPath1("a function inside a path")
    predicates = _predicates(step.predicates)
    test = step.test
    if test.startswith("*:"):
        test, predicates = "*", f"[local-name() = '{test[2:]}']{predicates}"
    match step.axis, test:
        case "self", "node()":
            return f"self::node(){predicates}" if predicates else "."
        case "parent", "node()":
            return f"parent::node(){predicates}" if predicates else ".."
        case "child", _:
            return f"{test}{predicates}"
        case "attribute", _:
            return f"@{test}{predicates}"
    return f"{step.axis}::{test}{predicates}"


def _alternatives(union: Expression) -> str:
    """`(a | b)` as a step: any child that is one of them."""
    return f"node()[{' or '.join(_is_one(each) for each in _flat(union))}]"


def _flat(union: Expression) -> list[Expression]:
    if isinstance(union, Binary) and union.operator == "|":
        return [*_flat(union.left), *_flat(union.right)]
    return [union]


def _is_one(expression: Expression) -> str:
    """A condition on a node: that it is what a path of one step selects."""
    match expression:
        case Path(start=None, steps=(Step(axis="child" | "self", test=str() as test, predicates=predicates),)):
            return _step(Step("self", test, predicates))
        case Path(start=None, steps=(Step(axis="attribute", test=str() as test, predicates=predicates),)):
            inner = "".join(f" and {write_condition(each)}" for each in predicates)
            return f"(local-name() = '{test.split(':')[-1]}'{inner})"
    raise NotXPath1("a difference with other than names")


def _except(left: Expression, right: Expression) -> str:
    outside = " or ".join(_is_one(each) for each in _flat(right))
    return f"{write(left)}[not({outside})]"
