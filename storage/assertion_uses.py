"""Who used an assertion first: kept in the database, so that all processes know it and a restart does not forget.

A replay by another client is refused by what this table says. Rows live as long as their assertions.
"""

import time
from datetime import datetime
from functools import lru_cache
from hashlib import sha256

from sqlalchemy import BigInteger, Column, MetaData, String, Table, bindparam, delete, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine.interfaces import Dialect

from storage.prepared import Prepared, prepare
from storage.unit_of_work import UnitOfWork, Units

metadata = MetaData()
_SWEEP_SECONDS = 60

assertion_use = Table(
    "assertion_use",
    metadata,
    Column("assertion", String(64), primary_key=True),
    Column("client", String(64), nullable=False),
    Column("until", BigInteger, nullable=False),
    comment="SHA-256 of issuer and ID of an assertion, fingerprint of its first client, end in seconds since 1970",
)


class StoredAssertionUses:
    """`access_policy.authentication.AssertionUses` in the database."""

    def __init__(self, units: Units) -> None:
        self._units = units
        self._next_sweep = 0.0

    def first_client(
        self, *, issuer: str, assertion_id: str, client: str, until: datetime, now: datetime
    ) -> str | None:
        """Note a use; None when it is the first. Raises StorageFailed: a use that cannot be noted is none."""
        key = sha256(f"{len(issuer)}:{issuer}{assertion_id}".encode()).hexdigest()
        if self._must_sweep():
            self._units.write(lambda unit: _forget(unit, int(now.timestamp())))
        row: dict[str, str | int] = {"assertion": key, "client": client, "until": int(until.timestamp()) + 1}
        return self._units.append(lambda unit: _note(unit, row))

    def _must_sweep(self) -> bool:
        """Once a minute and process, by whoever comes first."""
        now = time.monotonic()
        is_due = now >= self._next_sweep
        if is_due:
            self._next_sweep = now + _SWEEP_SECONDS
        return is_due


def _forget(unit: UnitOfWork, now: int) -> None:
    """Those whose time is over at this second."""
    unit.connection.execute(delete(assertion_use).where(assertion_use.c.until < now))


def _note(unit: UnitOfWork, row: dict[str, str | int]) -> str | None:
    if _first_use(unit.connection.dialect).rows(unit.connection, **row):
        return None
    ((first,),) = _known(unit.connection.dialect).rows(unit.connection, assertion=row["assertion"])
    return str(first)


@lru_cache(maxsize=4)
def _first_use(dialect: Dialect) -> Prepared:
    """Put a row in where there is none for the assertion; what was put in comes back."""
    of_dialect = postgresql if dialect.name == "postgresql" else sqlite
    use = of_dialect.insert(assertion_use).on_conflict_do_nothing().returning(assertion_use.c.client)
    return prepare(use, dialect, columns=tuple(assertion_use.c.keys()))


@lru_cache(maxsize=4)
def _known(dialect: Dialect) -> Prepared:
    return prepare(
        select(assertion_use.c.client).where(assertion_use.c.assertion == bindparam("assertion", "")), dialect
    )
