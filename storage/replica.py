"""Reading from a streaming standby of PostgreSQL, for what answers no transaction: statistics and exports.

A standby that lags says less than was acknowledged. So each reading first waits until the standby has all that the
database had when it was asked; it never shows less than the database itself would have shown then.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from sqlalchemy import Connection, Engine, text

from storage.postgresql_units import PostgresqlUnits
from storage.unit_of_work import StorageFailed, UnitOfWork, Units
from xds.failure import WrongSettings

T = TypeVar("T")
_WAIT_SECONDS, _LOOK_EVERY_SECONDS = 30.0, 0.02
_WHICH = text("SELECT system_identifier, current_database() FROM pg_control_system()")
_REACHED = text("SELECT pg_current_wal_flush_lsn()::text")
# A database that takes writes, such as a standby that was promoted, is behind nobody.
_HAS = text("SELECT NOT pg_is_in_recovery() OR pg_last_wal_replay_lsn() >= CAST(:reached AS pg_lsn)")


class NoReplica(WrongSettings):
    """The database that should be a standby is another one."""


class ReadingFromReplica:
    """`storage.unit_of_work.Units` of a database that is read from its standby, and written itself."""

    def __init__(self, units: Units, replica: Engine, *, wait_seconds: float = _WAIT_SECONDS) -> None:
        """Raises NoReplica where the two are not one database."""
        self._units, self._replica, self._wait_seconds = units, PostgresqlUnits(replica), wait_seconds
        found, expected = _identity(self._replica), _identity(units)
        if found != expected:
            self._replica.close()
            raise NoReplica(
                f"setting replica: found the database {found[1]} of cluster {found[0]}, "
                f"expected a standby of {expected[1]} of cluster {expected[0]}"
            )

    def write(self, work: Callable[[UnitOfWork], T]) -> T:
        return self._units.write(work)

    def append(self, insertion: Callable[[UnitOfWork], T]) -> T:
        return self._units.append(insertion)

    @contextmanager
    def read(self) -> Iterator[Connection]:
        self._catch_up()
        with self._replica.read() as connection:
            yield connection

    @contextmanager
    def look(self) -> Iterator[Connection]:
        self._catch_up()
        with self._replica.look() as connection:
            yield connection

    @contextmanager
    def turn(self, name: str) -> Iterator[bool]:
        with self._units.turn(name) as is_mine:
            yield is_mine

    def is_accepting(self) -> bool:
        return self._units.is_accepting()

    def close(self) -> None:
        self._replica.close()
        self._units.close()

    def _catch_up(self) -> None:
        with self._units.read() as connection:
            reached = connection.execute(_REACHED).scalar_one()
        deadline = time.monotonic() + self._wait_seconds
        while not self._has(reached):
            if time.monotonic() > deadline:
                raise StorageFailed(
                    f"the replica has not caught up within {self._wait_seconds:.0f} s: is it streaming? "
                    "Leave --replica out to read the database itself",
                    is_busy=True,
                )
            time.sleep(_LOOK_EVERY_SECONDS)

    def _has(self, reached: str) -> bool:
        with self._replica.read() as connection:
            return bool(connection.execute(_HAS, {"reached": reached}).scalar_one())


def _identity(units: Units) -> tuple[int, str]:
    with units.read() as connection:
        cluster, name = connection.execute(_WHICH).one()
    return cluster, name
