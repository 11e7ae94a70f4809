"""The elements of FHIR R4 resources and data types, read from `fhir/structures.csv`. FHIR R4 5.3.

The table restates FHIR R4 4.0.1 (CC0): one row per element, in the order that XML has them. It is written by
`docs/extract_fhir_structures.py` from the package hl7.fhir.r4.core.
"""

import csv
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from types import MappingProxyType

from schemas import resource

_CHOICE = "[x]"
NESTED = frozenset({"BackboneElement", "Element"})
PRIMITIVES = frozenset(
    {
        *("base64Binary", "boolean", "canonical", "code", "date", "dateTime", "decimal", "id", "instant", "integer"),
        *("markdown", "oid", "positiveInt", "string", "time", "unsignedInt", "uri", "url", "uuid"),
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Element:
    """One element by the name it has in JSON and XML; a choice such as value[x] is one for each of its types.

    `type` is a primitive, a data type, `Resource`, or the path of a nested element; `choice` names the choice, empty
    where there is none; `codes` are those of a closed list, none where the list is open.
    `is_single_primitive`: it has one value, and no elements.
    """

    name: str
    type: str
    required: bool
    many: bool
    choice: str = ""
    codes: frozenset[str] = frozenset()
    is_primitive: bool = field(init=False)
    is_single_primitive: bool = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "is_primitive", self.type in PRIMITIVES)
        object.__setattr__(self, "is_single_primitive", self.is_primitive and not self.many)


@cache
def _rows() -> Mapping[str, tuple[Mapping[str, str], ...]]:
    """Rows by the path they are children of."""
    found: dict[str, list[Mapping[str, str]]] = {}
    with resource("fhir/structures.csv").open(encoding="utf-8", newline="") as table:
        for row in csv.DictReader(table):
            found.setdefault(row["path"].rpartition(".")[0], []).append(row)
    return MappingProxyType({path: tuple(rows) for path, rows in found.items()})


@cache
def elements(path: str) -> Mapping[str, Element]:
    """The children of a type (`Patient`, `HumanName`) or of a nested element (`Bundle.entry`), by name, in order.

    Empty for a path that FHIR R4 does not have.
    """
    found = [one for row in _rows().get(path, ()) for one in _elements(row)]
    return MappingProxyType({one.name: one for one in found})


@cache
def required_elements(path: str) -> Mapping[str, tuple[str, ...]]:
    """The children that must be there, by name or by that of their choice -> every name that they may have."""
    required = [one for one in elements(path).values() if one.required]
    names: dict[str, tuple[str, ...]] = {}
    for one in required:
        name = one.choice or one.name
        names[name] = (*names.get(name, ()), one.name)
    return MappingProxyType(names)


@cache
def is_resource(name: str) -> bool:
    """Whether this is a resource that can be sent: every one has the elements of Resource."""
    return "." not in name and {"id", "meta", "implicitRules"} <= elements(name).keys()


def _elements(row: Mapping[str, str]) -> list[Element]:
    path, name = row["path"], row["path"].rpartition(".")[2]
    required, many, codes = row["min"] != "0", row["max"] == "*", frozenset(row["codes"].split())
    types = [_type(path, one) for one in row["types"].split()]
    if not name.endswith(_CHOICE):
        return [Element(name=name, type=types[0], required=required, many=many, codes=codes)]
    stem = name.removesuffix(_CHOICE)
    return [
        Element(name=stem + one[0].upper() + one[1:], type=one, required=required, many=many, choice=stem)
        for one in types
    ]


def _type(path: str, name: str) -> str:
    if name.startswith("#"):
        return name[1:]
    return path if name in NESTED else name
