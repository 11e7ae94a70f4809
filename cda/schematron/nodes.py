"""The elements of one document, read once into tables: looked up instead of searched for.

One pass over the tree makes a `Node` of every element. After it, presence, cardinality and fixed codes cost a
dictionary look-up each; a call into libxml2 costs several times as much. One document, one thread, not changed while
it is read. No node knows its parent, so that a document is gone with its last reference.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from lxml import etree

Element = etree._Element
_TEMPLATE_ID = "{urn:hl7-org:v3}templateId"


class Node:
    """One element: its tag, attributes and child elements by tag. `element` is that of the tree."""

    __slots__ = ("attributes", "children", "element", "tag")

    element: Element
    tag: str
    attributes: Mapping[str, str]
    children: Mapping[str, Sequence["Node"]]

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


_NO_CHILDREN: Mapping[str, Sequence[Node]] = {}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Place:
    """A path from the root with what must hold on its last element. The same object is the same place."""

    parent: "Place | None"
    tag: str
    conditions: tuple[Callable[[Node, "Nodes"], bool], ...] = ()


class Nodes:
    """Look-ups below one root: children by name, elements by name, by templateId, by place."""

    def __init__(self, root: Element) -> None:
        self._nodes = _read(root)
        self.root = self._nodes[root]
        self._named: dict[str, Sequence[Node]] = {}
        self._places: dict[Place, Sequence[Node]] = {}

    def node(self, element: Element) -> Node:
        """The node of an element of the tree. KeyError for any other."""
        return self._nodes[element]

    def every(self) -> Iterable[Node]:
        """All of them, in document order."""
        return self._nodes.values()

    def parent(self, node: Node) -> Node | None:
        """The node above; None above the root."""
        return None if node is self.root else self._nodes[node.element.getparent()]  # type: ignore[index]

    def siblings(self, node: Node) -> Sequence[Node]:
        """Elements of the same name beside it."""
        parent = self.parent(node)
        same = () if parent is None else parent.children[node.tag]
        return () if len(same) < 2 else [each for each in same if each is not node]

    def named(self, tag: str) -> Sequence[Node]:
        """Every element of this tag in document order, the root among them; `*` is any."""
        found = self._named.get(tag)
        if found is None:
            found = self._named[tag] = tuple(map(self._nodes.__getitem__, self.root.element.iter(tag)))
        return found

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
        for holds in place.conditions:
            if not nodes:
                break
            nodes = [each for each in nodes if holds(each, self)]
        return nodes

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


def _read(root: Element) -> dict[Element, Node]:
    """Nodes by element, in document order. Written for speed: it runs for every element of every document."""
    nodes: dict[Element, Node] = {}
    for element in root.iter("*"):
        node = Node()
        node.element = element
        node.tag = tag = element.tag
        node.attributes = dict(element.items())  # type: ignore[arg-type]
        node.children = _NO_CHILDREN
        nodes[element] = node
        if element is root:
            continue
        parent = nodes[element.getparent()]  # type: ignore[index]
        children = parent.children
        if children is _NO_CHILDREN:
            parent.children = {tag: [node]}
        elif tag in children:
            children[tag].append(node)  # type: ignore[attr-defined]
        else:
            children[tag] = [node]  # type: ignore[index]
    return nodes
