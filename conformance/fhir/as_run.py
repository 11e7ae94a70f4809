"""A run of the FHIR kit as a run of the whole kit: findings on requirements."""

from collections.abc import Iterator, Sequence

from conformance.fhir.outcomes import CaseOutcome, RunOutcome, Status
from conformance.judgement import Finding, Heading, Run, Verdict
from conformance.requirements import Actor, Way, requirement_about
from conformance.sentence import NOTHING_SAID, french, joined

BUNDLES = "Provide Document Bundle"
_VERDICTS = {Status.PASSED: Verdict.PASSED, Status.FAILED: Verdict.FAILED, Status.SKIPPED: Verdict.NOT_TESTED}


def to_run(outcome: RunOutcome) -> Run:
    """The whole of it; the messages were not kept."""
    heading = Heading(actor=Actor.SERVER, subject=outcome.base, profiles=("mhd",), started=outcome.started)
    return Run(heading=heading, findings=tuple(one for case in outcome.cases for one in findings_of_case(case, ())))


def findings_of_case(case: CaseOutcome, sent: Sequence[str]) -> Iterator[Finding]:
    """One for each thing wrong and each remark, one for a case without. `sent`: ids of its messages; the last shows it.

    A remark fails nothing.
    """
    said = [(one, _VERDICTS[case.status]) for one in (*case.failures, *((case.skipped,) if case.skipped else ()))]
    said += [(one, Verdict.PASSED) for one in case.remarks if not case.skipped]
    group = case.name.partition("/")[0] if case.suite == BUNDLES else "scripts"
    for told, verdict in said or [(NOTHING_SAID, _VERDICTS[case.status])]:
        text = joined(one for one in (case.title, told) if one)
        yield Finding(
            requirement=requirement_about(Way.FHIR, group),
            verdict=verdict,
            text_fr=f"Essai {french(case.name)} : {text.fr}",
            text_en=f"Case {case.name}: {text}",
            message=sent[-1] if sent else "",
            step=f"fhir/{case.name}",
        )
