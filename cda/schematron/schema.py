"""A schema ready to run: contexts as look-ups, simple tests as look-ups, XPath compiled once for the rest.

Compile once per process and run on any number of documents; nothing of a document stays behind.
An expression that cannot be compiled is named in `not_run`; one that fails while it runs is a failure of its check.
"""

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from lxml import etree

from cda.schematron.expressions import Expression
from cda.schematron.functions import values_as_nodes
from cda.schematron.generated import FindBroken
from cda.schematron.load import Check, Rule
from cda.schematron.nodes import Element, Node, Nodes, Place
from cda.schematron.selectors import Selector


@dataclass(frozen=True, slots=True, kw_only=True)
class NotRun:
    """Something of a schema that cannot be evaluated, and why. Never silent: the report lists it."""

    schema: str
    pattern: str
    context: str
    expression: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """A check that failed on an element; `error` is why it could not be evaluated there, if so."""

    rule: "CompiledRule"
    check: "CompiledCheck"
    node: Node
    error: str = ""

    @property
    def element(self) -> Element:
        return self.node.element


@dataclass(frozen=True, slots=True, kw_only=True)
class CompiledCheck:
    """A check and its test as it must hold, a report turned round."""

    source: Check
    expression: Expression


@dataclass(frozen=True, slots=True, kw_only=True)
class CompiledRule:
    """Checks of one context.

    `single`: tags of children allowed once. `quick` are look-ups, and `broken` tells which of them fail on some nodes;
    `slow` need XPath, `all_slow` is their conjunction.
    """

    source: Rule
    pattern: str
    selectors: tuple[Selector, ...]
    lets: tuple[tuple[str, etree.XPath], ...]
    single: Mapping[str, Sequence[CompiledCheck]]
    quick: tuple[CompiledCheck, ...]
    broken: FindBroken | None
    slow: tuple[tuple[etree.XPath, CompiledCheck], ...]
    all_slow: etree.XPath | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ValueSets:
    """Value sets by the name a rule gives them: the path of its `document()`, or its own name.

    `is_member` takes name, code and code system; without a code system the code alone decides.
    """

    has: Callable[[str], bool]
    is_member: Callable[[str, str, str | None], bool]


@dataclass(frozen=True, slots=True, kw_only=True)
class Schema:
    """Compiled rules. `placed`: those of one place below the root, and `below` the tree of such places, by tag.

    The others are kept by pattern; `indexed`: templateId to the patterns that need it, `always`: those that need none.
    """

    name: str
    below: Mapping[Place | None, Mapping[str, Sequence[Place]]]
    placed: Mapping[Place, Sequence[CompiledRule]]
    patterns: tuple[tuple[CompiledRule, ...], ...]
    indexed: Mapping[str, Sequence[int]]
    always: Sequence[int]
    lets: tuple[tuple[str, etree.XPath], ...]
    not_run: tuple[NotRun, ...]
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False, compare=False)

    def rules(self) -> Iterator[CompiledRule]:
        """Every rule that can be evaluated."""
        for same_place in self.placed.values():
            yield from same_place
        for pattern in self.patterns:
            yield from pattern

    def failures(self, nodes: Nodes) -> Sequence[Failure]:
        """Every failed check, by rule. One thread at a time: libxml2 compiles one expression for one user."""
        with self._lock:
            run = _Run(nodes, _evaluate(self.lets, nodes.root.element, {}))
            self._below(None, {nodes.root.tag: (nodes.root,)}, run)
            for at in self._asked(nodes):
                run.pattern(self.patterns[at])
            return run.failed

    def _below(self, above: Place | None, children: Mapping[str, Sequence[Node]], run: "_Run") -> None:
        """The rules of the places below one, on a walk down those that the document has."""
        for tag, places in self.below[above].items():
            same = children.get(tag)
            if same is None:
                continue
            for place in places:
                found = same if place.kept is None else place.kept(same, run.nodes)
                if found:
                    self._at(place, found, run)

    def _at(self, place: Place, found: Sequence[Node], run: "_Run") -> None:
        for rule in self.placed.get(place, ()):
            run.rule(rule, found)
        if place in self.below:
            self._below(place, found[0].children if len(found) == 1 else _children(found), run)

    def _asked(self, nodes: Nodes) -> Sequence[int]:
        """The patterns that the templateIds of a document ask for."""
        chosen = set(self.always)
        for template in self.indexed.keys() & nodes.templates.keys():
            chosen.update(self.indexed[template])
        return sorted(chosen)


