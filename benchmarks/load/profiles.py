"""What arrives: which transactions in which proportion, how fast, and how that changes while it lasts."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

_MILLION, _EMBEDDED = 1_000_000, 10_000
FEED, QUERY, SEARCH, RETRIEVE, READ = "iti41", "iti18-leaf-class", "iti67", "iti43", "iti68"
# Arrivals of each hour of a working day beside those of its busiest hour, from midnight on: hospitals and
# laboratories send in the late morning and again in the afternoon; at night little but emergencies.
_DAY = (
    *(0.08, 0.06, 0.05, 0.05, 0.06, 0.10, 0.20, 0.45, 0.75, 0.95, 1.00, 0.95),
    *(0.65, 0.75, 0.95, 0.95, 0.85, 0.70, 0.50, 0.35, 0.25, 0.18, 0.14, 0.10),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """For this share of the time so many arrivals beside the rate asked for."""

    share: float
    factor: float
    name: str = ""


STEADY = (Step(share=1.0, factor=1.0),)
OVERLOAD, AFTER = "overload", "after"


@dataclass(frozen=True, slots=True, kw_only=True)
class Goal:
    """`rate` a second that must be kept up; `p99` milliseconds that 99 of 100 may take at most, 0 for no bound.

    `seconds` that it must be kept up, `entries` that the registry must have.
    """

    rate: float
    p99: float = 0
    seconds: float = 0
    entries: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """`mix`: transaction → weight. `goals`: database → what must hold; its rate is the rate unless one is given."""

    name: str
    meaning: str
    mix: Mapping[str, float]
    goals: Mapping[str, Goal]
    steps: tuple[Step, ...] = STEADY
    connections: int = 64

    def step_at(self, share: float) -> Step:
        """The step that this share of the time lies in."""
        begins = 0.0
        for step in self.steps:
            begins += step.share
            if share < begins:
                return step
        return self.steps[-1]

    def bounds(self, seconds: float) -> Iterator[tuple[Step, float, float]]:
        """Each step with its begin and end."""
        begins = 0.0
        for step in self.steps:
            ends = begins + step.share * seconds
            yield step, begins, ends
            begins = ends


def _both(rate: float, p99: float = 0) -> Mapping[str, Goal]:
    goal = Goal(rate=rate, p99=p99)
    return {"PostgreSQL": goal, "SQLite": goal}


def _search(rate: float) -> Mapping[str, Goal]:
    """A nation's registry is on PostgreSQL, that of a clinic on the embedded default."""
    return {
        "PostgreSQL": Goal(rate=rate, p99=100, entries=_MILLION),
        "SQLite": Goal(rate=rate, p99=100, entries=_EMBEDDED),
    }


_FEED_GOALS: Mapping[str, Goal] = {
    "PostgreSQL": Goal(rate=50, p99=250, seconds=600),
    "SQLite": Goal(rate=30, p99=300, seconds=600),
}
PROFILES = (
    Profile(
        name="feed",
        meaning="ITI-41, a level-3 document of 140 kB each, all different",
        mix={FEED: 1},
        goals=_FEED_GOALS,
    ),
    Profile(
        name="search",
        meaning="ITI-18 FindDocuments, 20 entries, LeafClass",
        mix={QUERY: 1},
        goals=_search(250),
    ),
    Profile(name="search-fhir", meaning="ITI-67, 20 entries", mix={SEARCH: 1}, goals=_search(300)),
    Profile(name="retrieve", meaning="ITI-43, 140 kB", mix={RETRIEVE: 1}, goals=_both(250)),
    Profile(name="retrieve-fhir", meaning="ITI-68, 140 kB", mix={READ: 1}, goals=_both(250)),
    Profile(
        name="mixed",
        meaning="a day of a region, from midnight to midnight; the rate is that of its busiest hour",
        mix={FEED: 4, QUERY: 3, SEARCH: 1.5, RETRIEVE: 1, READ: 0.5},
        goals=_both(50, 300),
        steps=tuple(Step(share=1 / 24, factor=factor, name=f"{hour} h") for hour, factor in enumerate(_DAY)),
    ),
    Profile(
        name="overload",
        meaning="ITI-41 at half the rate, then twice the rate for half of the time, then half the rate again",
        mix={FEED: 1},
        goals={
            "PostgreSQL": Goal(rate=50, p99=500, seconds=240),
            "SQLite": Goal(rate=30, p99=600, seconds=240),
        },
        steps=(
            Step(share=0.15, factor=0.5, name="before"),
            Step(share=0.5, factor=2.0, name=OVERLOAD),
            Step(share=0.35, factor=0.5, name=AFTER),
        ),
        connections=800,
    ),
)
BY_NAME = {profile.name: profile for profile in PROFILES}
