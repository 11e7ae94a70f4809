"""What tests of other makers are called in French: `french_titles.csv`, by kit and test."""

import csv
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from conformance.sentence import Sentence

TITLES = Path(__file__).with_name("french_titles.csv")


@cache
def french_titles() -> Mapping[tuple[str, str], str]:
    """(kit, test) → title; kits are `nist` and `fhir`."""
    with TITLES.open(encoding="utf-8", newline="") as file:
        return {(row["kit"], row["test"]): row["title_fr"] for row in csv.DictReader(file)}


def titled(kit: str, test: str, title: str) -> Sentence:
    """The title in both languages; of a test that is not in the table, in French, as its maker's own words."""
    quoted = f"« {title} »" if title else ""
    return Sentence(french_titles().get((kit, test), quoted), title)
