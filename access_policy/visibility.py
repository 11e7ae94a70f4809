"""What a caller may see, as a value: a predicate on documents, and a filter that a store applies before it counts.

It is `decide` about reading, for all documents of a record at once; a property test holds the two equal.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import lru_cache

from access_policy.caller import Caller, Kind
from access_policy.capacity import PROFESSIONALS, STRUCTURES, Capacity, capacity_of
from access_policy.decide import access_step, allows, enters, right_of
from access_policy.document_facts import DocumentFacts, Trait
from access_policy.record_facts import RecordFacts
from access_policy.rights import Action, Grade
from access_policy.tables import Tables
from xds.vocabulary import AvailabilityStatus


class Purpose(StrEnum):
    """What is seen for: finding, metadata, content, or changing and replacing what one knows of.

    SEARCH finds what there is, of which some callers are told identifiers alone; METADATA shows those nothing. To
    change, a document that is one's own is known whatever its state.
    """

    SEARCH = "search"
    METADATA = "metadata"
    READ = "read"
    CHANGE = "change"


_SOMEBODY = "-"
_ACTIONS = {Purpose.READ: Action.READ, Purpose.METADATA: Action.SEARCH_METADATA}


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """Documents that may be seen for one reason: every condition holds.

    `types` None: of any type; else of these, or with `beyond` imaging objects of a type that is not in it.
    `by_author`, `by_structure`: written by the one that the visibility names. `without`: none of these traits; HIDDEN
    counts until its end. `statuses`: one of them.
    """

    types: frozenset[str] | None = None
    beyond: frozenset[str] | None = None
    by_author: bool = False
    by_structure: bool = False
    without: Trait = Trait.SIGNATURE
    statuses: frozenset[AvailabilityStatus] = frozenset(AvailabilityStatus)

    def shows(self, document: DocumentFacts, seen: "Visibility") -> bool:
        if document.traits & self.without & ~Trait.HIDDEN or document.status not in self.statuses:
            return False
        if Trait.HIDDEN in self.without and document.is_hidden_at(seen.now):
            return False
        if self.by_author and seen.author not in document.authors:
            return False
        if self.by_structure and seen.structure not in document.structures:
            return False
        return self._is_of_types(document)

    def _is_of_types(self, document: DocumentFacts) -> bool:
        if self.types is None or document.type in self.types:
            return True
        return self.beyond is not None and document.has(Trait.IMAGING) and document.type not in self.beyond


@dataclass(frozen=True, slots=True, kw_only=True)
class Visibility:
    """A decision about rows: everything, what belongs to one patient (by CX key), or nothing.

    `grants` None: whatever the patient has; else documents that one of them shows, and what stands beside those.
    `author`, `structure`: `id^OID` of whom grants speak; `now`: DTM of 14 digits.
    `references_only`: identifiers alone may be told. DMP 3 (TD3.1)
    """

    everything: bool
    patient: str = ""
    grants: tuple[Grant, ...] | None = None
    author: str = ""
    structure: str = ""
    now: str = ""
    references_only: bool = False

    @property
    def shows_nothing(self) -> bool:
        """Whether it is of nobody: no object of any patient may be seen."""
        return not self.everything and not self.patient

    def admits(self, patient: str) -> bool:
        """Whether any object of the patient with this CX key may be seen."""
        return self.everything or (self.patient != "" and self.patient == patient)

    def shows(self, patient: str, document: DocumentFacts) -> bool:
        """Whether this document of this patient may be seen."""
        if not self.admits(patient) or self.everything or self.grants is None:
            return self.admits(patient)
        return any(one.shows(document, self) for one in self.grants)


EVERYTHING = Visibility(everything=True)
NOTHING = Visibility(everything=False)


def claimed(caller: Caller) -> Visibility:
    """What an assertion is about, where no record says more: the patient it names, and no other.

    A XUA assertion that names nobody opens what its community may see: the open policy of the `ihe` domain.
    """
    if caller.is_open:
        return EVERYTHING
    if caller.credentials is None:
        return NOTHING
    if caller.patient_id is not None:
        return Visibility(everything=False, patient=caller.patient_id.key)
    return EVERYTHING if caller.credentials.kind is Kind.XUA else NOTHING


def visibility(tables: Tables, caller: Caller, facts: RecordFacts, purpose: Purpose) -> Visibility:
    """What the caller may see of this record, by the tables. Default deny."""
    if caller.is_open:
        return EVERYTHING
    if not enters(Action.SEARCH, caller, facts):
        return Visibility(everything=False, patient=facts.patient, grants=(), now=facts.now)
    grants, references_only = _opened(tables, _without_names(caller), replace(facts, patient="", now=""), purpose)
    return Visibility(
        everything=False,
        patient=facts.patient,
        grants=grants,
        author=f"{caller.name}^{PROFESSIONALS}",
        structure=f"{caller.structure}^{STRUCTURES}",
        now=facts.now,
        references_only=references_only,
    )


def _without_names(caller: Caller) -> Caller:
    """What decides about a caller: everybody of the same quality is the same."""
    return Caller(
        name="/" if "/" in caller.name else _SOMEBODY,
        standing=caller.standing,
        roles=caller.roles,
        organisations=(_SOMEBODY,) if caller.structure else (),
        sector=caller.sector,
        mode=caller.mode,
        purpose=caller.purpose,
    )


@lru_cache(maxsize=4096)
def _opened(tables: Tables, caller: Caller, facts: RecordFacts, purpose: Purpose) -> tuple[tuple[Grant, ...], bool]:
    """The grants, and whether identifiers alone may be told; the same for many requests, and so remembered."""
    capacity = capacity_of(caller, facts, tables)
    if capacity is None:
        return (), False
    references_only = right_of(tables, Action.SEARCH, capacity, facts).grade is Grade.REFERENCE_ONLY
    return tuple(_grants(tables, capacity, facts, purpose)), references_only


def _grants(tables: Tables, capacity: Capacity, facts: RecordFacts, purpose: Purpose) -> Iterator[Grant]:
    """One for what anybody wrote, one for what is the caller's own, each where the rights give it."""
    action = _ACTIONS.get(purpose, Action.SEARCH)
    own = _own(capacity)
    for is_own in (False, True):
        state = _State(tables=tables, capacity=capacity, facts=facts, own=is_own)
        if not state.may(action) or not access_step(capacity, facts, own=is_own).passed:
            continue
        if is_own and own is not None:
            yield replace(own, without=state.closed(), statuses=state.statuses())
        elif not is_own:
            yield from _of_anybody(tables, capacity, state.closed(), state.statuses())
    if purpose is Purpose.CHANGE and own is not None:
        yield own


