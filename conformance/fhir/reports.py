"""The reports of a run: JUnit XML, and the page of the kit."""

from itertools import groupby
from pathlib import Path

from conformance.fhir.as_run import to_run
from conformance.fhir.outcomes import CaseOutcome, RunOutcome
from conformance.report.junit import Case, Suite, write_suites
from conformance.report.page import write_page


def write_junit(outcome: RunOutcome, path: Path) -> None:
    suites = [
        Suite(name=name, cases=[_case(one) for one in found])
        for name, found in groupby(outcome.cases, key=lambda one: one.suite)
    ]
    write_suites("fhir", suites, path, started=outcome.started)


def _case(one: CaseOutcome) -> Case:
    return Case(
        classname=one.suite,
        name=one.name,
        seconds=one.seconds,
        failure=one.failures[0] if one.failures else "",
        details="\n".join(one.failures),
        skipped=one.skipped,
        output="\n".join(one.remarks),
    )


def write_html(outcome: RunOutcome, path: Path) -> None:
    """One page, nothing else needed."""
    write_page(to_run(outcome), path, language="en")
