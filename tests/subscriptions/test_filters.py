"""Filters of subscriptions: texts with the wildcards of stored queries. ITI TF-2: 3.18.4.1.2.3.5"""

import time

from hypothesis import given
from hypothesis import strategies as st

from subscriptions.subscription import TextFilter
from tests.builders import a_submission_set


def fits(pattern: str, text: str) -> bool:
    return TextFilter(attribute="source_id", any_of=(pattern,)).fits(a_submission_set(source_id=text))


def is_like(pattern: str, text: str) -> bool:
    """LIKE by its definition."""
    if not pattern:
        return not text
    if pattern[0] == "%":
        return is_like(pattern[1:], text) or (bool(text) and is_like(pattern, text[1:]))
    return bool(text) and pattern[0] in ("_", text[0]) and is_like(pattern[1:], text[1:])


@given(st.text("ab%_.\n", max_size=7), st.text("ab.\n", max_size=7))
def test_a_pattern_fits_what_like_would_find(pattern: str, text: str) -> None:
    assert fits(pattern, text) == is_like(pattern, text)


def test_no_pattern_takes_long() -> None:
    began = time.process_time()
    assert not fits("%a" * 900 + "b", "a" * 10_000)
    assert not fits("%" + "_a%" * 600 + "b", "a" * 10_000)
    assert time.process_time() - began < 2
