"""References to earlier steps: UseId and UseReport, resolved into symbol → value."""

from collections.abc import Iterable

from conformance.failures import StepFailed
from conformance.nist.kit import NAMELESS, Section
from conformance.nist.log_tree import Logs
from conformance.nist.testplan import THIS, UseId, UseReport
from conformance.sentence import Sentence


def resolve_use_ids(logs: Logs, section: Section, uses: Iterable[UseId]) -> dict[str, str]:
    """Raises StepFailed when one points nowhere."""
    return {use.symbol: logs.resolve(section, use) for use in uses}


def resolve_use_reports(logs: Logs, section: Section, uses: Iterable[UseReport]) -> dict[str, str]:
    """An empty report leaves its symbol in place. Raises StepFailed when one does not exist."""
    values = {use.use_as: _report(logs, section, use) for use in uses}
    return {symbol: value for symbol, value in values.items() if value}


def _report(logs: Logs, section: Section, use: UseReport) -> str:
    test = use.test or section.test
    name = section.name if use.section == THIS else use.section or NAMELESS
    reports = logs.step(test, name, use.step).reports
    if use.report_name not in reports:
        raise StepFailed(
            Sentence(
                f"l'étape {use.step} de l'essai {test}, section {name}, n'a pas de rapport {use.report_name}",
                f"step {use.step} of test {test}, section {name}, has no report {use.report_name}",
            )
        )
    return reports[use.report_name]
