"""Expression trees as Python that looks up a table: presence, cardinality, fixed codes, templates.

A call of libxml2's XPath costs microseconds before it does anything, and a document asks thousands
of simple questions. What is not simple enough is answered with None here, and asked by XPath.
The values are those of XPath 1.0: a comparison with a path holds when one of its nodes satisfies it.

`at` is the variable that holds the context node. An `or` comes in parentheses, an `and` without.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from cda.schematron import generated
from cda.schematron.attribute_tests import attribute_name, members, said
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
from cda.schematron.generated import Names
from cda.schematron.nodes import Node, Nodes
from cda.schematron.shapes import has_position, required_template
from cda.schematron.walks import below_template, below_walked, parents
from cda.schematron.xpath1 import is_boolean, is_number

Condition = Callable[[Node, Nodes], bool]
ElementTest = Callable[[str, Node, Nodes], bool]

_SIGNS = {"=": "==", "!=": "!=", "<": "<", "<=": "<=", ">": ">", ">=": ">="}


@dataclass(frozen=True, slots=True, kw_only=True)
class Vocabulary:
    """What the names of an expression mean: namespaces by prefix, and functions of the context element.

    An element test is called with one literal: `in-value-set('NAME')`, `datatype('CE')`.
    `names` are those of the objects that the Python of these expressions refers to.
    """

    namespaces: Mapping[str, str]
    element_tests: Mapping[str, ElementTest]
    names: Names = field(default_factory=Names)

    def tag(self, name: str) -> str | None:
        """`cda:code` as lxml writes it; None for a prefix or wild card that no table has."""
        prefix, colon, local = name.rpartition(":")
        if not colon:
            return name
        if prefix == "*" or local == "*" or prefix not in self.namespaces:
            return None
        return f"{{{self.namespaces[prefix]}}}{local}"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Walk:
    """A path as the clauses of a comprehension: `at` is the variable of its last step.

    `all_of`: what holds the same elements without a comprehension, when something does.
    """

    clauses: str
    at: str
    all_of: str = ""

    def listed(self) -> str:
        return self.all_of or f"[{self.at} {self.clauses}]"

    def opened(self) -> "_Walk":
        """The same with clauses, also where there is no step yet."""
        return self if self.clauses else self.to(self.all_of)

    def each(self, what: Callable[[str], str], where: Callable[[str], str] | None = None) -> str:
        """What is said of each element, by the variable that holds it."""
        walk = self.opened()
        return f"[{what(walk.at)} {walk.clauses}{f' if {where(walk.at)}' if where else ''}]"

    def to(self, source: str) -> "_Walk":
        """One step on, to the elements of `source`."""
        at = _following(self.at)
        return _Walk(
            clauses=f"{self.clauses} for {at} in {source}".strip(), at=at, all_of="" if self.clauses else source
        )

    def where(self, test: str) -> "_Walk":
        walk = self.opened()
        return replace(walk, clauses=f"{walk.clauses} if {test}", all_of="")


def _following(at: str) -> str:
    """A variable for nodes found from those of another."""
    return f"n{int(at[1:]) + 1 if at != 'node' else 1}"


def _from(at: str) -> _Walk:
    return _Walk(clauses="", at=at, all_of=f"({at},)")


def condition(expression: Expression, words: Vocabulary, at: str = "node") -> str | None:
    """The effective boolean value of an expression as Python, None when only XPath can say it."""
    text = _condition(expression, words, at)
    return text if text is None or generated.is_readable(text) else None


def holds(expression: Expression, words: Vocabulary) -> Condition | None:
    """The same as a function."""
    text = condition(expression, words)
    return None if text is None else generated.condition(text, words.names)


def _condition(expression: Expression, words: Vocabulary, at: str) -> str | None:
    match expression:
        case Binary(operator="and"):
            return _all([_condition(each, words, at) for each in members(expression, "and")])
        case Binary(operator="or" | "|"):
            return _either(expression, words, at)
        case Binary(operator=sign, left=left, right=right) if sign in _SIGNS:
            return _comparison(sign, left, right, words, at)
        case Call(name="true" | "false" as value, arguments=()):
            return value.capitalize()
        case Call(name="not" | "empty", arguments=(operand,)):
            return _absent(operand, words, at) or _not(_condition(operand, words, at))
        case Call(name="boolean" | "exists", arguments=(operand,)):
            return _condition(operand, words, at)
        case Call(name=name, arguments=(operand, Literal(value=str() as part))) if name in _TEXT_TESTS:
            return _text_test(_first_string(operand, words, at), name, part, words)
        case Call(name=name, arguments=(Literal(value=str() as argument),)) if name in words.element_tests:
            return f"{words.names.of(words.element_tests[name])}({argument!r}, {at}, nodes)"
        case Path():
            return _exists(expression, words, at)
        case Filter(primary=Path() as path, predicates=predicates) if not any(map(is_number, predicates)):
            return _exists(_with_predicates(path, predicates), words, at)
    return None


def _with_predicates(path: Path, predicates: tuple[Expression, ...]) -> Path:
    *before, last = path.steps
    return Path(path.start, (*before, Step(last.axis, last.test, last.predicates + predicates)))


def _all(tests: Sequence[str | None]) -> str | None:
    known = [each for each in tests if each is not None]
    return " and ".join(known) if len(known) == len(tests) else None


def _not(inner: str | None) -> str | None:
    return None if inner is None else f"not ({inner})"


def _either(expression: Expression, words: Vocabulary, at: str) -> str | None:
    """One of several: what may be said in one attribute is one look-up, its absence among it."""
    allowed: dict[str, dict[str | None, None]] = {}
    others = []
    for each in members(expression, "or", "|"):
        one = said(each, words.tag)
        if one is None:
            others.append(_condition(each, words, at))
        else:
            allowed.setdefault(one[0], {})[one[1]] = None
    known = [each for each in others if each is not None]
    if len(known) < len(others):
        return None
    tests = [*(_is_one_of(name, list(values), at) for name, values in allowed.items()), *known]
    return tests[0] if len(tests) == 1 else f"({' or '.join(tests)})"


def _is_one_of(name: str, values: Sequence[str | None], at: str) -> str:
    match values:
        case [None]:
            return f"{name!r} not in {at}.attributes"
        case [only]:
            return f"{at}.attributes.get({name!r}) == {only!r}"
    return f"{at}.attributes.get({name!r}) in {{{', '.join(map(repr, values))}}}"


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


def _absent(operand: Expression, words: Vocabulary, at: str) -> str | None:
    """`not(@a)`, `not(@a = 'x')` and `not(b)`, asked as often as what they deny."""
    match operand:
        case Binary(operator="=") if (one := said(operand, words.tag)) is not None:
            return f"{at}.attributes.get({one[0]!r}) != {one[1]!r}"
        case Path(start=None, steps=(Step(axis="attribute", test=str() as test, predicates=()),)) if test != "*":
            name = words.tag(test)
            return None if name is None else f"{name!r} not in {at}.attributes"
        case Path(start=None, steps=(Step(axis="child", test=str() as test, predicates=()),)) if _is_name(test):
            tag = words.tag(test)
            return None if tag is None else f"{tag!r} not in {at}.children"
    return None


_TEXT_TESTS = frozenset({"matches", "contains", "starts-with"})


def _text_test(string: str | None, name: str, part: str, words: Vocabulary) -> str | None:
    if string is None:
        return None
    match name:
        case "contains":
            return f"{part!r} in {string}"
        case "starts-with":
            return f"{string}.startswith({part!r})"
    try:
        search = regular_expression(part).search
    except re.error:  # told where it is asked
        return None
    return f"{words.names.of(search)}({string}) is not None"


def _first_string(operand: Expression, words: Vocabulary, at: str) -> str | None:
    """The string value of the first node in document order: only of paths whose tables keep that order."""
    if isinstance(operand, Path) and any(step.axis not in {"child", "attribute", "self"} for step in operand.steps):
        return None
    test = attribute_name(operand) if isinstance(operand, Path) else None
    if test is not None and (name := words.tag(test)) is not None:
        return f"{at}.attributes.get({name!r}, '')"
    strings = _strings(operand, words, at)
    return None if strings is None else f"({strings} or ('',))[0]"


def _comparison(sign: str, left: Expression, right: Expression, words: Vocabulary, at: str) -> str | None:
    if is_number(left) or is_number(right):
        one, other = (_number(_as_number(each), words, at) for each in (left, right))
        return None if one is None or other is None else f"{one} {_SIGNS[sign]} {other}"
    if sign not in {"=", "!="} or is_boolean(left) or is_boolean(right):
        return None
    if isinstance(left, Literal):
        left, right = right, left
    if isinstance(left, Path) and isinstance(right, Literal):
        return _equals(sign, left, str(right.value), words, at)
    ours, theirs = _strings(left, words, at), _strings(right, words, at)
    if ours is None or theirs is None:
        return None
    return f"[1 for ours in {ours} for theirs in {theirs} if ours {_SIGNS[sign]} theirs]"


def _as_number(expression: Expression) -> Expression:
    """A string beside a number is compared as one."""
    match expression:
        case Literal(value=str() as value) if re.fullmatch(r"\s*\d+(\.\d*)?\s*", value):
            return Literal(float(value))
    return expression


def _equals(sign: str, path: Path, value: str, words: Vocabulary, at: str) -> str | None:
    test = attribute_name(path)
    if test is not None:
        name = words.tag(test)
        if name is None:
            return None
        if sign == "=":
            return f"{at}.attributes.get({name!r}) == {value!r}"
        return f"{at}.attributes.get({name!r}, {value!r}) != {value!r}"
    strings = _strings(path, words, at)
    if strings is None:
        return None
    return f"{value!r} in {strings}" if sign == "=" else f"[1 for theirs in {strings} if theirs != {value!r}]"


def _number(expression: Expression, words: Vocabulary, at: str) -> str | None:
    match expression:
        case Literal(value=float() as value):
            return f"{value:g}" if value.is_integer() and value < 1e6 else repr(value)
        case Call(name="count", arguments=(counted,)) if is_boolean(counted) or is_number(counted):
            return "1"
        case Call(name="count", arguments=(Path() as path,)) if not _is_attribute(path):
            found = _elements(path, words, at)
            return None if found is None else f"len({found.listed()})"
        case Binary(operator="+", left=left, right=right):
            one, other = _number(left, words, at), _number(right, words, at)
            return None if one is None or other is None else f"({one} + {other})"
    return None


def _is_attribute(path: Path) -> bool:
    return bool(path.steps) and path.steps[-1].axis == "attribute"


def _exists(path: Path, words: Vocabulary, at: str) -> str | None:
    match path:
        case Path(start=None, steps=(Step(axis=axis, test=str() as test, predicates=()),)) if (
            axis in _PRESENCE and _is_name(test) and (name := words.tag(test)) is not None
        ):
            return _PRESENCE[axis].format(name=repr(name), at=at)
    if _is_attribute(path):
        owned = _owners(path, words, at)
        return None if owned is None else owned[0].each(lambda _owner: "1", _has(owned[1]))
    found = _elements(path, words, at)
    return None if found is None else found.listed()


_PRESENCE = {"attribute": "{name} in {at}.attributes", "child": "{name} in {at}.children", "self": "{at}.tag == {name}"}


def _is_name(test: str) -> bool:
    return test != "*" and not test.endswith(")")


def _owners(path: Path, words: Vocabulary, at: str) -> tuple[_Walk, str] | None:
    """Of a path that ends in `/@a` the elements before it, and the name of the attribute."""
    *before, last = path.steps
    name = words.tag(last.test) if isinstance(last.test, str) and last.test != "*" and not last.predicates else None
    owners = _elements(Path(path.start, tuple(before)), words, at)
    return None if name is None or owners is None else (owners, name)


def _strings(expression: Expression, words: Vocabulary, at: str) -> str | None:
    """String values of the nodes of a path, or of one value, as a list."""
    match expression:
        case Literal(value=str() as value):
            return f"({value!r},)"
        case Path() if _is_attribute(expression):
            owned = _owners(expression, words, at)
            if owned is None:
                return None
            owners, name = owned
            return owners.each(lambda owner: f"{owner}.attributes[{name!r}]", _has(name))
        case Path(start=start, steps=(*before, Step(axis="child", test="text()", predicates=()))):
            texts = _elements(Path(start, tuple(before)), words, at)
            return None if texts is None else f"[piece for texts in {texts.each(_texts)} for piece in texts]"
        case Path():
            found = _elements(expression, words, at)
            return None if found is None else found.each(lambda at: f"{at}.string()")
    return None


def _has(name: str) -> Callable[[str], str]:
    return lambda owner: f"{name!r} in {owner}.attributes"


def _texts(owner: str) -> str:
    return f"{owner}.texts()"


def elements(path: Path, words: Vocabulary) -> Callable[[Node, Nodes], Sequence[Node]] | None:
    """The elements a path selects. Order and repetition are those of a table: not for positions."""
    found = _elements(path, words, "node")
    if found is None or not generated.is_readable(found.listed()):
        return None
    return generated.selection(found.listed(), words.names)


def _elements(path: Path, words: Vocabulary, at: str) -> _Walk | None:
    steps = list(path.steps)
    found: _Walk | None
    if path.start is None:
        found = _from(at)
    elif path.start == "/" and steps:
        found = _from_root(steps, words, at)
    else:
        return None
    while steps and found is not None:
        found = _next_step(found, steps, words)
    return found


def _from_root(steps: list[Step], words: Vocabulary, at: str) -> _Walk | None:
    """`/a` and `//a`: takes the steps it uses off the list."""
    first = steps.pop(0)
    if first == ANY_DEPTH and steps:
        return _below(_from(at), "(nodes.root,)", steps.pop(0), words, with_self=True)
    tag = words.tag(first.test) if isinstance(first.test, str) and first.axis == "child" else None
    if tag is None:
        return None
    return _filtered(_from(at).to(f"((nodes.root,) if nodes.root.tag == {tag!r} else ())"), first.predicates, words)


def _next_step(found: _Walk, steps: list[Step], words: Vocabulary) -> _Walk | None:
    step = steps.pop(0)
    if step == ANY_DEPTH:
        return _below(found, found.listed(), steps.pop(0), words, with_self=False) if steps else None
    if not isinstance(step.test, str):
        return None
    match step:
        case Step(axis="child", test=str() as test, predicates=(Literal(value=float() as place), *others)) if (
            place >= 1 and place.is_integer() and _is_name(test) and (tag := words.tag(test)) is not None
        ):
            nth = f"{found.at}.children.get({tag!r}, ())[{int(place) - 1}:{int(place)}]"
            return _filtered(found.to(nth), tuple(others), words)
    selected = _axis(found, step, words)
    return None if selected is None else _filtered(selected, step.predicates, words)


def _axis(found: _Walk, step: Step, words: Vocabulary) -> _Walk | None:
    test, at = str(step.test), found.at
    if step.axis in {"self", "parent"} and test == "node()":
        return found if step.axis == "self" else _parents(found, None, words)
    if not (_is_name(test) or test == "*"):
        return None
    tag = words.tag(test)
    if tag is None:
        return None
    match step.axis:
        case "child" if test == "*":
            return replace(found, clauses=f"{found.clauses} for same in {at}.children.values()".strip()).to("same")
        case "child":
            return found.to(f"{at}.children.get({tag!r}, ())")
        case "self":
            here = found.to(f"({at},)")
            return here if test == "*" else here.where(f"{here.at}.tag == {tag!r}")
        case "parent" if test != "*":
            return _parents(found, tag, words)
    return None


def _parents(found: _Walk, tag: str | None, words: Vocabulary) -> _Walk:
    at = _following(found.at)
    above = f"{words.names.of(parents)}({found.listed()}, nodes, {tag!r})"
    return _Walk(clauses=f"for {at} in {above}", at=at, all_of=above)


def _below(found: _Walk, above: str, step: Step, words: Vocabulary, *, with_self: bool) -> _Walk | None:
    """`.//name[…]`: elements of a template from the index, others by walking."""
    if step.axis != "child" or not isinstance(step.test, str):
        return None
    tag = "*" if step.test == "*" else words.tag(step.test) if _is_name(step.test) else None
    if tag is None:
        return None
    root = required_template(step)
    walk, arguments = (below_walked, "") if root is None else (below_template, f", {root!r}")
    at = _following(found.at)
    there = f"{words.names.of(walk)}({above}, nodes, {with_self}, {tag!r}{arguments})"
    return _filtered(_Walk(clauses=f"for {at} in {there}", at=at, all_of=there), step.predicates, words)


def _filtered(found: _Walk, predicates: tuple[Expression, ...], words: Vocabulary) -> _Walk | None:
    for predicate in predicates:
        if is_number(predicate) or not isinstance(predicate, Binary | Call | Path | Filter) or has_position(predicate):
            return None
        test = _condition(predicate, words, found.at)
        if test is None:
            return None
        found = found.where(test)
    return found
