"""What a run found: per step, section, test, and as a whole."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import Enum

from conformance.nist.findings import Finding
from conformance.nist.patient_feed import FeedExchange
from conformance.nist.soap_client import Exchange
from conformance.sentence import NOTHING_SAID, Sentence


class Status(Enum):
    """`DISAGREEMENT`: the kit expects something else than the standard, and the server does what the standard says."""

    PASSED = "passed"
    FAILED = "failed"
    DISAGREEMENT = "known disagreement"
    NOT_RUN = "not run"


@dataclass(frozen=True, slots=True, kw_only=True)
class StepOutcome:
    """One step; `note` says why it was not run, or why a failure is a known disagreement."""

    test: str
    section: str
    step: str
    transaction: str
    expected: str
    status: Status
    findings: tuple[Finding, ...] = ()
    exchange: Exchange | None = None
    feed: FeedExchange | None = None
    seconds: float = 0.0
    note: Sentence = NOTHING_SAID
    goals: tuple[str, ...] = ()

    @property
    def failures(self) -> tuple[Finding, ...]:
        return tuple(one for one in self.findings if not one.is_remark)

    @property
    def remarks(self) -> tuple[Finding, ...]:
        return tuple(one for one in self.findings if one.is_remark)

    @property
    def place(self) -> str:
        return f"{self.test}/{self.section}/{self.step}"


@dataclass(frozen=True, slots=True, kw_only=True)
class SectionOutcome:
    name: str
    steps: tuple[StepOutcome, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class TestOutcome:
    """One test; `skipped` says why none of it was run."""

    __test__ = False

    id: str
    title: str
    sections: tuple[SectionOutcome, ...] = ()
    skipped: Sentence = NOTHING_SAID

    @property
    def steps(self) -> Iterator[StepOutcome]:
        return (step for section in self.sections for step in section.steps)

    @property
    def status(self) -> Status:
        """The worst of its steps."""
        found = {step.status for step in self.steps}
        if Status.FAILED in found:
            return Status.FAILED
        if self.skipped or not found:
            return Status.NOT_RUN
        return Status.DISAGREEMENT if Status.DISAGREEMENT in found else Status.PASSED


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOutcome:
    """A whole run; `addresses` are where the messages went, by transaction."""

    kit: str
    started: datetime
    seconds: float
    addresses: tuple[tuple[str, str], ...]
    patients: tuple[tuple[str, str], ...]
    tests: tuple[TestOutcome, ...]

    @property
    def steps(self) -> Iterator[StepOutcome]:
        return (step for test in self.tests for step in test.steps)

    @property
    def test_counts(self) -> Counter[Status]:
        return Counter(test.status for test in self.tests)

    @property
    def step_counts(self) -> Counter[Status]:
        return Counter(step.status for step in self.steps)

    @property
    def has_failed(self) -> bool:
        return Status.FAILED in self.test_counts
