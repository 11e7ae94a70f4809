"""`docs/requirements.csv`: every requirement of the DMP with the tests that hold it, or `not yet`."""

import ast
import csv
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
NOT_YET = "not yet"
REQUIREMENTS = 84


def rows() -> list[dict[str, str]]:
    with (ROOT / "docs" / "requirements.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@cache
def names_in(path: str) -> frozenset[str]:
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    return frozenset(node.name for node in tree.body if isinstance(node, ast.FunctionDef) and node.name[:5] == "test_")


def test_every_requirement_has_one_line() -> None:
    assert [row["id"] for row in rows()] == [f"S{number:02}" for number in range(1, REQUIREMENTS + 1)]


@pytest.mark.parametrize("row", [row for row in rows() if row["tests"] != NOT_YET], ids=lambda row: row["id"])
def test_the_tests_of_a_requirement_exist(row: dict[str, str]) -> None:
    for named in row["tests"].split():
        path, _, name = named.partition("::")
        assert name in names_in(path), named


@pytest.mark.parametrize("folder", ["tests/dmp", "tests/jobs"])
def test_a_test_that_names_a_requirement_stands_in_its_line(folder: str) -> None:
    tests = {row["id"]: row["tests"].split() for row in rows()}
    for path in sorted((ROOT / folder).glob("test_*.py")):
        where = str(path.relative_to(ROOT))
        for name in names_in(where):
            number = name[5:8].upper()
            if number in tests:
                assert f"{where}::{name}" in tests[number], name
