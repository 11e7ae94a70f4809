"""A schema as plain values: what each global element and type declares, however its author arranged it."""

from collections.abc import Iterator
from typing import Any

import xmlschema
from xmlschema.validators import XsdAnyElement, XsdComplexType, XsdElement, XsdGroup, XsdType

Particle = tuple[Any, int, int | None]


def declarations(schema: xmlschema.XMLSchema10, namespaces: frozenset[str]) -> dict[str, Any]:
    """Every global element and type of these namespaces, by kind and name."""
    elements = {f"element {name}": _element(item) for name, item in schema.maps.elements.items()}
    types = {f"type {name}": _type(item) for name, item in schema.maps.types.items()}
    return {key: value for key, value in (elements | types).items() if _namespace(key) in namespaces}


def _namespace(key: str) -> str:
    return key.partition("{")[2].partition("}")[0]


def _element(item: XsdElement) -> Any:
    return (item.abstract, item.nillable, item.default, item.fixed, item.substitution_group, _type_use(item.type))


def _type_use(item: XsdType) -> Any:
    return item.name or _type(item)


def _type(item: XsdType) -> Any:
    if isinstance(item, XsdComplexType):
        return (item.abstract, item.mixed, _base(item), _attributes(item), _content(item.content))
    return (_base(item), _facets(item), [_type_use(member) for member in getattr(item, "member_types", ())])


def _base(item: XsdType) -> Any:
    return item.base_type and (item.derivation, item.base_type.name)


def _facets(item: XsdType) -> Any:
    return sorted((str(name), str(_limit(facet))) for name, facet in item.facets.items())


def _limit(facet: Any) -> Any:
    return sorted(facet.enumeration) if hasattr(facet, "enumeration") else getattr(facet, "value", None)


def _attributes(item: XsdComplexType) -> Any:
    return {
        name: (attribute.use, attribute.default, attribute.fixed, _type_use(attribute.type))
        for name, attribute in item.attributes.items()
        if name is not None
    }


def _content(content: Any) -> Any:
    return list(_dissolved(content)) if isinstance(content, XsdGroup) else _type_use(content)


def _particles(group: XsdGroup) -> Iterator[Particle]:
    """The particles in order, nested sequences dissolved where that changes nothing."""
    for child in group:
        yield from _dissolved(child) if isinstance(child, XsdGroup) else (_particle(child),)


def _particle(item: Any) -> Particle:
    if isinstance(item, XsdAnyElement):
        return ("any", sorted(item.namespace), item.process_contents), item.min_occurs, item.max_occurs
    declared = item.name if item.ref else (item.name, _element(item))
    return declared, item.min_occurs, item.max_occurs


def _dissolved(group: XsdGroup) -> Iterator[Particle]:
    inner = list(_particles(group))
    if group.min_occurs == group.max_occurs == 1 or (group.max_occurs == 1 and all(low == 0 for _, low, _ in inner)):
        yield from inner
    elif len(inner) == 1:
        [(item, low, high)] = inner
        yield item, low * group.min_occurs, high * group.max_occurs if high and group.max_occurs else None
    else:
        yield (group.model, tuple(map(str, inner))), group.min_occurs, group.max_occurs
