"""Units of work: everything one request changes commits together, or not at all.

The composition root hands `Units` to the actors. A write is a function of its `UnitOfWork`, so that
the SQLite writer can run it in its own thread and PostgreSQL can run it again after a conflict: it
must have no effect but on the unit.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol, TypeVar

from sqlalchemy import Connection

from xds.failure import Failure

T = TypeVar("T")


class StorageFailed(Failure):
    """The database cannot be written or read now (disk full, connection lost, shut down).

    `is_full`: no space is left for it. `is_busy`: others hold it, and the same attempt may succeed later.
    """

    def __init__(self, text: str, *, is_full: bool = False, is_busy: bool = False) -> None:
        super().__init__(text)
        self.is_full, self.is_busy = is_full, is_busy


OnSyncLost = Callable[[], None]


def go_on() -> None:
    """What is done about a disk that failed to keep something where nobody says more: nothing is accepted any more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UnitOfWork:
    """One atomic change: metadata, document index, audit records and notifications go through `connection`."""

    connection: Connection


class Units(Protocol):
    """Opens units of work on the one database."""

    def write(self, work: Callable[[UnitOfWork], T]) -> T:
        """Run `work` and commit; its exception rolls everything back and comes out unchanged.

        Returns only after the commit is durable. Raises StorageFailed when it cannot be.
        """
        ...

    def append(self, insertion: Callable[[UnitOfWork], T]) -> T:
        """The same for a single insertion of new rows, which needs no transaction around it; it is never run again.

        What it reads afterwards is of another state.
        """
        ...

    def read(self) -> AbstractContextManager[Connection]:
        """A connection that sees one committed state, for the length of the block."""
        ...

    def look(self) -> AbstractContextManager[Connection]:
        """A connection for a single question; of several, each may see another committed state."""
        ...

    def turn(self, name: str) -> AbstractContextManager[bool]:
        """Whether it is the turn of this process, of all that share the database, for the length of the block.

        The turn ends with the process, however it ends.
        """
        ...

    def is_accepting(self) -> bool:
        """False once the disk has failed to keep something: then every write is refused until a restart."""
        ...

    def close(self) -> None:
        """Finish what was accepted and release the database."""
        ...
