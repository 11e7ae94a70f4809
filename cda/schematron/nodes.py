"""The elements of one document, looked up instead of searched for.

One document, one thread, not changed while it is read. Everything is found when first asked for;
holding the elements here also keeps their identity, which lxml gives to living proxies only.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from lxml import etree

Element = etree._Element
_TEMPLATE_ID = "{urn:hl7-org:v3}templateId"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Place:
    """A path from the root with what must hold on its last element. The same object is the same place."""

    parent: "Place | None"
    tag: str
    conditions: tuple[Callable[[Element, "Nodes"], bool], ...] = ()


class Nodes:
    """Look-ups below one root: children by name, elements by name, by templateId, by place."""

    def __init__(self, root: Element) -> None:
        self.root = root
        self._children: dict[Element, dict[str, list[Element]]] = {}
        self._named: dict[str, tuple[Element, ...]] = {}
        self._places: dict[Place, Sequence[Element]] = {}

    def children(self, element: Element) -> Mapping[str, Sequence[Element]]:
        """Child elements by tag."""
        found = self._children.get(element)
        if found is None:
            found = self._children[element] = {}
            for each in element:
                tag = each.tag
                if tag in found:
                    found[tag].append(each)
                else:
                    found[tag] = [each]
        return found

    def named(self, tag: str) -> Sequence[Element]:
        """Every element of this tag in document order, the root among them; `*` is any."""
        found = self._named.get(tag)
        if found is None:
            found = self._named[tag] = tuple(self.root.iter() if tag == "*" else self.root.iter(tag))
        return found

    @cached_property
    def templates(self) -> Mapping[str, Sequence[Element]]:
        """templateId elements by @root."""
        found: dict[str, list[Element]] = {}
        for each in self.named(_TEMPLATE_ID):
            found.setdefault(each.get("root") or "", []).append(each)
        return found

    @cached_property
    def with_template(self) -> Mapping[str, Sequence[Element]]:
        """Elements by @root of their templateId, each once."""
        found: dict[str, dict[Element, None]] = {}
        for root, templates in self.templates.items():
            parents = (each.getparent() for each in templates)
            found[root] = {parent: None for parent in parents if parent is not None}
        return {root: tuple(parents) for root, parents in found.items()}

    def at(self, place: Place) -> Sequence[Element]:
        """Elements at a place, found once."""
        found = self._places.get(place)
        if found is None:
            found = self._places[place] = self._walk(place)
        return found

    def _walk(self, place: Place) -> Sequence[Element]:
        if place.parent is None:
            elements: Sequence[Element] = (self.root,) if self.root.tag == place.tag else ()
        else:
            elements = [each for parent in self.at(place.parent) for each in self.children(parent).get(place.tag, ())]
        if not place.conditions or not elements:
            return elements
        return [each for each in elements if all(holds(each, self) for holds in place.conditions)]

    def is_below(self, element: Element, above: Element) -> bool:
        """Whether `above` is an ancestor of the element."""
        if above is self.root:
            return element is not above
        parent = element.getparent()
        while parent is not None:
            if parent is above:
                return True
            parent = parent.getparent()
        return False
