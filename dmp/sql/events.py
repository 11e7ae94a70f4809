"""Rows that are only ever added: what was done with records, and which were created."""

import json
from typing import Any

from sqlalchemy import Connection, insert, select, update

from dmp.actor import Actor, ActorKind
from dmp.record import Act, Event, Record
from dmp.sql.tables import record_creation, record_event

_e = record_event.c
_TEXTS = ("recorded", "patient", "act", "actor_kind", "actor", "structure", "before", "after", "refusal")
NO_RECORD = 0
_AT_WORK = (ActorKind.PROFESSIONAL, ActorKind.STAFF)


def add(connection: Connection, key: int, event_key: int, event: Event) -> None:
    row: dict[str, Any] = {name: str(getattr(event, name)) for name in _TEXTS}
    row |= {"event_key": event_key, "record_key": key}
    row["details"] = json.dumps(dict(event.details), ensure_ascii=False, sort_keys=True)
    connection.execute(insert(record_event), row)


def all_of(connection: Connection, key: int) -> list[Event]:
    """Every event of a record, oldest first."""
    statement = select(record_event).where(_e.record_key == key).order_by(_e.event_key)
    return [_event(row) for row in connection.execute(statement).mappings()]


def of_nobody(connection: Connection, patient: str) -> list[Event]:
    """What was refused about a person who has no record."""
    statement = select(record_event).where(_e.record_key == NO_RECORD, _e.patient == patient).order_by(_e.event_key)
    return [_event(row) for row in connection.execute(statement).mappings()]


def last_assertion(connection: Connection, key: int, by: Actor) -> str:
    """The assertion of somebody's last emergency access to a record."""
    statement = select(record_event).where(
        _e.record_key == key, _e.act == str(Act.BREAK_GLASS), _e.actor == by.name, _e.structure == by.structure
    )
    row = connection.execute(statement.order_by(_e.event_key.desc()).limit(1)).mappings().first()
    return "" if row is None else _event(row).details.get("assertion", "")


def hand_over(connection: Connection, key: int, target: int) -> None:
    """The events of a record that was merged belong to the one that it became."""
    connection.execute(update(record_event).where(_e.record_key == key).values(record_key=target))


def add_creation(connection: Connection, key: int, record: Record, by: Actor, age: int) -> None:
    """Count a creation: whoever acts by profession is named, the person and who represents them never. DMP 1 (S34)"""
    row = {
        "creation_key": key,
        "created": record.opened,
        "channel": record.channel,
        "regime": record.regime,
        "territory": record.territory,
        "actor": by.name if by.kind in _AT_WORK else "",
        "structure": by.structure or (by.name if by.kind is ActorKind.STRUCTURE else ""),
        "age": age,
    }
    connection.execute(insert(record_creation), row)


def _event(row: Any) -> Event:
    texts = {name: row[name] for name in _TEXTS}
    texts |= {"act": Act(row["act"]), "actor_kind": ActorKind(row["actor_kind"])}
    return Event(**texts, details=json.loads(row["details"]))
