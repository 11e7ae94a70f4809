"""How much of a result is wanted: counts, summaries, some elements, and what matches refer to. FHIR R4 3.1.1.5."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fhir_facade.fhir_json import read_own_json, write_json
from fhir_facade.operation_outcome import bad_request

_SUBSETTED = {"system": "http://terminology.hl7.org/CodeSystem/v3-ObservationValue", "code": "SUBSETTED"}
_ITERATED = {name: (f"{name}:iterate", f"{name}:recurse") for name in ("_include", "_revinclude")}
SHAPING = ("_summary", "_elements", *(one for name, others in _ITERATED.items() for one in (name, *others)))
_SUMMARIES = ("true", "text", "data", "count", "false")
_ALWAYS = ("resourceType", "id", "meta")
_MANDATORY = {"DocumentReference": ("status", "content"), "List": ("status", "mode"), "Patient": ()}
# Elements that R4 marks for a summary.
_OF_SUMMARY = {
    "DocumentReference": (
        *("implicitRules", "masterIdentifier", "identifier", "status", "docStatus", "type", "category", "subject"),
        *("date", "author", "relatesTo", "description", "securityLabel", "content", "context"),
    ),
    "List": ("implicitRules", "identifier", "status", "mode", "title", "code", "subject", "date", "source"),
    "Patient": (
        *("implicitRules", "identifier", "active", "name", "telecom", "gender", "birthDate", "deceasedBoolean"),
        *("deceasedDateTime", "address", "managingOrganization", "link"),
    ),
}
INCLUDES = {
    "DocumentReference": ("DocumentReference:patient", "DocumentReference:subject", "DocumentReference:relatesto"),
    "List": ("List:patient", "List:subject", "List:item"),
}
REVERSE_INCLUDES = {
    "DocumentReference": ("List:item", "DocumentReference:relatesto"),
    "List": ("List:item",),
}


# Includes that lead to one type alone.
_LEADS_TO = {
    "DocumentReference:patient": "Patient",
    "DocumentReference:subject": "Patient",
    "DocumentReference:relatesto": "DocumentReference",
    "List:patient": "Patient",
    "List:subject": "Patient",
}
Includes = Mapping[str, Sequence[str]]
Given = Mapping[str, Sequence[str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """What a search wants of its result; no elements means all of them."""

    summary: str = "false"
    elements: tuple[str, ...] = ()
    includes: tuple[str, ...] = ()
    reverse_includes: tuple[str, ...] = ()
    iterated: tuple[str, ...] = ()  # of `includes`, those that are followed on from what they found
    reverse_iterated: tuple[str, ...] = ()

    @property
    def counts_only(self) -> bool:
        return self.summary == "count"

    @property
    def is_partial(self) -> bool:
        return bool(self.elements) or self.summary in ("true", "text", "data")

    @property
    def is_including(self) -> bool:
        return bool(self.includes or self.reverse_includes)

    @property
    def is_plain(self) -> bool:
        """Whether matches are wanted whole, and nothing beside them."""
        return not (self.counts_only or self.is_partial or self.is_including)

    def shown(self, resource: str, rendering: bytes) -> bytes:
        """The part of a resource that is wanted, marked as a part."""
        wanted = self._elements_of(resource)
        if wanted is None:
            return rendering
        whole: dict[str, Any] = read_own_json(rendering.decode())
        part = {name: value for name, value in whole.items() if name.removeprefix("_") in wanted}
        part |= _still_meant(whole, part)
        meta = dict(part.get("meta", {}))
        part["meta"] = {**meta, "tag": [*meta.get("tag", ()), _SUBSETTED]}
        return write_json(part)

    def _elements_of(self, resource: str) -> frozenset[str] | None:
        """The names of the elements that are shown, None for all."""
        required = (*_ALWAYS, *_MANDATORY[resource])
        if self.elements:
            return frozenset((*required, *self.elements))
        if self.summary == "true":
            return frozenset((*_ALWAYS, *_OF_SUMMARY[resource]))
        if self.summary == "text":
            return frozenset((*required, "text"))
        return _AllBut(("text",)) if self.summary == "data" else None


def _still_meant(whole: Mapping[str, Any], part: Mapping[str, Any]) -> dict[str, Any]:
    """Contained resources that the part refers to: without them its references lead nowhere. FHIR R4 ref-1"""
    meant, left, text = list[Any](), list(whole.get("contained", ())), write_json(part)
    while found := [one for one in left if write_json({"reference": f"#{one['id']}"})[1:-1] in text]:
        meant += found
        left = [one for one in left if one not in found]
        text = write_json(found)
    return {"contained": meant} if meant else {}


class _AllBut(frozenset[str]):
    """Every name that is none of these."""

    def __contains__(self, name: object) -> bool:
        return not super().__contains__(name)


def read_shape(resource: str, parameters: Iterable[tuple[str, str]]) -> Shape:
    """Raises FhirProblem for what is not served."""
    given: dict[str, list[str]] = {}
    for name, value in parameters:
        given.setdefault(name, []).append(value)
    summary = _once(given, "_summary") or "false"
    if summary not in _SUMMARIES:
        raise bad_request(f"_summary: expected one of {', '.join(_SUMMARIES)}", expression="_summary")
    elements = tuple(part.strip() for value in given.get("_elements", ()) for part in value.split(","))
    if not all(elements) or (elements and summary != "false"):
        raise bad_request("_elements: expected names of elements, without _summary", expression="_elements")
    return Shape(
        summary=summary,
        elements=elements,
        includes=_known(given, "_include", INCLUDES, resource),
        reverse_includes=_known(given, "_revinclude", REVERSE_INCLUDES, resource),
        iterated=_iterated(given, "_include", INCLUDES),
        reverse_iterated=_iterated(given, "_revinclude", REVERSE_INCLUDES),
    )


def _once(given: Mapping[str, Sequence[str]], name: str) -> str:
    values = given.get(name, ())
    if len(values) > 1:
        raise bad_request(f"{name}: expected it once", expression=name)
    return values[0] if values else ""


def _known(given: Given, name: str, known: Includes, resource: str) -> tuple[str, ...]:
    """What matches are asked for beside them: of their own type, or with `:iterate` of any."""
    own = known.get(resource, ())
    asked = [found for value in given.get(name, ()) for found in _named(name, value, own)]
    return tuple(dict.fromkeys((*asked, *_iterated(given, name, known))))


def _iterated(given: Given, name: str, known: Includes) -> tuple[str, ...]:
    every = tuple(dict.fromkeys(one for several in known.values() for one in several))
    values = [(spelled, value) for spelled in _ITERATED[name] for value in given.get(spelled, ())]
    return tuple(dict.fromkeys(found for spelled, value in values for found in _named(spelled, value, every)))


def _named(name: str, value: str, known: Sequence[str]) -> Sequence[str]:
    """All of them for `*`; the one that a value is, which may say to which type it leads where there is but one."""
    if value == "*" and known:
        return known
    include, _, kind = value.rpartition(":")
    found = include if kind and kind == _LEADS_TO.get(include) else value
    if found not in known:
        sentence = f"{name}: expected one of {', '.join(known)}"
        raise bad_request(sentence, code="not-supported", expression=name)
    return (found,)
