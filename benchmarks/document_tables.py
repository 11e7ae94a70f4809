"""The measurement of large documents as Markdown, from its JSON."""

from collections.abc import Iterator, Mapping
from typing import Any

from benchmarks.tables import made_with, target_of, under_load

_HEAD = "| Transfer | at once | ratio to plain copy | target | MB/s | plain MB/s | memory MB | plain memory MB |"
_RULE = "|---|--:|---|---|--:|--:|--:|--:|"


def markdown(outcome: Mapping[str, Any]) -> str:
    """Circumstances and one table."""
    return "\n".join((*_circumstances(outcome), _HEAD, _RULE, *map(_line, outcome["documents"]))) + "\n"


def _circumstances(outcome: Mapping[str, Any]) -> Iterator[str]:
    how = outcome["circumstances"]
    yield from made_with(outcome)
    yield f"- {how['rounds']} rounds of each, in turn. {under_load(how)}."
    yield ""


def _line(one: Mapping[str, Any]) -> str:
    ratios = one["ratios"]
    cells = (
        one["title"],
        str(one["connections"]),
        f"**{one['ratio']:.2f}** ({ratios[0]:.2f}–{ratios[-1]:.2f})",
        target_of(one),
        f"{one['carnet_MB_per_second']:,.0f}",
        f"{one['floor_MB_per_second']:,.0f}",
        _memory(one),
        "–" if one["floor_memory_MB"] is None else f"{one['floor_memory_MB']:.0f}",
    )
    return f"| {' | '.join(cells)} |"


def _memory(one: Mapping[str, Any]) -> str:
    found, limit = one["carnet_memory_MB"], one["memory_limit_MB"]
    if found is None:
        return "–"
    return f"{found:.0f} of {limit} {'met' if found <= limit else '**missed**'}"
