"""The elements of one document, looked up instead of searched for.

One document, one thread, not changed while it is read. Everything is found when first asked for;
holding the elements here also keeps their identity, which lxml gives to living proxies only.
"""

from collections.abc import Mapping, Sequence
from functools import cached_property

from lxml import etree

Element = etree._Element
_TEMPLATE_ID = "{urn:hl7-org:v3}templateId"


class Nodes:
    """Look-ups below one root: children by name, elements by name, by templateId, by place."""

    def __init__(self, root: Element) -> None:
        self.root = root
        self._children: dict[Element, dict[str, list[Element]]] = {}
        self._named: dict[str, tuple[Element, ...]] = {}

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

    def at(self, path: Sequence[str]) -> Sequence[Element]:
        """Elements by tags from the root on, the root's own first."""
        return self._places.get(tuple(path)) or self._walk(tuple(path))

    @cached_property
    def _places(self) -> dict[tuple[str, ...], Sequence[Element]]:
        return {(str(self.root.tag),): (self.root,)}

    def _walk(self, path: tuple[str, ...]) -> Sequence[Element]:
        if len(path) < 2:
            return ()
        found = [each for parent in self.at(path[:-1]) for each in self.children(parent).get(path[-1], ())]
        self._places[path] = found
        return found

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
