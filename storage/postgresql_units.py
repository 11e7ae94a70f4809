"""Units of work on PostgreSQL: a pooled connection each, run again after a conflict."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from psycopg import errors
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError

from storage.idle_readers import IdleReaders
from storage.unit_of_work import StorageFailed, UnitOfWork

T = TypeVar("T")
_ATTEMPTS = 5
_CONFLICTS = (errors.SerializationFailure, errors.DeadlockDetected, errors.UniqueViolation)


class PostgresqlUnits:
    """`storage.unit_of_work.Units` for a PostgreSQL database; many processes may share it."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._readers = IdleReaders(
            engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
        )

    def write(self, work: Callable[[UnitOfWork], T]) -> T:
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                with self._engine.begin() as connection:
                    return work(UnitOfWork(connection=connection))
            except DBAPIError as problem:
                if not isinstance(problem.orig, _CONFLICTS) or attempt == _ATTEMPTS:
                    raise StorageFailed(
                        f"the database could not be written: {type(problem.orig).__name__}"
                    ) from problem
        raise StorageFailed("the database could not be written")

    @contextmanager
    def read(self) -> Iterator[Connection]:
        with self._readers.lend() as connection:
            yield connection

    def close(self) -> None:
        self._readers.close()
        self._engine.dispose()
