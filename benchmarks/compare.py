"""What became slower between two results of `benchmarks.bench`: python -m benchmarks.compare BASE [NEW].

Ratios to the floor are compared, which were measured in turn with it, and processor time of the server; plain
rates of two days are of two machines. Results of other data sets, or beside something else, are not compared.
"""

import json
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from benchmarks.machine import ROOT

RESULTS = ROOT / "benchmarks" / "results"
_TENTH = 0.1
# What must be the same for ratios to mean the same, and what is only told where it differs.
_SAME, _TOLD = ("entries", "patients", "beside", "connections"), ("workers", "threads")


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One transaction on one database. `floor` and `processor`: now beside then, as a share of then; None unknown."""

    database: str
    title: str
    ratio_then: float
    ratio_now: float
    is_within_spread: bool
    processor_then: float | None
    processor_now: float | None

    @property
    def verdict(self) -> str:
        """Slower or faster only where both ratios lie outside what the rounds of the other run spread over."""
        if self.is_within_spread or abs(self.ratio_now / self.ratio_then - 1) < _TENTH:
            return "as before"
        return "**slower**" if self.ratio_now < self.ratio_then else "faster"


def changes(base: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[Change]:
    """Every transaction that both have beside the same."""
    for name, database in new["databases"].items():
        then = base["databases"].get(name, {"transactions": {}})["transactions"]
        for key, row in database["transactions"].items():
            if key in then and then[key]["beside"] == row["beside"]:
                yield _change(name, then[key], row)


def gone(base: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[str]:
    """Transactions of the first that the second has not, or has beside something else."""
    for name, database in base["databases"].items():
        now = new["databases"].get(name, {"transactions": {}})["transactions"]
        for key, row in database["transactions"].items():
            if key not in now or now[key]["beside"] != row["beside"]:
                yield f"{name}: {row['title']}"


def differences(base: Mapping[str, Any], new: Mapping[str, Any], names: Iterable[str]) -> list[str]:
    """Circumstances that are not the same, as `entries 100000 then, 1000 now`."""
    then, now = base["circumstances"], new["circumstances"]
    return [f"{name} {then.get(name)} then, {now.get(name)} now" for name in names if then.get(name) != now.get(name)]


def remarks(base: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[str]:
    """What a reader has to know of the two: other machines, other processes, what one of them lacks."""
    machines = [", ".join(str(one["machine"].get(name)) for name in ("cores", "processor")) for one in (base, new)]
    if machines[0] != machines[1]:
        yield f"Other machines ({machines[0]} then; {machines[1]} now): compare the ratios, not the milliseconds."
    yield from (f"Not the same: {one}." for one in differences(base, new, _TOLD))
    yield from (f"Not in both: {one}." for one in gone(base, new))


def _spans(row: Mapping[str, Any], ratio: float) -> bool:
    """Whether the rounds of one run spread over the ratio of the other."""
    return bool(min(row["ratios"]) <= ratio <= max(row["ratios"]))


def _change(database: str, then: Mapping[str, Any], now: Mapping[str, Any]) -> Change:
    return Change(
        database=database,
        title=now["title"],
        ratio_then=then["ratio"],
        ratio_now=now["ratio"],
        is_within_spread=_spans(then, now["ratio"]) or _spans(now, then["ratio"]),
        processor_then=then["carnet"]["server_cpu_ms"],
        processor_now=now["carnet"]["server_cpu_ms"],
    )


def markdown(found: list[Change]) -> str:
    """One table, what became slower first."""
    lines = [
        "| Database | Transaction | | ratio then | ratio now | server CPU ms then | now |",
        "|---|---|---|--:|--:|--:|--:|",
    ]
    for one in sorted(found, key=lambda one: one.ratio_now / one.ratio_then):
        times = " | ".join("–" if ms is None else f"{ms:.2f}" for ms in (one.processor_then, one.processor_now))
        ratios = f"{one.ratio_then:.2f} | {one.ratio_now:.2f}"
        lines.append(f"| {one.database} | {one.title} | {one.verdict} | {ratios} | {times} |")
    return "\n".join(lines)


def newest(beside: Path, folder: Path = RESULTS) -> Path:
    """The newest other result of `benchmarks.bench` that can be compared with this one. Raises click.UsageError."""
    base = _read(beside)
    others = [(file, _read(file)) for file in folder.glob("20*.json") if file.resolve() != beside.resolve()]
    found = [
        (plain["made"], file) for file, plain in others if _is_bench(plain) and not differences(base, plain, _SAME)
    ]
    if not found:
        raise click.UsageError(f"{folder} holds no other result that was measured like {beside}; run make bench first")
    return max(found)[1]


def _read(file: Path) -> Mapping[str, Any]:
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as problem:
        raise click.UsageError(f"{file}: {problem}") from None
    return found if isinstance(found, dict) else {}


def _is_bench(plain: Mapping[str, Any]) -> bool:
    """Layers have databases too, but their transactions no floor."""
    databases = plain.get("databases")
    rows = [row for one in databases.values() for row in one["transactions"].values()] if databases else []
    return bool(rows) and all("carnet" in row for row in rows)


@click.command(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.argument("base", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.argument("new", required=False, type=click.Path(exists=True, dir_okay=False, path_type=Path))
def main(base: Path, new: Path | None) -> None:
    """Tell what is slower in NEW (the newest result) than in BASE. Exit code 3 where something is.

    \b
    python -m benchmarks.compare benchmarks/results/2026-11-26-100000.json
    make bench-compare BASE=benchmarks/results/2026-11-26-100000.json
    """
    if not _is_bench(_read(base)):
        raise click.UsageError(f"{base} is no result of benchmarks.bench")
    new = new or newest(base)
    before, after = _read(base), _read(new)
    if not _is_bench(after):
        raise click.UsageError(f"{new} is no result of benchmarks.bench")
    if other := differences(before, after, _SAME):
        raise click.UsageError(f"{base} and {new} cannot be compared: {'; '.join(other)}")
    found = list(changes(before, after))
    if not found:
        raise click.UsageError(f"{base} and {new} have no transaction in common")
    said = "".join(f"{one}\n" for one in remarks(before, after))
    click.echo(f"{new.name} beside {base.name}\n{said}\n{markdown(found)}")
    sys.exit(3 if any("slower" in one.verdict for one in found) else 0)


if __name__ == "__main__":
    main()
