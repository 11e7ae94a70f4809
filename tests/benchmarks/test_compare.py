"""What became slower since an earlier result."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import click
import pytest

from benchmarks.compare import changes, gone, markdown, newest

ROOT = Path(__file__).resolve().parents[2]


def a_result(**ratios: list[float]) -> dict[str, Any]:
    rows = {
        key: {
            "title": key,
            "beside": "canned bytes",
            "ratio": sorted(found)[len(found) // 2],
            "ratios": found,
            "carnet": {"server_cpu_ms": 2.0},
        }
        for key, found in ratios.items()
    }
    how = {"entries": 100, "patients": 5, "beside": None, "connections": 4, "workers": 1, "threads": 4}
    return {
        "made": "2026-01-01 12:00 UTC",
        "circumstances": how,
        "machine": {"cores": 2, "processor": "one"},
        "databases": {"SQLite": {"version": "3", "transactions": rows}},
    }


def with_circumstances(plain: dict[str, Any], **changes: Any) -> dict[str, Any]:
    return {**plain, "circumstances": {**plain["circumstances"], **changes}}


def kept(folder: Path, name: str, plain: dict[str, Any]) -> Path:
    file = folder / f"{name}.json"
    file.write_text(json.dumps(plain))
    return file


def run(*arguments: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "benchmarks.compare", *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


BASE = a_result(iti18=[0.20, 0.21, 0.22], iti41=[0.30, 0.31, 0.32], iti43=[0.1, 0.2, 0.4])


def test_what_is_outside_the_spread_is_slower_or_faster() -> None:
    new = a_result(iti18=[0.10, 0.11, 0.12], iti41=[0.44, 0.45, 0.46], iti43=[0.11, 0.12, 0.13], iti99=[1.0])
    assert {one.title: one.verdict for one in changes(BASE, new)} == {
        "iti18": "**slower**",
        "iti41": "faster",
        "iti43": "as before",
    }
    assert markdown(list(changes(BASE, new))).splitlines()[2].startswith("| SQLite | iti18 | **slower** |")


def test_rounds_that_spread_over_the_ratio_of_before_say_nothing() -> None:
    """A median may lie apart where the machine was slow for some rounds."""
    (one,) = changes(BASE, a_result(iti41=[0.15, 0.25, 0.40]))
    assert one.verdict == "as before"


def test_what_stands_beside_something_else_is_not_compared() -> None:
    new = a_result(iti18=[0.9], iti41=[0.31])
    new["databases"]["SQLite"]["transactions"]["iti18"]["beside"] = "bare transaction"
    assert [one.title for one in changes(BASE, new)] == ["iti41"]
    assert list(gone(BASE, new)) == ["SQLite: iti18", "SQLite: iti43"]


def test_the_command_fails_where_something_is_slower(tmp_path: Path) -> None:
    base = kept(tmp_path, "base", BASE)
    new = kept(tmp_path, "new", a_result(iti18=[0.1], iti41=[0.31]))
    slower = run(base, new)
    assert slower.returncode == 3
    assert "Not in both: SQLite: iti43." in slower.stdout
    assert run(base, base).returncode == 0
    refused = run(base, kept(tmp_path, "other", {}))
    assert refused.returncode == 2
    assert "is no result of benchmarks.bench" in refused.stderr


@pytest.mark.parametrize("other", [{"entries": 1000}, {"beside": 10}, {"connections": 16}])
def test_results_of_other_circumstances_are_not_compared(other: dict[str, Any], tmp_path: Path) -> None:
    refused = run(kept(tmp_path, "base", BASE), kept(tmp_path, "new", with_circumstances(BASE, **other)))
    assert refused.returncode == 2
    ((name, value),) = other.items()
    assert f"{name} {BASE['circumstances'][name]} then, {value} now" in " ".join(refused.stderr.split())


def test_another_machine_and_other_processes_are_told(tmp_path: Path) -> None:
    new = with_circumstances(BASE, workers=2) | {"machine": {"cores": 8, "processor": "other"}}
    told = run(kept(tmp_path, "base", BASE), kept(tmp_path, "new", new))
    assert told.returncode == 0
    assert "Other machines (2, one then; 8, other now)" in told.stdout
    assert "workers 1 then, 2 now" in told.stdout


def test_the_newest_that_can_be_compared_is_taken(tmp_path: Path) -> None:
    base = kept(tmp_path, "2026-01-01-100", BASE)
    older = kept(tmp_path, "2026-01-02-100-all", {**BASE, "made": "2026-01-02 10:00 UTC"})
    kept(tmp_path, "2026-01-02-100", {**BASE, "made": "2026-01-02 09:00 UTC"})
    kept(tmp_path, "2026-01-03-100-beside-10", with_circumstances(BASE, beside=10) | {"made": "2026-01-03 12:00 UTC"})
    kept(tmp_path, "2026-01-04-layers", {"databases": {"SQLite": {"transactions": {"iti18": {}}}}})
    assert newest(base, tmp_path) == older
    with pytest.raises(click.UsageError, match="no other result that was measured like"):
        newest(kept(tmp_path, "2026-01-05-7", with_circumstances(BASE, entries=7)), tmp_path)
