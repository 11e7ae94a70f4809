"""What the settings may say about how long proofs are taken, and how often: a slip must not open a door for years."""

from collections.abc import Iterator
from typing import Any

# Setting -> least and most.
_RANGES = {
    "clock_skew_seconds": (0, 3600),
    "vihf_life_seconds": (1, 24 * 3600),
    "assertion_hours": (1, 365 * 24),
    "requests_per_second": (0, 10**9),
}


def proof_rules(settings: Any) -> Iterator[str]:
    """What is wrong with them, a sentence each."""
    for name, (least, most) in _RANGES.items():
        found = getattr(settings, name)
        if not least <= found <= most:
            yield f"setting {name}: found {found}, expected {least} to {most}"
