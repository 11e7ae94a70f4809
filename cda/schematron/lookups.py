"""Expression trees as Python functions that look up a table: presence, cardinality, fixed codes, templates.

A call of libxml2's XPath costs microseconds before it does anything, and a document asks thousands
of simple questions. What is not simple enough is answered with None here, and asked by XPath.
The values are those of XPath 1.0: a comparison with a path holds when one of its nodes satisfies it.
"""

import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cda.schematron.expressions import (
    ANY_DEPTH,
    Binary,
    Call,
    Expression,
    Filter,
    Literal,
    Path,
    Step,
)
from cda.schematron.functions import regular_expression
from cda.schematron.nodes import Element, Nodes
from cda.schematron.shapes import has_position, required_template
from cda.schematron.xpath1 import is_boolean, is_number

Condition = Callable[[Element, Nodes], bool]
_Found = Callable[[Element, Nodes], Sequence[Element]]
_Strings = Callable[[Element, Nodes], Sequence[str]]
_Number = Callable[[Element, Nodes], float]
ElementTest = Callable[[str, Element], bool]

_OPERATORS: Mapping[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_FLIPPED = {"<": ">", "<=": ">=", ">": "<", ">=": "<="}


@dataclass(frozen=True, slots=True, kw_only=True)
class Vocabulary:
    """What the names of an expression mean: namespaces by prefix, and functions of the context element.

    An element test is called with one literal: `in-value-set('NAME')`, `datatype('CE')`.
    """

    namespaces: Mapping[str, str]
    element_tests: Mapping[str, ElementTest]

    def tag(self, name: str) -> str | None:
        """`cda:code` as lxml writes it; None for a prefix or wild card that no table has."""
        prefix, colon, local = name.rpartition(":")
        if not colon:
            return name
        if prefix == "*" or local == "*" or prefix not in self.namespaces:
            return None
        return f"{{{self.namespaces[prefix]}}}{local}"


def condition(expression: Expression, words: Vocabulary) -> Condition | None:
    """The effective boolean value of an expression as a function, None when only XPath can say it."""
    match expression:
        case Binary(operator="and" | "or" as word, left=left, right=right):
            return _both(word, condition(left, words), condition(right, words))
        case Binary(operator=sign, left=left, right=right) if sign in _OPERATORS:
            return _comparison(sign, left, right, words)
        case Call(name="true", arguments=()):
            return lambda _element, _nodes: True
        case Call(name="false", arguments=()):
            return lambda _element, _nodes: False
        case Call(name="not" | "empty", arguments=(operand,)):
            return _not(condition(operand, words))
        case Call(name="boolean" | "exists", arguments=(operand,)):
            return condition(operand, words)
        case Call(name="matches", arguments=(operand, Literal(value=str() as pattern))):
            return _matches(_strings(operand, words), pattern)
        case Call(name=name, arguments=(Literal(value=str() as argument),)) if name in words.element_tests:
            return _element_test(words.element_tests[name], argument)
        case Path():
            return _exists(expression, words)
        case Filter(primary=Path() as path, predicates=predicates) if not any(map(is_number, predicates)):
            return _exists(_with_predicates(path, predicates), words)
    return None


def _with_predicates(path: Path, predicates: tuple[Expression, ...]) -> Path:
    *before, last = path.steps
    return Path(path.start, (*before, Step(last.axis, last.test, last.predicates + predicates)))


def _both(word: str, left: Condition | None, right: Condition | None) -> Condition | None:
    if left is None or right is None:
        return None
    if word == "and":
        return lambda element, nodes: left(element, nodes) and right(element, nodes)
    return lambda element, nodes: left(element, nodes) or right(element, nodes)


def _not(inner: Condition | None) -> Condition | None:
    return None if inner is None else lambda element, nodes: not inner(element, nodes)


def _matches(strings: _Strings | None, pattern: str) -> Condition | None:
    if strings is None:
        return None
    found = regular_expression(pattern)
    return lambda element, nodes: found.search(next(iter(strings(element, nodes)), "")) is not None


def _element_test(test: ElementTest, argument: str) -> Condition:
    return lambda element, _nodes: test(argument, element)


def _comparison(sign: str, left: Expression, right: Expression, words: Vocabulary) -> Condition | None:
    if is_number(left) or is_number(right):
        cardinality = _cardinality(sign, left, right, words)
        return cardinality or _numbers(sign, _number(left, words), _number(right, words))
    if sign not in {"=", "!="} or is_boolean(left) or is_boolean(right):
        return None
    if isinstance(left, Literal):
        left, right = right, left
    if isinstance(left, Path) and isinstance(right, Literal):
        return _equals(sign, left, str(right.value), words)
    ours, theirs = _strings(left, words), _strings(right, words)
    if ours is None or theirs is None:
        return None
    compared = _OPERATORS[sign]
    return lambda element, nodes: any(
        compared(one, other) for one in ours(element, nodes) for other in theirs(element, nodes)
    )


def _equals(sign: str, path: Path, value: str, words: Vocabulary) -> Condition | None:
    match path:
        case Path(start=None, steps=(Step(axis="attribute", test=str() as test, predicates=()),)) if test != "*":
            name = words.tag(test)
            if name is None:
                return None
            if sign == "=":
                return lambda element, _nodes: element.get(name) == value
            return lambda element, _nodes: element.get(name, value) != value
    strings = _strings(path, words)
    if strings is None:
        return None
    if sign == "=":
        return lambda element, nodes: value in strings(element, nodes)
    return lambda element, nodes: any(each != value for each in strings(element, nodes))


def _cardinality(sign: str, left: Expression, right: Expression, words: Vocabulary) -> Condition | None:
    """`count(path) = 1` and the like, in one step: the most frequent of all tests."""
    match left, right:
        case Call(name="count", arguments=(Path() as path,)), Literal(value=float() as wanted):
            found = None if _is_attribute(path) else elements(path, words)
        case _:
            return None
    if found is None:
        return None
    match sign:
        case "=":
            return lambda element, nodes: len(found(element, nodes)) == wanted
        case "<=":
            return lambda element, nodes: len(found(element, nodes)) <= wanted
        case ">=":
            return lambda element, nodes: len(found(element, nodes)) >= wanted
    return None


def _numbers(sign: str, left: _Number | None, right: _Number | None) -> Condition | None:
    if left is None or right is None:
        return None
    compared = _OPERATORS[sign]
    return lambda element, nodes: compared(left(element, nodes), right(element, nodes))


def _number(expression: Expression, words: Vocabulary) -> _Number | None:
    match expression:
        case Literal(value=float() as value):
            return lambda _element, _nodes: value
        case Call(name="count", arguments=(counted,)) if is_boolean(counted) or is_number(counted):
            return lambda _element, _nodes: 1
        case Call(name="count", arguments=(Path() as path,)) if not _is_attribute(path):
            found = elements(path, words)
            return None if found is None else lambda element, nodes: len(found(element, nodes))
        case Binary(operator="+", left=left, right=right):
            one, other = _number(left, words), _number(right, words)
            if one and other:
                return lambda element, nodes: one(element, nodes) + other(element, nodes)
    return None


def _is_attribute(path: Path) -> bool:
    return bool(path.steps) and path.steps[-1].axis == "attribute"


def _exists(path: Path, words: Vocabulary) -> Condition | None:
    match path:
        case Path(start=None, steps=(Step(axis="attribute", test=str() as test, predicates=()),)) if test != "*":
            name = words.tag(test)
            return None if name is None else lambda element, _nodes: element.get(name) is not None
        case Path(start=None, steps=(Step(axis="child", test=str() as test, predicates=()),)):
            tag = words.tag(test)
            if tag is not None and _is_name(test):
                return lambda element, nodes: tag in nodes.children(element)
    found = _strings(path, words) if _is_attribute(path) else elements(path, words)
    return None if found is None else lambda element, nodes: bool(found(element, nodes))


def _is_name(test: str) -> bool:
    return test != "*" and not test.endswith(")")


def _strings(expression: Expression, words: Vocabulary) -> _Strings | None:
    """String values of the nodes of a path, or of one value."""
    match expression:
        case Literal(value=str() as value):
            one = (value,)
            return lambda _element, _nodes: one
        case Path(start=start, steps=(*before, Step(axis="attribute", test=str() as test, predicates=()))):
            name = words.tag(test) if test != "*" else None
            owners = elements(Path(start, tuple(before)), words) if before or start else _itself
            return None if name is None or owners is None else _attributes(owners, name)
        case Path(start=start, steps=(*before, Step(axis="child", test="text()", predicates=()))):
            owners = elements(Path(start, tuple(before)), words) if before or start else _itself
            return None if owners is None else _texts(owners)
        case Path():
            found = elements(expression, words)
            if found is not None:
                return lambda element, nodes: ["".join(each.itertext()) for each in found(element, nodes)]  # type: ignore[arg-type]
    return None


def _attributes(owners: _Found, name: str) -> _Strings:
    def values(element: Element, nodes: Nodes) -> Sequence[str]:
        return [value for each in owners(element, nodes) if (value := each.get(name)) is not None]

    return values


def _texts(owners: _Found) -> _Strings:
    def values(element: Element, nodes: Nodes) -> Sequence[str]:
        pieces = (piece for each in owners(element, nodes) for piece in (each.text, *(child.tail for child in each)))
        return [piece for piece in pieces if piece]

    return values


def _itself(element: Element, _nodes: Nodes) -> Sequence[Element]:
    return (element,)


def elements(path: Path, words: Vocabulary) -> _Found | None:
    """The elements a path selects. Order and repetition are those of a table: not for positions."""
    steps = list(path.steps)
    found: _Found | None
    if path.start is None:
        found = _itself
    elif path.start == "/" and steps:
        found = _from_root(steps, words)
    else:
        return None
    while steps and found is not None:
        found = _next_step(found, steps, words)
    return found


def _from_root(steps: list[Step], words: Vocabulary) -> _Found | None:
    """`/a` and `//a`: takes the steps it uses off the list."""
    first = steps.pop(0)
    if first == ANY_DEPTH and steps:
        return _below(lambda _element, nodes: (nodes.root,), steps.pop(0), words, with_self=True)
    tag = words.tag(first.test) if isinstance(first.test, str) and first.axis == "child" else None
    if tag is None:
        return None

    def root(_element: Element, nodes: Nodes) -> Sequence[Element]:
        return (nodes.root,) if nodes.root.tag == tag else ()

    return _filtered(root, first.predicates, words)


def _next_step(found: _Found, steps: list[Step], words: Vocabulary) -> _Found | None:
    step = steps.pop(0)
    if step == ANY_DEPTH:
        return _below(found, steps.pop(0), words, with_self=False) if steps else None
    if not isinstance(step.test, str):
        return None
    selected = _axis(found, step, words)
    return None if selected is None else _filtered(selected, step.predicates, words)


def _axis(found: _Found, step: Step, words: Vocabulary) -> _Found | None:
    test = str(step.test)
    if step.axis == "self" and test == "node()":
        return found
    if step.axis == "parent" and test == "node()":
        return lambda element, nodes: _unique(_parent(each) for each in found(element, nodes))
    if not (_is_name(test) or test == "*"):
        return None
    tag = words.tag(test)
    if tag is None:
        return None
    match step.axis:
        case "child" if test == "*":
            return lambda element, nodes: [child for each in found(element, nodes) for child in each]
        case "child":
            return _child(found, tag)
        case "self":
            return lambda element, nodes: [each for each in found(element, nodes) if test == "*" or each.tag == tag]
        case "parent" if test != "*":
            return lambda element, nodes: _unique(
                above for each in found(element, nodes) if (above := _parent(each)) is not None and above.tag == tag
            )
    return None


def _child(found: _Found, tag: str) -> _Found:
    if found is _itself:
        return lambda element, nodes: nodes.children(element).get(tag, ())
    return lambda element, nodes: [
        child for each in found(element, nodes) for child in nodes.children(each).get(tag, ())
    ]


def _parent(element: Element) -> Element | None:
    return element.getparent()


def _unique(elements: Any) -> Sequence[Element]:
    return tuple(dict.fromkeys(each for each in elements if each is not None))


def _below(found: _Found, step: Step, words: Vocabulary, *, with_self: bool) -> _Found | None:
    """`.//name[…]`: elements of a template from the index, others by walking."""
    if step.axis != "child" or not isinstance(step.test, str):
        return None
    tag = "*" if step.test == "*" else words.tag(step.test) if _is_name(step.test) else None
    if tag is None:
        return None
    root = required_template(step)
    candidates = _template_candidates(tag, root) if root is not None else _walked(tag)

    def below(element: Element, nodes: Nodes) -> Sequence[Element]:
        above = found(element, nodes)
        if len(above) == 1:
            return candidates(above[0], nodes, with_self)
        return _unique(each for one in above for each in candidates(one, nodes, with_self))

    return _filtered(below, step.predicates, words)


_Candidates = Callable[[Element, Nodes, bool], Sequence[Element]]


def _template_candidates(tag: str, root: str) -> _Candidates:
    is_template_id = tag == "{urn:hl7-org:v3}templateId"

    def candidates(above: Element, nodes: Nodes, with_self: bool) -> Sequence[Element]:
        indexed = (nodes.templates if is_template_id else nodes.with_template).get(root, ())
        return [
            each
            for each in indexed
            if (tag == "*" or each.tag == tag) and (nodes.is_below(each, above) or (with_self and each is above))
        ]

    return candidates


def _walked(tag: str) -> _Candidates:
    def candidates(above: Element, nodes: Nodes, with_self: bool) -> Sequence[Element]:
        if above is nodes.root:
            everywhere = nodes.named(tag)
            return everywhere if with_self or not everywhere or everywhere[0] is not above else everywhere[1:]
        walked = above.iter() if tag == "*" else above.iter(tag)
        return [each for each in walked if with_self or each is not above]

    return candidates


def _filtered(found: _Found, predicates: tuple[Expression, ...], words: Vocabulary) -> _Found | None:
    for predicate in predicates:
        if is_number(predicate) or not isinstance(predicate, Binary | Call | Path | Filter) or has_position(predicate):
            return None
        keep = condition(predicate, words)
        if keep is None:
            return None
        found = _kept(found, keep)
    return found


def _kept(found: _Found, keep: Condition) -> _Found:
    return lambda element, nodes: [each for each in found(element, nodes) if keep(each, nodes)]
