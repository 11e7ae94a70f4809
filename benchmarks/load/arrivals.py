"""When requests arrive: drawn before anything is sent, so that a slow server cannot slow its clients down."""

import random
from bisect import bisect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate

from benchmarks.load.profiles import Profile, Step


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """One request: seconds after the begin, its transaction, its number among those of that transaction."""

    at: float
    key: str
    number: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """What is drawn. `warm_up` seconds of the first step come before the rest and count for nothing.

    `part` of `parts`: several generators share the arrivals; each draws its own, together they are as many.
    """

    profile: Profile
    rate: float
    seconds: float
    warm_up: float
    seed: int
    part: int = 0
    parts: int = 1

    def drawn(self) -> list[Arrival]:
        """A Poisson process: the time to the next arrival is exponential, whatever came before."""
        chance = random.Random(f"{self.seed}/{self.part}")
        fastest = self.rate * max(step.factor for step in self.profile.steps) / self.parts
        keys, counts, at, found = _Keys(self.profile.mix), dict.fromkeys(self.profile.mix, 0), 0.0, []
        while (at := at + chance.expovariate(fastest)) < self.warm_up + self.seconds:
            # Arrivals at the fastest rate, thinned to that of the moment.
            if chance.random() * fastest >= self.rate * self.step(at).factor / self.parts:
                continue
            key = keys.drawn(chance)
            found.append(Arrival(at=at, key=key, number=counts[key] * self.parts + self.part))
            counts[key] += 1
        return found

    def step(self, at: float) -> Step:
        """The step of a moment; the warm-up belongs to the first."""
        return self.profile.step_at(max(0.0, at - self.warm_up) / self.seconds)


class _Keys:
    def __init__(self, mix: Mapping[str, float]) -> None:
        self._keys: Sequence[str] = tuple(mix)
        self._upto = tuple(accumulate(mix.values()))

    def drawn(self, chance: random.Random) -> str:
        return self._keys[bisect(self._upto, chance.random() * self._upto[-1])]
