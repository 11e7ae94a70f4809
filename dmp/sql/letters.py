"""Notices on their way: which wait, which were sent, which nobody took."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy import Connection, select, update

from dmp.sql.tables import notice_delivery
from storage.outbox import outbox
from storage.prepared import insertion

_d = notice_delivery.c


class Delivery(StrEnum):
    """How far a notice got. DEAD: no more is tried until somebody asks for it."""

    WAITING = "waiting"
    SENT = "sent"
    DEAD = "dead"


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """A notice and its delivery: `to` is the role of the recipient, `recipient` the CX key or PS_IdNat.

    `recorded` and `due` are DTM of 14 digits, UTC; `reason` says why it was not taken the last time.
    """

    key: int
    notice: str
    to: str
    recipient: str
    recorded: str
    state: Delivery
    due: str
    attempts: int
    reason: str


def queue(connection: Connection, key: int, now: str) -> None:
    row = {"record_key": key, "state": str(Delivery.WAITING), "due": now, "attempts": 0, "reason": ""}
    insertion(notice_delivery, connection.dialect).write(connection, [row])


def due(connection: Connection, now: str, *, limit: int) -> list[Letter]:
    """Those to try now, the longest due first."""
    waiting = (_d.state == str(Delivery.WAITING)) & (_d.due <= now)
    return list(_letters(connection, waiting, limit))


def in_state(connection: Connection, state: Delivery, *, limit: int) -> list[Letter]:
    return list(_letters(connection, _d.state == str(state), limit))


def _letters(connection: Connection, where: object, limit: int) -> Iterator[Letter]:
    joined = notice_delivery.join(outbox, outbox.c.record_key == _d.record_key)
    statement = select(notice_delivery, outbox.c.record).select_from(joined).where(where)  # type: ignore[arg-type]
    for row in connection.execute(statement.order_by(_d.due, _d.record_key).limit(limit)).mappings():
        told = json.loads(row["record"])
        yield Letter(
            key=row["record_key"],
            state=Delivery(row["state"]),
            due=row["due"],
            attempts=row["attempts"],
            reason=row["reason"],
            **{name: told[name] for name in ("notice", "to", "recipient", "recorded")},
        )


def settle(connection: Connection, letter: Letter) -> None:
    """Keep how far a letter got."""
    row = {"state": str(letter.state), "due": letter.due, "attempts": letter.attempts, "reason": letter.reason}
    connection.execute(update(notice_delivery).where(_d.record_key == letter.key).values(row))


def revive(connection: Connection, now: str, keys: Sequence[int]) -> int:
    """Try dead letters again, all where no key is given; how many there were."""
    dead = update(notice_delivery).where(_d.state == str(Delivery.DEAD))
    dead = dead.where(_d.record_key.in_(keys)) if keys else dead
    return connection.execute(dead.values(state=str(Delivery.WAITING), due=now, attempts=0)).rowcount
