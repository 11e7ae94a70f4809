"""XPath expressions as trees: XPath 1.0 and the part of XPath 2.0 that published rules use. XML Path Language 1.0, 2.0.

A tree can be looked up in a table, written as XPath 1.0, or put into words; text can only be run.
Of XPath 2.0: `if`, `every` and `some`, `castable as`, `except`, value comparisons, sequences in
parentheses, `*:name`, and a function or a parenthesis as a step of a path.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass

_NAME = r"[^\W\d][\w.\-]*"
_TOKEN = re.compile(
    rf"""(?P<literal>"(?:[^"]|"")*"|'(?:[^']|'')*')
    |(?P<number>\d+(?:\.\d*)?|\.\d+)
    |(?P<variable>\$\s*{_NAME})
    |(?P<name>\*:{_NAME}|{_NAME}(?::(?!:)(?:{_NAME}|\*))?)
    |(?P<symbol>//|::|!=|<=|>=|\.\.|[/()\[\]@,|=<>+*.\-])
    |(?P<unknown>\S)""",
    re.VERBOSE,
)
_COMPARISONS = {"=", "!=", "<", "<=", ">", ">="}
_VALUE_COMPARISONS = {"eq": "=", "ne": "!=", "lt": "<", "le": "<=", "gt": ">", "ge": ">="}
_NODE_TESTS = {"text", "node", "comment", "processing-instruction"}


class ExpressionError(ValueError):
    """Text that is no expression of this grammar; says where."""


@dataclass(frozen=True, slots=True)
class Literal:
    """A string or a number."""

    value: str | float


@dataclass(frozen=True, slots=True)
class Variable:
    name: str


@dataclass(frozen=True, slots=True)
class Call:
    name: str
    arguments: tuple["Expression", ...]


@dataclass(frozen=True, slots=True)
class Binary:
    """Two operands; `operator` is the sign or word of XPath 1.0, `|`, or `except`."""

    operator: str
    left: "Expression"
    right: "Expression"


@dataclass(frozen=True, slots=True)
class Negative:
    operand: "Expression"


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a path: axis, node test and predicates. The axis `value` evaluates `test` on each node."""

    axis: str
    test: "str | Expression"
    predicates: tuple["Expression", ...] = ()


@dataclass(frozen=True, slots=True)
class Path:
    """Steps from `start`: None is the context node, `/` the document, or the value of an expression."""

    start: "Expression | str | None"
    steps: tuple[Step, ...]


@dataclass(frozen=True, slots=True)
class Filter:
    """A parenthesis, variable or call with predicates."""

    primary: "Expression"
    predicates: tuple["Expression", ...]


@dataclass(frozen=True, slots=True)
class Conditional:
    condition: "Expression"
    then: "Expression"
    otherwise: "Expression"


@dataclass(frozen=True, slots=True)
class Quantified:
    """`every` or `some`."""

    kind: str
    variable: str
    sequence: "Expression"
    condition: "Expression"


@dataclass(frozen=True, slots=True)
class Sequence:
    items: tuple["Expression", ...]


@dataclass(frozen=True, slots=True)
class Castable:
    operand: "Expression"
    type: str


Expression = (
    Literal | Variable | Call | Binary | Negative | Path | Filter | Conditional | Quantified | Sequence | Castable
)

ANY_DEPTH = Step("descendant-or-self", "node()")


def parse(text: str) -> Expression:
    """The tree of an expression. ExpressionError when it is none."""
    parser = _Parser(text)
    expression = parser.expression()
    if parser.kind:
        raise parser.error("an operator or the end")
    return expression


class _Parser:
    """Recursive descent, one method a level of precedence."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = [(m.lastgroup or "", m.group(), m.start()) for m in _TOKEN.finditer(text)]
        self._tokens += [("", "", len(text))] * 3
        self._at = 0

    @property
    def kind(self) -> str:
        return self._tokens[self._at][0]

    @property
    def value(self) -> str:
        return self._tokens[self._at][1]

    def error(self, expected: str) -> ExpressionError:
        _, value, position = self._tokens[self._at]
        return ExpressionError(f"{expected} expected at character {position}, found {value or 'the end'!r}")

    def _next(self) -> str:
        value = self.value
        self._at += 1
        return value

    def _is(self, *values: str, ahead: int = 0) -> bool:
        kind, value, _ = self._tokens[self._at + ahead]
        return value in values and kind != "literal"

    def _take(self, *values: str) -> bool:
        if not self._is(*values):
            return False
        self._at += 1
        return True

    def _expect(self, value: str) -> None:
        if not self._take(value):
            raise self.error(repr(value))

    def expression(self) -> Expression:
        if self._is("if") and self._is("(", ahead=1):
            return self._conditional()
        if self._is("every", "some") and self._tokens[self._at + 1][0] == "variable":
            return self._quantified()
        return self._chain(("or",), lambda: self._chain(("and",), self._comparison))

    def _conditional(self) -> Expression:
        self._next()
        self._expect("(")
        condition = self.expression()
        self._expect(")")
        self._expect("then")
        then = self.expression()
        self._expect("else")
        return Conditional(condition, then, self.expression())

    def _quantified(self) -> Expression:
        kind, variable = self._next(), self._next()
        self._expect("in")
        sequence = self.expression()
        self._expect("satisfies")
        return Quantified(kind, variable[1:].strip(), sequence, self.expression())

    def _chain(self, operators: tuple[str, ...], operand: Callable[[], Expression]) -> Expression:
        left = operand()
        while self._is(*operators):
            operator = self._next()
            left = Binary("|" if operator == "union" else operator, left, operand())
        return left

    def _comparison(self) -> Expression:
        left = self._additive()
        while self._is(*_COMPARISONS, *_VALUE_COMPARISONS):
            operator = self._next()
            left = Binary(_VALUE_COMPARISONS.get(operator, operator), left, self._additive())
        return left

    def _additive(self) -> Expression:
        return self._chain(("+", "-"), lambda: self._chain(("*", "div", "mod"), self._union))

    def _union(self) -> Expression:
        return self._chain(("|", "union"), lambda: self._chain(("except",), self._castable))

    def _castable(self) -> Expression:
        operand = self._unary()
        if self._is("castable") and self._is("as", ahead=1):
            self._at += 2
            return Castable(operand, self._next())
        return operand

    def _unary(self) -> Expression:
        if self._take("-"):
            return Negative(self._unary())
        return self._path()

    def _path(self) -> Expression:
        if self._is("/", "//"):
            any_depth = self._next() == "//"
            steps = [ANY_DEPTH] if any_depth else []
            if any_depth or self._starts_step():
                steps.append(self._step())
                self._more_steps(steps)
            return Path("/", tuple(steps))
        if self._starts_primary():
            primary = self._filtered(self._primary())
            if not self._is("/", "//"):
                return primary
            steps = []
            self._more_steps(steps)
            return Path(primary, tuple(steps))
        steps = [self._step()]
        self._more_steps(steps)
        return Path(None, tuple(steps))

    def _more_steps(self, steps: list[Step]) -> None:
        while self._is("/", "//"):
            if self._next() == "//":
                steps.append(ANY_DEPTH)
            steps.append(self._step())

    def _starts_step(self) -> bool:
        return self.kind == "name" or self._is(".", "..", "@", "*")

    def _is_call(self) -> bool:
        return self.kind == "name" and self._is("(", ahead=1) and self.value not in _NODE_TESTS

    def _starts_primary(self) -> bool:
        return self.kind in {"literal", "number", "variable"} or self._is("(") or self._is_call()

    def _filtered(self, primary: Expression) -> Expression:
        predicates = self._predicates()
        return Filter(primary, predicates) if predicates else primary

    def _predicates(self) -> tuple[Expression, ...]:
        predicates = []
        while self._take("["):
            predicates.append(self.expression())
            self._expect("]")
        return tuple(predicates)

    def _primary(self) -> Expression:
        kind, value = self.kind, self.value
        if kind == "literal":
            self._next()
            return Literal(value[1:-1].replace(value[0] * 2, value[0]))
        if kind == "number":
            self._next()
            return Literal(float(value))
        if kind == "variable":
            self._next()
            return Variable(value[1:].strip())
        if self._take("("):
            items = self._list()
            return items[0] if len(items) == 1 else Sequence(items)
        self._next()
        self._expect("(")
        return Call(value, self._list())

    def _list(self) -> tuple[Expression, ...]:
        """Expressions up to the closing parenthesis."""
        items: list[Expression] = []
        while not self._take(")"):
            if items:
                self._expect(",")
            items.append(self.expression())
        return tuple(items)

    def _step(self) -> Step:
        if self._take("."):
            return Step("self", "node()", self._predicates())
        if self._take(".."):
            return Step("parent", "node()", self._predicates())
        if self._starts_primary():
            return Step("value", self._primary(), self._predicates())
        axis = "attribute" if self._take("@") else "child"
        if self.kind == "name" and self._is("::", ahead=1):
            axis = self._next()
            self._next()
        return Step(axis, self._node_test(), self._predicates())

    def _node_test(self) -> str:
        if self._take("*"):
            return "*"
        if self.kind != "name":
            raise self.error("a name")
        name = self._next()
        if name in _NODE_TESTS and self._take("("):
            self._expect(")")
            return f"{name}()"
        return name
