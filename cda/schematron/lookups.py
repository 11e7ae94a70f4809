"""Expression trees as Python functions that look up a table: presence, cardinality, fixed codes, templates.

A call of libxml2's XPath costs microseconds before it does anything, and a document asks thousands
of simple questions. What is not simple enough is answered with None here, and asked by XPath.
The values are those of XPath 1.0: a comparison with a path holds when one of its nodes satisfies it.
"""

import operator
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cda.schematron.attribute_tests import absent_or, any_of, attribute_name, is_one_of, members, said
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
from cda.schematron.nodes import Node, Nodes
from cda.schematron.shapes import has_position, required_template
from cda.schematron.xpath1 import is_boolean, is_number

Condition = Callable[[Node, Nodes], bool]
_Found = Callable[[Node, Nodes], Sequence[Node]]
_Strings = Callable[[Node, Nodes], Sequence[str]]
_String = Callable[[Node, Nodes], str]
_Number = Callable[[Node, Nodes], float]
ElementTest = Callable[[str, Node, Nodes], bool]

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
        case Binary(operator="and", left=left, right=right):
            return _both(condition(left, words), condition(right, words))
        case Binary(operator="or" | "|"):
            return _either(expression, words)
        case Binary(operator=sign, left=left, right=right) if sign in _OPERATORS:
            return _comparison(sign, left, right, words)
        case Call(name="true", arguments=()):
            return lambda _node, _nodes: True
        case Call(name="false", arguments=()):
            return lambda _node, _nodes: False
        case Call(name="not" | "empty", arguments=(operand,)):
            return _absent(operand, words) or _not(condition(operand, words))
        case Call(name="boolean" | "exists", arguments=(operand,)):
            return condition(operand, words)
        case Call(name=name, arguments=(operand, Literal(value=str() as part))) if name in _TEXT_TESTS:
            return _text_test(_first_string(operand, words), name, part)
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


def _either(expression: Expression, words: Vocabulary) -> Condition | None:
    """One of several: what may be said in one attribute is one look-up, its absence among it."""
    allowed: dict[str, set[str | None]] = {}
    others = []
    for each in members(expression):
        one = said(each, words.tag)
        if one is None:
            others.append(condition(each, words))
        else:
            allowed.setdefault(one[0], set()).add(one[1])
    conditions = [each for each in others if each is not None]
    if len(conditions) < len(others):
        return None
    if len(conditions) == 1 and list(allowed.values()) == [{None}]:
        return absent_or(next(iter(allowed)), conditions[0])
    return any_of([*(is_one_of(name, frozenset(values)) for name, values in allowed.items()), *conditions])


def single_child(expression: Expression, words: Vocabulary) -> str | None:
    """The tag that `count(cda:a) <= 1` allows once: rules of header elements have a dozen of these."""
    match expression:
        case Binary(
            operator="<=",
            left=Call(
                name="count",
                arguments=(Path(start=None, steps=(Step(axis="child", test=str() as test, predicates=()),)),),
            ),
            right=Literal(value=1.0),
        ) if _is_name(test):
            return words.tag(test)
    return None


def _both(left: Condition | None, right: Condition | None) -> Condition | None:
    if left is None or right is None:
        return None
    return lambda node, nodes: left(node, nodes) and right(node, nodes)


def _not(inner: Condition | None) -> Condition | None:
    return None if inner is None else lambda node, nodes: not inner(node, nodes)


def _absent(operand: Expression, words: Vocabulary) -> Condition | None:
    """`not(@a)`, `not(@a = 'x')` and `not(b)`, asked as often as what they deny."""
    match operand:
        case Binary(operator="=") if (one := said(operand, words.tag)) is not None:
            named, value = one
            return lambda node, _nodes: node.attributes.get(named) != value
        case Path(start=None, steps=(Step(axis="attribute", test=str() as test, predicates=()),)) if test != "*":
            name = words.tag(test)
            return None if name is None else lambda node, _nodes: name not in node.attributes
        case Path(start=None, steps=(Step(axis="child", test=str() as test, predicates=()),)) if _is_name(test):
            tag = words.tag(test)
            return None if tag is None else lambda node, _nodes: tag not in node.children
    return None


def _matches(pattern: str) -> Callable[[str], bool]:
    search = regular_expression(pattern).search
    return lambda text: search(text) is not None


_TEXT_TESTS: Mapping[str, Callable[[str], Callable[[str], bool]]] = {
    "matches": _matches,
    "contains": lambda part: lambda text: part in text,
    "starts-with": lambda part: lambda text: text.startswith(part),
}


def _text_test(string: _String | None, name: str, part: str) -> Condition | None:
    if string is None:
        return None
    try:
        holds = _TEXT_TESTS[name](part)
    except re.error:  # told where it is asked
        return None
    return lambda node, nodes: holds(string(node, nodes))


