"""ITI-41 and ITI-43 with large documents, beside the same server that keeps and sends the same octets as files.

python -m benchmarks.large_documents
python -m benchmarks.large_documents --size 3 --size 100 --rounds 7
"""

import json
import os
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any

import click
from rich.console import Console

from benchmarks import disk, machine, memory, servers
from benchmarks.bench import RESULTS
from benchmarks.closed_loop import WrongAnswer
from benchmarks.document_tables import markdown
from benchmarks.floors import Floor
from benchmarks.page import PAGE, show
from benchmarks.plan import Sizes
from benchmarks.requests import Workload
from benchmarks.servers import Server, ServerFailed
from benchmarks.streams import Kind, Streams, Transfer
from carnet.registry_wiring import open_registry
from carnet.settings import Settings, load

MEGABYTE = 10**6
SIZES_MB = (0.14, 3.0, 100.0, 1000.0)
TARGET, TARGET_FROM_MB = 0.5, 3
MEMORY_LIMIT_MB = 64
_WORKLOAD = Sizes(entries=60, patients=4, held=1)
# More documents at once than there is room for would measure the disk.
_AT_ONCE = ((10, 4), (500, 2))


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """One kind of transfer with documents of one size: a run of Carnet and one of the plain copy for each round."""

    kind: Kind
    octets: int
    connections: int
    target: float | None
    rounds: tuple[tuple[Transfer, Transfer], ...]

    @property
    def ratio(self) -> float:
        return median(self._ratios())

    def _ratios(self) -> list[float]:
        return sorted(carnet.per_second / plain.per_second for carnet, plain in self.rounds)

    def plain(self) -> dict[str, Any]:
        """For JSON: medians over the rounds, and every ratio; memory is the most of all rounds."""
        carnet, plain = [one for one, _ in self.rounds], [one for _, one in self.rounds]
        return {
            "title": f"{self.kind.value}, {self.octets / MEGABYTE:g} MB",
            "connections": self.connections,
            "beside": Floor.COPY.value,
            "ratio": round(self.ratio, 3),
            "ratios": [round(ratio, 3) for ratio in self._ratios()],
            "target": self.target,
            "missed": self.target is not None and self.ratio < self.target,
            "carnet_MB_per_second": _speed(carnet),
            "floor_MB_per_second": _speed(plain),
            "carnet_memory_MB": _memory(carnet),
            "floor_memory_MB": _memory(plain),
            "memory_limit_MB": MEMORY_LIMIT_MB * self.connections,
        }


def _speed(runs: Sequence[Transfer]) -> float:
    return round(median(run.per_second for run in runs) / MEGABYTE, 1)


def _memory(runs: Sequence[Transfer]) -> float | None:
    known = [run.memory for run in runs if run.memory is not None]
    return round(max(known) / MEGABYTE, 1) if known else None


def measure(kind: Kind, megabytes: float, streams: Streams, pair: tuple[Server, Server], rounds: int) -> Measured:
    """Carnet and the plain copy in turn, each first in every other round; a run of both before does not count."""
    carnet, plain = pair
    octets = round(megabytes * MEGABYTE)
    connections = next((number for below, number in _AT_ONCE if megabytes < below), 1)

    def of_carnet() -> Transfer:
        return _watched(carnet, lambda: streams.carnet(kind, octets, carnet.port, connections))

    def of_plain() -> Transfer:
        return _watched(plain, lambda: streams.plain(kind, octets, plain.port, connections))

    found = []
    for number in range(rounds + 1):
        second = of_plain() if number % 2 else None
        first = of_carnet()
        found.append((first, second or of_plain()))
    if kind is Kind.OUT:
        streams.check(octets, carnet.port)
    target = TARGET if megabytes >= TARGET_FROM_MB else None
    return Measured(kind=kind, octets=octets, connections=connections, target=target, rounds=tuple(found[1:]))


