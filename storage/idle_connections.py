"""Connections that stay open between questions: taking one from the pool takes as long as a question does."""

import sys
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import SQLAlchemyError

from storage.engine import said_goodbye
from storage.unit_of_work import StorageFailed


class IdleConnections:
    """Lends connections of an engine, each to one thread at a time; a transaction never outlives a loan.

    `most` stay open between two loans: where an engine has no more than so many, others would wait for them in vain.
    """

    def __init__(self, engine: Engine, *, most: int = sys.maxsize) -> None:
        self._engine, self._most = engine, most
        self._idle: deque[Connection] = deque()
        self._closed = False

    @contextmanager
    def lend(self) -> Iterator[Connection]:
        """After a failure of the database the connection, and all that wait, are not used again."""
        connection = self._take()
        try:
            yield connection
        except (StorageFailed, SQLAlchemyError):
            connection.invalidate()
            self._release_all()
            raise
        finally:
            self._take_back(connection)

    def close(self) -> None:
        self._closed = True
        self._release_all()

    def _take(self) -> Connection:
        try:
            while said_goodbye((connection := self._idle.pop()).connection.driver_connection):
                connection.invalidate()
                connection.close()
            return connection
        except IndexError:
            return self._engine.connect()

    def _take_back(self, connection: Connection) -> None:
        if connection.invalidated or self._closed:
            connection.close()
            return
        _end(connection)
        if len(self._idle) < self._most:
            self._idle.append(connection)
        else:
            connection.close()

    def _release_all(self) -> None:
        while self._idle:
            self._idle.pop().close()


def _end(connection: Connection) -> None:
    """Ends what was read by a commit: at a rollback psycopg gives up every statement that the server has prepared.

    What went to the driver directly began a transaction that SQLAlchemy does not know of.
    """
    connection.commit()
    connection.connection.commit()
