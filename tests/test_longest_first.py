"""The order in which files of tests begin."""

from pathlib import Path

from tests.longest_first import FILES

ROOT = Path(__file__).resolve().parents[1]


def test_every_file_that_begins_first_is_there() -> None:
    assert [file for file in FILES if not (ROOT / file).is_file()] == []
