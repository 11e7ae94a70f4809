"""Failures of the database driver as `StorageFailed`, told to the log by their kind alone."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import structlog
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as NoConnection

from storage.unit_of_work import StorageFailed

_PRIMARY = 0xFF  # an extended result code of SQLite has the primary one in its last octet
# SQLSTATE of PostgreSQL, Appendix A of its manual
CONFLICTS = frozenset({"40001", "40P01", "23505"})  # serialization_failure, deadlock_detected, unique_violation
_BUSY = frozenset({"40001", "40P01", "55P03", "53300"})  # the first two, lock_not_available, too_many_connections
_DISK_FULL = "53100"


def storage_failed(problem: SQLAlchemyError) -> StorageFailed:
    """The failure to raise. The driver's words stay out of the log: they may hold values of a row."""
    cause = problem.orig if isinstance(problem, DBAPIError) and problem.orig is not None else problem
    kind = getattr(cause, "sqlite_errorname", "") or type(cause).__name__
    failure = StorageFailed(f"the database could not be used: {kind}", is_full=_is_full(cause), is_busy=_is_busy(cause))
    failure.__cause__ = problem
    structlog.get_logger().error("storage failed", problem=kind)
    return failure


@contextmanager
def as_storage_failed() -> Iterator[None]:
    """Whatever the database raises inside comes out as StorageFailed."""
    try:
        yield
    except SQLAlchemyError as problem:
        raise storage_failed(problem) from problem


def failure_of_driver(connection: Connection, problem: Any, statement: str) -> DBAPIError:
    """As SQLAlchemy raises it: who runs units of work tells a lost connection from other failures by it."""
    dialect = connection.dialect
    is_lost = dialect.is_disconnect(problem, connection.connection.driver_connection, None)
    if is_lost:
        connection.invalidate()
    base = dialect.loaded_dbapi.Error
    failure = DBAPIError.instance(
        statement, None, problem, base, hide_parameters=True, connection_invalidated=is_lost, dialect=dialect
    )
    assert isinstance(failure, DBAPIError)  # noqa: S101 - `problem` is one of the driver's
    return failure


def is_sync_failure(problem: BaseException) -> bool:
    """Whether the disk did not take what it was told to keep: what a second attempt says then may be a lie."""
    cause = problem.orig if isinstance(problem, DBAPIError) else problem
    return getattr(cause, "sqlite_errorname", "") in ("SQLITE_IOERR_FSYNC", "SQLITE_IOERR_DIR_FSYNC")


def _is_busy(cause: BaseException) -> bool:
    """Locked for longer than was waited, or every attempt ran into another one's."""
    if isinstance(cause, sqlite3.Error):
        return getattr(cause, "sqlite_errorcode", 0) & _PRIMARY in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
    return isinstance(cause, NoConnection) or sqlstate(cause) in _BUSY


def _is_full(cause: BaseException) -> bool:
    if isinstance(cause, sqlite3.Error):
        return getattr(cause, "sqlite_errorcode", None) == sqlite3.SQLITE_FULL
    return sqlstate(cause) == _DISK_FULL


def sqlstate(cause: BaseException | None) -> str:
    """What PostgreSQL calls the failure; empty for one that is not its own."""
    return getattr(cause, "sqlstate", None) or ""
