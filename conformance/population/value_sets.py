"""The French value sets, read as files: `schemas/valuesets` beside this package, or another folder. ANS NOS."""

import csv
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from conformance.failures import KitError
from conformance.sentence import Sentence
from conformance.vihf import Coded

FOLDER = Path(__file__).resolve().parents[2] / "schemas" / "valuesets"


@cache
def rows(name: str, folder: Path = FOLDER) -> tuple[dict[str, str], ...]:
    """The rows of the list whose file name starts so, `JDV_J66` for instance. Raises KitError."""
    found = sorted(folder.glob(f"{name}_*.csv"))
    if not found:
        raise KitError(
            Sentence(
                f"il n'y a pas de jeu de valeurs {name} dans {folder}", f"there is no value set {name} in {folder}"
            )
        )
    with found[0].open(encoding="utf-8", newline="") as file:
        return tuple(csv.DictReader(line for line in file if not line.startswith("#")))


def coded(name: str) -> Iterator[Coded]:
    """The codes of a list."""
    return (Coded(code=row["code"], system=row["system"], display=row["display"]) for row in rows(name))


def code(name: str, value: str) -> Coded:
    """One code of a list. Raises KitError."""
    found = next((one for one in coded(name) if one.code == value), None)
    if found is None:
        raise KitError(
            Sentence(f"{value} n'est pas dans le jeu de valeurs {name}", f"{value} is not in the value set {name}")
        )
    return found
