"""What became slower between two results of `benchmarks.bench`: python -m benchmarks.compare BASE [NEW].

Ratios to the floor are compared, which were measured in turn with it, and processor time of the server; plain
rates of two days are of two machines.
"""

import json
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from benchmarks.machine import ROOT

RESULTS = ROOT / "benchmarks" / "results"
_TENTH = 0.1


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
    """Every transaction that both have."""
    for name, database in new["databases"].items():
        then = base["databases"].get(name, {"transactions": {}})["transactions"]
        for key, row in database["transactions"].items():
            if key in then:
                yield _change(name, then[key], row)


def _change(database: str, then: Mapping[str, Any], now: Mapping[str, Any]) -> Change:
    low, high = min(then["ratios"]), max(then["ratios"])
    return Change(
        database=database,
        title=now["title"],
        ratio_then=then["ratio"],
        ratio_now=now["ratio"],
        is_within_spread=low <= now["ratio"] <= high,
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


def newest(but: Path) -> Path:
    """The newest result of `benchmarks.bench` that is not this one. Raises click.UsageError."""
    found = [
        file for file in sorted(RESULTS.glob("20*.json")) if file.resolve() != but.resolve() and _is_bench(_read(file))
    ]
    if not found:
        raise click.UsageError(f"{RESULTS} holds no other result; run make bench first")
    return found[-1]


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
    new = new or newest(base)
    before, after = _read(base), _read(new)
    for file, plain in ((base, before), (new, after)):
        if not _is_bench(plain):
            raise click.UsageError(f"{file} is no result of benchmarks.bench")
    found = list(changes(before, after))
    if not found:
        raise click.UsageError(f"{base} and {new} have no transaction in common")
    click.echo(f"{new.name} beside {base.name}\n\n{markdown(found)}")
    sys.exit(3 if any("slower" in one.verdict for one in found) else 0)


if __name__ == "__main__":
    main()
