"""What this server asks of a CDA document that is submitted: that it is valid, and that its metadata are its own.

Each of the two is refused, warned of or ignored, by setting. Answers name rules, places and attributes, never what
a document says of a patient. ITI TF-3: Table 4.2.4.1-2, InvalidDocumentContent.
"""

from collections.abc import Callable, Iterator
from enum import StrEnum
from itertools import islice

from cda.agreement import disagreements
from cda.document import Document, UnreadableDocument, read_document
from cda.document_entry import document_entry
from cda.findings import Finding, Severity
from cda.header import read_header
from cda.rule_packs import own_rules_of_layers
from cda.validate import check
from repository.document_rules import DocumentRules
from xds.errors import ErrorCode, RegistryError
from xds.metadata import DocumentEntry
from xds.vocabulary import Severity as AnswerSeverity

_MOST_FINDINGS = 20
_CDA_TYPES = frozenset({"text/xml", "application/xslt+xml"})


class Demand(StrEnum):
    """What becomes of a submission whose document breaks a rule."""

    REFUSE = "refuse"
    WARN = "warn"
    IGNORE = "ignore"


def cda_document_rules(*, agreement: Demand, validity: Demand) -> DocumentRules:
    """The rules of a server with these demands. Documents that are no CDA are not looked at."""

    def rules(entry: DocumentEntry, read: Callable[[], bytes]) -> Iterator[RegistryError]:
        if entry.mime_type not in _CDA_TYPES or {agreement, validity} == {Demand.IGNORE}:
            return
        try:
            document = read_document(read())
        except UnreadableDocument:
            return
        if agreement is not Demand.IGNORE:
            yield from _disagreements(entry, document, _severity(agreement))
        if validity is not Demand.IGNORE:
            yield from _violations(entry, document, _severity(validity))

    return rules


def _severity(demand: Demand) -> AnswerSeverity:
    return AnswerSeverity.ERROR if demand is Demand.REFUSE else AnswerSeverity.WARNING


def _disagreements(entry: DocumentEntry, document: Document, severity: AnswerSeverity) -> Iterator[RegistryError]:
    derived = document_entry(read_header(document), entry_uuid=entry.entry_uuid).entry
    for each in disagreements(entry, derived):
        yield _finding(entry, str(each), severity)


def _violations(entry: DocumentEntry, document: Document, severity: AnswerSeverity) -> Iterator[RegistryError]:
    report = check(document, own_rules_of_layers())
    errors = (each for each in report.findings if each.severity is Severity.ERROR)
    for each in islice(errors, _MOST_FINDINGS):
        yield _finding(entry, _sentence(each), severity)


def _sentence(finding: Finding) -> str:
    """Without what was found: that may be the patient's."""
    return f"{finding.layer} {finding.rule} at {finding.location}: expected {finding.expected.english}"


def _finding(entry: DocumentEntry, sentence: str, severity: AnswerSeverity) -> RegistryError:
    context = f"DocumentEntry {entry.entry_uuid}: uniqueId {entry.unique_id}: {sentence}"
    return RegistryError(code=ErrorCode.INVALID_DOCUMENT_CONTENT, context=context, severity=severity)
