"""Telling subscribers: at least once, in order for each, longer and longer apart while a target fails. ITI TF-2: 3.53.

What a subscriber may see is asked when it is sent. One notification of a subscription and few to one target are under
way at a time, and those that failed before leave room for the others: a target that hangs delays itself alone.
"""

import random
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field, replace

import structlog

from storage.unit_of_work import StorageFailed, UnitOfWork, Units
from subscriptions import sql
from subscriptions.sql import Due, Notification, Told
from subscriptions.subscription import Event, State, Subscription

_TURN = "notifications"
_IDLE_SECONDS, _TURN_SECONDS = 0.25, 1.0
_AT_ONCE, _TRIED_AGAIN, _TO_ONE_TARGET = 16, 8, 4
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
# Hands a message to a target, within a time that it keeps to. Raises TargetFailed.
Send = Callable[[str, Post], None]
# Told of what was sent, for the audit record, in the unit of work that notes it.
OnSent = Callable[[UnitOfWork, Subscription, Notification], None]
# Told of what nobody foresaw: the notification is tried again later, and the others go on.
OnTrouble = Callable[[Exception], object]


@dataclass(slots=True)
class _UnderWay:
    """What is being sent now, by subscription."""

    _sent: dict[str, Due] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def names(self) -> frozenset[str]:
        with self._lock:
            return frozenset(self._sent)

    def begins(self, one: Due) -> bool:
        """Whether there is room for it; where there is, it is under way."""
        with self._lock:
            now, name = self._sent.values(), one.notification.subscription
            is_full = (
                name in self._sent
                or len(now) >= _AT_ONCE
                or sum(other.target == one.target for other in now) >= _TO_ONE_TARGET
                or (one.is_again and sum(other.is_again for other in now) >= _TRIED_AGAIN)
            )
            if not is_full:
                self._sent[name] = one
            return not is_full

    def ends(self, one: Due) -> None:
        with self._lock:
            del self._sent[one.notification.subscription]


class Dispatcher(threading.Thread):
    """Sends what waits, in one process of those that share the database."""

    def __init__(
        self,
        units: Units,
        *,
        write: Write,
        send: Send,
        on_sent: OnSent,
        on_trouble: OnTrouble,
        attempts: int,
        now: Callable[[], str],
        pauses_ms: tuple[int, int] = (_FIRST_MS, _LONGEST_MS),
    ) -> None:
        """`attempts`: after so many a notification is a dead letter. `pauses_ms`: the first and the longest one."""
        super().__init__(name="notifications", daemon=True)
        self._units, self._write, self._send = units, write, send
        self._on_sent, self._on_trouble = on_sent, on_trouble
        self._attempts, self._now, self._pauses = attempts, now, pauses_ms
        self._under_way, self._stopping, self._ended = _UnderWay(), threading.Event(), threading.Event()

    def run(self) -> None:
        with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="notification") as pool:
            while not self._stopping.is_set():
                try:
                    with self._units.turn(_TURN) as is_mine:
                        if is_mine:
                            self._send_what_is_due(pool)
                except StorageFailed:
                    pass  # the database is away: asked again below
                except Exception as problem:  # noqa: BLE001 - the thread lives on
                    self._on_trouble(problem)
                self._stopping.wait(_TURN_SECONDS)

    def stop(self) -> None:
        """Stop after what is being sent; the rest is sent by the next server."""
        self._stopping.set()
        self._ended.set()
        if self.is_alive():
            self.join()

    def _send_what_is_due(self, pool: ThreadPoolExecutor) -> None:
        """While this process has its turn, which does not end before what it sends. Raises StorageFailed."""
        begun = set[Future[None]]()
        try:
            while not self._stopping.is_set():
                self._ended.clear()
                begun = {one for one in begun if not one.done()}
                begun |= {pool.submit(self._attempt, one) for one in self._due() if self._under_way.begins(one)}
                self._ended.wait(_IDLE_SECONDS)
        finally:
            wait(begun)

    def _due(self) -> list[Due]:
        """Of subscriptions that nothing was under way of before it was looked: the rest may be sent by now."""
        busy = self._under_way.names()
        with self._units.read() as connection:
            return [one for one in sql.heads(connection, _milliseconds()) if one.notification.subscription not in busy]

    def _attempt(self, one: Due) -> None:
        """Whatever comes of it, the others are told. What could not even be noted keeps its place for a second."""
        try:
            self._tell(one.notification)
        except StorageFailed:
            self._stopping.wait(_TURN_SECONDS)
        except Exception as problem:  # noqa: BLE001 - one that cannot be told must not hold up all others
            self._on_trouble(problem)
            self._put_off(one.notification, problem)
        finally:
            self._under_way.ends(one)
            self._ended.set()

    def _put_off(self, one: Notification, problem: Exception) -> None:
        try:
            self._failed(one, type(problem).__name__)
        except Exception as second:  # noqa: BLE001 - not even that
            self._on_trouble(second)
            self._stopping.wait(_TURN_SECONDS)

    def _tell(self, one: Notification) -> None:
        """Raises StorageFailed, and whatever nobody foresaw."""
        with self._units.read() as connection:
            subscription = sql.by_id(connection, one.subscription)
            number = one.number or (
                0 if one.event is Event.HANDSHAKE else sql.next_number(connection, one.subscription)
            )
        one = replace(one, number=number)
        if subscription is None or subscription.ends <= self._now():
            self._withhold(one, "the subscription has ended")
            return
        message = self._write(subscription, one)
        if message is None:
            self._withhold(replace(one, number=0), "not for this subscriber")
            return
        try:
            self._send(subscription.target, message)
        except TargetFailed as problem:
            self._failed(one, str(problem))
            return
        self._units.write(lambda unit: self._sent(unit, subscription, one))

    def _sent(self, unit: UnitOfWork, subscription: Subscription, one: Notification) -> None:
        sql.note(unit.connection, one.notification_key, state=str(Told.SENT), number=one.number, problem="")
        if subscription.state is not State.ACTIVE:
            sql.set_state(unit.connection, subscription.id, State.ACTIVE)
        self._on_sent(unit, subscription, one)

    def _withhold(self, one: Notification, problem: str) -> None:
        changes = {"state": str(Told.WITHHELD), "problem": problem, "number": one.number}
        self._units.write(lambda unit: sql.note(unit.connection, one.notification_key, **changes))

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
