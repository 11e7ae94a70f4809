"""What the doors tell the audit: each answered request, before its answer leaves. ITI TF-2: 3.20.4.1.1."""

import copy
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

import structlog
from lxml import etree

from access_policy.caller import Caller, Peer
from access_policy.refusals import Refused
from audit.events import RECORD_TRANSACTIONS
from audit.objects import a_document, a_query
from audit.occurrence import Occurrence
from audit.record import Detail, Outcome, ParticipantObject
from audit.recorder import NO_RECORDER, AuditTrail, Recorder
from carnet.address import network_of
from carnet.audited_answers import Ended, read_answer
from carnet.audited_requests import PatientsOf, occurrences_of
from carnet.claims import Claim
from carnet.record_wiring import Accesses
from carnet.repeats import Repeats, repeated
from fhir_facade.operation_outcome import FhirProblem
from fhir_facade.search_names import table_name
from soap.faults import HttpRefusal, SoapFault
from soap.server import Message
from storage.unit_of_work import StorageFailed
from xds.datatypes import CX, escape

# Their success is recorded in the unit of work of their change.
RECORDED_WITH_CHANGE = frozenset(
    {
        *("ITI-8", "ITI-41", "ITI-42", "ITI-44", "ITI-57", "ITI-61", "ITI-62", "ITI-86", "ITI-92"),
        *("TD0.3", "TD1.1", "TD1.2", "TD1.3b", "TD1.4", "TD1.5"),
    }
)
# About the person of the proof where they name nobody: who proves one is shown no other, and changes no other.
_OF_PROOF = frozenset(one.name for one in RECORD_TRANSACTIONS) | {
    *("ITI-18", "ITI-51", "ITI-66", "ITI-67"),
    *("ITI-65", "ITI-105", "ITI-106"),
}
_OF_DOCUMENT = ("ITI-57", "ITI-68", "read")
_QUESTIONS = ("ITI-18", "ITI-51")
_READINGS = frozenset({"ITI-18", "ITI-43", "ITI-66", "ITI-67", "ITI-68", "read"})
# Event and caller -> the rule of the policy that let the caller read; empty where nothing is judged.
RuleOf = Callable[[str, Caller], str]
_REFERENCE_PARAMETERS, _IDENTIFIERS = ("patient", "subject"), ("identifier", "sourceIdentifier")
# A reference of a search -> the patient it means; None where that is nobody whom the caller may know.
Referenced = Callable[[str], CX | None]


