"""The report as JUnit XML: a test suite for each test, a test case for each step."""

from pathlib import Path

from conformance.nist.messages import shortened, shown_messages
from conformance.nist.outcomes import RunOutcome, Status, StepOutcome, TestOutcome
from conformance.report.junit import Case, Suite, write_suites

_LINES_OF_A_MESSAGE = 400


def write_junit(outcome: RunOutcome, path: Path) -> None:
    write_suites("nist", [_suite(test) for test in outcome.tests], path, started=outcome.started)


def _suite(test: TestOutcome) -> Suite:
    cases = [_case(step) for step in test.steps]
    if test.skipped:
        cases.append(Case(classname=f"nist.{test.id}", name=test.id, skipped=test.skipped))
    return Suite(name=f"{test.id} {test.title}", cases=cases)


def _case(step: StepOutcome) -> Case:
    failed = step.failures if step.status is Status.FAILED else ()
    reasons = "\n".join(f"{one.check}: {one}" for one in failed)
    messages = [f"{title}\n{shortened(text, _LINES_OF_A_MESSAGE)}" for title, text in shown_messages(step)]
    is_left_out = step.status in (Status.NOT_RUN, Status.DISAGREEMENT)
    return Case(
        classname=f"nist.{step.test}.{step.section}",
        name=step.step,
        seconds=step.seconds,
        failure=failed[0].reason if failed else "",
        kind=failed[0].check if failed else "",
        details="\n\n".join([reasons, *messages]) if failed else "",
        skipped=f"{step.status.value}: {step.note}" if is_left_out else "",
        output="\n".join(f"remark, {one.check}: {one}" for one in step.remarks),
    )
