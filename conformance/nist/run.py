"""A whole run: tests in their order, sections of a test, steps of a section."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from conformance.nist.kit import Kit, Section
from conformance.nist.outcomes import RunOutcome, SectionOutcome, Status, StepOutcome, TestOutcome
from conformance.nist.read_testplan import read_plan
from conformance.nist.run_order import PlannedTest
from conformance.nist.session import Session
from conformance.nist.step_run import NEW_PATIENT_ID, SystemUnderTest, run_step
from conformance.nist.testplan import Step
from conformance.sentence import NOTHING_SAID, Sentence


@dataclass(frozen=True, slots=True, kw_only=True)
class Observer:
    """Told what happens while it happens."""

    test_starts: Callable[[PlannedTest], None] = lambda test: None
    step_ends: Callable[[StepOutcome], None] = lambda step: None
    test_ends: Callable[[TestOutcome], None] = lambda test: None


def run_kit(
    kit: Kit, planned: Sequence[PlannedTest], system: SystemUnderTest, session: Session, observer: Observer
) -> RunOutcome:
    """Run the tests. Raises nothing: what goes wrong is in the outcome."""
    started, began = datetime.now(UTC), time.monotonic()
    outcomes = []
    for one in planned:
        observer.test_starts(one)
        outcome = _run_test(one, system, session, observer)
        observer.test_ends(outcome)
        outcomes.append(outcome)
    return RunOutcome(
        kit=str(kit.folder),
        started=started,
        seconds=time.monotonic() - began,
        addresses=tuple(sorted(system.endpoints.addresses.items())),
        patients=tuple(session.patients.items()),
        tests=tuple(outcomes),
    )


def _run_test(planned: PlannedTest, system: SystemUnderTest, session: Session, observer: Observer) -> TestOutcome:
    test = planned.test
    skipped = planned.unsupported or _missing_address(planned, system)
    if skipped:
        return TestOutcome(id=test.id, title=test.title, skipped=skipped)
    session.patient_id = session.patients[planned.patient]
    session.external = {symbol: session.patients[name] for symbol, name in planned.parameters.items()}
    sections = [_run_section(section, system, session, observer) for section in test.sections]
    return TestOutcome(id=test.id, title=test.title, sections=tuple(sections))


def _missing_address(planned: PlannedTest, system: SystemUnderTest) -> Sentence:
    steps = (step for plan in planned.plans.values() for step in plan.steps)
    return next((missing for step in steps if (missing := system.endpoints.missing(step))), NOTHING_SAID)


def _run_section(section: Section, system: SystemUnderTest, session: Session, observer: Observer) -> SectionOutcome:
    """A section stops at its first failed step; the steps behind it are not run."""
    log = session.logs.start(section)
    outcomes: list[StepOutcome] = []
    for step in read_plan(section.plan, external=session.external).steps:
        has_failed = bool(outcomes) and outcomes[-1].status in (Status.FAILED, Status.NOT_RUN)
        outcome = _not_run(section, step) if has_failed else run_step(system, session, section, log, step)
        observer.step_ends(outcome)
        outcomes.append(outcome)
    return SectionOutcome(name=section.name, steps=tuple(outcomes))


def _not_run(section: Section, step: Step) -> StepOutcome:
    return StepOutcome(
        test=section.test,
        section=section.name,
        step=step.id,
        transaction=step.instructions.transaction.name if step.instructions else NEW_PATIENT_ID,
        expected=", ".join(step.expected_statuses),
        status=Status.NOT_RUN,
        note=Sentence("une étape précédente de cette section a échoué", "an earlier step of this section failed"),
        goals=step.goals,
    )
