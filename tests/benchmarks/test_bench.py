"""A whole measurement at the smallest size, and how its outcome is shown."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
from click.testing import CliRunner

from benchmarks import disk, document_tables, layer_tables
from benchmarks.bench import RESULTS, main
from benchmarks.closed_loop import Sample
from benchmarks.dataset import is_loaded
from benchmarks.floors import Floor
from benchmarks.outcome import DatabaseOutcome, Measured, Outcome, Round, Run
from benchmarks.page import PAGE, PLACES, NoPlace, marks, show
from benchmarks.plan import Sizes
from benchmarks.tables import markdown
from benchmarks.transactions import BY_KEY
from carnet.settings import load

ROOT = Path(__file__).resolve().parents[2]
SMALLEST = ["--entries", "60", "--patients", "4", "--rounds", "1", "--seconds", "0.1", "--connections", "2"]
SMALLEST += ["--profiled", "3"]


def test_every_transaction_is_measured_beside_its_floor(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "benchmarks.bench", *SMALLEST, "--database", "SQLite", "--results", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=600)
    assert done.returncode == 0, done.stderr
    (file,) = tmp_path.glob("*.json")
    outcome = json.loads(file.read_text())
    figures = outcome["databases"]["SQLite"]["transactions"]
    assert list(figures) == list(BY_KEY)
    for one in figures.values():
        assert one["carnet"]["requests"] > 0
        assert one["floor"]["requests"] > 0
        assert one["ratio"] == pytest.approx(
            one["carnet"]["per_second"] / one["floor"]["per_second"], rel=0.02, abs=0.001
        )
        assert one["missed"] == (one["target"] is not None and one["ratio"] < one["target"])
        assert bool(one["profile"]) == one["missed"]
        assert one["memory_MB"] > 10
    others = {name: one["other"] for name, one in figures.items() if one["other"]}
    assert set(others) == {"iti42-1", "iti42-10", *(name for name, one in BY_KEY.items() if not one.writes)}
    assert {one["beside"] for one in others.values()} == {"bare questions", "canned bytes"}
    for name, one in others.items():
        ratio = figures[name]["carnet"]["per_second"] / one["figures"]["per_second"]
        assert one["ratio"] == pytest.approx(ratio, rel=0.02, abs=0.001)
    brings = {name for name, one in figures.items() if one["disk_kB_a_document"] is not None}
    assert brings == {"iti41", "iti65", "iti105", "iti106"}
    assert all(figures[name]["disk_kB_a_document"] > 1 for name in brings)
    assert outcome["circumstances"]["entries"] == 60
    assert outcome["machine"]["cores"] > 0
    assert file.with_suffix(".md").read_text() == markdown(outcome)
    assert "| ITI-18 FindDocuments, 20 entries, LeafClass |" in done.stdout


def test_a_registry_is_measured_beside_a_smaller_one(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "benchmarks.bench", *SMALLEST, "--beside", "40", "--database", "SQLite"]
    command += ["--only", "iti18-get-documents", "--keep", str(tmp_path / "kept"), "--results", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr
    (file,) = tmp_path.glob("*-60-beside-40.json")
    outcome = json.loads(file.read_text())
    (one,) = outcome["databases"]["SQLite"]["transactions"].values()
    assert one["beside"] == "smaller registry"
    assert one["target"] == pytest.approx(1 / 1.5)
    assert one["floor"]["requests"] > 0
    assert "Beside it the same server with 40 entries" in file.with_suffix(".md").read_text()
    # Kept, so that the next run finds both without loading.
    kept = [load({"data": str(folder)}) for folder in (tmp_path / "kept").rglob("sqlite")]
    for sizes in (Sizes(entries=60, patients=4), Sizes(entries=40)):
        assert [is_loaded(sizes, settings) for settings in kept].count(True) == 1


def test_a_disk_that_is_too_small_is_told_before_anything_is_loaded(tmp_path: Path) -> None:
    assert "GB are free" in disk.check(tmp_path / "not" / "yet", disk.needed(1000, ["SQLite"]))
    with pytest.raises(disk.DiskTooSmall, match=r"needs 11000000\.0 GB of disk"):
        disk.check(tmp_path, disk.needed(10**12, ["SQLite"]))


def test_five_million_entries_are_refused_where_they_have_no_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The long form says first what it needs, and fills nothing in vain."""
    monkeypatch.setattr(disk.shutil, "disk_usage", lambda _: SimpleNamespace(free=10**10))
    command = ["--entries", "5000000", "--beside", "10000", "--database", "SQLite", "--keep", str(tmp_path)]
    done = CliRunner().invoke(main, command)
    assert done.exit_code == 1
    assert "bench: the data set needs 55.0 GB of disk under" in done.output
    assert "10.0 GB are free" in done.output
    assert not list(tmp_path.rglob("dataset.json"))


def test_a_data_set_that_cannot_be_is_one_sentence() -> None:
    done = CliRunner().invoke(main, ["--entries", "5"])
    assert done.exit_code == 1
    assert done.output.strip().endswith("bench: entries: found 5, expected at least 21")


def test_an_unknown_transaction_is_a_usage_error() -> None:
    done = CliRunner().invoke(main, ["--only", "iti99"])
    assert done.exit_code == 2
    assert "iti18-leaf-class" in done.output


def sample(requests: int) -> Sample:
    return Sample(requests=requests, seconds=1, p50=1, p95=2, p99=3)


