"""Statements that the code issues, each with the place that asked, and those that ask more machines than named.

As a plugin it looks at all that tests make the code ask, of SQLite and of PostgreSQL, in their own process:

    python -m pytest -p tests.issued tests/registry tests/dmp tests/jobs tests/flows

fails where a question is neither about one patient, record or key nor named in `storage.distribution.ACROSS`.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, event

from registry.sql import places as registry_places
from storage.distribution import ACROSS, Across
from storage.prepared import Prepared
from tests.one_machine import unbound

_ROOT = f"{Path(__file__).parents[1]}/"
_VERBS = ("SELECT", "INSERT", "UPDATE", "DELETE", "WITH")
# What only carries a statement to the driver; a migration and a test are no transaction.
_CARRIERS = ("storage/prepared.py", "tests/issued.py")
_NO_TRANSACTION = ("tests/", "storage/migrations/", "storage/online_indexes.py")


@dataclass(slots=True)
class Issued:
    """Every statement once, as it is without its values; `strays` ask more machines than is named: text → place."""

    texts: set[str] = field(default_factory=set)
    strays: dict[str, str] = field(default_factory=dict)

    def note(self, text: str, dialect: str) -> None:
        """A statement that is about to be run on a database of this kind."""
        if text in self.texts or not text.lstrip().startswith(_VERBS):
            return
        self.texts.add(text)
        tables = unbound(text, dialect)
        places = _places() if tables else ()
        if places and not places[0].startswith(_NO_TRANSACTION) and not any(names(one, places) for one in ACROSS):
            self.strays[text] = f"{', '.join(tables)}: {' < '.join(places[:4])}"


def names(across: Across, places: tuple[str, ...]) -> bool:
    """Whether this is the question that is meant."""
    return any(place.startswith(across.code) for place in places)


def _places() -> tuple[str, ...]:
    """Functions of the project on the stack, the innermost first, as `file:function`."""
    found, frame = [], sys._getframe(2)
    while frame is not None:
        name = frame.f_code.co_filename
        if name.startswith(_ROOT) and "/.venv/" not in name:
            found.append(f"{name.removeprefix(_ROOT)}:{frame.f_code.co_name}")
        frame = frame.f_back  # type: ignore[assignment]  # the outermost has none
    return tuple(one for one in found if not one.startswith(_CARRIERS))


@contextmanager
def watching() -> Iterator[Issued]:
    """What every connection is asked meanwhile, by SQLAlchemy or by kept statements, as a cluster would be."""
    issued = Issued()

    def before(connection: Any, _cursor: Any, text: str, *_rest: Any) -> None:
        issued.note(text, connection.dialect.name)

    driver_of = Prepared._driver

    def kept(self: Prepared, connection: Any) -> Any:
        issued.note(self.text, connection.dialect.name)
        return driver_of(self, connection)

    event.listen(Engine, "before_cursor_execute", before)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(Prepared, "_driver", kept)
        patched.setattr(registry_places, "is_divided", lambda _connection: True)
        yield issued
    event.remove(Engine, "before_cursor_execute", before)


@pytest.hookimpl(wrapper=True)
def pytest_sessionstart(session: pytest.Session) -> Iterator[None]:
    session.stash[_WATCH] = watching()
    session.stash[_ISSUED] = session.stash[_WATCH].__enter__()
    return (yield)


def pytest_sessionfinish(session: pytest.Session) -> None:
    session.stash[_WATCH].__exit__(None, None, None)
    issued = session.stash[_ISSUED]
    print(f"\n{len(issued.texts)} different statements, {len(issued.strays)} of them ask more machines than is named")
    for text, place in issued.strays.items():
        print(f"  {place}\n    {' '.join(text.split())[:400]}")
    if issued.strays:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


_WATCH, _ISSUED = pytest.StashKey[Any](), pytest.StashKey[Issued]()
