"""A transaction of PostgreSQL sent through one pipeline: who writes does not wait for each of its statements.

BEGIN goes with the first question, what only changes something (`storage.prepared.Prepared.write`) with the question
after it, the last changes with COMMIT. PostgreSQL runs them one after the other as they were sent; after one that
failed it runs none, and no COMMIT. The failure is raised by what waits for it: the next question, or the end.
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import Any

import psycopg
from psycopg.pq import ExecStatus
from sqlalchemy import Connection, Engine, event

from storage.failures import failure_of_driver

_PIPELINE = "carnet_pipeline"
_BEGIN_READING = b"BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY"


def begin_reading(connection: Connection) -> None:
    """A snapshot of what is committed now, for a connection that commits each statement otherwise; nothing is written.

    Raises what SQLAlchemy raises for a failure of the driver.
    """
    driver = connection.connection.driver_connection
    assert isinstance(driver, psycopg.Connection)  # noqa: S101 - the driver that an engine is opened with
    try:
        begun = driver.pgconn.exec_(_BEGIN_READING)
        if begun.status != ExecStatus.COMMAND_OK:
            raise psycopg.errors.error_from_result(begun)
    except psycopg.Error as problem:
        raise failure_of_driver(connection, problem, _BEGIN_READING.decode()) from problem


def leave_for_sqlalchemy(engine: Engine) -> None:
    """A statement that SQLAlchemy runs itself ends the pipeline: it wants its result at once, or cursors of the server.

    What follows in the transaction is waited for, each for itself.
    """
    event.listen(engine, "before_cursor_execute", _leave)


def _leave(connection: Connection, *_about_to_run: Any) -> None:
    pipeline = connection.info.get(_PIPELINE)
    if pipeline is not None:
        pipeline.close()


@contextmanager
def transaction(connection: Connection) -> Iterator[None]:
    """Commit what happens in the block; for a connection that commits each statement otherwise.

    What was not committed is rolled back when the connection goes back to its pool. Raises what SQLAlchemy raises for
    a failure of the driver.
    """
    driver, about = connection.connection.driver_connection, connection.info
    assert isinstance(driver, psycopg.Connection)  # noqa: S101 - the driver that an engine is opened with
    try:
        with ExitStack() as pipeline:
            pipeline.enter_context(driver.pipeline())
            about[_PIPELINE] = pipeline
            try:
                driver.execute("BEGIN")
                yield
                commit = driver.execute("COMMIT")
            except BaseException:
                with suppress(psycopg.Error):  # that one is being raised, or is not what was wrong first
                    pipeline.close()
                raise
            finally:
                del about[_PIPELINE]
        if commit.statusmessage != "COMMIT":  # after a failure that somebody went on from
            raise psycopg.errors.InFailedSqlTransaction(f"COMMIT was answered with {commit.statusmessage}")
    except psycopg.Error as problem:
        raise failure_of_driver(connection, problem, "COMMIT") from problem
