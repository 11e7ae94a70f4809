"""Sending what is sealed to one receiver, in its order, for as long as it takes. ITI TF-2: 3.20.4.1.1.

A record is *new* until it is written to the receiver, *written* until the receiver has it for sure, then *confirmed*:
the cursor in the database moves then, and only then. After a failure everything written is new again. One
receiver that is down delays no other.
"""

import random
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import structlog

from audit import outbox
from audit.chain import Link
from storage.unit_of_work import StorageFailed, Units

_FIRST_PAUSE, _LONGEST_PAUSE = 1.0, 60.0
_IDLE_SECONDS, _TURN_SECONDS = 0.25, 1.0
_CLOSED_ON_BEFORE_QUARANTINE = 3
_LARGEST_PORTION = 64


class ReceiverFailed(Exception):
    """The receiver did not take what was sent.

    `took_connection`: it was reached, and would not have what it was sent. `sure`: the last sequence of the portion
    that it has nevertheless.
    """

    def __init__(self, text: str, *, took_connection: bool = False, sure: int = 0) -> None:
        super().__init__(text)
        self.took_connection, self.sure = took_connection, sure


class Transport(Protocol):
    """Takes records to one receiver."""

    @property
    def receiver(self) -> str:
        """Its name in the store: kind and address."""
        ...

    def send(self, records: Sequence[Link]) -> int:
        """Send the records in this order; returns the last sequence that the receiver has for sure, 0 for none yet.

        Raises ReceiverFailed when nothing that was written since the last confirmation is sure any more.
        """
        ...

    def settle(self) -> int:
        """Nothing more to send: the last sequence that is sure by now, 0 for none new. Raises ReceiverFailed."""
        ...

    def takes(self, record: Link) -> bool:
        """Whether the receiver takes a record once more that it has: then one that it closes on is to blame itself.

        A receiver tells duplicates by their octets.
        """
        ...

    def close(self) -> None: ...


@dataclass(slots=True)
class _Suspect:
    """A record that the receiver closed on, alone, and how often."""

    sequence: int = 0
    times: int = 0


class Sender(threading.Thread):
    """Delivers to one receiver, in one process of those that share the database."""

    def __init__(
        self, units: Units, transport: Transport, *, pause: tuple[float, float] = (_FIRST_PAUSE, _LONGEST_PAUSE)
    ) -> None:
        """`pause`: seconds before the first attempt to reconnect and before each of a long row of them."""
        super().__init__(name=f"audit {transport.receiver}", daemon=True)
        self._units, self._transport, self._pauses = units, transport, pause
        self._stopping = threading.Event()
        self._suspect, self._failures = _Suspect(), 0
        self._written, self._portion = 0, 1
        self._log = structlog.get_logger().bind(receiver=transport.receiver)

    def run(self) -> None:
        while not self._stopping.is_set():
            try:
                with self._units.turn(self._transport.receiver) as is_mine:
                    if is_mine:
                        self._deliver()
                self._stopping.wait(_TURN_SECONDS)
            except StorageFailed:
                self._stopping.wait(_FIRST_PAUSE)

    def stop(self) -> None:
        """Stop after what is being written; the rest is sent by the next server."""
        self._stopping.set()
        if self.is_alive():
            self.join()

    def _deliver(self) -> None:
        """Until told to stop, from the cursor on."""
        receiver = self._transport.receiver
        self._units.write(lambda unit: outbox.know_receiver(unit.connection, receiver))
        self._written = self._confirmed()
        try:
            while not self._stopping.is_set():
                self._step()
        finally:
            self._transport.close()

    def _step(self) -> None:
        try:
            portion = self._next()
            sure = self._transport.send(portion) if portion else self._transport.settle()
        except ReceiverFailed as problem:
            self._failed(problem)
            return
        if portion:
            self._written = portion[-1].sequence
        if sure:
            self._confirm(sure)
        if not portion:
            self._stopping.wait(_IDLE_SECONDS)

    def _next(self) -> list[Link]:
        """The next records: one alone at first and after a failure, twice as many after each that was taken.

        One alone shows which of them the receiver closes on; and what is in a portion when the receiver dies is sent
        twice.
        """
        with self._units.read() as connection:
            portion = outbox.links(connection, after=self._written, limit=self._portion)
            passed_over = set(outbox.quarantined(connection, self._transport.receiver))
        return [one for one in portion if one.sequence not in passed_over] or self._skipped(portion)

    def _skipped(self, portion: Sequence[Link]) -> list[Link]:
        if portion:
            self._written = portion[-1].sequence
        return []

    def _confirm(self, sequence: int) -> None:
        self._units.write(lambda unit: outbox.confirm(unit.connection, self._transport.receiver, sequence))
        if self._failures:
            self._log.info("audit receiver takes records again", after_failures=self._failures)
        self._failures, self._suspect = 0, _Suspect()
        self._portion = min(_LARGEST_PORTION, 2 * self._portion)

    def _confirmed(self) -> int:
        with self._units.read() as connection:
            return outbox.confirmed(connection, self._transport.receiver) or 0

    def _failed(self, problem: ReceiverFailed) -> None:
        """Everything written is new again; wait, longer each time."""
        self._transport.close()
        if problem.sure:
            self._confirm(problem.sure)
        self._written, self._failures, self._portion = self._confirmed(), self._failures + 1, 1
        self._log.warning("audit receiver failed", problem=str(problem), attempt=self._failures)
        if problem.took_connection:
            self._suspected()
        shortest, longest = self._pauses
        pause = min(longest, shortest * 2 ** min(self._failures - 1, 10))
        self._stopping.wait(pause * random.uniform(0.5, 1.0))  # noqa: S311 - so that nodes do not come all at once

    def _suspected(self) -> None:
        """A record that the receiver closes on again and again, but on no other, is passed over with an alarm."""
        known, suspect = self._last_known_and_next()
        is_same = suspect is not None and self._suspect.sequence == suspect.sequence
        sequence = 0 if suspect is None else suspect.sequence
        self._suspect = _Suspect(sequence=sequence, times=self._suspect.times + 1 if is_same else 1)
        if self._suspect.times < _CLOSED_ON_BEFORE_QUARANTINE or known is None or not self._transport.takes(known):
            return
        receiver = self._transport.receiver
        self._units.write(lambda unit: outbox.quarantine(unit.connection, receiver, sequence))
        self._log.error("audit record in quarantine: the receiver closes on it", sequence=sequence)
        self._suspect, self._failures = _Suspect(), 0

    def _last_known_and_next(self) -> tuple[Link | None, Link | None]:
        """The record that the receiver was given last and has for sure, and the one that is next."""
        receiver = self._transport.receiver
        with self._units.read() as connection:
            passed_over = set(outbox.quarantined(connection, receiver))
            before = outbox.links(connection, after=self._written - 1, limit=1) if self._written else []
            after = outbox.links(connection, after=self._written)
        known = next((one for one in before if one.sequence not in passed_over), None)
        return known, next((one for one in after if one.sequence not in passed_over), None)
