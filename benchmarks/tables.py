"""A measurement as Markdown: from its JSON, so that a file kept is shown the same way."""

from collections.abc import Iterator, Mapping
from typing import Any

_HEAD = (
    "| Transaction | beside | ratio | everything on | target | per s | beside per s | p50 ms | p95 ms | p99 ms "
    "| server CPU ms | database CPU ms | beside CPU ms |"
)
_FOOTPRINT_NAMES = ("memory_MB", "disk_kB_a_document")
_FOOTPRINT = (" memory MB | disk kB a document |", "--:|--:|")
_IDLE_LOAD = 0.5
_RULE = "|---|---|---|---|---|--:|--:|--:|--:|--:|--:|--:|--:|"


def markdown(outcome: Mapping[str, Any]) -> str:
    """Circumstances, one table per database, and the profiles of what missed its target."""
    return "\n".join((*_circumstances(outcome), *_tables(outcome), *_profiles(outcome))) + "\n"


def made_with(outcome: Mapping[str, Any]) -> Iterator[str]:
    """When, and on what."""
    yield f"Measured {outcome['made']}, commit `{outcome['commit'] or 'unknown'}`."
    yield ""
    yield f"- Machine: {', '.join(_machine(outcome['machine']))}."
    yield "- Versions: " + ", ".join(f"{name} {version}" for name, version in outcome["versions"].items()) + "."


def under_load(how: Mapping[str, Any]) -> str:
    """What else the machine did."""
    said = "other work ran beside the measurement, so only the ratios count"
    remark = said if how["load_before"] > _IDLE_LOAD else "the machine did nothing else"
    return f"Load average before {how['load_before']:g}, after {how['load_after']:g}: {remark}"


def target_of(figures: Mapping[str, Any]) -> str:
    """The target, and whether it was met."""
    if figures["target"] is None:
        return "–"
    return f"{figures['target']:.2f} {'**missed**' if figures['missed'] else 'met'}"


def _circumstances(outcome: Mapping[str, Any]) -> Iterator[str]:
    how = outcome["circumstances"]
    yield from made_with(outcome)
    entries = f"{how['entries']:,} entries of {how['patients']:,} patients"
    yield f"- Data set: {entries}, seed {how['seed']}; {_loading(how)}."
    if how["beside"]:
        yield f"- Beside it the same server with {how['beside']:,} entries: the ratio is the speed that stays."
    yield (
        f"- Closed loop with {how['connections']} connections kept alive from one client process; "
        f"{how['rounds']} rounds of {how['seconds']:g} s for each server, in turn; "
        f"server with {how['workers']} process(es) of {how['threads']} threads."
    )
    yield f"- {under_load(how)}."
    if not how["everything_on"]:
        yield "- *everything on* is *open* in this version: what it costs is measured by `benchmarks.layers`."


def _loading(how: Mapping[str, Any]) -> str:
    if how["load_seconds"] is None:
        return "loaded before"
    return f"loaded in {how['load_seconds']:.0f} s ({how['load_seconds'] * 100_000 / how['entries']:.0f} s per 100,000)"


def _machine(machine: Mapping[str, Any]) -> Iterator[str]:
    yield f"{machine['cores']} cores"
    if "processor" in machine:
        yield str(machine["processor"])
    if "memory_MB" in machine:
        yield f"{machine['memory_MB'] / 1024:.0f} GB of memory"
    yield str(machine["system"])


def _tables(outcome: Mapping[str, Any]) -> Iterator[str]:
    for name, database in outcome["databases"].items():
        measured = database["transactions"].values()
        # Results of before have no footprint.
        head, rule = _FOOTPRINT if any("memory_MB" in one for one in measured) else ("", "")
        if any("other" in one for one in measured):
            head, rule = f"{head} also beside |", f"{rule}---|"
        yield from ("", f"**{name} {database['version']}**", "", f"{_HEAD}{head}", f"{_RULE}{rule}")
        for figures in measured:
            yield _line(figures, outcome["circumstances"])


def _line(figures: Mapping[str, Any], how: Mapping[str, Any]) -> str:
    carnet, floor, ratios = figures["carnet"], figures["floor"], figures["ratios"]
    cells = (
        figures["title"],
        figures["beside"],
        f"**{figures['ratio']:.2f}** ({ratios[0]:.2f}–{ratios[-1]:.2f})",
        "not measured" if how["everything_on"] else "as open",
        target_of(figures),
        *(f"{value:,.0f}" for value in (carnet["per_second"], floor["per_second"])),
        *(f"{carnet[name]:.1f}" for name in ("p50_ms", "p95_ms", "p99_ms")),
        *(_milliseconds(value) for value in (carnet["server_cpu_ms"], carnet["database_cpu_ms"])),
        _milliseconds(floor["server_cpu_ms"]),
        *("–" if figures[name] is None else f"{figures[name]:g}" for name in _FOOTPRINT_NAMES if name in figures),
        *(_other(figures["other"]) for _ in range("other" in figures)),
    )
    return f"| {' | '.join(cells)} |"


def _other(figures: Mapping[str, Any] | None) -> str:
    if figures is None:
        return "–"
    ratios, bare = figures["ratios"], figures["figures"]
    spread = f"**{figures['ratio']:.2f}** ({ratios[0]:.2f}–{ratios[-1]:.2f})"
    return f"{figures['beside']}, {bare['per_second']:,.0f} per s: {spread}"


def _milliseconds(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}"


def _profiles(outcome: Mapping[str, Any]) -> Iterator[str]:
    for name, database in outcome["databases"].items():
        for figures in database["transactions"].values():
            if figures["profile"]:
                yield from ("", f"Where the time goes, {figures['title']} on {name}:", "", "```")
                yield from (figures["profile"].rstrip("\n"), "```")
