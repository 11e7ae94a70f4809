"""Patient Identity Feed [ITI-8]: patients become known and are merged. ITI TF-2: 3.8."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from access_policy.caller import Caller
from audit.objects import a_message_id
from audit.occurrence import Occurrence
from audit.record import Action, Outcome
from registry import patients
from registry.hl7v2 import (
    AcknowledgementCode,
    Finding,
    Header,
    Message,
    MessageRefused,
    Problem,
    WireIdentifier,
    error,
    read_header,
    read_message,
    rejected,
)
from registry.hl7v2_ack import write_ack
from registry.patients import Source
from registry.store import Registry
from storage.unit_of_work import StorageFailed, UnitOfWork
from xds.affinity_domain import AffinityDomain
from xds.datatypes import CX
from xds.errors import ErrorCode, RegistryError, Rejected
from xds.identifiers import is_oid

TRANSACTION = "ITI-8"
_ACTIONS = {"A08": Action.UPDATE, "A40": Action.UPDATE}
_FOREIGN = "PID-3: found no identifier of the affinity domain; nothing was to be done"
Allowed = Callable[[str, str], bool]


class Event(StrEnum):
    """Trigger events of the feed. ITI TF-2: 3.8.4.1.1, 3.8.4.2.1"""

    ADMIT = "A01"
    REGISTER = "A04"
    PRE_ADMIT = "A05"
    UPDATE = "A08"
    MERGE = "A40"


@dataclass(frozen=True, slots=True, kw_only=True)
class Feed:
    """What a message asks for: `patients` to make known, or the `subsumed` one merged into the first of them."""

    event: Event
    control_id: str
    patients: tuple[CX, ...] = ()
    subsumed: CX | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """The ACK as octets, what a log may say of it, and whether the message is to be sent again."""

    octets: bytes
    code: AcknowledgementCode
    event: str
    is_to_be_repeated: bool = False


def handle(registry: Registry, unit: UnitOfWork, feed: Feed, caller: Caller) -> None:
    """Carry out one message. Raises Rejected with every reason not to, nothing changed. ITI TF-2: 3.8.4.1.3

    A08 changes demographics, which a registry does not keep: it is acknowledged, no more, and so is a patient of
    whom every identifier is another domain's.
    """
    source = Source(transaction=TRANSACTION, caller=caller, message=feed.control_id)
    if feed.event is Event.MERGE and feed.subsumed is not None:
        patients.merge(registry, unit, subsumed=feed.subsumed, surviving=feed.patients[0], source=source)
    elif feed.event is not Event.UPDATE and feed.patients:
        patients.make_known(registry, unit, feed.patients, source)
    else:
        action = _ACTIONS.get(feed.event, Action.CREATE)
        patients.record_unchanged(registry, unit, feed.patients, source, action=action)


def hl7v2(registry: Registry, octets: bytes, caller: Caller, *, is_allowed: Allowed = lambda *_: True) -> Answer:
    """ADT -> ACK: every message gets an answer. `is_allowed` is asked for MSH-3 and MSH-4. ITI TF-2: 3.8.4.1.3"""
    header = read_header(octets)
    try:
        message = read_message(octets)
        if not is_allowed(header.sending_application, header.sending_facility):
            raise rejected(Problem.TABLE_VALUE, "MSH-3, MSH-4: found a sender that is not allowed here", "MSH^1^3")
        feed = read_feed(message, registry.domain)
        registry.units.write(lambda unit: handle(registry, unit, feed, caller))
    except MessageRefused as refused:
        return answer(registry, header, refused.code, refused.findings)
    except Rejected as refused:
        findings = [_finding(one) for one in refused.errors]
        return answer(registry, header, AcknowledgementCode.ERROR, findings)
    except StorageFailed:
        return not_stored(registry, octets)
    is_foreign = feed.event is not Event.UPDATE and not feed.patients
    return answer(registry, header, AcknowledgementCode.ACCEPT, note=_FOREIGN if is_foreign else "")


def not_stored(registry: Registry, octets: bytes) -> Answer:
    """AE for a message that would be carried out when it is sent again."""
    reason = "the registry could not store the change; send the message again"
    finding = Finding(problem=Problem.INTERNAL, reason=reason)
    answered = answer(registry, read_header(octets), AcknowledgementCode.ERROR, [finding])
    return replace(answered, is_to_be_repeated=True)


def refusal(registry: Registry, octets: bytes, answered: Answer) -> Occurrence:
    """What the audit says of a message that was answered AE or AR. ITI TF-2: 3.8.5"""
    try:
        named = _own_if_any(read_message(octets), registry.domain)
    except MessageRefused:
        named = ()
    header = read_header(octets)
    return Occurrence(
        event=TRANSACTION,
        outcome=Outcome.SERIOUS,
        description=str(answered.code),
        action=_ACTIONS.get(header.event, Action.CREATE),
        patient=named[0].key if named else "",
        patient_details=a_message_id("MSH-10", header.control_id),
    )


def answer(
    registry: Registry,
    header: Header,
    code: AcknowledgementCode,
    findings: Sequence[Finding] = (),
    *,
    note: str = "",
) -> Answer:
    octets = write_ack(header, code, findings, now=registry.now(), note=note)
    return Answer(octets=octets, code=code, event=header.event if header.event in set(Event) else "")


# Where `registry.patients` found it -> segment, sequence and field of the message.
_LOCATIONS = {"patient": "PID^1^3", "surviving patient": "PID^1^3", "subsumed patient": "MRG^1^1"}


def _finding(found: RegistryError) -> Finding:
    problem = Problem.UNKNOWN_KEY if found.code is ErrorCode.UNKNOWN_PATIENT_ID else Problem.DATA_TYPE
    return Finding(problem=problem, reason=found.context, location=_LOCATIONS.get(found.location, ""))


def read_feed(message: Message, domain: AffinityDomain) -> Feed:
    """What the message asks for. Raises MessageRefused. ITI TF-2: 3.8.4.1.2, 3.8.4.2.2"""
    header = message.header
    event = _event(header)
    if not header.control_id:
        raise error(Problem.REQUIRED_FIELD, "MSH-10: found none, expected a message control id", "MSH^1^10")
    if event is Event.UPDATE:
        return Feed(event=event, control_id=header.control_id, patients=_own_if_any(message, domain))
    if event is not Event.MERGE:
        return Feed(event=event, control_id=header.control_id, patients=_fed(message, domain))
    own = _own(message, "PID", 3, domain)
    return Feed(
        event=event,
        control_id=header.control_id,
        patients=(_single(own, "PID", 3),),
        subsumed=_single(_own(message, "MRG", 1, domain), "MRG", 1),
    )


def _event(header: Header) -> Event:
    if header.version and not header.version.startswith("2."):
        raise rejected(Problem.VERSION, f"MSH-12: found {header.version!r}, expected HL7 version 2", "MSH^1^12")
    if header.message_type != "ADT":
        raise rejected(Problem.MESSAGE_TYPE, f"MSH-9: found {header.message_type!r}, expected ADT", "MSH^1^9")
    if header.event not in set(Event):
        known = ", ".join(Event)
        raise rejected(Problem.EVENT_CODE, f"MSH-9: found event {header.event!r}, expected {known}", "MSH^1^9")
    return Event(header.event)


def _own(message: Message, segment: str, field: int, domain: AffinityDomain) -> tuple[CX, ...]:
    """The identifiers of the affinity domain, each once; those of other domains are not ours to keep.

    Where no identifier says that it is ours, those that say nothing are, if the settings name who assigned them.
    Else nothing is guessed.
    """
    given = [(one, _authority(one, domain)) for one in message.identifiers(segment, field) if one.id]
    own = [(one, oid) for one, oid in given if oid]
    unsaid = [(one, domain.default_authority) for one, oid in given if oid is None]
    if not own and domain.default_authority:
        own = unsaid
    if own:
        found = (CX.of(id=one.id, authority=oid) for one, oid in own)
        return tuple({one.key: one for one in found}.values())
    location = f"{segment}^1^{field}"
    if unsaid:
        reason = f"{segment}-{field}: found no OID of the assigning authority, and the settings name none to fill in"
        raise error(Problem.REQUIRED_FIELD, reason, location)
    expected = ", ".join(sorted(domain.assigning_authorities)) or "any OID"
    reason = f"{segment}-{field}: found no identifier of the affinity domain, expected one assigned by {expected}"
    raise error(Problem.UNKNOWN_KEY, reason, location)


def _fed(message: Message, domain: AffinityDomain) -> tuple[CX, ...]:
    """The identifiers to make known; none where each is another domain's, which is ignored. ITI TF-2: 3.8.4.1.3"""
    given = [one for one in message.identifiers("PID", 3) if one.id]
    if given and all(_authority(one, domain) == "" for one in given):
        return ()
    return _own(message, "PID", 3, domain)


def _own_if_any(message: Message, domain: AffinityDomain) -> tuple[CX, ...]:
    """Whom a message is about that changes nothing here; it is for the audit record alone."""
    try:
        return _own(message, "PID", 3, domain)
    except MessageRefused:
        return ()


def _authority(identifier: WireIdentifier, domain: AffinityDomain) -> str | None:
    """OID of the assigning authority, by its name where only that was sent; empty when foreign, None when not said."""
    if identifier.universal_id:
        is_iso = identifier.universal_id_type in ("", "ISO") and is_oid(identifier.universal_id)
        return identifier.universal_id if is_iso and domain.is_assigned_by(identifier.universal_id) else ""
    return domain.authority_names.get(identifier.namespace)


def _single(patient_ids: tuple[CX, ...], segment: str, field: int) -> CX:
    if len(patient_ids) != 1:
        reason = f"{segment}-{field}: found {len(patient_ids)} identifiers of the affinity domain, expected exactly one"
        raise error(Problem.DATA_TYPE, reason, f"{segment}^1^{field}")
    return patient_ids[0]
