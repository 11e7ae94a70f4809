"""The job that keeps the counters small: rows of a past day that are alike become one with their number.

What is counted never depends on it: a row that came too late for its day counts as one beside the others.
"""

from functools import partial

from dmp.records import Records
from dmp.sql import usage
from jobs.dated_work import Job, Ran
from storage.unit_of_work import UnitOfWork, Units

_NAME = "folded counters"


def folded_counters(dmp: Records, units: Units) -> Job:
    """A day of a table is folded once, in one unit of work."""

    def fold(unit: UnitOfWork, table: str, day: str, now: str) -> bool:
        if not usage.do_once(unit.connection, _NAME, f"{table} {day}", now):
            return False
        usage.fold(unit.connection, table, day, dmp.keys.new)
        return True

    def run(now: str) -> Ran:
        done = 0
        for table in usage.FOLDED:
            with units.read() as connection:
                after = usage.last_done(connection, _NAME, table)
                days = usage.days_before(connection, table, now[:8], after=after)
            done += sum(units.write(partial(fold, table=table, day=day, now=now)) for day in days)
        return Ran(job=_NAME, done=done)

    return Job(name=_NAME, run=run)