def _first_string(operand: Expression, words: Vocabulary) -> _String | None:
    """The string value of the first node in document order: only of paths whose tables keep that order."""
    if isinstance(operand, Path) and any(step.axis not in {"child", "attribute", "self"} for step in operand.steps):
        return None
    test = attribute_name(operand) if isinstance(operand, Path) else None
    if test is not None and (name := words.tag(test)) is not None:
        return lambda node, _nodes: node.attributes.get(name, "")
    strings = _strings(operand, words)
    return None if strings is None else lambda node, nodes: next(iter(strings(node, nodes)), "")


def _element_test(test: ElementTest, argument: str) -> Condition:
    return lambda node, nodes: test(argument, node, nodes)


def _comparison(sign: str, left: Expression, right: Expression, words: Vocabulary) -> Condition | None:
    if is_number(left) or is_number(right):
        left, right = _as_number(left), _as_number(right)
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
    return lambda node, nodes: any(compared(one, other) for one in ours(node, nodes) for other in theirs(node, nodes))


def _as_number(expression: Expression) -> Expression:
    """A string beside a number is compared as one."""
    match expression:
        case Literal(value=str() as value) if re.fullmatch(r"\s*\d+(\.\d*)?\s*", value):
            return Literal(float(value))
    return expression


def _equals(sign: str, path: Path, value: str, words: Vocabulary) -> Condition | None:
    match path:
        case Path(start=None, steps=(Step(axis="attribute", test=str() as test, predicates=()),)) if test != "*":
            name = words.tag(test)
            if name is None:
                return None
            if sign == "=":
                return lambda node, _nodes: node.attributes.get(name) == value
            return lambda node, _nodes: node.attributes.get(name, value) != value
    strings = _strings(path, words)
    if strings is None:
        return None
    if sign == "=":
        return lambda node, nodes: value in strings(node, nodes)
    return lambda node, nodes: any(each != value for each in strings(node, nodes))


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
            return lambda node, nodes: len(found(node, nodes)) == wanted
        case "<=":
            return lambda node, nodes: len(found(node, nodes)) <= wanted
        case ">=":
            return lambda node, nodes: len(found(node, nodes)) >= wanted
    return None


def _numbers(sign: str, left: _Number | None, right: _Number | None) -> Condition | None:
    if left is None or right is None:
        return None
    compared = _OPERATORS[sign]
    return lambda node, nodes: compared(left(node, nodes), right(node, nodes))


def _number(expression: Expression, words: Vocabulary) -> _Number | None:
    match expression:
        case Literal(value=float() as value):
            return lambda _node, _nodes: value
        case Call(name="count", arguments=(counted,)) if is_boolean(counted) or is_number(counted):
            return lambda _node, _nodes: 1
        case Call(name="count", arguments=(Path() as path,)) if not _is_attribute(path):
            found = elements(path, words)
            return None if found is None else lambda node, nodes: len(found(node, nodes))
        case Binary(operator="+", left=left, right=right):
            one, other = _number(left, words), _number(right, words)
            if one and other:
                return lambda node, nodes: one(node, nodes) + other(node, nodes)
    return None


def _is_attribute(path: Path) -> bool:
    return bool(path.steps) and path.steps[-1].axis == "attribute"


def _exists(path: Path, words: Vocabulary) -> Condition | None:
    match path:
        case Path(start=None, steps=(Step(axis="attribute", test=str() as test, predicates=()),)) if test != "*":
            name = words.tag(test)
            return None if name is None else lambda node, _nodes: node.attributes.get(name) is not None
        case Path(start=None, steps=(Step(axis="child", test=str() as test, predicates=()),)):
            tag = words.tag(test)
            if tag is not None and _is_name(test):
                return lambda node, _nodes: tag in node.children
        case Path(start=None, steps=(Step(axis="self", test=str() as test, predicates=()),)):
            tag = words.tag(test)
            if tag is not None and _is_name(test):
                return lambda node, _nodes: node.tag == tag
    found = _strings(path, words) if _is_attribute(path) else elements(path, words)
    return None if found is None else lambda node, nodes: bool(found(node, nodes))


def _is_name(test: str) -> bool:
    return test != "*" and not test.endswith(")")


def _strings(expression: Expression, words: Vocabulary) -> _Strings | None:
    """String values of the nodes of a path, or of one value."""
    match expression:
        case Literal(value=str() as value):
            one = (value,)
            return lambda _node, _nodes: one
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
                return lambda node, nodes: [each.string() for each in found(node, nodes)]
    return None


def _attributes(owners: _Found, name: str) -> _Strings:
    def values(node: Node, nodes: Nodes) -> Sequence[str]:
        return [value for each in owners(node, nodes) if (value := each.attributes.get(name)) is not None]

    return values


