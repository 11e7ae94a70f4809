"""Telling subscribers: at least once, in order for each, longer and longer apart while a target fails. ITI TF-2: 3.53.

What a subscriber may see is asked when it is sent. A target that fails delays no other for longer than one attempt.
"""

import random
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import structlog

from storage.unit_of_work import StorageFailed, UnitOfWork, Units
from subscriptions import sql
from subscriptions.sql import Notification, Told
from subscriptions.subscription import Event, State, Subscription

_TURN = "notifications"
_IDLE_SECONDS, _TURN_SECONDS = 0.25, 1.0
_AT_ONCE, _IN_A_ROW = 8, 50
_FIRST_MS, _LONGEST_MS = 1_000, 3_600_000


class TargetFailed(Exception):
    """The target did not take a notification; the text says why, without anything of the message."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Post:
    """What is sent to a target."""

    content_type: str
    body: bytes


# The message that tells a subscriber of a change as far as they may see it now; None where that is nothing.
Write = Callable[[Subscription, Notification], Post | None]
# Hands a message to a target. Raises TargetFailed.
Send = Callable[[str, Post], None]
# Told of what was sent, for the audit record, in the unit of work that notes it.
OnSent = Callable[[UnitOfWork, Subscription, Notification], None]


class Dispatcher(threading.Thread):
    """Sends what waits, in one process of those that share the database."""

    def __init__(
        self,
        units: Units,
        *,
        write: Write,
        send: Send,
        on_sent: OnSent,
        attempts: int,
        now: Callable[[], str],
        pauses_ms: tuple[int, int] = (_FIRST_MS, _LONGEST_MS),
    ) -> None:
        """`attempts`: after so many a notification is a dead letter. `pauses_ms`: the first and the longest one."""
        super().__init__(name="notifications", daemon=True)
        self._units, self._write, self._send, self._on_sent = units, write, send, on_sent
        self._attempts, self._now, self._pauses = attempts, now, pauses_ms
        self._stopping = threading.Event()

    def run(self) -> None:
        with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="notification") as pool:
            while not self._stopping.is_set():
                try:
                    with self._units.turn(_TURN) as is_mine:
                        while is_mine and not self._stopping.is_set():
                            if not self._round(pool):
                                self._stopping.wait(_IDLE_SECONDS)
                    self._stopping.wait(_TURN_SECONDS)
                except StorageFailed:
                    self._stopping.wait(_TURN_SECONDS)

    def stop(self) -> None:
        """Stop after what is being sent; the rest is sent by the next server."""
        self._stopping.set()
        if self.is_alive():
            self.join()

    def _round(self, pool: ThreadPoolExecutor) -> bool:
        """Everything that is due, once; whether there was anything. Raises StorageFailed."""
        with self._units.read() as connection:
            due = sql.heads(connection, _milliseconds())
        for _ in pool.map(self._in_order, due):
            pass
        return bool(due)

    def _in_order(self, head: Notification) -> None:
        """What waits for one subscription, until something fails."""
        for _ in range(_IN_A_ROW):
            if not self._tell(head) or self._stopping.is_set():
                return
            with self._units.read() as connection:
                following = [
                    one for one in sql.heads(connection, _milliseconds()) if one.subscription == head.subscription
                ]
            if not following:
                return
            head = following[0]

    def _tell(self, one: Notification) -> bool:
        """Whether the next one may follow."""
        with self._units.read() as connection:
            subscription = sql.by_id(connection, one.subscription)
            number = one.number or (
                0 if one.event is Event.HANDSHAKE else sql.next_number(connection, one.subscription)
            )
        one = replace(one, number=number)
        if subscription is None or subscription.ends <= self._now():
            return self._settle(one, Told.WITHHELD, "the subscription has ended")
        try:
            message = self._write(subscription, one)
        except StorageFailed:
            raise
        except Exception as problem:  # noqa: BLE001 - one that cannot be written must not hold up all others
            self._failed(one, type(problem).__name__)
            return False
        if message is None:
            return self._settle(replace(one, number=0), Told.WITHHELD, "not for this subscriber")
        try:
            self._send(subscription.target, message)
        except TargetFailed as problem:
            self._failed(one, str(problem))
            return False
        self._units.write(lambda unit: self._sent(unit, subscription, one))
        return True

    def _sent(self, unit: UnitOfWork, subscription: Subscription, one: Notification) -> None:
        sql.note(unit.connection, one.notification_key, state=str(Told.SENT), number=one.number, problem="")
        if subscription.state is not State.ACTIVE:
            sql.set_state(unit.connection, subscription.id, State.ACTIVE)
        self._on_sent(unit, subscription, one)

    def _settle(self, one: Notification, state: Told, problem: str) -> bool:
        changes = {"state": str(state), "problem": problem, "number": one.number}
        self._units.write(lambda unit: sql.note(unit.connection, one.notification_key, **changes))
        return True

    def _failed(self, one: Notification, problem: str) -> None:
        attempts, log = one.attempts + 1, structlog.get_logger().bind(subscription=one.subscription)
        first, longest = self._pauses
        pause = min(longest, first * 2 ** min(attempts - 1, 30)) * random.uniform(0.5, 1.0)  # noqa: S311 - no secret
        changes = {"attempts": attempts, "problem": problem, "number": one.number, "due": _milliseconds() + int(pause)}
        if attempts >= self._attempts:
            changes["state"] = str(Told.DEAD)
            log.error("notification given up", notification=one.notification_key, problem=problem)
        else:
            log.warning("notification not taken", problem=problem, attempt=attempts)
        self._units.write(lambda unit: sql.note(unit.connection, one.notification_key, **changes))


def _milliseconds() -> int:
    return time.time_ns() // 1_000_000
