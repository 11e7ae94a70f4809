"""What a job is, and how it goes through what is due: one unit of work for each, in the order of keys.

What it did is in the database with what it changed, so a run that was stopped goes on where it was, and a run with
nothing due does nothing.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from access_policy.record_facts import RecordState
from dmp.refusal import RecordRefused
from dmp.sql import records
from storage.unit_of_work import Units
from xds.errors import Rejected

_AT_ONCE = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Ran:
    """How much a job did, and what it left for another run, with the reasons."""

    job: str
    done: int = 0
    left: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A name and its work: `run` takes the time as DTM of 14 digits, UTC. Raises StorageFailed."""

    name: str
    run: Callable[[str], Ran]


def on_due_records(name: str, units: Units, state: RecordState, act: Callable[[str, str], bool]) -> Job:
    """A job that does the act, `act(CX key, now)`, for every record of this state whose time has come.

    The act says whether it did something. What it refuses is left, and does not stop the others.
    """

    def run(now: str) -> Ran:
        done, left = 0, list[str]()
        for patient in _due(units, state, now):
            try:
                done += act(patient, now)
            except RecordRefused as refused:
                left.append(str(refused.code))
            except Rejected as rejected:
                left += [str(error.code) for error in rejected.errors]
        return Ran(job=name, done=done, left=tuple(left))

    return Job(name=name, run=run)


def _due(units: Units, state: RecordState, now: str) -> Iterator[str]:
    after = 0
    while True:
        with units.read() as connection:
            found = records.due(connection, state, now, after=after, limit=_AT_ONCE)
        if not found:
            return
        yield from (patient for _, patient in found)
        after = found[-1][0]
