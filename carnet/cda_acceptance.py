"""What this server asks of a CDA document that is submitted: that it is valid, and that its metadata are its own.

Each of the two is refused, warned of or ignored, by setting. Answers name rules, places and attributes, never what
a document says of a patient. ITI TF-3: Table 4.2.4.1-2, InvalidDocumentContent.
"""

import re
from collections.abc import Callable, Iterator
from enum import StrEnum
from itertools import islice

from cda.agreement import disagreements
from cda.document import Document, read_document
from cda.document_entry import document_entry
from cda.findings import Finding, Severity
from cda.header import Header, read_header
from cda.rule_packs import own_rules_of_layers
from cda.unreadable import UnreadableDocument
from cda.validate import check, check_bytes
from repository.document_rules import DocumentRules, DocumentVersion, Examined
from xds.errors import ErrorCode, RegistryError
from xds.metadata import DocumentEntry
from xds.vocabulary import Severity as AnswerSeverity

_MOST_FINDINGS = 20
_LARGEST = 16 * 2**20  # octets of a document that is read whole: published ones have 3 MB at most, with a PDF some more
_EMPTY = b'<ClinicalDocument xmlns="urn:hl7-org:v3"/>'
_CDA_TYPES = frozenset({"text/xml", "application/xslt+xml"})


class Demand(StrEnum):
    """What becomes of a submission whose document breaks a rule."""

    REFUSE = "refuse"
    WARN = "warn"
    IGNORE = "ignore"


def cda_document_rules(*, agreement: Demand, validity: Demand, is_only_once: bool) -> DocumentRules:
    """The rules of a server with these demands. Documents of other media types are not looked at, nor large ones.

    `is_only_once`: a document id, and a setId with its versionNumber, are those of one document. DMP 10
    """

    def rules(entry: DocumentEntry, read: Callable[[], bytes]) -> Examined:
        if entry.mime_type not in _CDA_TYPES or ({agreement, validity} == {Demand.IGNORE} and not is_only_once):
            return Examined()
        if entry.size is None or entry.size > _LARGEST:
            return Examined(is_only_once=is_only_once)
        try:
            document = read_document(read())
        except UnreadableDocument:
            return _unreadable(entry, validity)
        header = read_header(document)
        findings: list[RegistryError] = []
        if agreement is not Demand.IGNORE:
            findings += _disagreements(entry, header, _severity(agreement))
        if validity is not Demand.IGNORE:
            findings += _violations(entry, document, _severity(validity))
        version = _version(header) if is_only_once else None
        return Examined(findings=tuple(findings), is_only_once=is_only_once, version=version)

    return rules


def open_rules() -> None:
    """Read what the check of every document needs, for half a second, so that the first one need not wait for it."""
    check_bytes(_EMPTY, own_rules_of_layers())


def _unreadable(entry: DocumentEntry, validity: Demand) -> Examined:
    """What breaks the first rule of all. The reader's reason may quote the document, so it is not told."""
    if validity is Demand.IGNORE:
        return Examined()
    sentence = f"found {entry.mime_type} that is no well-formed CDA document, expected a ClinicalDocument"
    return Examined(findings=(_finding(entry, sentence, _severity(validity)),))


def _version(header: Header) -> DocumentVersion | None:
    """None where the header has no setId, or no versionNumber that a database can hold."""
    if header.set_id is None or not re.fullmatch(r"[0-9]{1,18}", header.version_number):
        return None
    root, extension = header.set_id.root, header.set_id.extension
    return DocumentVersion(set_id=f"{root}^{extension}" if extension else root, number=int(header.version_number))


def _severity(demand: Demand) -> AnswerSeverity:
    return AnswerSeverity.ERROR if demand is Demand.REFUSE else AnswerSeverity.WARNING


def _disagreements(entry: DocumentEntry, header: Header, severity: AnswerSeverity) -> Iterator[RegistryError]:
    derived = document_entry(header, entry_uuid=entry.entry_uuid).entry
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