def measured(carnet: int, canned: int, target: float | None) -> Measured:
    rounds = tuple(
        Round(
            carnet=Run(sample=sample(carnet + extra), server_seconds=0.5, database_seconds=0.1),
            floor=Run(sample=sample(canned), server_seconds=0.5),
        )
        for extra in (0, 10, -10)
    )
    return Measured(
        key="x",
        title="ITI-x",
        floor=Floor.CANNED,
        target=target,
        answer_length=7,
        rounds=rounds,
        profile="where it goes",
    )


def outcome(*all_measured: Measured) -> Outcome:
    circumstances = {"entries": 100_000, "patients": 5_000, "seed": 1, "connections": 4, "rounds": 3, "seconds": 1.5}
    circumstances |= {"beside": None, "workers": 1, "threads": 16, "everything_on": {}, "load_seconds": 61.0}
    circumstances |= {"load_before": 0.1, "load_after": 1.9}
    return Outcome(
        made="2026-01-01 12:00 UTC",
        commit="abc",
        circumstances=circumstances,
        machine={"cores": 2, "system": "x"},
        versions={"python": "3.11"},
        databases=(DatabaseOutcome(name="SQLite", version="3", measured=all_measured),),
    )


def test_the_ratio_is_the_median_of_the_rounds_with_its_spread() -> None:
    one = measured(400, 1000, None)
    assert one.ratio == pytest.approx(0.4)
    assert one.ratios == pytest.approx([0.39, 0.4, 0.41])
    assert "**0.40** (0.39–0.41)" in markdown(outcome(one).plain())


def test_memory_and_disk_are_columns_where_they_were_measured() -> None:
    one = measured(400, 1000, None)
    brings = replace(one, key="y", memory=210_000_000, disk=151_240)
    shown = markdown(outcome(brings, replace(one, memory=1_000_000)).plain())
    assert "| memory MB | disk kB a document |" in shown
    assert "| 210 | 151.2 |" in shown
    assert "| 1 | – |" in shown
    before = outcome(one).plain()
    for name in ("memory_MB", "disk_kB_a_document"):
        del before["databases"]["SQLite"]["transactions"]["x"][name]
    assert "memory MB" not in markdown(before)


def test_what_else_stands_beside_a_transaction_is_a_column_where_it_was_measured() -> None:
    one = measured(400, 1000, None)
    bare = Run(sample=sample(1000))
    both = replace(one, other=Floor.QUESTIONS, rounds=tuple(replace(each, other=bare) for each in one.rounds))
    shown = markdown(outcome(both, replace(one, key="y")).plain())
    assert "| also beside |" in shown
    assert "| bare questions, 1,000 per s: **0.40** (0.39–0.41) |" in shown
    assert "| – |\n" in shown
    before = outcome(one).plain()
    del before["databases"]["SQLite"]["transactions"]["x"]["other"]
    assert "also beside" not in markdown(before)


def test_a_missed_target_is_shown_as_missed_with_its_profile() -> None:
    shown = markdown(outcome(measured(390, 1000, 0.4)).plain())
    assert "0.40 **missed**" in shown
    assert "where it goes" in shown


def test_a_target_that_is_met_says_so() -> None:
    one = replace(measured(410, 1000, 0.4), profile="")
    assert not one.is_missed
    shown = markdown(outcome(one).plain())
    assert "0.40 met" in shown
    assert "missed" not in shown


def test_the_second_column_says_that_nothing_more_is_on() -> None:
    shown = markdown(outcome(measured(400, 1000, None)).plain())
    assert "| as open |" in shown
    assert "*everything on* is *open* in this version" in shown


@pytest.mark.parametrize("place", [place for place in PLACES if place != "growth"])  # not measured yet
def test_the_page_shows_a_kept_result(place: str) -> None:
    """The table in the documentation is that of the file it names."""
    begin, end = marks(place)
    shown = PAGE.read_text(encoding="utf-8").partition(begin)[2].partition(end)[0]
    name = shown.partition("](../benchmarks/results/")[2].partition(".json")[0]
    write = {"documents": document_tables.markdown, "layers": layer_tables.markdown}.get(place, markdown)
    assert write(json.loads((RESULTS / f"{name}.json").read_text(encoding="utf-8"))) in shown


def test_a_new_result_replaces_the_one_that_is_shown(tmp_path: Path) -> None:
    page = tmp_path / "benchmarks.md"
    page.write_text(PAGE.read_text(encoding="utf-8"), encoding="utf-8")
    kept = page.read_text(encoding="utf-8").partition(marks("growth")[0])[2]
    for name, text in (("2030-01-01-7", "the first result\n"), ("2030-01-02-7", "the second result\n")):
        show(page, name, text, place="entries")
        shown = page.read_text(encoding="utf-8")
        assert text in shown
        assert f"benchmarks/results/{name}.json" in shown
    assert "the first result\n" not in shown
    assert shown.startswith("# ")
    assert "2030-01-01" not in shown
    assert shown.partition(marks("growth")[0])[2] == kept


def test_a_page_without_a_place_for_the_result_is_an_error(tmp_path: Path) -> None:
    page = tmp_path / "other.md"
    page.write_text("# Other\n", encoding="utf-8")
    with pytest.raises(NoPlace, match=r"other\.md"):
        show(page, "x", "y", place="entries")