def _own(capacity: Capacity) -> Grant | None:
    """What the caller wrote, or the structure that the caller acts for."""
    if capacity.acts_for_structure:
        return Grant(by_structure=True) if capacity.structure else None
    return Grant(by_author=True) if capacity.author else None


def _of_anybody(
    tables: Tables, capacity: Capacity, without: Trait, statuses: frozenset[AvailabilityStatus]
) -> Iterator[Grant]:
    matrix = tables.matrix
    if not capacity.is_under_matrix:
        yield Grant(without=without, statuses=statuses)
    elif capacity.column is not None:
        types = matrix.readable[capacity.column.id]
        beyond = matrix.listed - types if capacity.column.id in matrix.reads_imaging else None
        yield Grant(types=types, beyond=beyond, without=without, statuses=statuses)


@dataclass(frozen=True, slots=True, kw_only=True)
class _State:
    """Which states of a document the rights open, of the caller's own documents or of anybody's."""

    tables: Tables
    capacity: Capacity
    facts: RecordFacts
    own: bool

    def may(self, action: Action) -> bool:
        right = right_of(self.tables, action, self.capacity, self.facts)
        if right.grade is Grade.OWN_ONLY:
            return self.own and not self.capacity.acts_for_structure
        return allows(right, self.capacity, self.facts, None)

    def closed(self) -> Trait:
        """Traits of documents that may not be seen."""
        states = {
            Action.READ_MASKED: Trait.MASKED,
            Action.READ_HIDDEN: Trait.HIDDEN,
            Action.READ_DELETED: Trait.DELETED,
        }
        if self.capacity.is_patient_side:
            states[Action.READ_HIDDEN_FROM_REPRESENTATIVES] = Trait.HIDDEN_FROM_REPRESENTATIVES
        closed = Trait.SIGNATURE
        for action, trait in states.items():
            if not self.may(action):
                closed |= trait
        return closed

    def statuses(self) -> frozenset[AvailabilityStatus]:
        """That it is DELETED is a trait as well, so that earlier versions have it."""
        found = {AvailabilityStatus.APPROVED, AvailabilityStatus.DELETED}
        if self.may(Action.READ_ARCHIVED):
            found.add(AvailabilityStatus.ARCHIVED)
        if self.may(Action.READ_OBSOLETE):
            found.add(AvailabilityStatus.DEPRECATED)
        return frozenset(found)
