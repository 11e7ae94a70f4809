"""A whole load at the smallest size: a server with everything of security on, and what the result says of it."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import databases
from benchmarks.load.counted import Counted, Outcome
from benchmarks.load.load_tables import markdown
from benchmarks.load.machine_use import ProcessorUse
from benchmarks.load.measurement import Measurement
from benchmarks.load.profiles import AFTER, BY_NAME, OVERLOAD, PROFILES
from benchmarks.load.result import Result
from benchmarks.plan import Sizes

ROOT = Path(__file__).resolve().parents[3]
SMALL = ["--entries", "60", "--seconds", "2", "--warm-up", "1", "--rate", "12", "--connections", "6"]


@pytest.mark.parametrize("database", databases.available())
def test_every_answer_of_a_day_is_right_and_every_document_is_kept(database: str, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "benchmarks.load", "mixed", "--database", database, *SMALL]
    command += ["--results", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 3, done.stderr
    plain = json.loads((tmp_path / next(tmp_path.glob("*.json"))).read_text())
    assert markdown(plain) in done.stdout
    assert plain["counted"]["problems"] == {}
    assert {row["outcome"] for row in plain["rows"]} == {"accepted"}
    assert plain["acknowledged"] == plain["in_the_index"] == plain["read_back"] > 0
    assert "asked for 12 arrivals a second, goal 50" in plain["goal"]["misses"]
    assert plain["processor_ms"]["generator"] > 0
    assert plain["processor_ms"]["server"] > 0


def test_help_names_every_profile() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.load", "--help"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert all(profile.name in done.stdout for profile in PROFILES)


def a_result(counted: Counted, profile: str = "overload", **changes: object) -> Result:
    plan = Measurement(profile=BY_NAME[profile], sizes=Sizes(), database="PostgreSQL", rate=0, seconds=240, warm_up=0)
    given = {
        "use": ProcessorUse(server=1, database=1, machine=3),
        "memory": 10**8,
        "read_back": 0,
        "problems": {},
        "documents": 0,
        "octets": 0,
        "made": "2026-01-01 00:00 UTC",
        "version": "15",
        "server_workers": 2,
        "paces": (1.0, 1.0),
        "load_before": 0.0,
        "load_after": 0.0,
    }
    return Result(plan=plan, counted=counted, **(given | changes))  # type: ignore[arg-type]


def test_an_overload_is_held_when_what_is_accepted_is_fast_refusals_are_at_once_and_it_ends() -> None:
    counted = Counted()
    counted.record((OVERLOAD, "iti41", Outcome.ACCEPTED), at=50, taken=0.4, served=0.4)
    counted.record((OVERLOAD, "iti41", Outcome.REFUSED), at=50, taken=0.01, served=0.01)
    counted.record((AFTER, "iti41", Outcome.ACCEPTED), at=165, taken=0.7, served=0.7)
    counted.record((AFTER, "iti41", Outcome.ACCEPTED), at=200, taken=0.1, served=0.1)
    result = a_result(counted)
    assert result.recovery == 10
    assert list(result.misses()) == []


def test_an_overload_is_missed_in_words() -> None:
    counted = Counted()
    counted.record((OVERLOAD, "iti41", Outcome.ACCEPTED), at=50, taken=2, served=2)
    counted.record((OVERLOAD, "iti41", Outcome.REFUSED), at=50, taken=0.2, served=0.2)
    counted.record((AFTER, "iti41", Outcome.REFUSED), at=220, taken=0.01, served=0.01)
    counted.acknowledged.append(1)
    missed = list(a_result(counted).misses())
    assert [one.split()[0] for one in missed] == ["1", "p99", "p99", "recovery"]
    assert "1 documents acknowledged, 0 in the index" in missed


def test_what_is_answered_after_the_last_arrival_was_not_kept_up() -> None:
    """A backlog of a minute is answered in the minute after: half as many a second as there were arrivals."""
    counted = Counted()
    for second in range(480):
        for _ in range(25):
            counted.record(("", "iti41", Outcome.ACCEPTED), at=second, taken=second / 2, served=0.1)
    result = a_result(counted, "feed")
    assert result.kept_up == 25
    assert "25.0 a second accepted in time of 50.0 intended" in list(result.misses())
    assert result.plain()["processor_ms"]["accepted"] == 12_000


def test_a_steady_load_of_which_one_request_was_refused_is_missed() -> None:
    counted = Counted()
    for _ in range(30_000):
        counted.record(("", "iti41", Outcome.ACCEPTED), at=1, taken=0.1, served=0.1)
    counted.record(("", "iti41", Outcome.REFUSED), at=1, taken=0.1, served=0.1)
    assert "1 requests refused, goal none" in list(a_result(counted, "feed").misses())


def test_a_steady_load_that_is_not_kept_up_is_missed() -> None:
    counted = Counted()
    for _ in range(100):
        counted.record(("", "iti41", Outcome.ACCEPTED), at=1, taken=0.3, served=0.3)
    missed = list(a_result(counted, "feed").misses())
    assert missed[0] == "asked for 240 seconds, goal 600"
    assert missed[1].startswith("0.4 a second accepted in time of 50.0 intended")
    assert missed[2].startswith("p99 300 ms, goal 250 ms")
