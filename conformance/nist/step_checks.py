"""Every check on the answer of one step, in order."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from lxml import etree

from conformance.nist import implicit_checks
from conformance.nist.assertions import assertion_data, check_assertions
from conformance.nist.error_context import check_context
from conformance.nist.expected_contents import check_contents
from conformance.nist.fidelity import check_fidelity
from conformance.nist.findings import Finding
from conformance.nist.kit import Section
from conformance.nist.log_tree import SectionLog
from conformance.nist.registry_objects import DOCUMENT_ENTRY, RegistryObject, read_registry_objects
from conformance.nist.registry_response import read_registry_response
from conformance.nist.replacement import replaced
from conformance.nist.retrieved_documents import check_against_metadata, check_octets, check_retrieved
from conformance.nist.schema_check import SchemaCheck
from conformance.nist.session import Session
from conformance.nist.soap_client import Answer, Exchange
from conformance.nist.testplan import Instructions, Step
from conformance.nist.transactions import Kind
from conformance.nist.verdict import judge
from conformance.sentence import Sentence


@dataclass(frozen=True, slots=True, kw_only=True)
class Checks:
    """What is checked beside the plan; `left_out` are names of checks. `is_strict`: remarks fail a step too."""

    schemas: SchemaCheck | None
    left_out: frozenset[str] = field(default_factory=frozenset)
    is_strict: bool = False

    def kept(self, findings: Iterable[Finding]) -> list[Finding]:
        """The findings that count."""
        kept = (one for one in findings if one.check not in self.left_out)
        return [replace(one, is_remark=False) if self.is_strict else one for one in kept]


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """The step whose answer is checked, and what its symbols stand for."""

    session: Session
    section: Section
    step: Step
    instructions: Instructions
    symbols: Mapping[str, str]


def check_answer(checks: Checks, situation: Situation, exchange: Exchange) -> Iterator[Finding]:
    """Verdict and implicit checks."""
    answer, instructions, session = exchange.answer, situation.instructions, situation.session
    if answer is None:
        yield Finding(check="exchange", reason=exchange.problem)
        return
    transaction = instructions.transaction
    yield from judge(situation.step, transaction, answer)
    yield from implicit_checks.check_addressing(exchange, answer, transaction)
    yield from implicit_checks.check_http(exchange, answer)
    yield from implicit_checks.check_packaging(answer, is_mtom=transaction.is_mtom and instructions.is_mtom_wanted)
    yield from implicit_checks.check_schema(answer, checks.schemas)
    yield from implicit_checks.check_errors(answer)
    yield from implicit_checks.check_metadata(answer, transaction, session.codes)
    if transaction.kind is Kind.QUERY:
        yield from check_fidelity(answer.payload, session.submitted)
    if transaction.kind is Kind.RETRIEVE and not answer.is_fault:
        yield from _check_documents(situation, answer)


def check_request(checks: Checks, payload: etree._Element, answer: Answer | None) -> Iterator[Finding]:
    """Remarks on the request: not valid against the schema; errors that do not name their value."""
    for problem in () if checks.schemas is None else checks.schemas.problems(payload):
        yield Finding(
            check="request-schema",
            reason=Sentence(f"la demande n'est pas valide : {problem.fr}", f"the request is not valid: {problem}"),
            is_remark=True,
        )
    if answer is not None and not answer.is_fault:
        yield from check_context(payload, read_registry_response(answer.payload).errors)


def _check_documents(situation: Situation, answer: Answer) -> Iterator[Finding]:
    session, section, instructions = situation.session, situation.section, situation.instructions
    log = session.logs.step(section.test, section.name, situation.step.id)
    request = log.transaction.find("InputMetadata/*")
    if request is not None:
        expects_success = situation.step.expects_success
        mime_type = instructions.expected_mime_type
        yield from check_retrieved(request, answer, expects_success=expects_success, mime_type=mime_type)
    for testdir, step_id in instructions.reference_metadata:
        yield from check_against_metadata(answer, _entries(session, section, testdir, step_id))
    yield from check_octets(answer, dict(_reference_documents(situation)) | session.documents)


def _reference_documents(situation: Situation) -> Iterator[tuple[str, bytes]]:
    """uniqueId and octets of the files the plan names; they lie in the section or, more often, in the test.

    What the run itself submitted counts before them: some plans name a file that they do not submit.
    """
    folder = situation.section.folder
    for unique_id, file in situation.instructions.reference_documents:
        path = next((one for one in (folder / file, folder.parent / file) if one.is_file()), None)
        if path is not None:
            yield replaced(unique_id, situation.symbols), path.read_bytes()


def _entries(session: Session, section: Section, testdir: str, step_id: str) -> list[RegistryObject]:
    result = session.logs.step_of(section, testdir, step_id).transaction.find("Result")
    return [] if result is None else list(read_registry_objects(result).of(DOCUMENT_ENTRY))


def check_expectations(
    session: Session,
    section: Section,
    instructions: Instructions,
    answer: Answer | None,
    log: SectionLog,
    *,
    symbols: Mapping[str, str],
) -> Iterator[Finding]:
    """ExpectedContents of a query answer, then the assertions. Raises StepFailed for a reference to nothing."""
    if answer is not None and instructions.transaction.kind is Kind.QUERY and not answer.is_fault:
        ids = {
            entry: session.logs.resolve(section, entry.use_id)
            for expectation in instructions.expected_contents
            for entry in expectation.entries
        }
        objects, response = read_registry_objects(answer.payload), read_registry_response(answer.payload)
        yield from check_contents(instructions.expected_contents, objects, response, entry_ids=ids)
    if instructions.assertions:
        data = assertion_data(log, instructions.data_references, section.folder)
        yield from check_assertions(instructions.assertions, data, symbols, datetime.now(UTC).date())