def _texts(owners: _Found) -> _Strings:
    def values(node: Node, nodes: Nodes) -> Sequence[str]:
        return [piece for each in owners(node, nodes) for piece in each.texts()]

    return values


def _itself(node: Node, _nodes: Nodes) -> Sequence[Node]:
    return (node,)


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
        return _below(lambda _node, nodes: (nodes.root,), steps.pop(0), words, with_self=True)
    tag = words.tag(first.test) if isinstance(first.test, str) and first.axis == "child" else None
    if tag is None:
        return None

    def root(_node: Node, nodes: Nodes) -> Sequence[Node]:
        return (nodes.root,) if nodes.root.tag == tag else ()

    return _filtered(root, first.predicates, words)


def _next_step(found: _Found, steps: list[Step], words: Vocabulary) -> _Found | None:
    step = steps.pop(0)
    if step == ANY_DEPTH:
        return _below(found, steps.pop(0), words, with_self=False) if steps else None
    if not isinstance(step.test, str):
        return None
    match step:
        case Step(axis="child", test=str() as test, predicates=(Literal(value=float() as place), *others)) if (
            place >= 1 and place.is_integer() and _is_name(test) and (tag := words.tag(test)) is not None
        ):
            return _filtered(_nth_child(found, tag, int(place)), tuple(others), words)
    selected = _axis(found, step, words)
    return None if selected is None else _filtered(selected, step.predicates, words)


def _axis(found: _Found, step: Step, words: Vocabulary) -> _Found | None:
    test = str(step.test)
    if step.axis == "self" and test == "node()":
        return found
    if step.axis == "parent" and test == "node()":
        return lambda node, nodes: _unique(nodes.parent(each) for each in found(node, nodes))
    if not (_is_name(test) or test == "*"):
        return None
    tag = words.tag(test)
    if tag is None:
        return None
    match step.axis:
        case "child" if test == "*":
            return lambda node, nodes: [
                child for each in found(node, nodes) for same in each.children.values() for child in same
            ]
        case "child":
            return _child(found, tag)
        case "self":
            return lambda node, nodes: [each for each in found(node, nodes) if test == "*" or each.tag == tag]
        case "parent" if test != "*":
            return lambda node, nodes: _unique(
                above for each in found(node, nodes) if (above := nodes.parent(each)) is not None and above.tag == tag
            )
    return None


def _child(found: _Found, tag: str) -> _Found:
    if found is _itself:
        return lambda node, _nodes: node.children.get(tag, ())
    return lambda node, nodes: [child for each in found(node, nodes) for child in each.children.get(tag, ())]


def _nth_child(found: _Found, tag: str, position: int) -> _Found:
    """`a[2]`: of each parent its second."""
    at = slice(position - 1, position)
    return lambda node, nodes: [child for each in found(node, nodes) for child in each.children.get(tag, ())[at]]


def _unique(nodes: Iterable[Node | None]) -> Sequence[Node]:
    return tuple(dict.fromkeys(each for each in nodes if each is not None))


def _below(found: _Found, step: Step, words: Vocabulary, *, with_self: bool) -> _Found | None:
    """`.//name[…]`: elements of a template from the index, others by walking."""
    if step.axis != "child" or not isinstance(step.test, str):
        return None
    tag = "*" if step.test == "*" else words.tag(step.test) if _is_name(step.test) else None
    if tag is None:
        return None
    root = required_template(step)
    candidates = _template_candidates(tag, root) if root is not None else _walked(tag)

    def below(node: Node, nodes: Nodes) -> Sequence[Node]:
        above = found(node, nodes)
        if len(above) == 1:
            return candidates(above[0], nodes, with_self)
        return _unique(each for one in above for each in candidates(one, nodes, with_self))

    return _filtered(below, step.predicates, words)


_Candidates = Callable[[Node, Nodes, bool], Sequence[Node]]


def _template_candidates(tag: str, root: str) -> _Candidates:
    is_template_id = tag == "{urn:hl7-org:v3}templateId"

    def candidates(above: Node, nodes: Nodes, with_self: bool) -> Sequence[Node]:
        indexed = (nodes.templates if is_template_id else nodes.with_template).get(root, ())
        return [
            each
            for each in indexed
            if (tag == "*" or each.tag == tag) and (nodes.is_below(each, above) or (with_self and each is above))
        ]

    return candidates


def _walked(tag: str) -> _Candidates:
    def candidates(above: Node, nodes: Nodes, with_self: bool) -> Sequence[Node]:
        if above is nodes.root:
            everywhere = nodes.named(tag)
            return everywhere if with_self or not everywhere or everywhere[0] is not above else everywhere[1:]
        walked = map(nodes.node, above.element.iter(tag))
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
    return lambda node, nodes: [each for each in found(node, nodes) if keep(each, nodes)]
