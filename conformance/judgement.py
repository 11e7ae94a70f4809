"""What a run of the kit saw and found: messages, findings, and the verdict on each requirement."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum

from conformance.requirements import Actor, Requirement, requirements_of


class Verdict(Enum):
    """`NOT_TESTED`: nothing of the run says whether the requirement is met."""

    PASSED = "passed"
    FAILED = "failed"
    NOT_TESTED = "not tested"


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """A request and its answer, octets as they were on the wire: HTTP head and body.

    `id` names it within the run (`0001`) and in the folder. `answer` is empty when none came, and `problem` says why.
    `transaction` is `ITI-41`, `TD0.2`… or empty when unknown, `peer` who was at the other end, `step` the step of the
    scenario or the test it belongs to.
    """

    id: str
    time: datetime
    transaction: str
    peer: str
    request: bytes
    answer: bytes = b""
    step: str = ""
    problem: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What one check found. `message` is the id of the message that shows it, `location` a header name or an XPath.

    `evidence` is what was found there, in a few words or lines; it is shown as text, never interpreted.
    """

    requirement: str
    verdict: Verdict
    text_fr: str
    text_en: str
    message: str = ""
    location: str = ""
    evidence: str = ""
    step: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Heading:
    """What is known when a run starts: who is tested (`subject`), on what (`profiles`: scenarios or services), how."""

    actor: Actor
    subject: str
    profiles: tuple[str, ...]
    started: datetime
    settings: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """A run, finished or not."""

    heading: Heading
    messages: tuple[Message, ...] = ()
    findings: tuple[Finding, ...] = ()
    ended: datetime | None = None

    @property
    def requirements(self) -> tuple[Requirement, ...]:
        """All that bind the actor: what was not tested is part of the result."""
        return requirements_of(self.heading.actor)

    @property
    def verdicts(self) -> Mapping[str, Verdict]:
        """Requirement id → verdict: failed by one failed finding, passed by findings that all passed."""
        found: dict[str, set[Verdict]] = {one.id: set() for one in self.requirements}
        for finding in self.findings:
            if finding.requirement in found:
                found[finding.requirement].add(finding.verdict)
        return {identifier: worst(tuple(verdicts)) for identifier, verdicts in found.items()}

    @property
    def counts(self) -> Counter[Verdict]:
        return Counter(self.verdicts.values())

    @property
    def coverage(self) -> tuple[int, int]:
        """How many requirements were tested, and of how many."""
        verdicts = self.verdicts
        return sum(one is not Verdict.NOT_TESTED for one in verdicts.values()), len(verdicts)

    @property
    def has_failed(self) -> bool:
        """Is anything wrong: a requirement of either level, or a test that belongs to none?"""
        return any(one.verdict is Verdict.FAILED for one in self.findings)

    def findings_of(self, requirement: str) -> tuple[Finding, ...]:
        return tuple(one for one in self.findings if one.requirement == requirement)

    def findings_on(self, message: str) -> tuple[Finding, ...]:
        return tuple(one for one in self.findings if one.message == message)


def worst(verdicts: Sequence[Verdict]) -> Verdict:
    """Failed, then passed, then not tested."""
    order = (Verdict.FAILED, Verdict.PASSED)
    return next((one for one in order if one in verdicts), Verdict.NOT_TESTED)
