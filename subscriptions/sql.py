"""The two tables of subscriptions: who wants to know what, and what is to be told to whom.

A notification is written in the transaction of the change, and so exists if and only if that was committed.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Index,
    MetaData,
    SmallInteger,
    String,
    Table,
    Text,
    bindparam,
    delete,
    func,
    insert,
    or_,
    select,
    text,
    update,
)
from sqlalchemy.engine.interfaces import Dialect

from storage.prepared import Prepared, prepare
from subscriptions.subscription import (
    Channel,
    CodeFilter,
    Content,
    Event,
    Filter,
    State,
    Subscription,
    TextFilter,
    WordFilter,
)
from xds.datatypes import Code

metadata = MetaData()
_WAITING = text("state = 'waiting'")

subscription = Table(
    "subscription",
    metadata,
    Column("id", String(36), primary_key=True),
    *(Column(name, String, nullable=False) for name in ("patient", "channel", "target", "content", "state")),
    *(Column(name, String(14), nullable=False) for name in ("created", "ends")),
    *(Column(name, Text, nullable=False) for name in ("events", "filters", "caller", "criteria")),
    *(Column(name, String, nullable=False) for name in ("subscriber", "media_type")),
    Index("ix_subscription_patient", "patient", "state"),
    Index("ix_subscription_subscriber", "subscriber"),
    comment="Who wants to be told of which changes of whose documents. ITI TF-2: 3.52; DSUBm 2:3.111",
)

notification = Table(
    "notification",
    metadata,
    Column("notification_key", BigInteger, primary_key=True, autoincrement=False),
    Column("subscription", String(36), nullable=False),
    *(Column(name, String, nullable=False) for name in ("event", "entry_uuid", "state", "problem")),
    Column("recorded", String(14), nullable=False),
    Column("number", BigInteger, nullable=False),
    Column("attempts", SmallInteger, nullable=False),
    Column("due", BigInteger, nullable=False),
    Index(
        "ix_notification_waiting", "subscription", "notification_key", sqlite_where=_WAITING, postgresql_where=_WAITING
    ),
    Index("ix_notification_state", "state"),
    comment="What is to be told to a subscriber, and how far that is; due in milliseconds since 1970",
)
_s, _n = subscription.c, notification.c
_TEXTS = tuple(one.name for one in subscription.columns if one.name not in ("events", "filters"))
_INTERESTED = select(subscription).where(
    _s.patient.in_(("", bindparam("concerned", ""))), _s.state != str(State.OFF), _s.ends > bindparam("now", "")
)


class Told(StrEnum):
    """How far a notification is. WITHHELD: the subscriber may not see the document any more."""

    WAITING = "waiting"
    SENT = "sent"
    WITHHELD = "withheld"
    DEAD = "dead"


@dataclass(frozen=True, slots=True, kw_only=True)
class Notification:
    """A row. `number` counts the events of a subscription from 1, once it was tried; `recorded` is a DTM."""

    notification_key: int
    subscription: str
    event: Event
    entry_uuid: str
    recorded: str
    number: int = 0
    attempts: int = 0
    due: int = 0
    state: Told = Told.WAITING
    problem: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Due:
    """A notification whose time has come, and where its subscription has them sent; empty where that is gone."""

    notification: Notification
    target: str

    @property
    def is_again(self) -> bool:
        """Whether the target has failed to take it before."""
        return self.notification.attempts > 0


# --- subscriptions -----------------------------------------------------------------------------


def add(connection: Connection, one: Subscription) -> None:
    row = {name: str(getattr(one, name)) for name in _TEXTS}
    row["events"] = " ".join(one.events)
    row["filters"] = json.dumps({each.attribute: _written(each) for each in one.filters})
    connection.execute(insert(subscription).values(row))


def _written(one: Filter) -> Any:
    """Codes as pairs, texts as they are, words as words."""
    if isinstance(one, WordFilter):
        return {"words": list(one.any_of)}
    if isinstance(one, TextFilter):
        return list(one.any_of)
    return [[code.code, code.coding_scheme or ""] for code in one.any_of]


def _filter(name: str, values: Any) -> Filter:
    if isinstance(values, dict):
        return WordFilter(attribute=name, any_of=tuple(values["words"]))
    if isinstance(values[0], str):
        return TextFilter(attribute=name, any_of=tuple(values))
    return CodeFilter(attribute=name, any_of=tuple(Code(code=code, coding_scheme=scheme) for code, scheme in values))


def by_id(connection: Connection, name: str) -> Subscription | None:
    row = connection.execute(select(subscription).where(_s.id == name)).mappings().first()
    return None if row is None else _subscription(row)


def of_subscriber(connection: Connection, subscriber: str) -> list[Subscription]:
    """Oldest first; of everybody for an empty name."""
    statement = select(subscription).order_by(_s.created, _s.id)
    if subscriber:
        statement = statement.where(_s.subscriber == subscriber)
    return [_subscription(row) for row in connection.execute(statement).mappings()]


def count_of(connection: Connection, subscriber: str, now: str) -> int:
    """How many of them go on; `now` is a DTM."""
    goes_on = (_s.subscriber == subscriber, _s.state != str(State.OFF), _s.ends > now)
    return connection.execute(select(func.count()).where(*goes_on)).scalar_one()


def interested(connection: Connection, patient: str, now: str) -> list[Subscription]:
    """Those about this patient, or every patient, that have not ended."""
    rows = _interested(connection.dialect).rows(connection, concerned=patient, now=now)
    return [_subscription(dict(zip(_s.keys(), row, strict=True))) for row in rows]


@lru_cache(maxsize=4)
def _interested(dialect: Dialect) -> Prepared:
    """Every submission asks it."""
    return prepare(_INTERESTED, dialect)


def set_state(connection: Connection, name: str, state: State) -> None:
    connection.execute(update(subscription).where(_s.id == name).values(state=str(state)))


def remove(connection: Connection, name: str) -> bool:
    """A subscription and everything that it was to be told; False where there is none."""
    connection.execute(delete(notification).where(_n.subscription == name))
    return connection.execute(delete(subscription).where(_s.id == name)).rowcount > 0


def rename_patient(connection: Connection, subsumed: str, surviving: str) -> None:
    """Who follows a patient that was merged follows the one that is left. ITI TF-2: 3.8.4.2.3"""
    connection.execute(update(subscription).where(_s.patient == subsumed).values(patient=surviving))


def _subscription(row: Mapping[Any, Any]) -> Subscription:
    texts = ("id", "patient", "target", "created", "ends", "caller", "subscriber", "criteria", "media_type")
    return Subscription(
        **{name: row[name] for name in texts},
        channel=Channel(row["channel"]),
        content=Content(row["content"]),
        state=State(row["state"]),
        events=tuple(Event(one) for one in row["events"].split()),
        filters=tuple(_filter(*one) for one in json.loads(row["filters"]).items()),
    )


# --- notifications -----------------------------------------------------------------------------


def post(connection: Connection, rows: Sequence[Notification]) -> None:
    """They become readable when the unit of work commits."""
    if rows:
        connection.execute(insert(notification), [_row(one) for one in rows])


def heads(connection: Connection, now: int) -> list[Due]:
    """Of each subscription the first that waits, where it is due: order is kept within a subscription.

    Those that never failed come first; `now` in milliseconds since 1970.
    """
    first = select(func.min(_n.notification_key)).where(_n.state == str(Told.WAITING)).group_by(_n.subscription)
    both = notification.outerjoin(subscription, _s.id == _n.subscription)
    statement = (
        select(notification, func.coalesce(_s.target, "").label("target"))
        .select_from(both)
        .where(_n.notification_key.in_(first), _n.due <= now)
        .order_by(_n.attempts, _n.notification_key)
    )
    return [
        Due(
            notification=_notification({column.name: row[column.name] for column in notification.columns}),
            target=row["target"],
        )
        for row in connection.execute(statement).mappings()
    ]


def next_number(connection: Connection, name: str) -> int:
    """One more than the events that the subscription was told, or tried to be."""
    return (connection.execute(select(func.max(_n.number)).where(_n.subscription == name)).scalar() or 0) + 1


def note(connection: Connection, key: int, **changes: Any) -> None:
    connection.execute(update(notification).where(_n.notification_key == key).values(**changes))


def in_state(connection: Connection, state: Told, *, limit: int) -> list[Notification]:
    """Oldest first."""
    statement = select(notification).where(_n.state == str(state)).order_by(_n.notification_key).limit(limit)
    return [_notification(row) for row in connection.execute(statement).mappings()]


def counts(connection: Connection) -> dict[tuple[str, str], int]:
    """(subscription, state) -> how many notifications."""
    statement = select(_n.subscription, _n.state, func.count()).group_by(_n.subscription, _n.state)
    return {(row[0], row[1]): row[2] for row in connection.execute(statement)}


def revive(connection: Connection, keys: Iterable[int] | None) -> int:
    """Dead letters, these or all, wait again and are due at once; returns how many."""
    statement = update(notification).where(_n.state == str(Told.DEAD))
    if keys is not None:
        statement = statement.where(_n.notification_key.in_(tuple(keys)))
    return connection.execute(statement.values(state=str(Told.WAITING), attempts=0, due=0, problem="")).rowcount


def purge(connection: Connection, before: str, *, limit: int) -> int:
    """Remove up to so many notifications of before a DTM that were sent or withheld; returns how many.

    The one with the highest number of a subscription stays: the next is counted from it. Dead letters stay.
    """
    other = notification.alias()
    highest = select(func.max(other.c.number)).where(other.c.subscription == _n.subscription).scalar_subquery()
    old = select(_n.notification_key).where(
        _n.state.in_((str(Told.SENT), str(Told.WITHHELD))),
        _n.recorded < before,
        or_(_n.number == 0, _n.number < highest),
    )
    keys = connection.execute(old.limit(limit)).scalars().all()
    connection.execute(delete(notification).where(_n.notification_key.in_(keys)))
    return len(keys)


def purge_ended(connection: Connection, before: str, *, limit: int) -> int:
    """Remove up to so many subscriptions that ended before a DTM, with all they were to be told; returns how many."""
    names = connection.execute(select(_s.id).where(_s.ends < before).limit(limit)).scalars().all()
    connection.execute(delete(notification).where(_n.subscription.in_(names)))
    connection.execute(delete(subscription).where(_s.id.in_(names)))
    return len(names)


def _row(one: Notification) -> dict[str, Any]:
    return {name: getattr(one, name) for name in Notification.__slots__} | {
        "event": str(one.event),
        "state": str(one.state),
    }


def _notification(row: Mapping[Any, Any]) -> Notification:
    return Notification(**{**row, "event": Event(row["event"]), "state": Told(row["state"])})