def _nobody(_ids: Collection[str]) -> Mapping[str, str]:
    return {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Auditor:
    """Keeps what the doors tell; without a trail the audit is off. `patients_of` names the patients of documents.

    `accesses` is told what was read by whom, where there are records of persons, and `rule_of` says what let them.
    `repeats` counts the assertions that are refused again and again.
    """

    trail: AuditTrail | None = None
    patients_of: PatientsOf = _nobody
    recorded_with_change: Collection[str] = RECORDED_WITH_CHANGE
    accesses: Accesses | None = None
    rule_of: RuleOf | None = None
    repeats: Repeats[tuple[Occurrence, Caller]] = field(default_factory=Repeats)

    @property
    def recorder(self) -> Recorder:
        return self.trail or NO_RECORDER

    def problem(self) -> str:
        """Why nothing can be served for the sake of the audit; empty when all is well."""
        spool = None if self.trail is None else self.trail.spool
        return f"audit spool full: {spool.percent} % used" if spool is not None and spool.is_full else ""

    def check(self) -> None:
        """Before a request is begun. Raises StorageFailed when nothing may be served."""
        if self.trail is not None:
            self.trail.spool.check()

    def as_sent(self, operation: str, message: Message) -> Message:
        """A question as it came, whatever reading it does to it: long values are taken out of it on the way."""
        if self.trail is None or transaction_of(operation) not in _QUESTIONS:
            return message
        return replace(message, body=copy.deepcopy(message.body))

    def answered(self, operation: str, message: Message, answer: bytes) -> None:
        """Returns when the record of the request is durable. Raises StorageFailed when it cannot be."""
        transaction = transaction_of(operation)
        follows = self.accesses is not None and message.caller.patient_id is not None
        if self.trail is None and not follows:
            return
        ended = read_answer(answer)
        if self.accesses is not None and (ended.outcome is Outcome.SUCCESS or ended.is_partial):
            self.accesses.served(transaction, message.caller)
        if self.trail is None:
            return
        if ended.outcome is Outcome.SUCCESS and transaction in self.recorded_with_change:
            return
        found = self._occurrences(transaction, message.body, ended)
        told = about_caller_where_unnamed(found, message.caller)
        self.trail.keep(self._with_rule(told, message.caller), message.caller)

    def _with_rule(self, found: Iterable[Occurrence], caller: Caller) -> list[Occurrence]:
        """On the patient of what was read: which rule of the policy decided. DMP 12.3, 13"""
        found = list(found)
        if self.rule_of is None or not any(_is_reading(one) for one in found):
            return found
        rule = self.rule_of(found[0].event, caller)
        detail = (Detail("rule", rule.encode()),) if rule else ()
        return [
            replace(one, patient_details=(*one.patient_details, *detail)) if _is_reading(one) else one for one in found
        ]

    def broken(self, operation: str, message: Message, problem: Exception) -> None:
        """A request that ends without an answer of its transaction; what happens here changes nothing of it."""
        if self.trail is None:
            return
        is_refusal = isinstance(problem, HttpRefusal | SoapFault)
        ended = Ended(outcome=Outcome.SERIOUS if is_refusal else Outcome.MAJOR, codes=(type(problem).__name__,))
        try:
            found = self._occurrences(transaction_of(operation), message.body, ended)
            self.trail.keep(about_caller_where_unnamed(found, message.caller), message.caller)
        except StorageFailed:
            structlog.get_logger().error("audit record not kept", transaction=transaction_of(operation))

    def refused(self, refused: Refused, peer: Peer, claim: Claim) -> None:
        """An assertion that is not taken: which check, and what was found, stand here alone. ITI TF-2: 3.40.4.1.3

        The same check of the same claim from the same client is on record once a minute, with how often; nobody fills
        the spool by trying. Raises StorageFailed.
        """
        structlog.get_logger().warning("caller refused", check=refused.reason.name, answer=str(refused.reason.subcode))
        refusal = Occurrence(
            event="assertion refused",
            outcome=Outcome.SERIOUS,
            description=str(refused),
            also=claim.transaction,
            claimed=(claim.user, claim.issuer),
        )
        if self.trail is None:
            return
        check = refused.reason, claim.transaction, network_of(peer.address), peer.certificate
        told = refusal, Caller(name="", peer=peer)
        if not self.repeats.is_new((*check, claim.user, claim.issuer), told, broadly=check):
            return
        try:
            self.told(*told)
        except StorageFailed:
            self.repeats.forget(told)
            raise

    def tell_repeated(self, *, everything: bool = False) -> None:
        """Refusals that were counted for a minute are on record, or all of them."""
        for (refusal, caller), more in self.repeats.due(everything=everything):
            try:
                self.told(replace(refusal, description=repeated(refusal.description, more)), caller)
            except StorageFailed:
                structlog.get_logger().error("audit record not kept", event_name=refusal.event)

    def stranger(self, peer: Peer) -> None:
        """Who asked what registry and repository ask each other, and is neither. ITI TF-2: 3.19.6.3"""
        description = "the internal door: neither the shared secret nor a listed certificate"
        try:
            refusal = Occurrence(event="node refused", outcome=Outcome.SERIOUS, description=description)
            self.told(refusal, Caller(name="", peer=peer))
        except StorageFailed:  # the refusal stands all the same
            structlog.get_logger().error("audit record not kept", event_name="node refused")

    def told(self, occurrence: Occurrence, caller: Caller) -> None:
        """Keep one occurrence. Raises StorageFailed."""
        if self.trail is not None:
            found = about_caller_where_unnamed([self._of_patient(occurrence)], caller)
            self.trail.keep(self._with_rule(found, caller), caller)

    def _of_patient(self, one: Occurrence) -> Occurrence:
        """Whose document it is, where reading it did not tell: it was refused, say."""
        if one.patient or one.event not in _OF_DOCUMENT or not one.objects:
            return one
        name = one.objects[0].id
        return replace(one, patient=self.patients_of([name]).get(name, ""))

    def _occurrences(self, transaction: str, body: etree._Element, ended: Ended) -> tuple[Occurrence, ...]:
        """No request is so broken that there is no record of it."""
        try:
            return occurrences_of(transaction, body, ended, self.patients_of)
        except StorageFailed:
            raise
        except Exception as problem:  # noqa: BLE001 - whatever it holds, that it came is recorded
            structlog.get_logger().warning("audit record without objects", problem=type(problem).__name__)
            return (Occurrence(event=transaction, outcome=ended.outcome, description=ended.description),)

    @contextmanager
    def interaction(self, occurrence: Occurrence, caller: Caller) -> Iterator["About"]:
        """A FHIR interaction: its record is durable when the block ends. Raises StorageFailed when it cannot be."""
        self.check()
        about = About(occurrence.objects)
        try:
            yield about
        except Exception as problem:
            self.told(_failed(occurrence, problem), caller)
            raise
        occurrence = replace(occurrence, patient=about.patient or occurrence.patient)
        if self.accesses is not None:
            self.accesses.served(occurrence.event, caller)
        self.told(replace(occurrence, objects=about.objects), caller)

    @contextmanager
    def change(self, occurrence: Occurrence, caller: Caller) -> Iterator[None]:
        """A FHIR interaction whose success is recorded with its change; failures are here. Raises StorageFailed."""
        self.check()
        try:
            yield
        except Exception as problem:
            self.told(_failed(occurrence, problem), caller)
            raise

    def search(
        self, transaction: str, resource: str, raw: str, parameters: list[tuple[str, str]], referenced: Referenced
    ) -> Occurrence:
        """A search, as it was asked: request line, then body. MHD 2:3.67.5.1"""
        named = [(table_name(name), value) for name, value in parameters]
        patient = next((_cx(value) for name, value in named if name == "patient.identifier"), "")
        if not patient and self.trail is not None:
            meant = (referenced(value) for name, value in named if name in _REFERENCE_PARAMETERS)
            patient = next((one.key for one in meant if one is not None), "")
        asked = a_query(transaction, resource, raw.encode(errors="surrogatepass"))
        return Occurrence(event=transaction, patient=patient, objects=(asked,))

    def whose(self, transaction: str, raw: str, parameters: list[tuple[str, str]], caller: Caller) -> Occurrence:
        """A question who a patient is: the one that is asked for, else the one that the proof names. PDQm, PIXm"""
        asked_for = (_cx(value.partition(",")[0]) for name, value in parameters if name in _IDENTIFIERS)
        own = "" if caller.patient_id is None else caller.patient_id.key
        asked = a_query(transaction, "Patient", raw.encode(errors="surrogatepass"))
        return Occurrence(event=transaction, patient=next(filter(None, asked_for), own), objects=(asked,))

    @staticmethod
    def read(event: str, entry_uuid: str) -> Occurrence:
        """One document, or what is known of it, by the entryUUID it was asked for. MHD 2:3.68.5.1"""
        return Occurrence(event=event, objects=(a_document(entry_uuid),))


@dataclass(slots=True)
class About:
    """The objects of an interaction, and its patient; what it finds out about them replaces what was asked for."""

    objects: tuple[ParticipantObject, ...]
    patient: str = ""


def about_caller_where_unnamed(found: Iterable[Occurrence], caller: Caller) -> list[Occurrence]:
    """What asks by identifiers of documents, say, is an access to the record of the proof all the same. DMP 3, 13

    So nobody keeps out of the journal of a record by naming its documents and not its patient.
    """
    known = "" if caller.patient_id is None else caller.patient_id.key
    return [replace(one, patient=known) if one.event in _OF_PROOF and not one.patient else one for one in found]


def transaction_of(operation: str) -> str:
    """`ITI-44` of `ITI-44-PRPA_IN201301UV02`."""
    return "-".join(operation.split("-")[:2])


def _is_reading(one: Occurrence) -> bool:
    return one.event in _READINGS and one.outcome is Outcome.SUCCESS and one.patient != ""


def _failed(occurrence: Occurrence, problem: Exception) -> Occurrence:
    """What nobody foresaw is on record as well, as a failure of the service."""
    if isinstance(problem, FhirProblem):
        outcome = Outcome.MAJOR if problem.status >= 500 else Outcome.SERIOUS
        return replace(occurrence, outcome=outcome, description=problem.code)
    code = "transient" if isinstance(problem, StorageFailed) else "exception"
    return replace(occurrence, outcome=Outcome.MAJOR, description=code)


def _cx(token: str) -> str:
    """`urn:oid:OID|value` as CX; what has no such system as it stands."""
    system, bar, value = token.partition("|")
    oid = system.removeprefix("urn:oid:")
    return f"{escape(value)}^^^&{oid}&ISO" if bar and oid != system else value or system
