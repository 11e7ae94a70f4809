"""What security costs: transactions through each layer of it, and through all of them, beside the open path.

python -m benchmarks.layers
python -m benchmarks.layers --entries 2000 --database SQLite --rounds 15 --seconds 2
"""

import json
import os
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any

import click
from rich.console import Console

from benchmarks import databases, machine, servers
from benchmarks.bench import RESULTS
from benchmarks.client import ClientProcess, Load
from benchmarks.closed_loop import WrongAnswer
from benchmarks.databases import Database
from benchmarks.dataset import CannotLoad, load_dataset
from benchmarks.layer_tables import markdown
from benchmarks.layered_server import Layer
from benchmarks.measuring import Method, Side
from benchmarks.opened_records import open_for_the_doctor
from benchmarks.outcome import Run, medians
from benchmarks.page import PAGE, show
from benchmarks.plan import Sizes, UnusablePlan
from benchmarks.servers import Server, ServerFailed
from benchmarks.shown import Shown
from benchmarks.transactions import BY_KEY
from carnet.pki import Use
from carnet.settings import Settings
from tests import mutual_tls
from tests.mutual_tls import Pki

# The least of the open path that is to be left with everything on, where there is a goal.
_READS = ("iti67", "iti43", "iti68")
TARGETS: Mapping[str, float | None] = {"iti41": 0.5, "iti18-leaf-class": 0.5, **dict.fromkeys(_READS)}
_ENTRIES = 2_000
_WARM_UP_SECONDS = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Layered:
    """One transaction on one database: a run through each layer for every round."""

    title: str
    target: float | None
    rounds: tuple[Mapping[Layer, Run], ...]

    @property
    def layers(self) -> tuple[Layer, ...]:
        return tuple(sorted(self.rounds[0]))

    def ratios(self, layer: Layer) -> list[float]:
        """Requests per second to those of the open path, of each round, the smallest first."""
        return sorted(one[layer].sample.per_second / one[Layer.OPEN].sample.per_second for one in self.rounds)

    def plain(self) -> dict[str, Any]:
        """For JSON: medians over the rounds, and every ratio."""
        ratio = median(self.ratios(max(self.layers)))
        layers = {
            layer.name: {
                **medians([one[layer] for one in self.rounds]),
                "ratio": round(median(self.ratios(layer)), 3),
                "ratios": [round(ratio, 3) for ratio in self.ratios(layer)],
            }
            for layer in self.layers
        }
        missed, ratio = self.target is not None and ratio < self.target, round(ratio, 3)
        return {"title": self.title, "target": self.target, "missed": missed, "ratio": ratio, "layers": layers}


def measure(running: Mapping[Layer, Side], key: str, method: Method) -> Layered:
    """Every layer in turn, each round beginning with another one. Raises WrongAnswer."""
    for side in running.values():
        side.run(min(_WARM_UP_SECONDS, method.seconds))
    rounds, layers = [], list(running)
    for number in range(method.rounds):
        first = number % len(layers)
        rounds.append({layer: running[layer].measured(method.seconds) for layer in layers[first:] + layers[:first]})
    return Layered(title=BY_KEY[key].title, target=TARGETS[key], rounds=tuple(rounds))


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """What to measure, and how."""

    sizes: Sizes
    names: Sequence[str]
    keys: Sequence[str]
    layers: Sequence[Layer]
    method: Method


def measure_database(database: Database, client: ClientProcess, pki: Pki, plan: Measurement) -> Iterator[Layered]:
    """Each transaction through each layer; a server for each, all with this database."""
    method = plan.method
    with ExitStack() as stack:
        secured = _secured(database.settings, pki)
        listening = {layer: stack.enter_context(servers.layered(layer, secured)) for layer in plan.layers}
        card, signer = pki.client, pki.written(pki.card[Use.SIGNATURE])
        for key in plan.keys:
            running = {}
            for layer, server in listening.items():
                shown = _shown(layer, pki, card, signer)
                running[layer] = _side(client, key, shown, server, database, method)
            yield measure(running, key, method)


def _side(client: ClientProcess, key: str, shown: Shown, server: Server, database: Database, method: Method) -> Side:
    """Every different answer is looked at first, which also makes the assertions known. Raises WrongAnswer."""
    client.look(key, server.port, shown)
    load = Load(key=key, port=server.port, connections=method.connections, seconds=method.seconds, shown=shown)
    return Side(
        run=lambda seconds: client.run(replace(load, seconds=seconds)),
        server=server.process,
        database=database.process,
    )


def _secured(settings: Settings, pki: Pki) -> Settings:
    return replace(settings, security="mtls", certificate=str(pki.server), trust=str(pki.trust))


