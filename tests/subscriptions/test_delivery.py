"""Notifications are told apart from each other: what hangs, breaks or ends is one subscription's alone. ITI TF-2: 3.53."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from carnet.clock import true_time
from jobs.purged_notifications import purged_notifications
from storage.keys import Keys
from storage.unit_of_work import UnitOfWork, Units
from subscriptions import sql
from subscriptions.delivery import Dispatcher, Post, TargetFailed
from subscriptions.sql import Notification, Told
from subscriptions.subscription import Channel, Content, Event, State, Subscription
from tests.notified import until

HANGS, TAKES = "http://127.0.0.1:1/hangs", "http://127.0.0.1:1/takes"
KEYS = Keys()


def a_subscription(name: str, target: str = TAKES, **changes: str) -> Subscription:
    made = Subscription(
        id=name,
        patient="P1^^^&1.2.3&ISO",
        channel=Channel.DSUB,
        target=target,
        content=Content.FULL,
        created="20260101000000",
        ends="29990101000000",
        caller="{}",
        subscriber="doctor",
        state=State.ACTIVE,
    )
    return replace(made, **changes)


def a_change(subscription: str, recorded: str = "20260101000000") -> Notification:
    return Notification(
        notification_key=KEYS.new(),
        subscription=subscription,
        event=Event.NEW,
        entry_uuid="urn:uuid:1",
        recorded=recorded,
    )


def add(units: Units, *made: Subscription, changes: int = 1) -> None:
    def work(unit: UnitOfWork) -> None:
        for one in made:
            sql.add(unit.connection, one)
            sql.post(unit.connection, [a_change(one.id) for _ in range(changes)])

    units.write(work)


def states(units: Units) -> dict[tuple[str, str], int]:
    with units.read() as connection:
        return sql.counts(connection)


@dataclass
class Target:
    """What targets were sent; one of them answers when it is let go, or never."""

    sent: list[str] = field(default_factory=list)
    waiting: int = 0
    let_go: threading.Event = field(default_factory=threading.Event)

    def send(self, target: str, _post: Post) -> None:
        if target == HANGS:
            self.waiting += 1
            self.let_go.wait(60)
            raise TargetFailed("timed out")
        self.sent.append(target)


@contextmanager
def dispatching(
    units: Units, target: Target, *, on_sent: Callable[[Subscription], None] = lambda _one: None
) -> Iterator[list[Exception]]:
    """What nobody foresaw meanwhile."""
    troubles: list[Exception] = []
    dispatcher = Dispatcher(
        units,
        write=lambda _subscription, _told: Post(content_type="text/plain", body=b"x"),
        send=target.send,
        on_sent=lambda _unit, one, _told: on_sent(one),
        on_trouble=troubles.append,
        attempts=5,
        now=true_time,
        pauses_ms=(1, 2),
    )
    dispatcher.start()
    try:
        yield troubles
    finally:
        target.let_go.set()
        dispatcher.stop()


def test_a_target_that_hangs_delays_itself_alone(units: Units) -> None:
    """However many subscriptions it has, and however often it has failed before."""
    add(units, *(a_subscription(f"hangs-{number}", HANGS) for number in range(40)), changes=3)
    add(units, *(a_subscription(f"takes-{number}") for number in range(10)), changes=5)
    target = Target()
    with dispatching(units, target):
        until(lambda: target.waiting == 4)
        until(lambda: len(target.sent) == 50, seconds=20)
        assert (target.waiting, len(target.sent)) == (4, 50)


def test_one_notification_of_a_subscription_is_under_way_at_a_time(units: Units) -> None:
    add(units, a_subscription("one", HANGS), changes=3)
    target = Target()
    with dispatching(units, target):
        until(lambda: target.waiting == 1)
        threading.Event().wait(0.6)  # two looks at what is due
        assert target.waiting == 1


def test_those_that_failed_before_leave_room_for_the_others(units: Units) -> None:
    hanging = [a_subscription(f"{number}", f"{HANGS}") for number in range(8)]
    others = [a_subscription(f"other-{number}") for number in range(8)]
    add(units, *hanging, *others)
    units.write(lambda unit: [sql.note(unit.connection, one.notification_key, attempts=1) for one in waiting(unit)[:8]])
    with units.read() as connection:
        due = sql.heads(connection, 1)
    assert [one.is_again for one in due] == [False] * 8 + [True] * 8


def waiting(unit: UnitOfWork) -> list[Notification]:
    return sql.in_state(unit.connection, Told.WAITING, limit=100)


def test_what_nobody_foresaw_ends_with_its_notification(units: Units) -> None:
    """The others are told, and it becomes a dead letter that says what it was."""

    def on_sent(one: Subscription) -> None:
        if one.id == "bad":
            raise ZeroDivisionError

    add(units, a_subscription("bad"), a_subscription("good"), changes=2)
    with dispatching(units, Target(), on_sent=on_sent) as troubles:
        until(lambda: states(units).get(("bad", "dead")) == 2)
        until(lambda: states(units).get(("good", "sent")) == 2)
    assert len(troubles) == 10
    with units.read() as connection:
        assert {one.problem for one in sql.in_state(connection, Told.DEAD, limit=9)} == {"ZeroDivisionError"}


def test_a_row_that_cannot_be_read_does_not_end_the_sender(units: Units) -> None:
    add(units, a_subscription("good"))
    units.write(lambda unit: sql.post(unit.connection, [a_change("good")]))
    units.write(lambda unit: unit.connection.exec_driver_sql("UPDATE notification SET event = 'unheard of'"))
    with dispatching(units, Target()) as troubles:
        until(lambda: len(troubles) > 0)
        units.write(lambda unit: unit.connection.exec_driver_sql("UPDATE notification SET event = 'new'"))
        until(lambda: states(units) == {("good", "sent"): 2})


def test_old_notifications_go_and_numbers_go_on(units: Units) -> None:
    """An ended subscription goes with all it was told, a dead letter with its subscription."""
    add(units, a_subscription("goes on"), changes=3)
    add(units, a_subscription("ended", ends="20260102000000"), changes=1)
    with dispatching(units, Target()):
        until(lambda: states(units).get(("goes on", "sent")) == 3)
        until(lambda: states(units).get(("ended", "withheld")) == 1)
    dead = replace(a_change("goes on"), state=Told.DEAD)
    units.write(lambda unit: sql.post(unit.connection, [dead, replace(a_change("goes on"), state=Told.WITHHELD)]))
    job = purged_notifications(units, days=90)
    assert job.run("20260320000000").done == 0
    assert job.run("20270101000000").done == 4
    assert states(units) == {("goes on", "sent"): 1, ("goes on", "dead"): 1}
    with units.read() as connection:
        assert sql.next_number(connection, "goes on") == 4
        assert sql.by_id(connection, "ended") is None


def test_a_subscription_that_is_ended_leaves_nothing(units: Units) -> None:
    add(units, a_subscription("one"), changes=2)
    with dispatching(units, Target()):
        until(lambda: states(units) == {("one", "sent"): 2})
    assert units.write(lambda unit: sql.remove(unit.connection, "one"))
    assert states(units) == {}


def test_subscriptions_that_ended_do_not_count(units: Units) -> None:
    add(units, a_subscription("ended", ends="20260102000000"), a_subscription("goes on"))
    with units.read() as connection:
        assert sql.count_of(connection, "doctor", "20260301000000") == 1
