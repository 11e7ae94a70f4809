"""Indexes over tables that may be large already: PostgreSQL builds them while others write.

A migration is one transaction, and CREATE INDEX CONCURRENTLY is none: what a migration leaves out is built after it,
before the process that brought the new version serves. Processes of the version before go on writing meanwhile.
"""

import time
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Engine, literal, select, text
from sqlalchemy import table as sql_table

_LOCK = 7_236_318_443  # any number that no other lock has: `storage.migrate` 441, `audit.outbox` 442
_PAUSE_SECONDS = 0.2


@dataclass(frozen=True, slots=True, kw_only=True)
class OnlineIndex:
    """An index of rows that meet a condition."""

    name: str
    table: str
    columns: tuple[str, ...]
    where: str


def _of_objects(name: str, *columns: str, where: str) -> OnlineIndex:
    return OnlineIndex(name=name, table="registry_object", columns=columns, where=where)


ONLINE = (
    _of_objects("ix_registry_object_source", "patient_key", "source", where="source IS NOT NULL"),
    _of_objects("ix_registry_object_target", "patient_key", "target", where="target IS NOT NULL"),
    _of_objects("ix_registry_object_later_version", "patient_key", "logical_id", where="version > 1"),
    _of_objects("ix_registry_object_class_code", "class_code", where="class_code IS NOT NULL"),
    _of_objects(
        "ix_registry_object_facility",
        "healthcare_facility_type_code",
        where="healthcare_facility_type_code IS NOT NULL",
    ),
    OnlineIndex(
        name="ix_object_value_value",
        table="object_value",
        columns=("attribute", "value"),
        where="attribute IN (2, 3, 5)",
    ),
    _of_objects("ix_registry_object_visible_from", "visible_from", where="visible_from IS NOT NULL"),
)
BY_NAME = {one.name: one for one in ONLINE}


def create_or_leave(op: Any, name: str) -> None:
    """For a migration, which gives `alembic.op`: build the index where nobody waits for it, else leave it.

    `build_missing` builds what was left.
    """
    one, connection = BY_NAME[name], op.get_bind()
    if connection.dialect.name == "postgresql" and _has_rows(connection, one.table):
        return
    conditions: dict[str, Any] = {"sqlite_where": text(one.where), "postgresql_where": text(one.where)}
    op.create_index(one.name, one.table, list(one.columns), **conditions)


def _has_rows(connection: Connection, table: str) -> bool:
    return connection.execute(select(literal(1)).select_from(sql_table(table)).limit(1)).first() is not None


def build_missing(engine: Engine) -> list[str]:
    """Build what migrations left out, and what a process that died has left half built; names of those built here.

    Several processes may call it at once: one builds, the others wait for it.
    """
    if engine.dialect.name != "postgresql":
        return []
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        if not _missing(connection):
            return []
        _take_lock(connection)
        try:
            return [_build(connection, one) for one in _missing(connection)]
        finally:
            connection.execute(text("SELECT pg_advisory_unlock(:lock)"), {"lock": _LOCK})


def _take_lock(connection: Connection) -> None:
    """Without waiting in a statement: whoever builds waits for all statements that began before."""
    while not connection.execute(text("SELECT pg_try_advisory_lock(:lock)"), {"lock": _LOCK}).scalar():
        time.sleep(_PAUSE_SECONDS)


def _missing(connection: Connection) -> list[OnlineIndex]:
    valid = text("SELECT indexrelid::regclass::text FROM pg_index WHERE indisvalid AND indexrelid >= 16384")
    there = set(connection.scalars(valid))
    return [one for one in ONLINE if one.name not in there]


def _build(connection: Connection, one: OnlineIndex) -> str:
    connection.exec_driver_sql(f"DROP INDEX CONCURRENTLY IF EXISTS {one.name}")
    columns = ", ".join(one.columns)
    connection.exec_driver_sql(f"CREATE INDEX CONCURRENTLY {one.name} ON {one.table} ({columns}) WHERE {one.where}")
    return one.name
