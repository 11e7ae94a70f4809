"""The rule packs of Carnet, compiled once per process. `schemas/schematron/`."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from threading import Lock

from cda.datatype_rules import keeps_datatype
from cda.findings import Layer
from cda.schematron import Schema, ValueSets, compile_schema, load
from schemas import resource
from schemas.value_sets import editions, value_set

HasMember = Callable[[str, str, str | None], bool]
# Threads that meet packs for the first time at once would each compile them: one does, the others wait.
_COMPILING = Lock()

PACKS: Mapping[Layer, str] = {
    Layer.HEADER: "header.sch",
    Layer.IHE: "ihe.sch",
    Layer.FRENCH: "fr.sch",
    Layer.NATIONAL: "ans.sch",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleSet:
    """Schemas by layer, and those of document models by name and version; None where there is none."""

    layers: Mapping[Layer, Schema]
    model: Callable[[str, str], Schema | None]


def own_rules_of_layers() -> RuleSet:
    """The packs that come with Carnet and the value sets that come with it."""
    with _COMPILING:
        return _own_rules()


@cache
def _own_rules() -> RuleSet:
    return rule_set(shipped_value_sets())


def rule_set(value_sets: ValueSets) -> RuleSet:
    """Our packs with these value sets. A model is compiled when it is first asked for."""
    layers = {layer: _compiled(file, value_sets) for layer, file in PACKS.items()}

    @cache
    def compiled(name: str, version: str) -> Schema | None:
        try:
            resource(f"schematron/models/{name}_{version}.sch")
        except FileNotFoundError:
            return None
        return _compiled(f"models/{name}_{version}.sch", value_sets)

    def model(name: str, version: str) -> Schema | None:
        with _COMPILING:
            return compiled(name, version)

    return RuleSet(layers=layers, model=model)


def _compiled(file: str, value_sets: ValueSets) -> Schema:
    return compile_schema(
        load(file, _read),
        value_sets=value_sets,
        open_document=lambda _path: None,
        element_tests={"datatype": keeps_datatype},
    )


def _read(path: str) -> bytes:
    return resource(f"schematron/{path}").read_bytes()


def shipped_value_sets() -> ValueSets:
    """The value sets of `schemas/valuesets/`."""
    return ValueSets(has=lambda name: name in editions() and name.startswith("JDV_"), is_member=_is_member)


def _is_member(name: str, code: str, system: str | None) -> bool:
    if system is None:
        return code in _codes(name)
    return value_set(name).contains(code, system)


@cache
def _codes(name: str) -> frozenset[str]:
    return frozenset(concept.code for concept in value_set(name).concepts)
