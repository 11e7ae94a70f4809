"""Compiling a schema: each expression once, as a look-up where it is simple enough, as XPath where not."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from lxml import etree

from cda.schematron import generated, lookups
from cda.schematron.expressions import Binary, Call, Expression, ExpressionError, Literal, Path, Step, parse
from cda.schematron.functions import Functions, OpenDocument, functions
from cda.schematron.load import Check, Let, Pattern, Rule, SchemaSource
from cda.schematron.lookups import ElementTest, Vocabulary
from cda.schematron.nodes import Node, Nodes, Place
from cda.schematron.schema import CompiledCheck, CompiledRule, NotRun, Schema, ValueSets
from cda.schematron.selectors import Places, Selector, alternatives, selector
from cda.schematron.shapes import calls, uses_variables
from cda.schematron.xpath1 import NotXPath1, replaced, variable_name, write, write_condition

_MEMBERSHIP = frozenset({"in-value-set", "in-code-set"})


def compile_schema(
    source: SchemaSource,
    *,
    value_sets: ValueSets,
    open_document: OpenDocument,
    element_tests: Mapping[str, ElementTest] | None = None,
) -> Schema:
    """Compile everything of a schema that can be compiled; the rest is in `not_run`.

    Rules may ask `in-value-set('NAME')` for the code and system of their element, `in-code-set('NAME')`
    for its code alone, and whatever `element_tests` adds.
    """
    tests = {**_membership_tests(value_sets), **(element_tests or {})}
    return _Compiler(source, value_sets, open_document, tests).schema()


def _membership_tests(value_sets: ValueSets) -> Mapping[str, ElementTest]:
    def in_value_set(name: str, node: Node, _nodes: Nodes) -> bool:
        return value_sets.is_member(name, node.attributes.get("code", ""), node.attributes.get("codeSystem", ""))

    def in_code_set(name: str, node: Node, _nodes: Nodes) -> bool:
        return value_sets.is_member(name, node.attributes.get("code", ""), None)

    return {"in-value-set": in_value_set, "in-code-set": in_code_set}


class _Checks:
    """The checks of one rule, by how they are made."""

    def __init__(self) -> None:
        self.single: dict[str, list[CompiledCheck]] = {}
        self.quick: list[tuple[str, CompiledCheck]] = []
        self.slow: list[tuple[etree.XPath, CompiledCheck]] = []


class _Compiler:
    """What the parts of one schema share while they are compiled."""

    def __init__(
        self,
        source: SchemaSource,
        value_sets: ValueSets,
        open_document: OpenDocument,
        element_tests: Mapping[str, ElementTest],
    ) -> None:
        self._source = source
        self._value_sets = value_sets
        self._words = Vocabulary(namespaces=source.namespaces, element_tests=element_tests)
        self._places = Places(self._words)
        self._functions: Functions = functions(open_document, source.namespaces)
        self._not_run: list[NotRun] = []
        self._literals: dict[str, Expression] = {}
        self._where = ("", "")
        self._parsed_texts: dict[str, Expression] = {}
        self._conditions: dict[Expression, str | None] = {}
        self._xpaths: dict[str, etree.XPath] = {}

    def schema(self) -> Schema:
        lets = self._global_lets()
        placed: dict[Place, list[CompiledRule]] = {}
        patterns = []
        for pattern in self._source.patterns:
            rules = tuple(self._rules(pattern))
            place = _only_place(rules)
            if place is None:
                patterns.append(rules)
            else:
                placed.setdefault(place, []).append(rules[0])
        indexed, always = _index(patterns)
        return Schema(
            name=self._source.name,
            below=_below(placed),
            placed=placed,
            patterns=tuple(patterns),
            indexed=indexed,
            always=always,
            lets=lets,
            not_run=tuple(self._not_run),
        )

    def _refuse(self, expression: str, reason: object) -> None:
        pattern, context = self._where
        self._not_run.append(
            NotRun(
                schema=self._source.name,
                pattern=pattern,
                context=context,
                expression=" ".join(expression.split()),
                reason=str(reason),
            )
        )

    def _xpath(self, text: str) -> etree.XPath:
        found = self._xpaths.get(text)
        if found is None:
            found = self._xpaths[text] = self._new_xpath(text)
        return found

    def _new_xpath(self, text: str) -> etree.XPath:
        used = {key: value for key, value in self._functions.items() if f"{key[1]}(" in text}
        namespaces = {prefix: uri for prefix, uri in self._source.namespaces.items() if prefix and prefix != "xml"}
        return etree.XPath(text, namespaces=namespaces, extensions=used, regexp=False, smart_strings=False)

    def _parsed(self, text: str) -> Expression | None:
        found = self._parsed_texts.get(text)
        if found is not None:
            return found
        try:
            expression = parse(text)
        except ExpressionError as error:
            self._refuse(text, error)
            return None
        if "$" in text:
            for name, value in self._literals.items():
                expression = replaced(expression, name, value)
        self._parsed_texts[text] = expression
        return expression

    def _global_lets(self) -> tuple[tuple[str, etree.XPath], ...]:
        """Constants are put in where they are used; the rest is evaluated once a document."""
        others = []
        for let in self._source.lets:
            expression = self._parsed(let.value)
            if isinstance(expression, Literal):
                self._literals[let.name] = expression
            else:
                others.append(let)
        self._parsed_texts.clear()
        return self._lets(others)

    def _lets(self, lets: Sequence[Let]) -> tuple[tuple[str, etree.XPath], ...]:
        compiled = []
        for let in lets:
            expression = self._parsed(let.value)
            try:
                if expression is not None:
                    compiled.append((variable_name(let.name), self._xpath(write(expression))))
            except (NotXPath1, etree.XPathError) as error:
                self._refuse(let.value, error)
        return tuple(compiled)

    def _rules(self, pattern: Pattern) -> Iterator[CompiledRule]:
        for rule in pattern.rules:
            self._where = (pattern.id, rule.context)
            compiled = self._rule(pattern, rule)
            if compiled is not None:
                yield compiled

    def _rule(self, pattern: Pattern, rule: Rule) -> CompiledRule | None:
        selectors = tuple(self._selectors(rule.context))
        if not selectors:
            return None
        named = {let.name: _spaceless(let.value) for let in rule.lets}
        lets = self._lets(rule.lets)
        checks = _Checks()
        for each in rule.checks:
            self._check(each, named, checks)
        return CompiledRule(
            source=rule,
            pattern=pattern.id,
            selectors=selectors,
            lets=lets,
            single=checks.single,
            quick=tuple(check for _, check in checks.quick),
            broken=generated.broken([test for test, _ in checks.quick], self._words.names) if checks.quick else None,
            slow=tuple(checks.slow),
            all_slow=self._conjunction([check for _, check in checks.slow]),
        )

    def _selectors(self, context: str) -> Iterator[Selector]:
        expression = self._parsed(context)
        for each in alternatives(expression) if expression is not None else ():
            try:
                yield selector(each, self._places, self._words, self._xpath)
            except (NotXPath1, etree.XPathError) as error:
                self._refuse(context, error)

    def _check(self, check: Check, lets: Mapping[str, str], checks: "_Checks") -> None:
        """Put a check among the look-ups or those of XPath. A report fails where its test holds."""
        parsed = self._parsed(check.test)
        if parsed is None:
            return
        expression = _with_membership(parsed, lets)
        missing = [name for name in _value_set_names(expression) if not self._value_sets.has(name)]
        if missing:
            self._refuse(check.test, f"value set {missing[0]} is not available")
            return
        wanted = expression if check.kind == "assert" else Call("not", (expression,))
        compiled = CompiledCheck(source=check, expression=wanted)
        if tag := lookups.single_child(wanted, self._words):
            checks.single.setdefault(tag, []).append(compiled)
            return
        if wanted not in self._conditions:
            self._conditions[wanted] = lookups.condition(wanted, self._words)
        condition = self._conditions[wanted]
        if condition is not None:
            checks.quick.append((condition, compiled))
            return
        asked = calls(wanted) & self._words.element_tests.keys()
        if asked:
            self._refuse(check.test, f"{min(asked)}() stands in an expression that is no look-up")
            return
        try:
            checks.slow.append((self._xpath(write_condition(wanted)), compiled))
        except (NotXPath1, etree.XPathError) as error:
            self._refuse(check.test, error)

    def _conjunction(self, checks: Sequence[CompiledCheck]) -> etree.XPath | None:
        """All XPath checks of a rule in one call; None when one needs a variable."""
        if not checks or any(uses_variables(check.expression) for check in checks):
            return None
        try:
            return self._xpath(" and ".join(write_condition(check.expression) for check in checks))
        except (NotXPath1, etree.XPathError):
            return None


def _spaceless(text: str) -> str:
    return "".join(text.split())


def _with_membership(expression: Expression, lets: Mapping[str, str]) -> Expression:
    """`document('x')//svs:Concept[@code=$a and @codeSystem=$b]` is one look-up when a, b are those of the context."""
    match expression:
        case Binary(operator="and" | "or" as word, left=left, right=right):
            return Binary(word, _with_membership(left, lets), _with_membership(right, lets))
        case Path(start=Call(name="document", arguments=(Literal(value=str() as name),)), steps=(_, concept)):
            if _is_concept(concept, lets):
                return Call("in-value-set", (Literal(name),))
    return expression


def _is_concept(step: Step, lets: Mapping[str, str]) -> bool:
    wanted = write_condition(parse("@code = $code and @codeSystem = $system")).replace(" ", "")
    names = {value: name for name, value in lets.items()}
    if step.test != "svs:Concept" or len(step.predicates) != 1 or not {"@code", "@codeSystem"} <= set(names):
        return False
    written = write_condition(step.predicates[0]).replace(" ", "")
    code, system = (f"${variable_name(names[each])}" for each in ("@code", "@codeSystem"))
    return written == wanted.replace("$v_code", code).replace("$v_system", system)


def _value_set_names(expression: Expression) -> Iterator[str]:
    match expression:
        case Call(name=called, arguments=(Literal(value=str() as name),)) if called in _MEMBERSHIP:
            yield name
        case Binary(left=left, right=right):
            yield from _value_set_names(left)
            yield from _value_set_names(right)
        case Call(arguments=arguments):
            for each in arguments:
                yield from _value_set_names(each)


def _only_place(rules: Sequence[CompiledRule]) -> Place | None:
    """The place of a pattern that has one rule with one context."""
    if len(rules) != 1 or len(rules[0].selectors) != 1:
        return None
    return rules[0].selectors[0].place


def _below(placed: Iterable[Place]) -> Mapping[Place | None, Mapping[str, Sequence[Place]]]:
    """Places by the place above them and by tag, down from the root."""
    found: dict[Place | None, dict[str, dict[Place, None]]] = {None: {}}
    for place in placed:
        step: Place | None = place
        while step is not None:
            found.setdefault(step.parent, {}).setdefault(step.tag, {})[step] = None
            step = step.parent
    return {above: {tag: tuple(places) for tag, places in by_tag.items()} for above, by_tag in found.items()}


def _index(
    patterns: Sequence[Sequence[CompiledRule]],
) -> tuple[Mapping[str, Sequence[int]], Sequence[int]]:
    """templateId to patterns; a pattern with a selector that needs none always runs."""
    indexed: dict[str, list[int]] = {}
    always = []
    for at, rules in enumerate(patterns):
        needs = [selector.needs for rule in rules for selector in rule.selectors]
        if not all(needs):
            always.append(at)
            continue
        for each in needs:
            indexed.setdefault(min(each), []).append(at)
    return indexed, always
