"""Schematron files as one schema of plain values: includes, abstract patterns and rules expanded. ISO/IEC 19757-3.

Files are read through a function, so that the folder they may come from is decided once, outside.
"""

import posixpath
from collections.abc import Callable, Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass

from lxml import etree

from cda.schematron.nodes import Element
from xds.failure import Failure

SCHEMATRON = "http://purl.oclc.org/dsdl/schematron"
_S = f"{{{SCHEMATRON}}}"
_MOST_FILES = 5_000
_DEEPEST = 20

Read = Callable[[str], bytes]


class SchemaError(Failure):
    """A Schematron that cannot be loaded: the file and why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Let:
    name: str
    value: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One assert or report. `message` is the element with its text, `diagnostics` those it names."""

    id: str
    kind: str
    test: str
    role: str
    flag: str
    message: Element
    diagnostics: tuple[Element, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """`context` and what is checked on the nodes it matches, inherited checks first."""

    context: str
    lets: tuple[Let, ...]
    checks: tuple[Check, ...]
    file: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Pattern:
    """Rules of which the first that matches a node is the one that counts."""

    id: str
    rules: tuple[Rule, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SchemaSource:
    """A schema with everything expanded; `patterns` are those of the phase asked for."""

    name: str
    namespaces: Mapping[str, str]
    lets: tuple[Let, ...]
    patterns: tuple[Pattern, ...]


def load(name: str, read: Read, phase: str = "#DEFAULT") -> SchemaSource:
    """Load the schema at this path. SchemaError when a file is missing, not XML, or not Schematron.

    `read` answers the bytes of a path with `/`, relative to the folder of the rules, FileNotFoundError
    when it has none; it never sees a path outside. `phase`: a name, `#ALL`, or `#DEFAULT`.
    """
    loader = _Loader(read)
    root = loader.parsed(name)
    loader.expand(root, name, 0)
    return _source(name, root, phase)


class _Loader:
    """Reads files and puts included ones in place."""

    def __init__(self, read: Read) -> None:
        self._read = read
        self._files = 0

    def parsed(self, path: str) -> Element:
        self._files += 1
        if self._files > _MOST_FILES:
            raise SchemaError(f"{path}: more than {_MOST_FILES} files are included")
        parser = etree.XMLParser(resolve_entities=False, no_network=True, remove_comments=True, remove_pis=True)
        try:
            root = etree.fromstring(self._read(path), parser)
        except FileNotFoundError as error:
            raise SchemaError(f"{path}: no such file among the rules") from error
        except etree.XMLSyntaxError as error:
            raise SchemaError(f"{path}: not well-formed XML: {error}") from error
        root.set("file", path)
        return root

    def expand(self, root: Element, path: str, depth: int) -> None:
        """Replace each `include` below the root by the root of the file it names."""
        if depth > _DEEPEST:
            raise SchemaError(f"{path}: files include each other more than {_DEEPEST} deep")
        for include in list(root.iter(f"{_S}include")):
            target = inside(posixpath.dirname(path), include.get("href") or "")
            included = self.parsed(target)
            self.expand(included, target, depth + 1)
            parent = include.getparent()
            if parent is None:
                raise SchemaError(f"{path}: the root is an include")
            parts = list(included) if included.tag == f"{_S}schema" else [included]
            at = parent.index(include)
            parent[at : at + 1] = parts


def inside(folder: str, href: str) -> str:
    """The path of a reference. SchemaError when it leaves the folder of the rules."""
    if "://" in href or href.startswith("/"):
        raise SchemaError(f"{href!r} is not a file of the rules")
    path = posixpath.normpath(posixpath.join(folder, href))
    if path == ".." or path.startswith("../"):
        raise SchemaError(f"{href!r} leads out of the folder of the rules")
    return path


def _source(name: str, root: Element, phase: str) -> SchemaSource:
    if root.tag != f"{_S}schema":
        raise SchemaError(f"{name}: the root is {root.tag}, a Schematron schema was expected")
    _expand_abstract_patterns(root)
    patterns = [each for each in root.iter(f"{_S}pattern") if each.get("abstract") != "true"]
    active = _active(root, phase)
    diagnostics = {each.get("id") or "": each for each in root.iter(f"{_S}diagnostic")}
    abstract = {each.get("id") or "": each for each in root.iter(f"{_S}rule") if each.get("abstract") == "true"}
    return SchemaSource(
        name=name,
        namespaces={each.get("prefix") or "": each.get("uri") or "" for each in root.iter(f"{_S}ns")},
        lets=tuple(_lets([root, *root.iter(f"{_S}pattern"), *root.iter(f"{_S}phase")])),
        patterns=tuple(
            _pattern(each, abstract, diagnostics) for each in patterns if active is None or each.get("id") in active
        ),
    )


def _active(root: Element, phase: str) -> set[str | None] | None:
    """Ids of the patterns of a phase, None for all."""
    asked = root.get("defaultPhase", "#ALL") if phase == "#DEFAULT" else phase
    if asked == "#ALL":
        return None
    for each in root.iter(f"{_S}phase"):
        if each.get("id") == asked:
            return {active.get("pattern") for active in each.iter(f"{_S}active")}
    raise SchemaError(f"there is no phase {asked!r}")


def _lets(parents: Sequence[Element]) -> Iterator[Let]:
    """`let` of these elements. Of a pattern too they are seen everywhere: published rules rely on it."""
    for parent in parents:
        if parent.get("abstract") != "true":
            for let in parent.iterchildren(f"{_S}let"):
                yield Let(name=(let.get("name") or "").strip(), value=let.get("value") or let.text or "")


def _expand_abstract_patterns(root: Element) -> None:
    abstract = {each.get("id"): each for each in root.iter(f"{_S}pattern") if each.get("abstract") == "true"}
    for pattern in [each for each in root.iter(f"{_S}pattern") if each.get("is-a")]:
        model = abstract.get(pattern.get("is-a"))
        if model is None:
            raise SchemaError(f"there is no abstract pattern {pattern.get('is-a')!r}")
        parameters = {
            (each.get("name") or "").strip(): each.get("value") or "" for each in pattern.iterchildren(f"{_S}param")
        }
        for child in model:
            copied = deepcopy(child)
            for each in copied.iter():
                _fill(each, parameters)
            pattern.append(copied)


def _fill(element: Element, parameters: Mapping[str, str]) -> None:
    """Put parameters in, the longest names first: `$xpath_elt` is not `$xpath` and more."""
    for name in sorted(parameters, key=len, reverse=True):
        for attribute, value in element.attrib.items():
            if f"${name}" in str(value):
                element.set(attribute, str(value).replace(f"${name}", parameters[name]))


def _pattern(pattern: Element, abstract: Mapping[str, Element], diagnostics: Mapping[str, Element]) -> Pattern:
    rules = (
        Rule(
            context=rule.get("context") or "",
            lets=tuple(_inherited_lets(rule, abstract, 0)),
            checks=tuple(_checks(rule, abstract, diagnostics, 0)),
            file=_file(rule),
        )
        for rule in pattern.iter(f"{_S}rule")
        if rule.get("abstract") != "true"
    )
    return Pattern(id=pattern.get("id") or "", rules=tuple(rules))


def _file(element: Element) -> str:
    """The file an element was read from."""
    above: Element | None = element
    while above is not None:
        if above.get("file"):
            return above.get("file") or ""
        above = above.getparent()
    return ""


def _extended(extends: Element, abstract: Mapping[str, Element], depth: int) -> Element:
    name = extends.get("rule") or ""
    if name not in abstract:
        raise SchemaError(f"there is no abstract rule {name!r}")
    if depth > _DEEPEST:
        raise SchemaError(f"abstract rules extend each other more than {_DEEPEST} deep at {name!r}")
    return abstract[name]


def _inherited_lets(rule: Element, abstract: Mapping[str, Element], depth: int) -> Iterator[Let]:
    for child in rule:
        if child.tag == f"{_S}extends":
            yield from _inherited_lets(_extended(child, abstract, depth), abstract, depth + 1)
        elif child.tag == f"{_S}let":
            yield Let(name=(child.get("name") or "").strip(), value=child.get("value") or child.text or "")


def _checks(
    rule: Element, abstract: Mapping[str, Element], diagnostics: Mapping[str, Element], depth: int
) -> Iterator[Check]:
    for child in rule:
        if child.tag == f"{_S}extends":
            yield from _checks(_extended(child, abstract, depth), abstract, diagnostics, depth + 1)
        elif child.tag in {f"{_S}assert", f"{_S}report"}:
            yield Check(
                id=child.get("id") or "",
                kind=etree.QName(child).localname,
                test=child.get("test") or "",
                role=(child.get("role") or "error").lower(),
                flag=child.get("flag") or "",
                message=child,
                diagnostics=tuple(
                    diagnostics[each] for each in (child.get("diagnostics") or "").split() if each in diagnostics
                ),
            )
