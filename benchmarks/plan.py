"""The shape of a data set: how many documents each patient has, and in which order they came.

One patient in five is *queried*: it has exactly 20 documents, all Approved. The rest are shared out
unevenly among the others (log-normal): many have a few, some have hundreds. Documents come in over
five years, those of one patient scattered among all others, as they would in a registry that is used.
"""

import random
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from zlib import crc32

QUERIED_ENTRIES = 20
MANY_ENTRIES = 200
_QUERIED_SHARE = 5
_SKEW = 1.5
_REPLACED_SHARE = 20
LARGEST_NUMBER_OF_PATIENTS = 1_000_000


class UnusablePlan(ValueError):
    """Sizes that no data set can have; the text says what was expected."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    """What is asked for. `patients` 0 means one for every 20 entries; `held` documents have their octets too."""

    entries: int = 100_000
    patients: int = 0
    seed: int = 1
    held: int = 200

    @property
    def patient_count(self) -> int:
        return self.patients or max(2, self.entries // QUERIED_ENTRIES)


@dataclass(frozen=True)
class Plan:
    """Sizes spelled out: the same sizes give the same plan, in any process. Raises UnusablePlan."""

    sizes: Sizes

    def __post_init__(self) -> None:
        _check(self.sizes)

    @cached_property
    def queried(self) -> tuple[int, ...]:
        """Numbers of the patients with exactly 20 documents, spread over all numbers."""
        patients = self.sizes.patient_count
        number = max(1, min(patients // _QUERIED_SHARE, self.sizes.entries // QUERIED_ENTRIES))
        return tuple(range(0, patients, patients // number))[:number]

    def is_queried(self, patient: int) -> bool:
        return patient in self._queried

    @cached_property
    def _queried(self) -> frozenset[int]:
        return frozenset(self.queried)

    @cached_property
    def others(self) -> tuple[int, ...]:
        """The other patients."""
        return tuple(p for p in range(self.sizes.patient_count) if p not in self._queried)

    @cached_property
    def many(self) -> tuple[int, ...]:
        """The patients with at least 200 documents; where none has, the one with the most."""
        found = tuple(p for p in self.others if self.counts[p] >= MANY_ENTRIES)
        return found or (max(self.others, key=self.counts.__getitem__),)

    @cached_property
    def held(self) -> tuple[int, ...]:
        """Queried patients whose first document is kept with its octets, to be retrieved."""
        return self.queried[: self.sizes.held]

    @cached_property
    def counts(self) -> Sequence[int]:
        """Documents of each patient."""
        counts = [0] * self.sizes.patient_count
        for patient in self.queried:
            counts[patient] = QUERIED_ENTRIES
        chance = random.Random(f"{self.sizes.seed}/skew")
        weights = [chance.lognormvariate(0, _SKEW) for _ in self.others]
        left = self.sizes.entries - QUERIED_ENTRIES * len(self.queried)
        for patient, count in zip(self.others, _in_proportion(weights, left), strict=True):
            counts[patient] = count
        return counts

    @cached_property
    def order(self) -> Sequence[int]:
        """Patient of each submission, in the order of time."""
        order = array("I")
        for patient, count in enumerate(self.counts):
            order.extend([patient] * count)
        random.Random(f"{self.sizes.seed}/order").shuffle(order)
        return order

    @cached_property
    def turns(self) -> Sequence[int]:
        """Of each submission, how many the same patient had before."""
        seen, turns = [0] * self.sizes.patient_count, array("I")
        for patient in self.order:
            turns.append(seen[patient])
            seen[patient] += 1
        return turns

    def replaces(self, patient: int, turn: int) -> bool:
        """Whether this document replaces the one before it; one in twenty does, none of a queried patient."""
        if not 0 < turn < self.counts[patient] or patient in self._queried:
            return False
        return crc32(f"{self.sizes.seed}/{patient}/{turn}".encode()) % _REPLACED_SHARE == 0

    def is_held(self, patient: int, turn: int) -> bool:
        return turn == 0 and patient in self._held

    @cached_property
    def _held(self) -> frozenset[int]:
        return frozenset(self.held)


def _in_proportion(weights: Sequence[float], total: int) -> Iterator[int]:
    """Whole numbers in proportion to the weights that add up to the total."""
    whole, given, passed = sum(weights), 0, 0.0
    for weight in weights:
        passed += weight
        upto = min(total, round(total * passed / whole))
        yield upto - given
        given = upto


def _check(sizes: Sizes) -> None:
    if sizes.entries < QUERIED_ENTRIES + 1:
        raise UnusablePlan(f"entries: found {sizes.entries}, expected at least {QUERIED_ENTRIES + 1}")
    if not 2 <= sizes.patient_count <= LARGEST_NUMBER_OF_PATIENTS:
        raise UnusablePlan(f"patients: found {sizes.patient_count}, expected 2 to {LARGEST_NUMBER_OF_PATIENTS}")
    if sizes.held < 1:
        raise UnusablePlan(f"held documents: found {sizes.held}, expected at least 1")
