"""Units of work on SQLite: one writer thread that commits in groups.

Many threads that each BEGIN IMMEDIATE wait for each other up to a second; one writer that puts every
waiting unit into one transaction, each behind its own savepoint, shares one fsync among them.
"""

import queue
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import SQLAlchemyError

from storage.idle_readers import IdleReaders
from storage.unit_of_work import StorageFailed, UnitOfWork

T = TypeVar("T")
_LARGEST_GROUP = 64


class _Unit:
    """A function waiting for the writer, and the future its caller waits on."""

    def __init__(self, work: Callable[[UnitOfWork], Any]) -> None:
        self.work = work
        self.future: Future[Any] = Future()
        self.result: Any = None
        self.failure: BaseException | None = None


class SqliteUnits:
    """`storage.unit_of_work.Units` for a SQLite file that one process writes."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._readers = IdleReaders(engine)
        self._queue: queue.SimpleQueue[_Unit | None] = queue.SimpleQueue()
        self._closed = False
        self._writer = threading.Thread(target=self._write_groups, name="sqlite-writer", daemon=True)
        self._writer.start()

    def write(self, work: Callable[[UnitOfWork], T]) -> T:
        if self._closed:
            raise StorageFailed("the database is closed")
        unit = _Unit(work)
        self._queue.put(unit)
        result: T = unit.future.result()
        return result

    @contextmanager
    def read(self) -> Iterator[Connection]:
        with self._readers.lend() as connection:
            connection.connection.driver_connection.execute("BEGIN")  # type: ignore[union-attr]
            yield connection

    def close(self) -> None:
        self._closed = True
        self._queue.put(None)
        self._writer.join()
        self._readers.close()
        self._engine.dispose()

    def _write_groups(self) -> None:
        with self._engine.connect() as connection:
            while group := self._next_group():
                _commit_group(connection, group)

    def _next_group(self) -> list[_Unit]:
        """The next units that wait, at most 64; empty when closing."""
        first = self._queue.get()
        if first is None:
            return []
        group = [first]
        while len(group) < _LARGEST_GROUP:
            try:
                unit = self._queue.get_nowait()
            except queue.Empty:
                break
            if unit is None:
                self._queue.put(None)
                break
            group.append(unit)
        return group


def _commit_group(connection: Connection, group: list[_Unit]) -> None:
    """Run every unit behind its savepoint, commit once, then answer all of them."""
    try:
        connection.exec_driver_sql("BEGIN IMMEDIATE")
        for unit in group:
            _run(connection, unit)
        connection.exec_driver_sql("COMMIT")
    except SQLAlchemyError as problem:
        _roll_back(connection)
        for unit in group:
            unit.failure = _storage_failed(problem)
    for unit in group:
        _answer(unit)


def _run(connection: Connection, unit: _Unit) -> None:
    connection.exec_driver_sql("SAVEPOINT unit")
    try:
        unit.result = unit.work(UnitOfWork(connection=connection))
    except SQLAlchemyError as problem:
        unit.failure = _storage_failed(problem)
        connection.exec_driver_sql("ROLLBACK TO unit")
    except Exception as failure:  # noqa: BLE001 - belongs to the thread that asked, which raises it
        unit.failure = failure
        connection.exec_driver_sql("ROLLBACK TO unit")
    connection.exec_driver_sql("RELEASE unit")


def _storage_failed(problem: SQLAlchemyError) -> StorageFailed:
    failure = StorageFailed(f"the database could not be written: {type(problem).__name__}")
    failure.__cause__ = problem
    return failure


def _roll_back(connection: Connection) -> None:
    """End the transaction if one is still open; SQLite may have ended it itself (disk full)."""
    if connection.connection.driver_connection.in_transaction:  # type: ignore[union-attr]
        connection.exec_driver_sql("ROLLBACK")


def _answer(unit: _Unit) -> None:
    if unit.failure is not None:
        unit.future.set_exception(unit.failure)
    else:
        unit.future.set_result(unit.result)