def _shown(layer: Layer, pki: Pki, card: Path, signer: Path) -> Shown:
    """The client has a certificate from the first TLS on: a server that does not ask gets none."""
    if layer is Layer.OPEN:
        return Shown()
    return Shown(trust=str(pki.trust), certificate=str(card), signer=str(signer) if layer >= Layer.VIHF else "")


def measure_all(plan: Measurement, *, folder: Path, console: Console) -> dict[str, Any]:
    """The outcome as it is kept. Raises WrongAnswer, ServerFailed, CannotLoad."""
    load_before, pki, found = machine.load_average(), mutual_tls.a_pki(folder / "pki"), {}
    method = plan.method
    with ClientProcess(plan.sizes) as client:
        for name in plan.names:
            with databases.opened(name, folder, threads=Settings().threads, workers=1) as database:
                _fill(plan.sizes, database.settings)
                measured = {}
                for one in measure_database(database, client, pki, plan):
                    measured[one.title] = one.plain()
                    console.print(f"{name:10} {one.title:45} {measured[one.title]['ratio']:.2f} of the open path")
                found[name] = {"version": database.version, "transactions": measured}
    return {
        "made": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "commit": machine.commit(),
        "machine": machine.machine(),
        "versions": machine.versions(),
        "circumstances": {
            "entries": plan.sizes.entries,
            "connections": method.connections,
            "rounds": method.rounds,
            "seconds": method.seconds,
            "load_before": load_before,
            "load_after": machine.load_average(),
        },
        "databases": found,
    }


def _fill(sizes: Sizes, settings: Settings) -> None:
    load_dataset(sizes, [settings], on_progress=lambda _count: None)
    open_for_the_doctor(sizes, settings)


@contextmanager
def _folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="carnet-layers-") as folder:
        # The database server may run as another user.
        Path(folder).chmod(0o755)
        yield Path(folder)


@click.command(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.option("--entries", default=_ENTRIES, show_default=True, help="DocumentEntries in the registry.")
@click.option("--database", "names", multiple=True, type=click.Choice(["SQLite", "PostgreSQL"]), help="Only this one.")
@click.option("--only", multiple=True, type=click.Choice(list(TARGETS)), help="Only this transaction.")
@click.option(
    "--layer",
    "layers",
    multiple=True,
    type=click.Choice([one.name for one in Layer]),
    help="Only this one beside open.",
)
@click.option("--connections", default=4, show_default=True, help="Connections of the client.")
@click.option("--rounds", default=6, show_default=True, help="Rounds; each goes through all layers in turn.")
@click.option("--seconds", default=1.5, show_default=True, help="Length of one run.")
@click.option("--results", default=str(RESULTS), help="Folder of the results.  [default: benchmarks/results]")
@click.option("--document", is_flag=True, help="Show the result in docs/benchmarks.md too.")
def main(
    entries: int,
    names: tuple[str, ...],
    only: tuple[str, ...],
    layers: tuple[str, ...],
    connections: int,
    rounds: int,
    seconds: float,
    results: str,
    document: bool,
) -> None:
    """Measure what each layer of security costs, and all of them beside the open path.

    \b
    python -m benchmarks.layers
    python -m benchmarks.layers --database SQLite --only iti67 --rounds 12 --seconds 3
    python -m benchmarks.layers --document
    """
    console = Console(stderr=True, highlight=False)
    missing = [name for name in names if name not in databases.available()]
    if missing:
        raise click.UsageError(f"{missing[0]} is not installed (Debian package postgresql)")
    plan = Measurement(
        sizes=Sizes(entries=entries),
        names=names or databases.available(),
        keys=only or tuple(TARGETS),
        layers=sorted({Layer.OPEN, *(Layer[one] for one in layers)} if layers else Layer),
        method=Method(connections=connections, rounds=rounds, seconds=seconds),
    )
    try:
        with _folder() as folder:
            outcome = measure_all(plan, folder=folder, console=console)
    except (CannotLoad, UnusablePlan, WrongAnswer, ServerFailed, OSError) as problem:
        click.echo(f"layers: {problem}", err=True)
        sys.exit(1)
    kept = keep(outcome, Path(results))
    if document:
        show(PAGE, kept.stem, markdown(outcome), place="layers")
    click.echo(markdown(outcome))
    console.print(f"kept in {os.path.relpath(kept)}")


def keep(outcome: Mapping[str, Any], folder: Path) -> Path:
    """Write the JSON; returns its path."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"{outcome['made'][:10]}-layers.json"
    file.write_text(json.dumps(outcome, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    return file


if __name__ == "__main__":
    main()
