"""How long checking a CDA document takes: `python -m benchmarks.cda CORPUS [--saxon] [--profile]`.

Every current example of the corpus (`examples/index.csv`, `official/`), one core, warm, processor time of this process
without that of others: median and 95th percentile, of the whole check and of each layer; the same for the published
pack on our engine, beside Saxon in the same run. Of each document the least of some rounds counts: a machine that does
other things too is only ever slower.
"""

import argparse
import cProfile
import csv
import gc
import pstats
import statistics
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from carnet.cda_oracle import Oracle
from carnet.rule_folder import OfficialPack
from cda.document import read_document
from cda.findings import Layer
from cda.models import model_of
from cda.own_rules import own_findings
from cda.rule_packs import RuleSet, own_rules_of_layers
from cda.schema_check import schema_findings
from cda.schematron import Nodes
from cda.validate import check_bytes, own_tree

_ROUNDS = 5
_COMPARED = (Layer.IHE, Layer.FRENCH, Layer.NATIONAL)
Times = dict[str, list[float]]


def documents(corpus: Path) -> list[bytes]:
    """The current examples."""
    with (corpus / "examples" / "index.csv").open(encoding="utf-8", newline="") as lines:
        files = [row["file"] for row in csv.DictReader(lines) if row["generation"] == "3.0"]
    return [(corpus / "examples" / file).read_bytes() for file in files]


def _milliseconds(work: Callable[[], Any]) -> tuple[float, Any]:
    start = time.process_time()
    result = work()
    return (time.process_time() - start) * 1000, result


def whole_check(data: Sequence[bytes], rules: RuleSet) -> list[float]:
    """Milliseconds of the full check of each document: reading, schema, every layer, findings."""
    rounds = [[_milliseconds(lambda one=one: check_bytes(one, rules))[0] for one in data] for _ in range(_ROUNDS)]
    return [min(times) for times in zip(*rounds, strict=True)]


def by_layer(data: Sequence[bytes], rules: RuleSet) -> Mapping[str, list[float]]:
    """Milliseconds of each step of the check, by step."""
    rounds: dict[str, list[list[float]]] = defaultdict(list)
    for _ in range(_ROUNDS):
        times: Times = defaultdict(list)
        for one in data:
            for step, spent in _steps(one, rules):
                times[step].append(spent)
        for step, spent_on in times.items():
            rounds[step].append(spent_on)
    return {step: [min(times) for times in zip(*found, strict=True)] for step, found in rounds.items()}


def _steps(data: bytes, rules: RuleSet) -> Iterator[tuple[str, float]]:
    spent, document = _milliseconds(lambda: read_document(data))
    yield "parse", spent
    root = own_tree(document.clinical_document)
    spent, nodes = _milliseconds(lambda: Nodes(root))
    yield "tables", spent
    yield "XSD", _milliseconds(lambda: list(schema_findings(root)))[0]
    for layer, schema in rules.layers.items():
        yield layer.value, _milliseconds(lambda schema=schema: schema.failures(nodes))[0]
    model = model_of(root)
    own = rules.model(model.name, model.version) if model.name else None
    yield "VOL", _milliseconds(lambda: own.failures(nodes) if own is not None else ())[0]
    yield "OWN", _milliseconds(lambda: list(own_findings(nodes, model)))[0]


def _line(name: str, times: Sequence[float]) -> str:
    ordered = sorted(times)
    return f"| {name} | {statistics.median(ordered):.2f} | {ordered[int(0.95 * len(ordered))]:.2f} |"


def _table(title: str, rows: Mapping[str, Sequence[float]]) -> None:
    print(f"\n| {title} | median, ms | p95, ms |\n|---|---|---|")
    for name, times in rows.items():
        print(_line(name, times))


def published_pack(folder: Path, data: Sequence[bytes]) -> tuple[RuleSet, list[float]]:
    """The published pack on our engine: layers IHE, FR and ANS, document by document."""
    rules = OfficialPack(folder).rule_set()

    def layers(one: bytes) -> None:
        nodes = Nodes(own_tree(read_document(one).clinical_document))
        for layer in _COMPARED:
            rules.layers[layer].failures(nodes)

    rounds = [[_milliseconds(lambda one=one: layers(one))[0] for one in data] for _ in range(_ROUNDS)]
    return rules, [min(times) for times in zip(*rounds, strict=True)]


def on_saxon(folder: Path, data: Sequence[bytes]) -> list[float]:
    """The same layers on Saxon: processor time of its process, without handing documents over."""
    with Oracle(folder) as saxon:
        paths = [saxon.layer_paths[layer] for layer in _COMPARED]
        for path in paths:
            saxon.seconds(path, data[0])  # compiles the style sheet
        return [1000 * sum(saxon.seconds(path, one) for path in paths) for one in data]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.cda", description=__doc__)
    parser.add_argument("corpus", type=Path, help="folder with examples/ and official/")
    parser.add_argument("--saxon", action="store_true", help="also the published pack on Saxon (minutes)")
    parser.add_argument("--profile", action="store_true", help="also where the time of a check goes, by function")
    asked = parser.parse_args()
    data = documents(asked.corpus)
    spent, rules = _milliseconds(own_rules_of_layers)
    print(f"{len(data)} documents; rules of the layers ready after {spent / 1000:.2f} s")
    for one in data:
        check_bytes(one, rules)
    gc.collect()
    gc.freeze()
    _table("our packs", {"full check": whole_check(data, rules), **by_layer(data, rules)})
    _, ours = published_pack(asked.corpus / "official", data)
    rows = {"Carnet": ours}
    if asked.saxon:
        rows["Saxon"] = on_saxon(asked.corpus / "official", data)
        ratio = statistics.median(theirs / mine for theirs, mine in zip(rows["Saxon"], ours, strict=True))
    _table("published pack, IHE + FR + ANS", rows)
    if asked.saxon:
        print(f"\nSaxon takes {ratio:.0f} times as long.")
    if asked.profile:
        profile = cProfile.Profile()
        profile.runcall(lambda: [check_bytes(one, rules) for one in data])
        pstats.Stats(profile).sort_stats("tottime").print_stats(25)


if __name__ == "__main__":
    main()
