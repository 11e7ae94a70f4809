"""Arrivals are drawn before anything is sent, as many as asked for, and the same for the same seed."""

import itertools
import statistics
from collections import Counter

import pytest

from benchmarks.load.arrivals import Schedule
from benchmarks.load.profiles import BY_NAME, OVERLOAD, PROFILES


def schedule(profile: str = "search", **changes: float) -> Schedule:
    given = {"rate": 100.0, "seconds": 60.0, "warm_up": 5.0, "seed": 3}
    return Schedule(profile=BY_NAME[profile], **(given | changes))  # type: ignore[arg-type]


def test_the_same_seed_draws_the_same() -> None:
    assert schedule().drawn() == schedule().drawn()
    assert schedule().drawn() != schedule(seed=4).drawn()


def test_as_many_arrive_as_the_rate_says() -> None:
    drawn = schedule().drawn()
    assert len(drawn) == pytest.approx(100 * 65, rel=0.05)
    assert [one.at for one in drawn] == sorted(one.at for one in drawn)
    gaps = [later.at - sooner.at for sooner, later in itertools.pairwise(drawn)]
    # Of a Poisson process the spread of the gaps is their mean.
    assert statistics.stdev(gaps) == pytest.approx(statistics.mean(gaps), rel=0.1)


def test_several_generators_share_the_arrivals_and_no_number() -> None:
    parts = [schedule(part=part, parts=3).drawn() for part in range(3)]
    assert sum(map(len, parts)) == pytest.approx(100 * 65, rel=0.05)
    numbers = [one.number for part in parts for one in part]
    assert len(set(numbers)) == len(numbers)


def test_overload_is_twice_the_rate_in_its_middle() -> None:
    plan = schedule("overload")
    by_step = Counter(plan.step(one.at).name for one in plan.drawn())
    assert by_step[OVERLOAD] == pytest.approx(2 * 100 * 30, rel=0.05)


def test_a_day_is_busiest_in_the_morning_and_mixes_transactions() -> None:
    plan = schedule("mixed", seconds=240.0, warm_up=0.0)
    drawn = plan.drawn()
    hours = Counter(plan.step(one.at).name for one in drawn)
    assert max(hours, key=lambda hour: hours[hour]) in ("9 h", "10 h", "11 h", "14 h", "15 h")
    assert hours["3 h"] < hours["10 h"] / 5
    keys = Counter(one.key for one in drawn)
    assert keys["iti41"] == pytest.approx(0.4 * len(drawn), rel=0.1)


@pytest.mark.parametrize("profile", PROFILES, ids=lambda one: one.name)
def test_steps_fill_the_time(profile: object) -> None:
    assert sum(step.share for step in BY_NAME[profile.name].steps) == pytest.approx(1)  # type: ignore[attr-defined]
