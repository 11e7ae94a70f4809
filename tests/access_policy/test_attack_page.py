"""The page that maps attacks to tests is true: every row of the matrix is on it, every test it names exists."""

import json
import re
from pathlib import Path

import pytest

from tests.conftest import ROOT

PAGE = ROOT / "docs" / "security-tests.md"
TESTS: dict[str, str] = {}
for path in sorted((ROOT / "tests").rglob("test_*.py")):
    TESTS[path.name] = TESTS.get(path.name, "") + path.read_text(encoding="utf-8")


def rows() -> dict[str, str]:
    """Row of the matrix -> its line of the page."""
    found: dict[str, str] = {}
    text = PAGE.read_text(encoding="utf-8")
    for letter, first, last, line in re.findall(r"^\| ([A-Z])(\d\d)(?:–[A-Z](\d\d))? (\|.*)$", text, re.MULTILINE):
        found.update({f"{letter}{number:02}": line for number in range(int(first), int(last or first) + 1)})
    return found


def test_every_test_on_the_page_exists() -> None:
    named = re.findall(r"`(test_\w+\.py)(?:::(test_\w+)…)?`", PAGE.read_text(encoding="utf-8"))
    assert len(named) > 20
    for file, prefix in named:
        assert f"def {prefix}" in TESTS[file], f"{file}::{prefix}"


@pytest.mark.corpus
def test_every_row_of_the_matrix_is_on_the_page_with_a_test(corpus: Path) -> None:
    matrix = json.loads((corpus / "attacks" / "attack_matrix.json").read_text(encoding="utf-8"))["tests"]
    found = rows()
    assert len(matrix) == 90
    assert found.keys() == {one["id"] for one in matrix}
    untested = {row: line for row, line in found.items() if "test_" not in line}
    assert untested == {}
