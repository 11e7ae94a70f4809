"""Steps of a path that lead up or far down, where elements can be found twice: each is given once."""

from collections.abc import Iterable, Sequence

from cda.schematron.nodes import Node, Nodes

_TEMPLATE_ID = "{urn:hl7-org:v3}templateId"


def _unique(nodes: Iterable[Node | None]) -> Sequence[Node]:
    return tuple(dict.fromkeys(each for each in nodes if each is not None))


def parents(found: Sequence[Node], nodes: Nodes, tag: str | None) -> Sequence[Node]:
    """The elements right above, of this name if one is said."""
    above = _unique(map(nodes.parent, found))
    return above if tag is None else [each for each in above if each.tag == tag]


def below_template(above: Sequence[Node], nodes: Nodes, with_self: bool, tag: str, root: str) -> Sequence[Node]:
    """Elements of a name (`*`: any) and a template, anywhere below."""
    indexed = (nodes.templates if tag == _TEMPLATE_ID else nodes.with_template).get(root, ())
    named = [each for each in indexed if tag in ("*", each.tag)]
    return _unique(each for one in above for each in named if nodes.is_below(each, one) or (with_self and each is one))


def below_walked(above: Sequence[Node], nodes: Nodes, with_self: bool, tag: str) -> Sequence[Node]:
    """Elements of a name (`*`: any), anywhere below."""
    return _unique(each for one in above for each in _walked(one, nodes, with_self, tag))


def _walked(above: Node, nodes: Nodes, with_self: bool, tag: str) -> Sequence[Node]:
    if above is nodes.root:
        everywhere = nodes.named(tag)
        return everywhere if with_self or not everywhere or everywhere[0] is not above else everywhere[1:]
    walked = map(nodes.node, above.element.iter(tag))
    return [each for each in walked if with_self or each is not above]
