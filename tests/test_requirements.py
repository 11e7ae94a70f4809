"""`docs/requirements.csv` and `docs/wire-quirks.csv`: what the DMP asks for, and what its software sends, with tests.

A requirement without a test says `not yet`.
"""

import ast
import csv
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
NOT_YET = "not yet"
REQUIREMENTS, QUIRKS = 84, 25
# Where tests are named after the quirk they show.
QUIRKY = ("flows/test_wire_quirks", "flows/test_document_agreement", "access_policy/test_vihf")


def rows(page: str = "requirements") -> list[dict[str, str]]:
    with (ROOT / "docs" / f"{page}.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@cache
def names_in(path: str) -> frozenset[str]:
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    return frozenset(node.name for node in tree.body if isinstance(node, ast.FunctionDef) and node.name[:5] == "test_")


def test_every_requirement_has_one_line() -> None:
    assert [row["id"] for row in rows()] == [f"S{number:02}" for number in range(1, REQUIREMENTS + 1)]


def test_every_quirk_has_one_line_and_code_that_exists() -> None:
    assert [row["id"] for row in rows("wire-quirks")] == [f"W{number:02}" for number in range(1, QUIRKS + 1)]
    assert [one for row in rows("wire-quirks") for one in row["code"].split() if not (ROOT / one).exists()] == []


HELD = [row for row in (*rows(), *rows("wire-quirks")) if row["tests"] != NOT_YET]


@pytest.mark.parametrize("row", HELD, ids=lambda row: row["id"])
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


@pytest.mark.parametrize("file", QUIRKY)
def test_a_test_that_names_a_quirk_stands_in_its_line(file: str) -> None:
    tests = {row["id"].lower(): row["tests"].split() for row in rows("wire-quirks")}
    where = f"tests/{file}.py"
    named = [(number, name) for name in names_in(where) for number in name.split("_") if number in tests]
    assert named
    assert [name for number, name in named if f"{where}::{name}" not in tests[number]] == []
