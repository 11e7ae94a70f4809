"""What a site needs, from a clinic to a nation, by the figures of kept loads: python -m benchmarks.sizing.

Each stage is a number of documents a year. Their peak follows from the opening hours of those who send them, and beside
each document stand the searches and retrievals of the mixed load.
"""

import json
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from benchmarks.load.profiles import BY_NAME, FEED, QUERY, READ, RETRIEVE, SEARCH
from benchmarks.machine import ROOT
from benchmarks.page import show

PAGE, RESULTS = ROOT / "docs" / "scaling.md", ROOT / "benchmarks" / "results"
STAGES: Mapping[str, int] = {
    "clinic": 100_000,
    "hospital group": 4_000_000,
    "region": 40_000_000,
    "nation": 420_000_000,
}
# 22 working days a month of ten hours; the busiest hour of the country has 2.3 times the arrivals of the mean one.
OPEN_SECONDS, BUSIEST_BESIDE_MEAN = 264 * 36_000, 2.3
# Half of each processor is free at the peak: an open system that is busier makes its clients wait.
BUSY = 0.5
_DOCUMENT_KB = 140
# Measured, table by table: docs/scaling.md.
DATABASE_KB = 24.0
_BY_TRANSACTION = {QUERY: "search", SEARCH: "search-fhir", RETRIEVE: "retrieve", READ: "retrieve-fhir", FEED: "feed"}


class NoResult(ValueError):
    """A load that the arithmetic needs has not been kept; the text says which."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Costs:
    """Processor milliseconds of one request, server and database, by transaction; kB of database for a document."""

    milliseconds: Mapping[str, tuple[float, float]]
    database_kb: float


def costs(folder: Path, database_kb: float) -> Costs:
    """By the newest load of each profile on PostgreSQL; ITI-68 costs what ITI-43 does until it is kept. NoResult."""
    found = {key: _newest(folder, profile) for key, profile in _BY_TRANSACTION.items()}
    found[READ] = found[READ] or found[RETRIEVE]
    missing = [_BY_TRANSACTION[key] for key, one in found.items() if one is None]
    if missing:
        raise NoResult(f"found no load {', '.join(missing)} on PostgreSQL under {folder}, expected one of each")
    times = {key: (one["processor_ms"]["server"], one["processor_ms"]["database"]) for key, one in found.items() if one}
    return Costs(milliseconds=times, database_kb=database_kb)


def _newest(folder: Path, profile: str) -> dict[str, Any] | None:
    files = sorted(folder.glob(f"*-load-{profile}-PostgreSQL.json"))
    return json.loads(files[-1].read_text(encoding="utf-8")) if files else None


def peak(documents: int) -> float:
    """Documents a second in the busiest hour of a year with so many."""
    return documents / OPEN_SECONDS * BUSIEST_BESIDE_MEAN


def processors(documents: int, costs: Costs) -> tuple[float, float]:
    """Of servers and of the database, at that peak, with the searches and retrievals that go with it."""
    mix = BY_NAME["mixed"].mix
    rates = {key: peak(documents) * weight / mix[FEED] for key, weight in mix.items()}
    server, database = (
        sum(rate * costs.milliseconds[key][side] for key, rate in rates.items()) / 1000 / BUSY for side in (0, 1)
    )
    return server, database


def markdown(costs: Costs) -> str:
    """The costs, and a row for each stage."""
    return "\n".join((*_costs(costs), "", *_stages(costs)))


def _costs(costs: Costs) -> Iterator[str]:
    yield "| Processor ms of one request | server | database | for each document |"
    yield "|---|--:|--:|--:|"
    mix = BY_NAME["mixed"].mix
    for key, (server, database) in costs.milliseconds.items():
        yield f"| {key} | {server:.1f} | {database:.1f} | {mix[key] / mix[FEED]:.3g} |"


def _stages(costs: Costs) -> Iterator[str]:
    yield (
        "| Stage | documents a year | ITI-41 a second at the peak | other requests | processors for servers | "
        "for PostgreSQL | TB of documents a year | TB of PostgreSQL |"
    )
    yield "|---|--:|--:|--:|--:|--:|--:|--:|"
    mix = BY_NAME["mixed"].mix
    others = sum(mix.values()) / mix[FEED] - 1
    for name, documents in STAGES.items():
        server, database = processors(documents, costs)
        disks = (documents * kilobytes / 10**9 for kilobytes in (_DOCUMENT_KB, costs.database_kb))
        cells = (peak(documents), peak(documents) * others, server, database, *disks)
        yield f"| {name} | {documents:,} | " + " | ".join(f"{one:,.3g}" for one in cells) + " |"


@click.command(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.option("--database-kb", default=DATABASE_KB, show_default=True, help="kB of database for each document.")
@click.option("--results", default=str(RESULTS), help="Folder of kept loads.  [default: benchmarks/results]")
@click.option("--document", is_flag=True, help="Show it in docs/scaling.md too.")
def main(database_kb: float, results: str, document: bool) -> None:
    """What a site needs, by the newest loads that were kept.

    \b
    python -m benchmarks.sizing
    python -m benchmarks.sizing --document        # after `python -m benchmarks.load feed … --document`
    """
    try:
        text = markdown(costs(Path(results), database_kb))
    except NoResult as problem:
        click.echo(f"sizing: {problem}", err=True)
        sys.exit(1)
    if document:
        newest = max(Path(results).glob("*-load-feed-PostgreSQL.json"))
        show(PAGE, newest.stem, text, place="sizing")
    click.echo(text)


if __name__ == "__main__":
    main()
