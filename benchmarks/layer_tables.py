"""The measurement of the layers of security as Markdown, from its JSON."""

from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import Any

from benchmarks.layered_server import Layer
from benchmarks.tables import made_with, target_of, under_load

_HEAD = "| Path | ratio to open | per s | p50 ms | p99 ms | server CPU ms | of it this layer | database CPU ms |"
_RULE = "|---|---|--:|--:|--:|--:|--:|--:|"
_TITLES: Mapping[Layer, str] = {
    Layer.OPEN: "open",
    Layer.TLS: "+ TLS",
    Layer.CERTIFICATE: "+ client certificate",
    Layer.VIHF: "+ VIHF",
    Layer.POLICY: "+ access policy",
    Layer.AUDIT: "+ audit: everything on",
}


def markdown(outcome: Mapping[str, Any]) -> str:
    """Circumstances, processor time by layers, then one table for each database and transaction."""
    return "\n".join((*_circumstances(outcome), *_by_layers(outcome), *_tables(outcome))) + "\n"


def _circumstances(outcome: Mapping[str, Any]) -> Iterator[str]:
    how = outcome["circumstances"]
    yield from made_with(outcome)
    yield (
        f"- Data set: {how['entries']:,} entries. Closed loop with {how['connections']} connections kept alive, "
        f"{how['rounds']} rounds of {how['seconds']:g} s through every layer in turn; one server process for each."
    )
    yield f"- {under_load(how)}."


def _by_layers(outcome: Mapping[str, Any]) -> Iterator[str]:
    """All transactions in one table: what each layer takes of the processors for a request."""
    transactions = [one for database in outcome["databases"].values() for one in database["transactions"].values()]
    layers = list(transactions[0]["layers"])
    heads = (_TITLES[Layer[name]].partition(":")[0] for name in layers)
    yield from ("", f"| Processor ms of one request | of | {' | '.join(heads)} | together |")
    yield "|---|---|" + "--:|" * (len(layers) + 1)
    for name, database in outcome["databases"].items():
        for figures in database["transactions"].values():
            for whose in ("server", "database"):
                used = [layer[f"{whose}_cpu_ms"] for layer in figures["layers"].values()]
                if None not in used:
                    added = [_milliseconds(used[0]), *(f"{after - before:+.2f}" for before, after in pairwise(used))]
                    cells = (f"{figures['title']}, {name}", whose, *added, f"**{_milliseconds(used[-1])}**")
                    yield f"| {' | '.join(cells)} |"


def _tables(outcome: Mapping[str, Any]) -> Iterator[str]:
    for name, database in outcome["databases"].items():
        for figures in database["transactions"].values():
            told = f"**{name} {database['version']}: {figures['title']}**, everything on {figures['ratio']:.2f} of open"
            target = "" if figures["target"] is None else f", target {target_of(figures)}"
            yield from ("", f"{told}{target}", "", _HEAD, _RULE)
            yield from _lines(figures["layers"])


def _lines(layers: Mapping[str, Any]) -> Iterator[str]:
    before = None
    for name, figures in layers.items():
        used, ratios = figures["server_cpu_ms"], figures["ratios"]
        cells = (
            _TITLES[Layer[name]],
            f"**{figures['ratio']:.2f}** ({ratios[0]:.2f}–{ratios[-1]:.2f})",
            f"{figures['per_second']:,.0f}",
            f"{figures['p50_ms']:.1f}",
            f"{figures['p99_ms']:.1f}",
            _milliseconds(used),
            "" if before is None or used is None else f"{used - before:+.2f}",
            _milliseconds(figures["database_cpu_ms"]),
        )
        yield f"| {' | '.join(cells)} |"
        before = used


def _milliseconds(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}"
