"""What a run found, case by case."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum

from conformance.sentence import NOTHING_SAID, Sentence


class Status(Enum):
    """`SKIPPED`: not run, and the reason is told."""

    PASSED = "passed"
    FAILED = "failed"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseOutcome:
    """One case: its title, what was wrong, what could be better, or why it was not run."""

    suite: str
    name: str
    title: Sentence
    failures: tuple[Sentence, ...] = ()
    remarks: tuple[Sentence, ...] = ()
    skipped: Sentence = NOTHING_SAID
    seconds: float = 0.0

    @property
    def status(self) -> Status:
        if self.skipped:
            return Status.SKIPPED
        return Status.FAILED if self.failures else Status.PASSED


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOutcome:
    """A whole run against one server."""

    base: str
    started: datetime
    cases: Sequence[CaseOutcome]

    def of(self, status: Status) -> tuple[CaseOutcome, ...]:
        return tuple(one for one in self.cases if one.status is status)
