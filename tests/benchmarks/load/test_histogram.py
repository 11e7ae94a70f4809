"""The buckets of times, beside the times themselves."""

import json
import math

from hypothesis import given
from hypothesis import strategies as st

from benchmarks.load.histogram import Histogram

TIMES = st.lists(st.floats(min_value=1e-6, max_value=1000), min_size=1, max_size=300)
SHARES = st.sampled_from([0.0, 0.5, 0.9, 0.95, 0.99, 0.999, 1.0])


def histogram_of(times: list[float]) -> Histogram:
    found = Histogram()
    for time in times:
        found.record(time)
    return found


def exact(times: list[float], share: float) -> float:
    """Nearest rank."""
    return sorted(times)[max(0, math.ceil(share * len(times)) - 1)]


@given(times=TIMES, share=SHARES)
def test_a_quantile_is_the_exact_one_within_one_per_cent(times: list[float], share: float) -> None:
    found, wanted = histogram_of(times).quantile(share), exact(times, share)
    assert abs(found - wanted) <= 0.01 * wanted


@given(first=TIMES, second=TIMES, share=SHARES)
def test_merged_is_as_counted_together(first: list[float], second: list[float], share: float) -> None:
    merged = histogram_of(first)
    merged.merge(histogram_of(second))
    assert merged == histogram_of(first + second)
    assert merged.quantile(share) == histogram_of(first + second).quantile(share)


@given(times=TIMES)
def test_it_comes_back_from_json(times: list[float]) -> None:
    kept = histogram_of(times)
    assert Histogram.from_plain(json.loads(json.dumps(kept.plain()))) == kept


def test_an_empty_one_has_no_times() -> None:
    assert Histogram().quantile(0.99) == 0
    assert Histogram().total == 0