def _watched(server: Server, transfer: Callable[[], Transfer]) -> Transfer:
    """One run, with the most memory that the server took beyond what it had before."""
    if not memory.is_known():
        return transfer()
    memory.forget_peak(server.process)
    before = memory.resident(server.process)
    done = transfer()
    return replace(done, memory=max(0, memory.peak(server.process) - before))


def measure_all(sizes: Sequence[float], rounds: int, *, folder: Path, console: Console) -> dict[str, Any]:
    """Every size both ways, in an empty repository of its own on SQLite. Returns the shape of the JSON file."""
    load_before, workload = machine.load_average(), Workload(_WORKLOAD)
    settings = _settings(folder, max(sizes))
    _make_known(settings, workload)
    streams, found = Streams(folder, workload), []
    with servers.carnet(settings) as carnet, servers.canned(settings, servers.free_port()) as plain:
        for megabytes in sizes:
            for kind in Kind:
                one = measure(kind, megabytes, streams, (carnet, plain), rounds)
                found.append(one.plain())
                console.print(_said(found[-1]))
    return {
        "made": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "commit": machine.commit(),
        "circumstances": {"rounds": rounds, "load_before": load_before, "load_after": machine.load_average()},
        "machine": machine.machine(),
        "versions": machine.versions(),
        "documents": found,
    }


def _settings(folder: Path, largest_mb: float) -> Settings:
    given = {"data": str(folder / "carnet"), "security": "open", "port": servers.free_port()}
    return load({**given, "max_document_mb": max(1, round(largest_mb))})


def _make_known(settings: Settings, workload: Workload) -> None:
    registry = open_registry(settings)
    for number in workload.plan.others:
        ins = workload.documents.patient(number).ins
        registry.units.write(lambda unit, ins=ins: registry.add_patient(unit, ins))  # type: ignore[misc]
    registry.units.close()


def _said(one: dict[str, Any]) -> str:
    verdict = "" if one["target"] is None else f", target {one['target']:.2f} {'MISSED' if one['missed'] else 'met'}"
    return f"{one['title']:38} {one['ratio']:.2f} of {one['beside']}{verdict}, {one['carnet_memory_MB']} MB of memory"


@click.command(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.option("--size", "sizes", multiple=True, type=float, help="MB of a document.  [default: 0.14, 3, 100, 1000]")
@click.option("--rounds", default=5, show_default=True, help="Rounds of Carnet and the plain copy in turn.")
@click.option("--folder", default="", help="Where documents and repository lie while it runs.  [default: a new one]")
@click.option("--results", default=str(RESULTS), help="Folder of the results.  [default: benchmarks/results]")
@click.option("--document", is_flag=True, help="Show the result in docs/benchmarks.md too.")
def main(sizes: tuple[float, ...], rounds: int, folder: str, results: str, document: bool) -> None:
    """Measure ITI-41 and ITI-43 with large documents beside a plain copy through the same HTTP server.

    \b
    python -m benchmarks.large_documents
    python -m benchmarks.large_documents --size 3 --size 100 --rounds 7
    """
    console, chosen = Console(stderr=True, highlight=False), sizes or SIZES_MB
    try:
        with tempfile.TemporaryDirectory(prefix="carnet-documents-", dir=folder or None) as made:
            # A document, its copies, and what the repository keeps of every round.
            console.print(disk.check(Path(made), round(sum(chosen) * MEGABYTE) * (rounds + 6)))
            plain = measure_all(chosen, rounds, folder=Path(made), console=console)
    except (WrongAnswer, ServerFailed, OSError) as problem:
        click.echo(f"large_documents: {problem}", err=True)
        sys.exit(1)
    page = _kept(plain, Path(results))
    if document:
        show(PAGE, page.stem, page.read_text(encoding="utf-8"), place="documents")
    click.echo(markdown(plain))
    console.print(f"kept in {os.path.relpath(page)} and the JSON beside it")


def _kept(plain: dict[str, Any], folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    page = folder / f"{plain['made'][:10]}-documents.md"
    page.with_suffix(".json").write_text(json.dumps(plain, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    page.write_text(markdown(plain), encoding="utf-8")
    return page


if __name__ == "__main__":
    main()