def _children(found: Sequence[Node]) -> Mapping[str, Sequence[Node]]:
    """The children of several elements by tag."""
    together: dict[str, list[Node]] = {}
    for node in found:
        for tag, same in node.children.items():
            together.setdefault(tag, []).extend(same)
    return together


class _Run:
    """One document against one schema: what failed so far."""

    def __init__(self, nodes: Nodes, variables: Mapping[str, Any]) -> None:
        self.nodes = nodes
        self.failed: list[Failure] = []
        self._variables = variables

    def pattern(self, rules: Sequence[CompiledRule]) -> None:
        """A node is tested by the first rule of the pattern whose context matches it. ISO/IEC 19757-3 6.5"""
        if len(rules) == 1:
            self.rule(rules[0], self._matched(rules[0]))
            return
        tested: set[Node] = set()
        for rule in rules:
            found = [node for node in self._matched(rule) if node not in tested]
            tested.update(found)
            self.rule(rule, found)

    def _matched(self, rule: CompiledRule) -> Sequence[Node]:
        nodes = self.nodes
        if len(rule.selectors) == 1:
            return rule.selectors[0].select(nodes)
        found = (each.select(nodes) for each in rule.selectors if each.needs <= nodes.templates.keys())
        return tuple(dict.fromkeys(node for same in found for node in same))

    def rule(self, rule: CompiledRule, found: Sequence[Node]) -> None:
        """The checks of a rule on the nodes its context matches."""
        if rule.single:
            for node in found:
                if node.repeats:
                    self._repeated(rule, node)
        if rule.broken is not None:
            for at, node in rule.broken(found, self.nodes):
                self.failed.append(Failure(rule=rule, check=rule.quick[at], node=node))
        if rule.slow:
            for node in found:
                if not _all_pass(rule, node.element):
                    self.failed += _slow_failures(rule, node, self._variables)

    def _repeated(self, rule: CompiledRule, node: Node) -> None:
        """Children that stand more than once where once is allowed: one walk over the children for all such checks."""
        for tag, same in node.children.items():
            if len(same) > 1 and tag in rule.single:
                self.failed += (Failure(rule=rule, check=check, node=node) for check in rule.single[tag])


def _slow_failures(rule: CompiledRule, node: Node, variables: Mapping[str, Any]) -> Iterator[Failure]:
    values = _evaluate(rule.lets, node.element, variables)
    for asked, check in rule.slow:
        try:
            passes = bool(asked(node.element, **values))
        except (etree.XPathError, TypeError, ValueError) as error:
            yield Failure(rule=rule, check=check, node=node, error=str(error) or type(error).__name__)
            continue
        if not passes:
            yield Failure(rule=rule, check=check, node=node)


def _all_pass(rule: CompiledRule, element: Element) -> bool:
    if rule.all_slow is None:
        return False
    try:
        return bool(rule.all_slow(element))
    except (etree.XPathError, TypeError, ValueError):
        return False


def _evaluate(
    lets: Sequence[tuple[str, etree.XPath]], element: Element, before: Mapping[str, Any]
) -> Mapping[str, Any]:
    """Values of `let`, each seen by those after it. Attributes become strings."""
    if not lets:
        return before
    values = dict(before)
    for name, expression in lets:
        value = expression(element, **values)
        if isinstance(value, list) and value and not isinstance(value[0], etree._Element):
            values[name] = str(value[0]) if len(value) == 1 else values_as_nodes([str(each) for each in value])
            continue
        values[name] = value
    return values
