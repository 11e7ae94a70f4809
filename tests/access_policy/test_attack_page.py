"""The page that maps attacks to tests is true: every row of the matrix is on it, every test it names exists."""

import json
import re
from pathlib import Path

import pytest

from tests.conftest import ROOT

PAGE = ROOT / "docs" / "security-tests.md"
TESTS = {path.name: path.read_text(encoding="utf-8") for path in (ROOT / "tests").rglob("test_*.py")}


def rows() -> dict[str, str]:
    """Row of the matrix -> its line of the page."""
    found: dict[str, str] = {}
    for first, last, line in re.findall(
        r"^\| S(\d\d)(?:–S(\d\d))? (\|.*)$", PAGE.read_text(encoding="utf-8"), re.MULTILINE
    ):
        found.update({f"S{number:02}": line for number in range(int(first), int(last or first) + 1)})
    return found


def test_every_test_on_the_page_exists() -> None:
    named = re.findall(r"`(test_\w+\.py)(?:::(test_\w+)…)?`", PAGE.read_text(encoding="utf-8"))
    assert len(named) > 20
    for file, prefix in named:
        assert f"def {prefix}" in TESTS[file], f"{file}::{prefix}"


@pytest.mark.corpus
def test_every_row_about_assertions_is_on_the_page_and_has_a_test(corpus: Path) -> None:
    matrix = json.loads((corpus / "attacks" / "attack_matrix.json").read_text(encoding="utf-8"))["tests"]
    wanted = {one["id"] for one in matrix if one["id"].startswith("S")}
    assert rows().keys() == wanted
    assert all("test_" in line for line in rows().values())
