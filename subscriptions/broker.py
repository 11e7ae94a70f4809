"""Taking and ending subscriptions: targets on a list, so many for each, a year at most. ITI TF-2: 3.52."""

from collections.abc import Callable, Collection
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

from access_policy.caller import Caller, PurposeOfUse
from access_policy.visibility import claimed
from storage.keys import Keys
from storage.unit_of_work import UnitOfWork, Units
from subscriptions import sql
from subscriptions.sql import Notification
from subscriptions.subscription import Channel, Event, State, Subscription

MOST_OF_ONE = 100
LONGEST = timedelta(days=366)
_FORM = "%Y%m%d%H%M%S"


class NotTaken(Exception):
    """A subscription that is refused; the text says why. `is_of_rights`: the caller may not have it."""

    def __init__(self, text: str, *, is_of_rights: bool = False) -> None:
        super().__init__(text)
        self.is_of_rights = is_of_rights


@dataclass(frozen=True, slots=True, kw_only=True)
class Broker:
    """`targets`: the addresses that may be told anything, to the letter. `now` gives a DTM of 14 digits, UTC.

    `write_caller` makes text of a caller, to ask the policy for them when something is sent. `present` gives the CX key
    of the patient that the one of a CX key is today, after merges, on the connection it is given.
    """

    units: Units
    targets: Collection[str]
    now: Callable[[], str]
    write_caller: Callable[[Caller], str]
    present: Callable[[Any, str], str]
    keys: Keys = field(default_factory=Keys)

    def subscribe(self, wanted: Subscription, caller: Caller) -> Subscription:
        """Take it, with its id, times and subscriber. Raises NotTaken, StorageFailed."""
        now = self.now()
        self._check(wanted, caller, now)
        is_fhir = wanted.channel is Channel.FHIR
        taken = replace(
            wanted,
            id=str(uuid4()),
            created=now,
            ends=wanted.ends or _later(now, LONGEST),
            caller=self.write_caller(caller),
            subscriber=caller.subject,
            state=State.REQUESTED if is_fhir else State.ACTIVE,
        )

        def work(unit: UnitOfWork) -> None:
            if sql.count_of(unit.connection, caller.subject, now) >= MOST_OF_ONE:
                raise NotTaken(f"found {MOST_OF_ONE} subscriptions of this subscriber, expected fewer")
            patient = self.present(unit.connection, taken.patient) if taken.patient else ""
            sql.add(unit.connection, replace(taken, patient=patient))
            if is_fhir:
                sql.post(unit.connection, [self._handshake(taken)])

        self.units.write(work)
        return taken

    def _handshake(self, taken: Subscription) -> Notification:
        return Notification(
            notification_key=self.keys.new(),
            subscription=taken.id,
            event=Event.HANDSHAKE,
            entry_uuid="",
            recorded=taken.created,
        )

    def _check(self, wanted: Subscription, caller: Caller, now: str) -> None:
        if wanted.target not in self.targets:
            raise NotTaken("the target is none of those that this server tells anything")
        if caller.purpose not in (None, PurposeOfUse.NORMAL):
            raise NotTaken("an access in an emergency does not go on", is_of_rights=True)
        seen = claimed(caller)
        if not seen.everything and (not wanted.patient or not seen.admits(wanted.patient)):
            raise NotTaken("expected the patient of the proof", is_of_rights=True)
        if wanted.ends and not now < wanted.ends <= _later(now, LONGEST):
            raise NotTaken(f"the end: expected one in the future, within {LONGEST.days} days")

    def own(self, caller: Caller, name: str) -> Subscription | None:
        """A subscription of this caller; the open caller has every one."""
        with self.units.read() as connection:
            found = sql.by_id(connection, name)
            return found if found is not None and self._is_of(connection, found, caller) else None

    def all_own(self, caller: Caller) -> list[Subscription]:
        with self.units.read() as connection:
            found = sql.of_subscriber(connection, "" if caller.is_open else caller.subject)
            return [one for one in found if self._is_of(connection, one, caller)]

    def end(self, caller: Caller, name: str) -> bool:
        """False where the caller has none of this name. Raises StorageFailed."""
        if self.own(caller, name) is None:
            return False
        return self.units.write(lambda unit: sql.remove(unit.connection, name))

    def _is_of(self, connection: Any, one: Subscription, caller: Caller) -> bool:
        """Whose it is, and about whom the caller's proof is now: whoever that patient is today."""
        if caller.is_open:
            return True
        seen = claimed(caller)
        if one.subscriber != caller.subject or seen.everything:
            return one.subscriber == caller.subject
        return seen.patient != "" and self.present(connection, seen.patient) == one.patient


def _later(moment: str, by: timedelta) -> str:
    return (datetime.strptime(moment, _FORM).replace(tzinfo=UTC) + by).strftime(_FORM)
