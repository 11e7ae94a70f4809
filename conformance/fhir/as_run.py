"""A run of the FHIR kit as a run of the whole kit: findings on requirements."""

from collections.abc import Sequence

from conformance.fhir.outcomes import CaseOutcome, RunOutcome, Status
from conformance.judgement import Finding, Heading, Run, Verdict
from conformance.requirements import Actor, Way, requirement_about

BUNDLES = "Provide Document Bundle"
_VERDICTS = {Status.PASSED: Verdict.PASSED, Status.FAILED: Verdict.FAILED, Status.SKIPPED: Verdict.NOT_TESTED}


def to_run(outcome: RunOutcome) -> Run:
    """The whole of it; the messages were not kept."""
    heading = Heading(actor=Actor.SERVER, subject=outcome.base, profiles=("mhd",), started=outcome.started)
    return Run(heading=heading, findings=tuple(finding_of_case(one, ()) for one in outcome.cases))


def finding_of_case(case: CaseOutcome, sent: Sequence[str]) -> Finding:
    """`sent`: ids of the messages of the case; the last one shows it."""
    group = case.name.partition("/")[0] if case.suite == BUNDLES else "scripts"
    return Finding(
        requirement=requirement_about(Way.FHIR, group),
        verdict=_VERDICTS[case.status],
        text_fr=f"Essai {case.name} : {case.title}",
        text_en=f"Case {case.name}: {case.title}",
        message=sent[-1] if sent else "",
        evidence="\n".join((*case.failures, *case.remarks, *((case.skipped,) if case.skipped else ()))),
        step=f"fhir/{case.name}",
    )
