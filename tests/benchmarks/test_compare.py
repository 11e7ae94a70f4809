"""What became slower since an earlier result."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from benchmarks.compare import changes, markdown

ROOT = Path(__file__).resolve().parents[2]


def a_result(**ratios: list[float]) -> dict[str, Any]:
    rows = {
        key: {
            "title": key,
            "ratio": sorted(found)[len(found) // 2],
            "ratios": found,
            "carnet": {"server_cpu_ms": 2.0},
        }
        for key, found in ratios.items()
    }
    return {"databases": {"SQLite": {"version": "3", "transactions": rows}}}


BASE = a_result(iti18=[0.20, 0.21, 0.22], iti41=[0.30, 0.31, 0.32], iti43=[0.1, 0.2, 0.4])


def test_what_is_outside_the_spread_is_slower_or_faster() -> None:
    new = a_result(iti18=[0.10, 0.11, 0.12], iti41=[0.44, 0.45, 0.46], iti43=[0.11, 0.12, 0.13], iti99=[1.0])
    assert {one.title: one.verdict for one in changes(BASE, new)} == {
        "iti18": "**slower**",
        "iti41": "faster",
        "iti43": "as before",
    }
    assert markdown(list(changes(BASE, new))).splitlines()[2].startswith("| SQLite | iti18 | **slower** |")


def test_the_command_fails_where_something_is_slower(tmp_path: Path) -> None:
    files = []
    for name, result in (("base", BASE), ("new", a_result(iti18=[0.1], iti41=[0.31]))):
        files.append(tmp_path / f"{name}.json")
        files[-1].write_text(json.dumps(result))

    def run(*arguments: Path) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "benchmarks.compare", *map(str, arguments)]
        return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)

    assert run(*files).returncode == 3
    assert run(files[0], files[0]).returncode == 0
    other = tmp_path / "other.json"
    other.write_text("{}")
    refused = run(files[0], other)
    assert refused.returncode == 2
    assert "is no result of benchmarks.bench" in refused.stderr
