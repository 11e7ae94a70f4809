"""Units of work on PostgreSQL: a pooled connection each, run again after a conflict or a lost connection."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from hashlib import blake2b
from typing import Generic, TypeVar

from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import DBAPIError

from storage.engine import connections_of
from storage.failures import CONFLICTS, as_storage_failed, sqlstate, storage_failed
from storage.idle_connections import IdleConnections
from storage.pipelined import begin_reading, transaction
from storage.unit_of_work import UnitOfWork

T = TypeVar("T")
_ATTEMPTS = 5


class PostgresqlUnits:
    """`storage.unit_of_work.Units` for a PostgreSQL database; many processes may share it."""

    def __init__(self, engine: Engine) -> None:
        self._engine, self._writing = engine, engine.execution_options(isolation_level="AUTOCOMMIT")
        self._idle = IdleConnections(self._writing, most=connections_of(engine))

    def write(self, work: Callable[[UnitOfWork], T]) -> T:
        for _ in range(_ATTEMPTS - 1):
            attempt = _Attempt(work)
            try:
                return attempt.run(self._writing)
            except DBAPIError as problem:
                if not attempt.may_be_repeated_after(problem):
                    raise storage_failed(problem) from problem
        with as_storage_failed():
            return _Attempt(work).run(self._writing)

    def append(self, insertion: Callable[[UnitOfWork], T]) -> T:
        """One round trip: BEGIN and COMMIT would each be another one."""
        with self.look() as connection:
            return insertion(UnitOfWork(connection=connection))

    @contextmanager
    def read(self) -> Iterator[Connection]:
        with as_storage_failed(), self._idle.lend() as connection:
            begin_reading(connection)
            yield connection

    @contextmanager
    def look(self) -> Iterator[Connection]:
        with as_storage_failed(), self._idle.lend() as connection:
            yield connection

    @contextmanager
    def turn(self, name: str) -> Iterator[bool]:
        """An advisory lock of a connection that is kept for it: PostgreSQL frees it when the connection is gone."""
        key = int.from_bytes(blake2b(name.encode(), digest_size=8).digest(), signed=True)
        with as_storage_failed(), self._engine.connect() as connection:
            connection.execution_options(isolation_level="AUTOCOMMIT")
            is_mine = bool(connection.execute(text("SELECT pg_try_advisory_lock(:key)"), {"key": key}).scalar_one())
            try:
                yield is_mine
            finally:
                if is_mine:
                    connection.execute(text("SELECT pg_advisory_unlock(:key)"), {"key": key})

    def is_accepting(self) -> bool:
        """PostgreSQL itself stops when a sync fails, and recovers."""
        return True

    def close(self) -> None:
        self._idle.close()
        self._engine.dispose()


class _Attempt(Generic[T]):
    """One run of a unit of work."""

    def __init__(self, work: Callable[[UnitOfWork], T]) -> None:
        self._work, self._is_done = work, False

    def run(self, engine: Engine) -> T:
        with engine.connect() as connection, transaction(connection):
            result = self._work(UnitOfWork(connection=connection))
            self._is_done = True
        return result

    def may_be_repeated_after(self, problem: DBAPIError) -> bool:
        """A connection lost in the commit leaves open whether it happened: that is never run again."""
        return sqlstate(problem.orig) in CONFLICTS or (problem.connection_invalidated and not self._is_done)
