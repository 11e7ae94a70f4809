"""Large documents at the smallest size, and the memory that is told of a process."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from benchmarks import memory
from benchmarks.document_tables import markdown
from benchmarks.large_documents import TARGET, Measured, main
from benchmarks.streams import Kind, Transfer


def test_both_ways_are_measured_beside_a_plain_copy(tmp_path: Path) -> None:
    results = tmp_path / "results"
    arguments = ["--size", "3", "--rounds", "1", "--folder", str(tmp_path), "--results", str(results)]
    done = CliRunner().invoke(main, arguments)
    assert done.exit_code == 0, done.output
    (file,) = results.glob("*-documents.json")
    outcome = json.loads(file.read_text())
    assert [one["title"].split()[0] for one in outcome["documents"]] == ["ITI-41", "ITI-43"]
    for one in outcome["documents"]:
        assert one["ratio"] == pytest.approx(one["carnet_MB_per_second"] / one["floor_MB_per_second"], rel=0.1)
        assert one["missed"] == (one["ratio"] < TARGET)
    assert file.with_suffix(".md").read_text() == markdown(outcome)
    assert [one.name for one in tmp_path.iterdir()] == ["results"]


def a_measurement(carnet: int, memory_octets: int) -> Measured:
    rounds = tuple(
        (Transfer(octets=carnet, seconds=1, memory=memory_octets), Transfer(octets=10**9, seconds=1, memory=10**6))
        for _ in range(3)
    )
    return Measured(kind=Kind.OUT, octets=3 * 10**6, connections=2, target=0.5, rounds=rounds)


def a_page(one: Measured) -> str:
    circumstances = {"rounds": 3, "load_before": 0.1, "load_after": 0.1}
    told = {"made": "2026-01-01 12:00 UTC", "commit": "abc", "machine": {"cores": 2, "system": "x"}, "versions": {}}
    return markdown({**told, "circumstances": circumstances, "documents": [one.plain()]})


def test_a_missed_target_and_a_passed_limit_are_shown_as_such() -> None:
    shown = a_page(a_measurement(4 * 10**8, 300 * 10**6))
    assert "| **0.40** (0.40–0.40) | 0.50 **missed** | 400 | 1,000 | 300 of 128 **missed** | 1 |" in shown
    shown = a_page(a_measurement(6 * 10**8, 100 * 10**6))
    assert "| **0.60** (0.60–0.60) | 0.50 met | 600 | 1,000 | 100 of 128 met | 1 |" in shown


_TAKES_100_MB_TWICE = """
import sys
for _ in range(2):
    taken = bytearray(100 * 1024 * 1024)
    print("taken", flush=True)
    sys.stdin.readline()
    del taken
    print("returned", flush=True)
    sys.stdin.readline()
"""


@pytest.mark.skipif(not memory.is_known(), reason="the system has no /proc")
def test_the_peak_of_a_process_is_counted_from_when_it_was_forgotten() -> None:
    """Of a process of its own: a worker of the tests may have memory to reuse, or be at its highest."""
    size = 100 * 1024 * 1024
    with subprocess.Popen(
        [sys.executable, "-c", _TAKES_100_MB_TWICE], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdin is not None and other.stdout is not None

        def goes_on_to(said: str) -> None:
            other.stdin.write("\n")
            other.stdin.flush()
            assert other.stdout.readline() == f"{said}\n"

        assert other.stdout.readline() == "taken\n"
        assert memory.resident(other.pid) > size
        goes_on_to("returned")
        assert memory.peak(other.pid) > size
        memory.forget_peak(other.pid)
        assert memory.peak(other.pid) < size
        goes_on_to("taken")
        assert memory.peak(other.pid) > size
        goes_on_to("returned")
        other.stdin.write("\n")
