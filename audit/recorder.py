"""Keeping records: with the change they record, or in a group commit before the answer leaves. ITI TF-2: 3.20.4.1.1."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Protocol

from access_policy.caller import Caller
from audit import outbox
from audit.committer import GroupCommitter
from audit.dicom import NOBODY, clean, read_message, write_message
from audit.events import EVENTS
from audit.occurrence import Node, Occurrence, record_of
from audit.outbox import Row
from audit.record import Record
from audit.reserve import Reserve
from audit.spool import Spool
from storage.keys import Keys
from storage.unit_of_work import StorageFailed, UnitOfWork, Units

_MICROSECOND = 10**6
_LEAST_STEP_SECONDS = 1.0
_EVENT_OF = {(one.event_id.code, one.type_code.code): name for name, one in EVENTS.items()}


class Recorder(Protocol):
    """What the actors know of the audit."""

    def record(self, unit: UnitOfWork, occurrences: Iterable[Occurrence], caller: Caller) -> None:
        """Keep records that commit with the unit. Raises StorageFailed when nothing may be served."""
        ...


class NoRecorder:
    """Audit off: `--security open` alone allows it."""

    def record(self, unit: UnitOfWork, occurrences: Iterable[Occurrence], caller: Caller) -> None:
        """Nothing is kept."""


NO_RECORDER = NoRecorder()


def utc_now() -> datetime:
    return datetime.now(UTC)


class Clock:
    """Notices when the clock of this process is set back: records would seem to precede those before them."""

    def __init__(self) -> None:
        self._latest = datetime.min.replace(tzinfo=UTC)

    def set_back(self, now: datetime) -> int:
        """Seconds since the latest time seen, each step once; 0 for none, and for what threads do to each other."""
        back = (self._latest - now).total_seconds()
        if back > 0 and back < _LEAST_STEP_SECONDS:
            return 0
        self._latest = now
        return max(0, round(back))


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditTrail:
    """The recorder of one process."""

    node: Node
    committer: GroupCommitter
    spool: Spool
    reserve: Reserve | None = None
    now: Callable[[], datetime] = utc_now
    keys: Keys = field(default_factory=Keys)
    clock: Clock = field(default_factory=Clock)

    @classmethod
    def of(cls, node: Node, units: Units, spool: Spool, reserve: Reserve | None = None) -> "AuditTrail":
        return cls(node=node, committer=GroupCommitter(units, reserve), spool=spool, reserve=reserve)

    def record(self, unit: UnitOfWork, occurrences: Iterable[Occurrence], caller: Caller) -> None:
        self.spool.check()
        if self.reserve is not None and self.reserve.is_touched:
            raise StorageFailed("the disk is full, and what is left is for audit records", is_full=True)
        outbox.add(unit.connection, self._rows(occurrences, caller))

    def keep(self, occurrences: Iterable[Occurrence], caller: Caller) -> None:
        """Keep records of what changed nothing: reads, refusals, failures. Returns when they are durable.

        Raises StorageFailed when they cannot be, or nothing may be served.
        """
        self.spool.check()
        self.committer.keep(self._rows(occurrences, caller))

    def keep_always(self, occurrences: Iterable[Occurrence], caller: Caller) -> None:
        """The same however full the spool is: what the server, or who looks after it, does."""
        self.committer.keep(self._rows(occurrences, caller))

    def _rows(self, occurrences: Iterable[Occurrence], caller: Caller) -> list[Row]:
        now = self.now()
        told = [(one, caller) for one in occurrences]
        back = self.clock.set_back(now)
        if back:
            step = Occurrence(event="configuration", description=f"the clock was set back by {back} s")
            told.insert(0, (step, Caller(name="")))
        return [self._row(record_of(one, who, self.node, now), one.event, now) for one, who in told]

    def _row(self, record: Record, event: str, now: datetime) -> Row:
        return Row(
            record_key=self.keys.new(),
            recorded=int(now.timestamp()) * _MICROSECOND + now.microsecond,
            event=event,
            outcome=int(record.outcome),
            caller=caller_of(record),
            patient=clean(record.patient),
            message=write_message(record),
        )


def caller_of(record: Record) -> str:
    """Whose record it is: the person where there is one, else the software that asked."""
    requestors = [one for one in record.participants if one.is_requestor]
    named = next((one for one in requestors if one.user_name), requestors[0] if requestors else None)
    return "" if named is None else clean(named.user_id) or NOBODY


def columns_of(message: bytes) -> tuple[str, ...]:
    """The searchable columns that a message must have; none for what is no AuditMessage."""
    try:
        record = read_message(message)
    except ValueError:
        return ()
    return event_of(record), str(int(record.outcome)), caller_of(record), record.patient


def event_of(record: Record) -> str:
    """The row of the table that a record is of."""
    return _EVENT_OF.get((record.event_id.code, record.type_codes[0].code), "") if record.type_codes else ""
