"""What was submitted comes back unchanged, but for what the registry or the repository owns.

Asserts of the kit that search the whole log of a section also find the message as sent, and so can pass on a registry
that returns the old value; this check looks at the answer alone.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from lxml import etree

from conformance.nist.findings import Finding
from conformance.nist.metadata_attributes import ROWS
from conformance.nist.registry_objects import ASSOCIATION, RegistryObject, read_registry_objects, slot_values
from conformance.nist.vocabulary import RIM, UUID_PREFIX
from conformance.nist.xml import text_of
from conformance.sentence import Sentence

_ATTRIBUTES = ("mimeType", "objectType", "associationType")
_ENDS = ("sourceObject", "targetObject")
_SET_BY_REGISTRY = frozenset(("lastUpdateTime", "documentAvailability"))
_SET_BY_REPOSITORY = frozenset(("repositoryUniqueId", "hash", "size"))
_ASSOCIATION_SLOTS = frozenset(("SubmissionSetStatus", "PreviousVersion"))

Facts = Counter[tuple[str, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Submitted:
    """The facts of one object as sent; Slots named in `owned` are another's business."""

    facts: Facts
    owned: frozenset[str]
    keeps_extra: bool


def remember_submitted(
    payload: etree._Element, submitted: dict[str, Submitted | None], *, is_provided: bool, keeps_extra: bool
) -> None:
    """Keep the objects of an acknowledged submission by UUID and by uniqueId.

    `is_provided`: through a repository, which sets some attributes itself. `keeps_extra` False: the registry said that
    it did not store extra metadata. A uniqueId that several objects carry identifies none of them.
    """
    owned = _SET_BY_REGISTRY | (_SET_BY_REPOSITORY if is_provided else frozenset())
    for one in read_registry_objects(payload).objects:
        kept = Submitted(
            facts=_facts(one, owned, keeps_extra=keeps_extra),
            owned=owned,
            keeps_extra=keeps_extra,
        )
        if one.id.startswith(UUID_PREFIX):
            submitted[one.id] = kept
        if one.unique_id:
            submitted[one.unique_id] = None if one.unique_id in submitted else kept


def check_fidelity(payload: etree._Element, submitted: dict[str, Submitted | None]) -> Iterator[Finding]:
    """Compare each returned object that was sent in this run with what was sent."""
    for one in read_registry_objects(payload).objects:
        sent = submitted.get(one.id) or submitted.get(one.unique_id)
        if sent is not None:
            yield from (Finding(check="fidelity", reason=told.about(str(one))) for told in _differences(one, sent))


def _differences(returned: RegistryObject, sent: Submitted) -> Iterator[Sentence]:
    found = _facts(returned, sent.owned, keeps_extra=sent.keeps_extra)
    for fact in sorted(sent.facts - found):
        told = " ".join(fact)
        yield Sentence(f"{told} : déposé et non rendu", f"{told} was submitted and is not returned")
    for fact in sorted(found - sent.facts):
        if not _is_extra(fact):
            told = " ".join(fact)
            yield Sentence(f"{told} : rendu sans avoir été déposé", f"{told} is returned and was not submitted")


def _is_extra(fact: tuple[str, ...]) -> bool:
    return fact[0] == "Slot" and fact[1].startswith("urn:") and not fact[1].startswith("urn:ihe:")


def _facts(one: RegistryObject, owned: frozenset[str], *, keeps_extra: bool) -> Facts:
    facts = Facts(_attribute_facts(one))
    facts.update(fact for fact in _slot_facts(one) if fact[1] not in owned and (keeps_extra or not _is_extra(fact)))
    facts.update(_classification_facts(one))
    facts.update(
        ("identifier", found.get("identificationScheme", ""), found.get("value", "").strip())
        for found in one.identifiers
    )
    for name in ("Name", "Description"):
        strings = one.element.findall(f"{{{RIM}}}{name}/{{{RIM}}}LocalizedString")
        facts.update((name, value) for found in strings if (value := found.get("value", "").strip()))
    return facts


def _attribute_facts(one: RegistryObject) -> Iterator[tuple[str, ...]]:
    for name in _ATTRIBUTES:
        if one.element.get(name) and (name != "objectType" or one.kind in ROWS):
            yield ("attribute", name, one.element.get(name, ""))
    for name in _ENDS:
        if one.kind == ASSOCIATION and one.element.get(name, "").startswith(UUID_PREFIX):
            yield ("attribute", name, one.element.get(name, ""))


def _slot_facts(one: RegistryObject) -> Iterator[tuple[str, ...]]:
    for slot in one.element.findall(f"{{{RIM}}}Slot"):
        name = slot.get("name", "")
        if one.kind == ASSOCIATION and name not in _ASSOCIATION_SLOTS:
            continue
        for value in slot.iter(f"{{{RIM}}}Value"):
            yield ("Slot", name, _compared(name, text_of(value)))


def _compared(name: str, value: str) -> str:
    """A hash is compared without regard to case, a size as a number."""
    if name == "size" and value.isdigit():
        return str(int(value))
    return value.lower() if name == "hash" else value


def _classification_facts(one: RegistryObject) -> Iterator[tuple[str, ...]]:
    for found in one.classifications:
        scheme = found.get("classificationScheme")
        if scheme is None:
            continue
        names = [name.get("value", "").strip() for name in found.iterfind(f"{{{RIM}}}Name/{{{RIM}}}LocalizedString")]
        slots = sorted(
            f"{slot.get('name')}={'|'.join(slot_values(found, slot.get('name', '')) or ())}"
            for slot in found.findall(f"{{{RIM}}}Slot")
        )
        yield ("classification", scheme, found.get("nodeRepresentation", ""), *slots, *names)
