"""The job that removes notifications which were told long ago, and subscriptions that ended. GDPR 5(1)(e)."""

from collections.abc import Callable
from functools import partial

from dmp.rules import later
from jobs.dated_work import Job, Ran
from storage.unit_of_work import UnitOfWork, Units
from subscriptions import sql

_JOB = "purged notifications"
_AT_ONCE = 1000


# Removes up to `limit` rows of before a DTM; returns how many.
_Purge = Callable[..., int]


def purged_notifications(units: Units, *, days: int) -> Job:
    """What is older than so many days, some in each unit of work. A dead letter stays as long as its subscription."""

    def run(now: str) -> Ran:
        done, before = 0, later(now, days=-days)
        for purge in (sql.purge_ended, sql.purge):
            while removed := units.write(partial(_purged, purge=purge, before=before)):
                done += removed
        return Ran(job=_JOB, done=done)

    return Job(name=_JOB, run=run)


def _purged(unit: UnitOfWork, *, purge: _Purge, before: str) -> int:
    return purge(unit.connection, before, limit=_AT_ONCE)
