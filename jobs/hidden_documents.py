"""The jobs of documents hidden from their patient: somebody is reminded to announce them, then they open. DMP 13.

The date itself decides who sees a document; the job writes that into its metadata and tells the holder. CSP R.1111-53
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial

from dmp import notices
from dmp.actor import SERVER
from dmp.notices import Notice
from dmp.record import Act
from dmp.records import Records
from dmp.rules import NoticeTarget
from dmp.sql import records, usage
from jobs.dated_work import Job, Ran
from storage.unit_of_work import UnitOfWork, Units
from xds.errors import Rejected

_REMINDER, _LIFTING = "announcement of hidden documents", "lifted visibility"


@dataclass(frozen=True, slots=True, kw_only=True)
class Hidden:
    """A document hidden from its patient: CX key, entryUUID of its newest version, logicalID, when it opens (DTM)."""

    patient: str
    entry_uuid: str
    logical_id: str
    visible_from: str


# The documents that are hidden now and open before a time; writes the version of one that is not hidden.
HiddenUntil = Callable[[str], Iterable[Hidden]]
Lift = Callable[[UnitOfWork, Hidden], None]


def announcements(dmp: Records, units: Units, hidden_until: HiddenUntil) -> Job:
    """Tell the holder that a document still waits, once for each; the médecin traitant was told at once."""

    def remind(unit: UnitOfWork, one: Hidden, now: str) -> bool:
        record = records.find(unit.connection, one.patient)
        if record is None or not record.is_active or not usage.do_once(unit.connection, _REMINDER, one.logical_id, now):
            return False
        notices.send(dmp, unit, record, Notice.ANNOUNCEMENT_DUE, now=now, document=one.entry_uuid)
        return True

    def run(now: str) -> Ran:
        if dmp.rules.announcement_target is not NoticeTarget.PATIENT:
            return Ran(job=_REMINDER)
        waiting = [
            one for one in hidden_until(dmp.rules.visible_from(now)) if dmp.rules.announced_at(one.visible_from) <= now
        ]
        done = sum(units.write(partial(remind, one=one, now=now)) for one in waiting)
        return Ran(job=_REMINDER, done=done)

    return Job(name=_REMINDER, run=run)


def lifted_visibility(dmp: Records, units: Units, hidden_until: HiddenUntil, lift: Lift) -> Job:
    """Write the version without INVISIBLE_PATIENT of what has opened by its date, and tell the holder. DECISIONS 8"""

    def open_to_holder(unit: UnitOfWork, one: Hidden, now: str) -> None:
        lift(unit, one)
        record = records.find(unit.connection, one.patient)
        if record is None:
            return
        dmp.note(unit, record, Act.LIFT_VISIBILITY, SERVER, now, details={"document": one.entry_uuid})
        if record.is_active:
            notices.send(dmp, unit, record, Notice.VISIBLE, now=now, document=one.entry_uuid)

    def run(now: str) -> Ran:
        done, left = 0, []
        for one in list(hidden_until(now)):
            try:
                units.write(partial(open_to_holder, one=one, now=now))
                done += 1
            except Rejected as rejected:
                left += [str(error.code) for error in rejected.errors]
        return Ran(job=_LIFTING, done=done, left=tuple(left))

    return Job(name=_LIFTING, run=run)
