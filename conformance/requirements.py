"""The requirements a client or a server is judged by: `requirements.csv`, read and checked.

Columns: `id`, the text in French and English in our own words, the public `source`, the `actor` it binds, its `level`,
and the `check`, `KIND: what is looked at`. `message` and `conversation` are judged on what a client sent; `nist`,
`fhir` and `probe` name the tests that a server is put to; `manual` is asked of a person.
"""

import csv
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from typing import TypeVar

from conformance.failures import KitError

SHIPPED = Path(__file__).with_name("requirements.csv")
COLUMNS = ("id", "text_fr", "text_en", "source", "actor", "level", "check")
Choice = TypeVar("Choice", bound=Enum)
_ID = re.compile(r"(CLIENT|SERVER)-[A-Z]+-\d\d")


class Actor(Enum):
    """Who is tested."""

    CLIENT = "client"
    SERVER = "server"


class Level(Enum):
    """How binding a requirement is. RFC 2119."""

    SHALL = "SHALL"
    SHOULD = "SHOULD"


class Way(Enum):
    """How a requirement is checked."""

    MESSAGE = "message"
    CONVERSATION = "conversation"
    MANUAL = "manual"
    NIST = "nist"
    FHIR = "fhir"
    PROBE = "probe"


@dataclass(frozen=True, slots=True, kw_only=True)
class Requirement:
    """One requirement; `looked_at` is what is looked at, or the tests by name, patterns allowed."""

    id: str
    text_fr: str
    text_en: str
    source: str
    actor: Actor
    level: Level
    way: Way
    looked_at: str

    @property
    def topic(self) -> str:
        """The middle of the id: TLS, SOAP, VIHF…"""
        return self.id.split("-")[1]

    def is_about(self, test: str) -> bool:
        """Is a test of this name one of those that check it?"""
        return any(fnmatchcase(test, pattern) for pattern in self.looked_at.split())


@cache
def requirements(path: Path = SHIPPED) -> tuple[Requirement, ...]:
    """All of them in the order of the file. Raises KitError naming line, column and value."""
    try:
        with path.open(encoding="utf-8", newline="") as file:
            table = csv.DictReader(file)
            if tuple(table.fieldnames or ()) != COLUMNS:
                raise KitError(f"{path}: found the columns {table.fieldnames}, expected {', '.join(COLUMNS)}")
            found = tuple(_requirement(row, f"{path}, line {table.line_num}") for row in table)
    except OSError as problem:
        raise KitError(f"{path} cannot be read: {problem.strerror}") from None
    for identifier in _repeated([one.id for one in found]):
        raise KitError(f"{path}: {identifier} stands there more than once")
    return found


def requirements_of(actor: Actor) -> tuple[Requirement, ...]:
    """What binds a client, or a server."""
    return tuple(one for one in requirements() if one.actor is actor)


def requirement(identifier: str) -> Requirement:
    """One by its id. Raises KitError."""
    found = next((one for one in requirements() if one.id == identifier), None)
    if found is None:
        raise KitError(f"there is no requirement {identifier} in {SHIPPED.name}")
    return found


def _requirement(row: dict[str, str], where: str) -> Requirement:
    for name in COLUMNS:
        if not (row[name] or "").strip():
            raise KitError(f"{where}: {name} is empty")
    way, colon, looked_at = row["check"].partition(": ")
    if not colon:
        raise KitError(f"{where}: found the check {row['check']}, expected KIND: what is looked at")
    if not _ID.fullmatch(row["id"]) or not row["id"].lower().startswith(f"{row['actor']}-"):
        raise KitError(f"{where}: found the id {row['id']}, expected ACTOR-TOPIC-NN such as CLIENT-TLS-01")
    return Requirement(
        id=row["id"],
        text_fr=row["text_fr"],
        text_en=row["text_en"],
        source=row["source"],
        actor=_one_of(Actor, row["actor"], where),
        level=_one_of(Level, row["level"], where),
        way=_one_of(Way, way, where),
        looked_at=looked_at,
    )


def _one_of(choices: type[Choice], value: str, where: str) -> Choice:
    try:
        return choices(value)
    except ValueError:
        expected = ", ".join(str(one.value) for one in choices)
        raise KitError(f"{where}: found the {choices.__name__.lower()} {value}, expected {expected}") from None


def _repeated(identifiers: Sequence[str]) -> Iterator[str]:
    return (one for at, one in enumerate(identifiers) if one in identifiers[:at])


def requirement_about(way: Way, test: str) -> str:
    """The id of the requirement of servers that a test checks; empty when it only sets others up."""
    found = (one.id for one in requirements_of(Actor.SERVER) if one.way is way and one.is_about(test))
    return next(found, "")
