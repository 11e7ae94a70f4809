"""A load as Markdown, from its JSON."""

from collections.abc import Iterator, Mapping
from typing import Any

from benchmarks.tables import made_with

_HEAD = "| Transaction | outcome | requests | per s | p50 ms | p95 ms | p99 ms | p99.9 ms | max ms |"
_RULE = "|---|---|--:|--:|--:|--:|--:|--:|--:|"
_FEW_OTHERS = 0.05


def markdown(plain: Mapping[str, Any]) -> str:
    """Verdict, circumstances, one table."""
    return "\n".join((*_verdict(plain), "", *_circumstances(plain), "", _HEAD, _RULE, *_rows(plain), "", *_cost(plain)))


def _verdict(plain: Mapping[str, Any]) -> Iterator[str]:
    goal, database = plain["goal"], plain["database"]
    bound = f", p99 at most {goal['p99']:g} ms" if goal["p99"] else ""
    held = "**held**" if not goal["misses"] else f"**missed**: {'; '.join(goal['misses'])}"
    yield f"**{plain['profile']}** on {database['name']} {database['version']}: {plain['meaning']}."
    yield f"Goal {goal['rate']:g} a second{bound}: {held}."


def _circumstances(plain: Mapping[str, Any]) -> Iterator[str]:
    how = plain["circumstances"]
    yield from made_with(plain)
    yield (
        f"- {how['entries']:,} entries in the registry; open loop of {how['rate']:g} a second for {how['seconds']:g} s "
        f"after {how['warm_up']:g} s of warming up, seed {how['seed']}; {how['connections']} connections, "
        f"{how['messages_an_assertion']} messages for each assertion; {how['workers']} server process(es)"
        f"{_chosen(how['settings'])}."
    )
    others = plain["processor_ms"]["others_share_of_machine"]
    beside = "nothing else to speak of" if others < _FEW_OTHERS else "**other programs, so the times say little**"
    yield (
        f"- Beside it ran {beside} ({others:.0%} of the processor time); "
        f"load average before {how['load_before']}, after {how['load_after']}; pace of the machine before "
        f"{how['paces_ms'][0]:g} ms, after {how['paces_ms'][1]:g} ms."
    )


def _chosen(settings: Mapping[str, Any]) -> str:
    return f" with {', '.join(f'{name}={value}' for name, value in settings.items())}" if settings else ""


def _rows(plain: Mapping[str, Any]) -> Iterator[str]:
    for row in plain["rows"]:
        step = f"{row['step']}: " if row["step"] else ""
        times = " | ".join(f"{row[name]:,.1f}" for name in ("p50", "p95", "p99", "p999", "max"))
        many = f"{row['requests']:,} | {row['per_second']:,.1f}"
        yield f"| {step}{row['transaction']} | {row['outcome']} | {many} | {times} |"


def _cost(plain: Mapping[str, Any]) -> Iterator[str]:
    spent = plain["processor_ms"]
    database = "" if spent["database"] is None else f", database {spent['database']:.2f} ms"
    refusals = f", {spent['refused']:,} refusals for {spent['accepted']:,} included" if spent["refused"] else ""
    if plain["counted"]["problems"]:
        said = ", ".join(f"{problem} ({many})" for problem, many in plain["counted"]["problems"].items())
        yield f"What failed: {said}."
        yield ""
    yield (
        f"{plain['accepted_in_time_per_second']:,.1f} a second were accepted while arrivals came. "
        f"Processor time for each accepted request: server {spent['server']:.2f} ms{database}{refusals}; of the "
        f"generator, apart, {spent['generator']:.2f} ms. Memory of the server at most {plain['memory_MB']} MB."
    )
    if plain["recovery_seconds"] is not None:
        yield f"Recovered {plain['recovery_seconds']} s after the overload."
    if plain["acknowledged"]:
        disk = "" if plain["disk_kB_a_document"] is None else f" {plain['disk_kB_a_document']} kB of disk for each."
        yield (
            f"{plain['acknowledged']:,} documents acknowledged, {plain['in_the_index']:,} new ones in the index, "
            f"{plain['read_back']:,} read back and compared octet by octet.{disk}"
        )
