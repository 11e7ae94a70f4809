"""The elements of one document, read once into tables: looked up instead of searched for.

One pass over the tree makes a `Node` of every element. After it, presence, cardinality and fixed codes cost a
dictionary look-up each; a call into libxml2 costs several times as much. One document, one thread, not changed while
it is read. No node knows its parent, so that a document is gone with its last reference.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType
from typing import Any

from lxml import etree

Element = etree._Element
_TEMPLATE_ID = "{urn:hl7-org:v3}templateId"


class Node:
    """One element: its tag, attributes and child elements by tag. `element` is that of the tree.

    `repeats`: whether two of its children have one tag.
    """

    __slots__ = ("attributes", "children", "element", "repeats", "tag")

    element: Element
    tag: str
    attributes: Mapping[str, str]
    children: Mapping[str, Sequence["Node"]]
    repeats: bool

    def texts(self) -> Sequence[str]:
        """Its text nodes."""
        element = self.element
        pieces = [element.text, *(child.tail for child in element)] if len(element) else [element.text]
        return [piece for piece in pieces if piece]

    def string(self) -> str:
        """Its string value: all text in it."""
        element = self.element
        return "".join(element.itertext()) if len(element) else element.text or ""  # type: ignore[arg-type]

    def walk(self) -> Iterator["Node"]:
        """Itself and everything below, in no particular order."""
        waiting = [self]
        while waiting:
            node = waiting.pop()
            yield node
            for same in node.children.values():
                waiting += same


_NOTHING: Mapping[str, Any] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Place:
    """A path from the root; `kept` are those of some elements on which its last predicates hold.

    The same object is the same place.
    """

    parent: "Place | None"
    tag: str
    kept: "Callable[[Sequence[Node], Nodes], Sequence[Node]] | None" = None


class Nodes:
    """Look-ups below one root: children by name, elements by name, by templateId, by place.

    `coded`: those that name a code system. `identifiers`: the values of `@ID`.
    """

    def __init__(self, root: Element) -> None:
        self.root = _node(root)
        self.coded: list[Node] = []
        self.identifiers: set[str] = set()
        self._parents: dict[Node, Node] = {}
        self._named: dict[str, list[Node]] = {self.root.tag: [self.root]}
        self._places: dict[Place, Sequence[Node]] = {}
        _read_below(self.root, self._parents, self._named, self.coded, self.identifiers)

    @cached_property
    def _of_elements(self) -> Mapping[Element, Node]:
        return {each.element: each for each in self.named("*")}

    def node(self, element: Element) -> Node:
        """The node of an element of the tree. KeyError for any other."""
        return self._of_elements[element]

    def parent(self, node: Node) -> Node | None:
        """The node above; None above the root."""
        return self._parents.get(node)

    def siblings(self, node: Node) -> Sequence[Node]:
        """Elements of the same name beside it."""
        parent = self._parents.get(node)
        if parent is None or not parent.repeats:
            return ()
        return [each for each in parent.children[node.tag] if each is not node]

    def named(self, tag: str) -> Sequence[Node]:
        """Every element of this tag in document order, the root among them; `*` is any."""
        return (self.root, *self._parents) if tag == "*" else self._named.get(tag, ())

    @cached_property
    def templates(self) -> Mapping[str, Sequence[Node]]:
        """templateId elements by @root."""
        found: dict[str, list[Node]] = {}
        for each in self.named(_TEMPLATE_ID):
            found.setdefault(each.attributes.get("root", ""), []).append(each)
        return found

    @cached_property
    def with_template(self) -> Mapping[str, Sequence[Node]]:
        """Elements by @root of their templateId, each once."""
        found: dict[str, dict[Node, None]] = {}
        for root, templates in self.templates.items():
            parents = (self.parent(each) for each in templates)
            found[root] = {parent: None for parent in parents if parent is not None}
        return {root: tuple(parents) for root, parents in found.items()}

    def at(self, place: Place) -> Sequence[Node]:
        """Elements at a place, found once."""
        found = self._places.get(place)
        if found is None:
            found = self._places[place] = self._walk(place)
        return found

    def _walk(self, place: Place) -> Sequence[Node]:
        if place.parent is None:
            nodes: Sequence[Node] = (self.root,) if self.root.tag == place.tag else ()
        else:
            tag, above = place.tag, self.at(place.parent)
            nodes = [each for parent in above if tag in parent.children for each in parent.children[tag]]
        return nodes if place.kept is None or not nodes else place.kept(nodes, self)

    def is_below(self, node: Node, above: Node) -> bool:
        """Whether `above` is an ancestor of the node."""
        if above is self.root:
            return node is not above
        parent = self.parent(node)
        while parent is not None:
            if parent is above:
                return True
            parent = self.parent(parent)
        return False


def _node(element: Element) -> Node:
    node = Node()
    node.element = element
    node.tag = element.tag
    node.attributes = dict(element.items())  # type: ignore[arg-type]
    node.children = _NOTHING
    node.repeats = False
    return node


def _read_below(
    above: Node, parents: dict[Node, Node], named: dict[str, list[Node]], coded: list[Node], identifiers: set[str]
) -> None:
    """The nodes below one, in document order. Written for speed: it runs for every element of every document.

    It calls itself: a document is at most 256 elements deep.
    """
    children: dict[str, list[Node]] = {}
    for element in above.element.iterchildren("*"):
        node = Node()
        node.element = element
        node.tag = tag = element.tag
        said: Any = element.items()  # pairs of text, which the stubs do not know
        node.attributes = attributes = dict(said) if said else _NOTHING
        if "codeSystem" in attributes:
            coded.append(node)
        if "ID" in attributes:
            identifiers.add(attributes["ID"])
        parents[node] = above
        if tag in named:
            named[tag].append(node)
        else:
            named[tag] = [node]
        if tag in children:
            children[tag].append(node)
            above.repeats = True
        else:
            children[tag] = [node]
        node.children = _NOTHING
        node.repeats = False
        if len(element):
            _read_below(node, parents, named, coded, identifiers)
    if children:
        above.children = children
