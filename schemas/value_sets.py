"""Value sets, associations and code systems of the affinity domain, read from CSV. ITI TF-3: 4.2.3.1.2.

`valuesets/index.csv` names every file with its OID, version and source. Each is read once per
process, when it is first asked for.
"""

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from types import MappingProxyType

from schemas import resource


@dataclass(frozen=True, slots=True, kw_only=True)
class Concept:
    """A code of a code system. `class_code` is set in the value sets of typeCode only.

    `vihf_occurrence`: in the roles of a VIHF, 1 for the first value, 2 for those after it.
    """

    code: str
    system: str
    display: str
    class_code: str = ""
    vihf_occurrence: str = ""


@dataclass(frozen=True, kw_only=True)
class ValueSet:
    """The codes one attribute may carry. `oid` and `version` are empty when the publisher gives none."""

    name: str
    oid: str
    version: str
    concepts: tuple[Concept, ...]

    @cached_property
    def _by_key(self) -> Mapping[tuple[str, str], Concept]:
        return {(concept.code, concept.system): concept for concept in self.concepts}

    def concept(self, code: str, system: str) -> Concept | None:
        return self._by_key.get((code, system))

    def contains(self, code: str, system: str) -> bool:
        return (code, system) in self._by_key

    def display(self, code: str, system: str) -> str:
        """The French label, empty when the code is not in the value set."""
        concept = self.concept(code, system)
        return concept.display if concept else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeSystem:
    """One code system under its two names. `also` are URIs that other systems send for it."""

    name: str
    oid: str
    uri: str
    also: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Edition:
    """One line of the index: what a file holds, from whom, of which date."""

    file: str
    name: str
    oid: str
    version: str
    source: str
    use: str


Association = Mapping[tuple[str, str], Concept]


def _rows(file: str) -> tuple[dict[str, str], ...]:
    text = resource(f"valuesets/{file}").read_text(encoding="utf-8")
    return tuple(csv.DictReader(text.splitlines()))


@cache
def editions() -> Mapping[str, Edition]:
    """The index by name."""
    return MappingProxyType({row["name"]: Edition(**row) for row in _rows("index.csv")})


def _edition(name: str, prefix: str) -> Edition:
    edition = editions().get(name)
    if edition is None or not name.startswith(prefix):
        raise KeyError(f"no {name} in the index of value sets")
    return edition


def _concept(row: Mapping[str, str]) -> Concept:
    return Concept(
        code=row["code"],
        system=row["system"],
        display=row["display"],
        class_code=row.get("class", ""),
        vihf_occurrence=row.get("vihf_occurrence", ""),
    )


@cache
def value_set(name: str) -> ValueSet:
    """A value set by the name of the index, such as `JDV_J66_TypeCode_DMP`. KeyError when there is none."""
    edition = _edition(name, "JDV_")
    concepts = tuple(_concept(row) for row in _rows(edition.file))
    return ValueSet(name=name, oid=edition.oid, version=edition.version, concepts=concepts)


@cache
def associations(name: str) -> Association:
    """An association by the name of the index, (source code, source system) to concept. KeyError when there is none.

    The system of a template is `urn:ietf:rfc:3986`, that of a media type `urn:ietf:bcp:13`.
    """
    rows = _rows(_edition(name, "ASS_").file)
    return MappingProxyType({(row["source"], row["source_system"]): _concept(row) for row in rows})


def format_of_template(root: str) -> Concept | None:
    """formatCode of a structured body, from the OID of a templateId. ANS ASS_A11"""
    return associations("ASS_A11_ModeleCDA_FormatCode_CISIS").get((root, "urn:ietf:rfc:3986"))


def format_of_media_type(media_type: str) -> Concept | None:
    """formatCode of an unstructured body. ANS ASS_A12"""
    return associations("ASS_A12_MediaType_FormatCode_CISIS").get((media_type, "urn:ietf:bcp:13"))


def class_of_type(code: str, system: str) -> Concept | None:
    """classCode of a typeCode: that of the DMP, else the general one. ANS ASS_X16, ASS_X04"""
    type_concept = value_set("JDV_J66_TypeCode_DMP").concept(code, system)
    if type_concept is None or not type_concept.class_code:
        return associations("ASS_X04_TypeCode_ClassCode_CISIS").get((code, system))
    classes = value_set("JDV_J57_ClassCode_DMP").concepts
    return next((concept for concept in classes if concept.code == type_concept.class_code), None)


@cache
def code_systems() -> tuple[CodeSystem, ...]:
    """Every code system with an OID and a URI."""
    rows = _rows("code_systems.csv")
    return tuple(
        CodeSystem(name=row["name"], oid=row["oid"], uri=row["uri"], also=tuple(row["also"].split())) for row in rows
    )
