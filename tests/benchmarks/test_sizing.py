"""What a site needs follows from what was measured, and the page shows what follows from the figures on it."""

import json
import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from benchmarks import sizing
from benchmarks.load.profiles import FEED, QUERY, READ, RETRIEVE, SEARCH
from benchmarks.page import marks
from benchmarks.sizing import Costs, NoResult, costs, markdown, peak, processors

EVEN = Costs(milliseconds=dict.fromkeys((QUERY, SEARCH, RETRIEVE, READ, FEED), (10.0, 1.0)), database_kb=10)


def test_a_nation_sends_a_hundred_documents_a_second_at_the_peak() -> None:
    assert peak(sizing.STAGES["nation"]) == pytest.approx(100, rel=0.03)


def test_processors_are_twice_what_the_requests_take() -> None:
    """Each document brings 1.5 other requests, so at 100 a second 250 requests of 10 ms take 2.5 processors."""
    documents = round(100 * sizing.OPEN_SECONDS / sizing.BUSIEST_BESIDE_MEAN)
    assert processors(documents, EVEN) == (pytest.approx(5.0), pytest.approx(0.5))


def test_the_newest_load_of_each_profile_counts(tmp_path: Path) -> None:
    for day, server in (("01", 99.0), ("02", 20.0)):
        for profile in ("feed", "search", "search-fhir", "retrieve"):
            kept = {"processor_ms": {"server": server, "database": 2.0}}
            (tmp_path / f"2026-12-{day}-load-{profile}-PostgreSQL.json").write_text(json.dumps(kept))
    found = costs(tmp_path, 10)
    assert set(found.milliseconds.values()) == {(20.0, 2.0)}
    assert READ in found.milliseconds, "ITI-68 costs what ITI-43 does until it was measured"


def test_a_load_that_was_not_kept_is_named(tmp_path: Path) -> None:
    with pytest.raises(NoResult, match="found no load search, search-fhir"):
        costs(tmp_path, 10)
    done = CliRunner().invoke(sizing.main, ["--results", str(tmp_path)])
    assert done.exit_code == 1
    assert "expected one of each" in done.output


def test_the_page_shows_what_follows_from_its_own_figures() -> None:
    begin, end = marks("sizing")
    shown = sizing.PAGE.read_text(encoding="utf-8").partition(begin)[2].partition(end)[0]
    rows = dict(re.findall(r"^\| (iti\S+) \| (.*) \| \S+ \|$", shown, re.MULTILINE))
    times = {key: tuple(map(float, row.split(" | "))) for key, row in rows.items()}
    (kilobytes,) = re.findall(r"^\| nation .* \| (\S+) \|$", shown, re.MULTILINE)
    database_kb = float(kilobytes) * 10**9 / sizing.STAGES["nation"]
    page = Costs(milliseconds={key: (one[0], one[1]) for key, one in times.items()}, database_kb=database_kb)
    assert _numbers(markdown(page)) == pytest.approx(_numbers(shown), rel=0.02)


def _numbers(text: str) -> list[float]:
    cells = (cell.strip().replace(",", "") for line in text.splitlines() for cell in line.split("|"))
    return [float(cell) for cell in cells if re.fullmatch(r"[\d.e+-]+", cell) and re.search(r"\d", cell)]
