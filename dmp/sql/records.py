"""Rows of records and of their identifiers, read and written."""

from dataclasses import fields
from functools import lru_cache
from typing import Any

from sqlalchemy import Boolean, Connection, Select, bindparam, delete, func, insert, select, update
from sqlalchemy.engine.interfaces import Dialect

from access_policy.record_facts import RecordState
from dmp.record import Record
from dmp.sql.tables import dmp_record, record_identifier
from storage.prepared import Prepared, prepare

_r, _i = dmp_record.c, record_identifier.c
_NAMES = tuple(one.name for one in fields(Record) if one.name not in ("key", "state"))
_FLAGS = tuple(one.name for one in _r if isinstance(one.type, Boolean))
_BOTH = select(dmp_record).join(record_identifier, _i.record_key == _r.record_key)
_OF_PATIENT = _BOTH.where(_i.patient == bindparam("patient", ""))
_LOCKED = _OF_PATIENT.with_for_update(of=dmp_record)


def find(connection: Connection, patient: str) -> Record | None:
    """The record of the person who has, or had, this CX key."""
    rows = _of_patient(connection.dialect).rows(connection, patient=patient)
    return record_of(dict(zip(_r.keys(), rows[0], strict=True))) if rows else None


@lru_cache(maxsize=4)
def _of_patient(dialect: Dialect) -> Prepared:
    """Every submission asks it."""
    return prepare(_OF_PATIENT, dialect)


def locked(connection: Connection, patient: str) -> Record | None:
    """The same, with whoever else changes it waiting until this unit ends."""
    return _only(connection, _LOCKED, patient=patient)


def by_key(connection: Connection, key: int) -> Record | None:
    return _only(connection, select(dmp_record).where(_r.record_key == key))


def count_by_state(connection: Connection) -> list[tuple[str, int]]:
    statement = select(_r.state, func.count()).group_by(_r.state).order_by(_r.state)
    return [(row[0], row[1]) for row in connection.execute(statement)]


def due(connection: Connection, state: RecordState, now: str, *, after: int, limit: int) -> list[tuple[int, str]]:
    """(key, CX key) of records in this state whose time has come, in the order of their keys."""
    statement = (
        select(_r.record_key, _r.patient)
        .where(_r.due != "", _r.due <= now, _r.state == str(state), _r.record_key > after)
        .order_by(_r.record_key)
        .limit(limit)
    )
    return [(row[0], row[1]) for row in connection.execute(statement)]


def add(connection: Connection, record: Record, since: str) -> None:
    connection.execute(insert(dmp_record).values(_row(record)))
    identify(connection, record.patient, record.key, since)


def save(connection: Connection, record: Record) -> None:
    connection.execute(update(dmp_record).where(_r.record_key == record.key).values(_row(record)))


def remove(connection: Connection, key: int) -> None:
    """A record that another one takes the place of; its identifiers lead elsewhere before."""
    connection.execute(delete(dmp_record).where(_r.record_key == key))


def identify(connection: Connection, patient: str, key: int, since: str) -> None:
    row = {"patient": patient, "record_key": key, "since": since, "until": ""}
    connection.execute(insert(record_identifier).values(row))


def lead_elsewhere(connection: Connection, key: int, target: int, now: str) -> None:
    """Every identifier of a record is one of another from now on, as a former one."""
    moved = update(record_identifier).where(_i.record_key == key)
    connection.execute(moved.where(_i.until == "").values(record_key=target, until=now))
    connection.execute(moved.values(record_key=target))


def end_identifier(connection: Connection, patient: str, now: str) -> None:
    connection.execute(update(record_identifier).where(_i.patient == patient).values(until=now))


def identifiers(connection: Connection, key: int) -> list[tuple[str, str, str]]:
    """(CX key, since, until) of a record, oldest first; the present one has no end."""
    statement = select(_i.patient, _i.since, _i.until).where(_i.record_key == key).order_by(_i.since, _i.until.desc())
    return [(row[0], row[1], row[2]) for row in connection.execute(statement)]


def record_of(row: Any) -> Record:
    """A row as a value; further columns are left alone."""
    values = {name: row[name] for name in _NAMES} | {name: bool(row[name]) for name in _FLAGS}
    return Record(key=row["record_key"], state=RecordState(row["state"]), **values)


def _only(connection: Connection, statement: Select[Any], **values: str) -> Record | None:
    row = connection.execute(statement, values).mappings().first()
    return None if row is None else record_of(row)


def _row(record: Record) -> dict[str, Any]:
    values = {name: getattr(record, name) for name in _NAMES}
    return values | {"record_key": record.key, "state": str(record.state)}
