"""Running one step: prepare, send, judge, remember."""

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from lxml import etree

from conformance.failures import KitError, StepFailed, UnreachableServer
from conformance.nist import nothing_left
from conformance.nist.endpoints import Endpoints
from conformance.nist.fidelity import remember_submitted
from conformance.nist.findings import Finding
from conformance.nist.kit import Section
from conformance.nist.known_disagreements import Disagreement
from conformance.nist.log_tree import SectionLog, StepLog, start_step
from conformance.nist.metadata_pipeline import Prepared, prepare
from conformance.nist.outcomes import Status, StepOutcome
from conformance.nist.patient_feed import Feed, FeedExchange
from conformance.nist.references import resolve_use_ids, resolve_use_reports
from conformance.nist.registry_objects import DOCUMENT_ENTRY, read_registry_objects
from conformance.nist.registry_response import read_registry_response
from conformance.nist.session import Session
from conformance.nist.soap_client import Answer, Exchange, SoapClient
from conformance.nist.step_checks import Checks, Situation, check_answer, check_expectations, check_request
from conformance.nist.step_reports import automatic_reports, planned_reports
from conformance.nist.testplan import Instructions, Step
from conformance.nist.transactions import ITI18, XDR, Kind
from conformance.sentence import NOTHING_SAID, Sentence, sentence_of

NEW_PATIENT_ID = Sentence("nouvel identifiant de patient", "new patient id")


@dataclass(frozen=True, slots=True, kw_only=True)
class SystemUnderTest:
    """How the server is reached and what is asked of it."""

    endpoints: Endpoints
    soap: SoapClient
    feed: Feed
    checks: Checks
    disagreements: Mapping[tuple[str, str, str], Disagreement] = field(default_factory=dict)
    wait: Callable[[float], None] = time.sleep


def run_step(system: SystemUnderTest, session: Session, section: Section, log: SectionLog, step: Step) -> StepOutcome:
    """Run a step and judge it; its log joins the log of the section."""
    began = time.monotonic()
    run = _StepRun(system=system, session=session, section=section, log=log, step=step, step_log=start_step(step))
    log.steps[step.id] = run.step_log
    run.run()
    run.step_log.status = "Fail" if run.status is Status.FAILED else "Pass"
    return StepOutcome(
        test=section.test,
        section=section.name,
        step=step.id,
        transaction=step.instructions.transaction.name if step.instructions else NEW_PATIENT_ID,
        expected=_expected(step),
        status=run.status,
        findings=tuple(run.findings),
        exchange=run.exchange,
        feed=run.feed,
        seconds=time.monotonic() - began,
        note=run.note,
        goals=step.goals,
    )


def _expected(step: Step) -> str:
    details = step.expected_error_code or step.expected_error_message
    return ", ".join(step.expected_statuses) + (f" ({details})" if details else "")


