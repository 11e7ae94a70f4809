"""The layers of security, measured at the smallest size, and how the outcome is shown."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.closed_loop import Sample
from benchmarks.layer_tables import markdown
from benchmarks.layered_server import Layer
from benchmarks.layers import TARGETS, Layered
from benchmarks.outcome import Run

ROOT = Path(__file__).resolve().parents[2]
COMMAND = [sys.executable, "-m", "benchmarks.layers", "--entries", "60", "--database", "SQLite", "--rounds", "1"]
COMMAND += ["--seconds", "0.1", "--connections", "2"]


def test_everything_on_is_measured_beside_the_open_path(tmp_path: Path) -> None:
    command = [*COMMAND, "--layer", "TLS", "--layer", "AUDIT", "--results", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr
    (file,) = tmp_path.glob("*-layers.json")
    outcome = json.loads(file.read_text())
    figures = outcome["databases"]["SQLite"]["transactions"]
    assert [one.split()[0] for one in figures] == ["ITI-41", "ITI-18", "ITI-67", "ITI-43", "ITI-68"]
    for one, target in zip(figures.values(), TARGETS.values(), strict=True):
        assert list(one["layers"]) == ["OPEN", "TLS", "AUDIT"]
        assert all(layer["requests"] > 0 for layer in one["layers"].values())
        assert one["layers"]["OPEN"]["ratio"] == 1
        assert one["ratio"] == one["layers"]["AUDIT"]["ratio"]
        assert (one["target"], one["missed"]) == (target, target is not None and one["ratio"] < target)
    assert markdown(outcome) in done.stdout


def _run(per_second: int, milliseconds: float) -> Run:
    sample = Sample(requests=per_second, seconds=1, p50=1, p95=2, p99=3)
    return Run(sample=sample, server_seconds=per_second * milliseconds / 1000)


def test_the_table_says_what_each_layer_adds() -> None:
    speeds = {layer: (1000 - 100 * layer, 1 + layer / 4) for layer in Layer}
    rounds = tuple({layer: _run(*speed) for layer, speed in speeds.items()} for _ in range(2))
    plain = Layered(title="ITI-18", target=0.5, rounds=rounds).plain()
    assert plain["ratio"] == pytest.approx(0.5)
    assert not plain["missed"]
    how = {"entries": 1, "connections": 1, "rounds": 2, "seconds": 1, "load_before": 0, "load_after": 0}
    outcome = {
        "made": "2026-01-01 00:00 UTC",
        "commit": "",
        "machine": {"cores": 2, "system": "Linux"},
        "versions": {},
        "circumstances": how,
        "databases": {"SQLite": {"version": "3", "transactions": {"ITI-18": plain}}},
    }
    lines = markdown(outcome).splitlines()
    assert lines[-1] == "| + audit: everything on | **0.50** (0.50–0.50) | 500 | 1.0 | 3.0 | 2.25 | +0.25 | – |"
    assert len([one for one in lines if one.startswith("| +")]) == len(Layer) - 1
    assert "| ITI-18, SQLite | server | 1.00 | +0.25 | +0.25 | +0.25 | +0.25 | +0.25 | **2.25** |" in lines
    assert not [one for one in lines if "| database |" in one]  # SQLite works inside the server
