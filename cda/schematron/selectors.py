"""Rule contexts as look-ups: which elements of a document a rule speaks about. ISO/IEC 19757-3 5.4.13, XSLT 2.0 5.5.

A context is a match pattern: without a leading `/` it matches anywhere. The elements are found from
the step that narrows most, a templateId before a name; the steps before it are then checked on the ancestors,
the steps after it walked down.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from lxml import etree

from cda.schematron import generated, lookups, shapes
from cda.schematron.expressions import ANY_DEPTH, Binary, Expression, Path, Step
from cda.schematron.lookups import Condition, Vocabulary
from cda.schematron.nodes import Node, Nodes, Place
from cda.schematron.xpath1 import NotXPath1, is_number, write, write_condition

Select = Callable[[Nodes], Sequence[Node]]
CompileXPath = Callable[[str], etree.XPath]


@dataclass(frozen=True, slots=True, kw_only=True)
class Selector:
    """Elements of one alternative of a context. Without `needs` among its templateIds a document has none.

    `place`: the place below the root they all stand at, when there is one.
    """

    needs: frozenset[str]
    select: Select
    place: Place | None = None


def alternatives(context: Expression) -> list[Expression]:
    """The members of a union."""
    if isinstance(context, Binary) and context.operator == "|":
        return [*alternatives(context.left), *alternatives(context.right)]
    return [context]


def selector(context: Expression, places: "Places", words: Vocabulary, xpath: CompileXPath) -> Selector:
    """One alternative of a context. NotXPath1 when it selects other than elements."""
    if not isinstance(context, Path) or not context.steps:
        raise NotXPath1("a context that is no path of elements")
    steps = list(context.steps)
    if steps[-1].axis not in {"child", "self"} or context.start not in {None, "/"}:
        raise NotXPath1("a context that is no path of elements")
    anywhere = context.start is None or steps[0] == ANY_DEPTH
    if steps[0] == ANY_DEPTH:
        steps.pop(0)
    needs = frozenset(root for step in steps if (root := shapes.required_template(step)))
    place = None if anywhere else places.place(tuple(steps))
    if place is not None:
        return Selector(needs=needs, select=lambda nodes: nodes.at(place), place=place)
    select = _looked_up(steps, words, xpath) if anywhere else None
    if select is None:
        found = xpath(write(Path("/", (ANY_DEPTH, *steps) if anywhere else tuple(steps))))
        select = _searched(found)
    return Selector(needs=needs, select=select)


def _searched(found: etree.XPath) -> Select:
    def select(nodes: Nodes) -> Sequence[Node]:
        result = found(nodes.root.element)
        there = result if isinstance(result, list) else ()
        return [nodes.node(each) for each in there if isinstance(each, etree._Element) and isinstance(each.tag, str)]

    return select


class Places:
    """Places of one schema, each made once, so that rules below one element share the way to it."""

    def __init__(self, words: Vocabulary) -> None:
        self._words = words
        self._made: dict[tuple[Step, ...], Place | None] = {}

    def place(self, steps: tuple[Step, ...]) -> Place | None:
        """The place these steps lead to from the root; None for other steps than children with simple predicates."""
        if steps not in self._made:
            self._made[steps] = self._new(steps)
        return self._made[steps]

    def _new(self, steps: tuple[Step, ...]) -> Place | None:
        *before, last = steps
        parent = self.place(tuple(before)) if before else None
        tag = _tag(last, self._words)
        tests = [test for each in last.predicates if (test := _simple(each, self._words)) is not None]
        if tag is None or (before and parent is None) or len(tests) < len(last.predicates):
            return None
        return Place(parent=parent, tag=tag, kept=generated.kept(tests, self._words.names) if tests else None)


def _simple(predicate: Expression, words: Vocabulary) -> str | None:
    is_position = is_number(predicate) or shapes.has_position(predicate)
    return None if is_position else lookups.condition(predicate, words)


def _unique(nodes: Sequence[Node]) -> Sequence[Node]:
    return tuple(dict.fromkeys(nodes))


def _tag(step: Step, words: Vocabulary) -> str | None:
    plain = step.axis == "child" and isinstance(step.test, str) and step.test != "*" and not step.test.endswith(")")
    return words.tag(str(step.test)) if plain else None


def _looked_up(steps: Sequence[Step], words: Vocabulary, xpath: CompileXPath) -> Select | None:
    """Candidates of the anchor, what holds above it, and the way down from it."""
    anchor = _anchor(steps)
    if anchor is None:
        return None
    candidates = _candidates(steps[anchor], words)
    above = _above(steps[: anchor + 1], words, xpath)
    if candidates is None or above is None:
        return None
    down = steps[anchor + 1 :]
    if not down:
        return lambda nodes: [each for each in candidates(nodes) if above(each, nodes)]
    walk = lookups.elements(Path(None, tuple(down)), words)
    if walk is None:
        return None
    return lambda nodes: _unique(
        [found for each in candidates(nodes) if above(each, nodes) for found in walk(each, nodes)]
    )


def _anchor(steps: Sequence[Step]) -> int | None:
    """The step to begin with: the document element, the last that demands a template, else the last."""
    if isinstance(steps[0].test, str) and steps[0].test.endswith("ClinicalDocument") and ANY_DEPTH not in steps:
        return 0
    templated = [at for at, step in enumerate(steps) if shapes.required_template(step)]
    if templated:
        return templated[-1]
    last = len(steps) - 1
    return last if isinstance(steps[last].test, str) else None


def _candidates(step: Step, words: Vocabulary) -> Select | None:
    template = shapes.required_template(step)
    tag = "*" if step.test == "*" else _tag(step, words)
    if tag is None:
        return None
    if template is None:
        return lambda nodes: nodes.named(tag)
    if str(step.test).endswith("templateId"):
        return lambda nodes: nodes.templates.get(template, ())
    return lambda nodes: nodes.with_template.get(template, ())


def _above(steps: Sequence[Step], words: Vocabulary, xpath: CompileXPath) -> Condition | None:
    """That the element is the last of these steps, and its ancestors the others."""
    *before, last = steps
    if not isinstance(last.test, str):
        return None
    here = _is_step(last, words, xpath)
    if here is None or not before:
        return here
    deep = before[-1] == ANY_DEPTH
    if deep:
        before.pop()
    if not before:
        return here
    parents = _above(before, words, xpath)
    return None if parents is None else _with_parents(here, parents, deep)


def _with_parents(here: Condition, parents: Condition, deep: bool) -> Condition:
    def holds(node: Node, nodes: Nodes) -> bool:
        if not here(node, nodes):
            return False
        parent = nodes.parent(node)
        while parent is not None:
            if parents(parent, nodes):
                return True
            parent = nodes.parent(parent) if deep else None
        return False

    return holds


def _is_step(step: Step, words: Vocabulary, xpath: CompileXPath) -> Condition | None:
    """That an element has the name of a step and satisfies its predicates; None for predicates on positions."""
    tag = "*" if step.test == "*" else _tag(step, words)
    if tag is None or any(is_number(each) or shapes.has_position(each) for each in step.predicates):
        return None
    tests = [_predicate(each, words, xpath) for each in step.predicates]
    named = [] if tag == "*" else [f"node.tag == {tag!r}"]
    return generated.condition(" and ".join([*named, *tests]) or "True", words.names)


def _predicate(predicate: Expression, words: Vocabulary, xpath: CompileXPath) -> str:
    test = lookups.condition(predicate, words)
    return test or f"{words.names.of(xpath(write_condition(predicate)))}(node.element)"
