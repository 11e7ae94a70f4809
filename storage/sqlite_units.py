"""Units of work on SQLite: one writer thread that commits in groups.

Many threads that each BEGIN IMMEDIATE wait for each other up to a second; one writer that puts every
waiting unit into one transaction, each behind its own savepoint, shares one fsync among them.
"""

import queue
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import AbstractContextManager, contextmanager
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import SQLAlchemyError

from storage.failures import as_storage_failed, is_sync_failure, storage_failed
from storage.idle_connections import IdleConnections
from storage.unit_of_work import OnSyncLost, StorageFailed, UnitOfWork, go_on

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

    def __init__(self, engine: Engine, *, on_sync_lost: OnSyncLost = go_on) -> None:
        """`on_sync_lost` is told, once the units concerned are refused, that the disk failed to keep something."""
        self._engine, self._on_sync_lost = engine, on_sync_lost
        self._readers = IdleConnections(engine)
        self._queue: queue.SimpleQueue[_Unit | None] = queue.SimpleQueue()
        self._gate, self._closed, self._has_lost_sync = threading.Lock(), False, False
        self._connection = engine.connect()
        self._writer = threading.Thread(target=self._write_groups, name="sqlite-writer", daemon=True)
        self._writer.start()

    def write(self, work: Callable[[UnitOfWork], T]) -> T:
        unit = _Unit(work)
        with self._gate:
            if self._closed:
                raise StorageFailed("the database is closed")
            if self._has_lost_sync:
                raise StorageFailed("the database could not be synced; nothing is accepted until a restart")
            self._queue.put(unit)
        result: T = unit.future.result()
        return result

    def append(self, insertion: Callable[[UnitOfWork], T]) -> T:
        return self.write(insertion)

    @contextmanager
    def read(self) -> Iterator[Connection]:
        with as_storage_failed(), self._readers.lend() as connection:
            connection.connection.driver_connection.execute("BEGIN")  # type: ignore[union-attr]
            yield connection

    def look(self) -> AbstractContextManager[Connection]:
        """The same: a transaction costs no round trip."""
        return self.read()

    @contextmanager
    def turn(self, name: str) -> Iterator[bool]:
        """Always: a SQLite database has one server."""
        yield True

    def is_accepting(self) -> bool:
        return not self._has_lost_sync

    def close(self) -> None:
        """Commit what was accepted before; nothing is accepted after."""
        with self._gate:
            if not self._closed:
                self._queue.put(None)
            self._closed = True
        self._writer.join()
        self._readers.close()
        self._connection.close()
        self._engine.dispose()

    def _write_groups(self) -> None:
        """Whatever happens, every unit gets an answer: nobody waits for a writer that has died."""
        while group := self._next_group():
            try:
                _commit_group(self._connection, group)
            except Exception as problem:  # noqa: BLE001 - belongs to the threads that wait
                self._has_lost_sync = self._has_lost_sync or is_sync_failure(problem)
                for unit in group:
                    unit.failure = _failure(problem)
            for unit in group:
                _answer(unit)
            if self._has_lost_sync:
                self._on_sync_lost()

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
    """Run every unit behind its savepoint, commit once."""
    try:
        connection.exec_driver_sql("BEGIN IMMEDIATE")
        for unit in group:
            _run(connection, unit)
        connection.exec_driver_sql("COMMIT")
    except BaseException:
        _roll_back(connection)
        raise


def _run(connection: Connection, unit: _Unit) -> None:
    connection.exec_driver_sql("SAVEPOINT unit")
    try:
        unit.result = unit.work(UnitOfWork(connection=connection))
    except Exception as problem:
        if not _is_in_transaction(connection):
            raise  # SQLite has ended it for all units of the group (disk full)
        unit.failure = _failure(problem)
        connection.exec_driver_sql("ROLLBACK TO unit")
    connection.exec_driver_sql("RELEASE unit")


def _failure(problem: Exception) -> Exception:
    return storage_failed(problem) if isinstance(problem, SQLAlchemyError) else problem


def _roll_back(connection: Connection) -> None:
    """End the transaction if one is still open; SQLite may have ended it itself (disk full)."""
    if _is_in_transaction(connection):
        connection.exec_driver_sql("ROLLBACK")


def _is_in_transaction(connection: Connection) -> bool:
    return bool(connection.connection.driver_connection.in_transaction)  # type: ignore[union-attr]


def _answer(unit: _Unit) -> None:
    if unit.failure is not None:
        unit.future.set_exception(unit.failure)
    else:
        unit.future.set_result(unit.result)
