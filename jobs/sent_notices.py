"""The job that sends notices: at least once, with longer and longer pauses, until nobody took one for too long.

CSP R.1111-48, R.1111-53
"""

from collections.abc import Callable
from dataclasses import replace
from functools import partial

from dmp.rules import later
from dmp.sql import letters
from dmp.sql.letters import Delivery, Letter
from jobs.dated_work import Job, Ran
from storage.unit_of_work import UnitOfWork, Units

_JOB = "notices sent"
_AT_ONCE, _MOST_ATTEMPTS = 200, 12
_LONGEST_PAUSE_MINUTES = 6 * 60


class NoticeNotSent(Exception):
    """The receiver did not take a notice; the text says why and names no person.

    `for_good`: it never will, such as one for a person without address.
    """

    def __init__(self, reason: str, *, for_good: bool = False) -> None:
        super().__init__(reason)
        self.for_good = for_good


# Hands a letter to who brings it to its recipient. Raises NoticeNotSent.
Send = Callable[[Letter], None]


def sent_notices(units: Units, send: Send) -> Job:
    """Send what is due. A letter is marked after it was taken: a run that is stopped between sends it again."""

    def run(now: str) -> Ran:
        done, left = 0, list[str]()
        while found := _due(units, now):
            for letter in found:
                settled = _tried(letter, send, now)
                units.write(partial(_settle, letter=settled))
                done += settled.state is Delivery.SENT
                left += [settled.reason] if settled.state is not Delivery.SENT else []
        return Ran(job=_JOB, done=done, left=tuple(left))

    return Job(name=_JOB, run=run)


def _due(units: Units, now: str) -> list[Letter]:
    with units.read() as connection:
        return letters.due(connection, now, limit=_AT_ONCE)


def _settle(unit: UnitOfWork, letter: Letter) -> None:
    letters.settle(unit.connection, letter)


def _tried(letter: Letter, send: Send, now: str) -> Letter:
    attempts = letter.attempts + 1
    try:
        send(letter)
    except Exception as problem:  # noqa: BLE001 - whatever one letter does, the others are sent
        is_dead = getattr(problem, "for_good", False) or attempts >= _MOST_ATTEMPTS
        state = Delivery.DEAD if is_dead else Delivery.WAITING
        due = later(now, minutes=min(2**attempts, _LONGEST_PAUSE_MINUTES))
        return replace(letter, state=state, attempts=attempts, due=due, reason=_reason(problem))
    return replace(letter, state=Delivery.SENT, attempts=attempts, due=now, reason="")


def _reason(problem: Exception) -> str:
    """The words of a sender, which repeat nothing of the letter; of what nobody foresaw its kind alone."""
    return str(problem)[:200] if isinstance(problem, NoticeNotSent) else type(problem).__name__
