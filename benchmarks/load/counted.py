"""What a generator counts: times of each transaction by outcome, and what happened in each second."""

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from benchmarks.load.histogram import Histogram


class Outcome(StrEnum):
    """How a request ended. A refusal is the server's word that it has too much to do; anything else is a failure."""

    ACCEPTED = "accepted"
    REFUSED = "refused"
    FAILED = "failed"


Key = tuple[str, str, Outcome]


@dataclass(slots=True)
class Counted:
    """Of one generator, or of several merged.

    `times` are by step of the profile, transaction and outcome, from the intended start to the last octet of the
    answer; `served` are from the moment a connection was free for it. `seconds`: second of the run → outcome → how
    many ended then, and the longest they had taken. `late`: of the requests of the warm-up, what ended after it.
    """

    times: dict[Key, Histogram] = field(default_factory=lambda: defaultdict(Histogram))
    served: dict[Key, Histogram] = field(default_factory=lambda: defaultdict(Histogram))
    seconds: dict[int, dict[Outcome, list[float]]] = field(default_factory=dict)
    problems: Counter[str] = field(default_factory=Counter)
    warm: int = 0
    late: Counter[Outcome] = field(default_factory=Counter)
    acknowledged: list[int] = field(default_factory=list)
    sent: int = 0
    longest_queue: int = 0
    processor_seconds: float = 0.0

    def record(self, key: Key, *, at: float, taken: float, served: float) -> None:
        """A request of the measured time that ended at this second of the run."""
        self.times[key].record(taken)
        self.served[key].record(served)
        many_longest = self.seconds.setdefault(int(at), {}).setdefault(key[2], [0, 0.0])
        many_longest[0] += 1
        many_longest[1] = max(many_longest[1], taken)

    def merge(self, other: "Counted") -> None:
        """Count what the other counted too."""
        for mine, theirs in ((self.times, other.times), (self.served, other.served)):
            for key, histogram in theirs.items():
                mine.setdefault(key, Histogram()).merge(histogram)
        for second, outcomes in other.seconds.items():
            for outcome, (many, longest) in outcomes.items():
                found = self.seconds.setdefault(second, {}).setdefault(outcome, [0, 0.0])
                found[0] += many
                found[1] = max(found[1], longest)
        self.problems.update(other.problems)
        self.late.update(other.late)
        self.acknowledged += other.acknowledged
        self.warm, self.sent = self.warm + other.warm, self.sent + other.sent
        self.longest_queue = max(self.longest_queue, other.longest_queue)
        self.processor_seconds += other.processor_seconds

    def over(self, outcome: Outcome, *, key: str = "", step: str | None = None) -> Histogram:
        """Times of this outcome: of one transaction or all, of one step or all."""
        found = Histogram()
        for (its_step, its_key, its_outcome), histogram in self.times.items():
            if its_outcome is outcome and key in ("", its_key) and step in (None, its_step):
                found.merge(histogram)
        return found

    def ended(self, outcome: Outcome) -> int:
        """How many ended so after the warm-up, whenever they began: while processor time was looked at."""
        return self.over(outcome).total + self.late[outcome]

    def ended_until(self, outcome: Outcome, second: float) -> int:
        """How many of the measured time had ended so before this second of the run."""
        return sum(int(ends.get(outcome, [0])[0]) for at, ends in self.seconds.items() if at < second)

    def transactions(self) -> list[str]:
        """The transactions that were counted."""
        return sorted({key for _, key, _ in self.times})

    def plain(self) -> dict[str, Any]:
        """For JSON, every histogram whole."""
        return {
            "times": _plain(self.times),
            "from_free_connection": _plain(self.served),
            "seconds": {second: dict(self.seconds[second]) for second in sorted(self.seconds)},
            "problems": dict(self.problems.most_common(20)),
        }


def _plain(histograms: Mapping[Key, Histogram]) -> list[dict[str, Any]]:
    return [
        {"step": step, "transaction": key, "outcome": outcome, **histogram.plain()}
        for (step, key, outcome), histogram in sorted(histograms.items())
    ]