@dataclass(slots=True, kw_only=True)
class _StepRun:
    """One step under way: what it is given, and what has come of it so far."""

    system: SystemUnderTest
    session: Session
    section: Section
    log: SectionLog
    step: Step
    step_log: StepLog
    findings: list[Finding] = field(default_factory=list)
    exchange: Exchange | None = None
    feed: FeedExchange | None = None
    note: Sentence = NOTHING_SAID
    is_disagreement: bool = False

    @property
    def has_failed(self) -> bool:
        return any(not one.is_remark for one in self.findings)

    @property
    def status(self) -> Status:
        if self.is_disagreement:
            return Status.DISAGREEMENT
        return Status.FAILED if self.has_failed else Status.PASSED

    @property
    def answer(self) -> Answer | None:
        return self.exchange.answer if self.exchange else None

    def run(self) -> None:
        try:
            self._attempt()
        except (StepFailed, UnreachableServer) as problem:
            self._add(Finding(check="references", reason=sentence_of(problem)))
        except KitError as problem:
            self._add(Finding(check="kit", reason=sentence_of(problem)))

    def _add(self, *findings: Finding) -> None:
        self.findings += self.system.checks.kept(findings)

    def _attempt(self) -> None:
        if self.step.new_patient_id:
            self.session.patient_id = self.session.allocator.patient_id()
        instructions = self.step.instructions
        if instructions is None:
            self.step_log.add_reports(self.session.external)
            return
        reports = resolve_use_reports(self.session.logs, self.section, instructions.use_reports)
        if instructions.transaction.kind is Kind.FEED:
            self._feed(instructions)
        elif instructions.transaction.is_sent:
            self._send(instructions, reports)
        if not self.has_failed:
            self._judge_expectations(instructions, reports)
        if self.status is not Status.FAILED:
            self._report(instructions)

    def _feed(self, instructions: Instructions) -> None:
        """The patient id of the test, or the one the plan names, or a new one that becomes that of the session."""
        if instructions.new_patient_id:
            self.session.patient_id = self.session.allocator.patient_id()
        patient_id = instructions.fed_patient_id or self.session.patient_id
        self.feed = self.system.feed(patient_id)
        self.note = self.feed.note
        if self.feed.problem:
            accepted = Sentence("que le patient soit accepté", "the patient is accepted")
            self._add(Finding(check="feed", reason=self.feed.problem, expected=accepted))

    def _send(self, instructions: Instructions, reports: Mapping[str, str]) -> None:
        alternative = self.session.allocator.patient_id() if self.step.alternative_patient_id else ""
        prepared = prepare(
            self.session,
            self.section,
            instructions,
            self.step_log,
            reports=reports,
            alternative_patient_id=alternative,
        )
        probes = self._probes(instructions, prepared.payload)
        before = nothing_left.take_snapshot(probes, self._ask)
        self.system.wait(instructions.wait_milliseconds / 1000)
        self.exchange = self._exchange(instructions, prepared)
        self._log_exchange(instructions, prepared.payload, self.exchange)
        situation = Situation(
            session=self.session, section=self.section, step=self.step, instructions=instructions, symbols=reports
        )
        self._add(
            *check_answer(self.system.checks, situation, self.exchange),
            *check_request(self.system.checks, prepared.payload, self.answer),
            *nothing_left.compare(before, nothing_left.take_snapshot(probes, self._ask)),
        )
        if instructions.transaction.is_submission and not self.has_failed:
            self._remember(instructions, prepared)

    def _exchange(self, instructions: Instructions, prepared: Prepared) -> Exchange:
        transaction = instructions.transaction
        return self.system.soap.send(
            self.system.endpoints.url(self.step, transaction, prepared.payload),
            transaction,
            prepared.payload,
            documents=prepared.documents,
            is_mtom=transaction.is_mtom and instructions.is_mtom_wanted,
            headers=instructions.soap_headers,
        )

    def _log_exchange(self, instructions: Instructions, payload: etree._Element, exchange: Exchange) -> None:
        transaction, answer = instructions.transaction, exchange.answer
        self.step_log.add("Endpoint", exchange.url)
        self.step_log.add("Home", self.session.home_community_id)
        self.step_log.add("InputMetadata", payload)
        self.step_log.add("OutAction", transaction.action)
        self.step_log.add("ExpectedInAction", transaction.response_action)
        self.step_log.add("OutHeader", exchange.request_header)
        if answer is not None:
            self.step_log.add("InHeader", "" if answer.header is None else answer.header)
            self.step_log.add("Result", answer.payload)

    def _probes(self, instructions: Instructions, payload: etree._Element) -> list[nothing_left.Probe]:
        """Questions for a message that must be refused, where a registry can be asked."""
        must_fail = bool(self.step.expected_statuses) and not {"Success", "PartialSuccess"} & set(
            self.step.expected_statuses
        )
        can_ask = "iti18" in self.system.endpoints.addresses and instructions.transaction is not XDR
        is_wanted = "nothing-left" not in self.system.checks.left_out
        if must_fail and can_ask and is_wanted:
            return nothing_left.probes_for(instructions.transaction, payload)
        return []

    def _ask(self, query: etree._Element) -> etree._Element | None:
        url = self.system.endpoints.addresses["iti18"]
        exchange = self.system.soap.send(url, ITI18, query, documents={}, is_mtom=False)
        return exchange.answer.payload if exchange.answer else None

    def _remember(self, instructions: Instructions, prepared: Prepared) -> None:
        """Objects and octets of an acknowledged submission."""
        if self.answer is None or self.answer.is_fault:
            return
        response = read_registry_response(self.answer.payload)
        if response.status_word != "Success":
            return
        codes = [error.code for error in response.errors]
        is_provided = instructions.transaction.is_provide
        remember_submitted(
            prepared.payload,
            self.session.submitted,
            is_provided=is_provided,
            keeps_extra="XDSExtraMetadataNotSaved" not in codes,
        )
        for entry in read_registry_objects(prepared.payload).of(DOCUMENT_ENTRY) if is_provided else ():
            if entry.id in prepared.documents and entry.unique_id:
                self.session.documents[entry.unique_id] = prepared.documents[entry.id]

    def _judge_expectations(self, instructions: Instructions, reports: Mapping[str, str]) -> None:
        symbols = dict(reports)
        if instructions.assertions and instructions.transaction.kind is not Kind.RETRIEVE:
            symbols |= resolve_use_ids(self.session.logs, self.section, instructions.use_ids)
        self._add(*self._expectations(instructions, symbols))
        disagreement = self.system.disagreements.get((self.section.test, self.section.name, self.step.id))
        if (
            disagreement is not None
            and self.has_failed
            and not any(self._expectations(disagreement.by_the_standard(instructions), symbols))
        ):
            self.is_disagreement = True
            self.note = disagreement.told

    def _expectations(self, instructions: Instructions, symbols: Mapping[str, str]) -> Iterator[Finding]:
        return check_expectations(self.session, self.section, instructions, self.answer, self.log, symbols=symbols)

    def _report(self, instructions: Instructions) -> None:
        """The reports of a step that passed; a step that expects a fault, or an evaluation, leaves none."""
        is_evaluation = not instructions.transaction.is_sent and not self.step.expected_statuses
        if is_evaluation or "Fault" in self.step.expected_statuses:
            return
        external = {**self.session.external}
        if instructions.transaction.kind is Kind.FEED:
            external["$patientid$"] = instructions.fed_patient_id or self.session.patient_id
        self.step_log.add_reports(automatic_reports(self.step_log, external))
        try:
            self.step_log.add_reports(planned_reports(self.step_log, instructions.reports))
        except StepFailed as problem:
            self._add(Finding(check="reports", reason=sentence_of(problem)))
