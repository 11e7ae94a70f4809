"""The questions that a transaction asks of its database, asked again by the driver alone: no HTTP, no XML, no rules.

They are those that the application really asks, heard once in this process: each with its values, those of one
request in one transaction, all rows fetched. What it writes besides (audit) is left out.
"""

import os
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from itertools import count
from pathlib import Path
from typing import Any

import structlog
from sqlalchemy import Connection, Engine, event
from werkzeug.test import run_wsgi_app

from benchmarks.closed_loop import Sample, sample_of
from benchmarks.profiles import environment_of
from benchmarks.requests import Request
from carnet.application import application
from carnet.server import configure_log
from carnet.settings import Settings
from carnet.wiring import open_actors
from storage.engine import open_engine
from storage.prepared import Prepared, cursor_of

_QUESTIONS = ("SELECT", "WITH")
# Whether it is a kept statement, its text, its values: those two are written in different ways.
Question = tuple[bool, str, Any]


class BareQuestions:
    """The questions of some requests, asked in turn."""

    def __init__(self, settings: Settings, requests: Sequence[Request]) -> None:
        self._questions = heard(settings, requests)
        self._engine = open_engine(settings.database_url)

    @property
    def are_none(self) -> bool:
        """A transaction may ask nothing."""
        return not any(self._questions)

    def run(self, connections: int, seconds: float) -> Sample:
        """Ask for so many seconds."""
        began = time.perf_counter()
        with ThreadPoolExecutor(connections) as pool:
            times = list(pool.map(lambda first: list(self._until(began + seconds, first)), range(connections)))
        return sample_of([one for part in times for one in part], time.perf_counter() - began)

    def close(self) -> None:
        self._engine.dispose()

    def _until(self, end: float, first: int) -> Iterator[float]:
        """Seconds that the questions of each request took, of one at least."""
        with closing(self._engine.raw_connection()) as connection:
            driver = connection.driver_connection
            for number in count(first):
                began = time.perf_counter()
                if began >= end and number > first:
                    return
                for is_kept, text, values in self._questions[number % len(self._questions)]:
                    with closing(cursor_of(driver) if is_kept else connection.cursor()) as cursor:
                        cursor.execute(text, values)
                        cursor.fetchall()
                connection.commit()
                yield time.perf_counter() - began


def heard(settings: Settings, requests: Sequence[Request]) -> list[list[Question]]:
    """What the application asks its database for each request, the second time it is asked."""
    with Path(os.devnull).open("wb") as nowhere:
        configure_log(nowhere)
        actors = open_actors(settings)
        try:
            app, found = application(actors), []
            for request in requests:
                for _ in range(2):
                    with _listening() as questions:
                        b"".join(run_wsgi_app(app, environment_of(request))[0])
                found.append(questions)
            return found
        finally:
            actors.units.close()
            structlog.reset_defaults()


@contextmanager
def _listening() -> Iterator[list[Question]]:
    found: list[Question] = []
    rows = Prepared.rows

    def of_kept(self: Prepared, connection: Connection, **values: Any) -> Sequence[tuple[Any, ...]]:
        if self.text.startswith(_QUESTIONS):
            found.append((True, self.text, self.parameters(values)))
        return rows(self, connection, **values)

    def of_sqlalchemy(_connection: Any, _cursor: Any, text: str, values: Any, *_rest: Any) -> None:
        if text.startswith(_QUESTIONS):
            found.append((False, text, values))

    event.listen(Engine, "before_cursor_execute", of_sqlalchemy)
    Prepared.rows = of_kept  # type: ignore[method-assign]
    try:
        yield found
    finally:
        Prepared.rows = rows  # type: ignore[method-assign]
        event.remove(Engine, "before_cursor_execute", of_sqlalchemy)
