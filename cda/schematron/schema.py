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
from cda.schematron.load import Check, Rule
from cda.schematron.lookups import Condition
from cda.schematron.nodes import Element, Nodes
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
    element: Element
    error: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CompiledCheck:
    """A check and its test as it must hold, a report turned round."""

    source: Check
    expression: Expression


@dataclass(frozen=True, slots=True, kw_only=True)
class CompiledRule:
    """Checks of one context. `quick` are look-ups, `slow` need XPath, `all_slow` is their conjunction."""

    source: Rule
    pattern: str
    selectors: tuple[Selector, ...]
    lets: tuple[tuple[str, etree.XPath], ...]
    quick: tuple[tuple[Condition, CompiledCheck], ...]
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
    """Compiled rules by pattern. `indexed`: templateId to the patterns that need it; `always`: the others."""

    name: str
    patterns: tuple[tuple[CompiledRule, ...], ...]
    indexed: Mapping[str, Sequence[int]]
    always: Sequence[int]
    lets: tuple[tuple[str, etree.XPath], ...]
    not_run: tuple[NotRun, ...]
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False, compare=False)

    def failures(self, nodes: Nodes) -> Iterator[Failure]:
        """Every failed check, by pattern. One thread at a time: libxml2 compiles one expression for one user."""
        with self._lock:
            yield from self._failures(nodes)

    def _failures(self, nodes: Nodes) -> Iterator[Failure]:
        variables = _evaluate(self.lets, nodes.root, {})
        chosen = set(self.always)
        for template in nodes.templates:
            chosen.update(self.indexed.get(template, ()))
        for at in sorted(chosen):
            rules = self.patterns[at]
            if len(rules) > 1:
                yield from _pattern_failures(rules, nodes, variables)
                continue
            for rule in rules:
                for element in _matched(rule, nodes):
                    yield from _rule_failures(rule, element, nodes, variables)


def _pattern_failures(rules: Sequence[CompiledRule], nodes: Nodes, variables: Mapping[str, Any]) -> Iterator[Failure]:
    """A node is tested by the first rule of the pattern whose context matches it. ISO/IEC 19757-3 6.5"""
    tested: set[Element] = set()
    for rule in rules:
        for element in _matched(rule, nodes):
            if element not in tested:
                tested.add(element)
                yield from _rule_failures(rule, element, nodes, variables)


def _matched(rule: CompiledRule, nodes: Nodes) -> Sequence[Element]:
    templates = nodes.templates
    found = [each.select(nodes) for each in rule.selectors if each.needs <= templates.keys()]
    if len(found) == 1:
        return found[0]
    return tuple(dict.fromkeys(element for elements in found for element in elements))


def _rule_failures(
    rule: CompiledRule, element: Element, nodes: Nodes, variables: Mapping[str, Any]
) -> Iterator[Failure]:
    for holds, check in rule.quick:
        if not holds(element, nodes):
            yield Failure(rule=rule, check=check, element=element)
    if rule.slow and not _all_pass(rule, element):
        yield from _slow_failures(rule, element, variables)


def _slow_failures(rule: CompiledRule, element: Element, variables: Mapping[str, Any]) -> Iterator[Failure]:
    values = _evaluate(rule.lets, element, variables)
    for asked, check in rule.slow:
        try:
            passes = bool(asked(element, **values))
        except (etree.XPathError, TypeError, ValueError) as error:
            yield Failure(rule=rule, check=check, element=element, error=str(error) or type(error).__name__)
            continue
        if not passes:
            yield Failure(rule=rule, check=check, element=element)


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
