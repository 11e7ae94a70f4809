"""What happened, and the record of it. ITI TF-2: 3.20.7; who took part as every SOAP transaction has it, with XUA."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from access_policy.caller import Caller, PurposeOfUse
from audit.events import DESTINATION, EVENTS, NODE, NOT_VERIFIED, SOURCE, Door, Event
from audit.objects import a_patient
from audit.record import Action, Coded, Detail, Outcome, Participant, ParticipantObject, Record, Source
from xds.datatypes import Code

_NAME, _ADDRESS = "1", "2"


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """This server as its records name it: node id, OID of the site, public URL, its host and process id."""

    id: str
    site: str = ""
    url: str
    host: str
    process_id: str

    @property
    def source(self) -> Source:
        return Source(id=self.id, site=self.site)


@dataclass(frozen=True, slots=True, kw_only=True)
class Occurrence:
    """One event of the table, about one patient at most. `patient` in CX form; `description` holds no patient data.

    `action` where the row leaves it to the message. `also` is a further EventTypeCode, by event name. `claimed`: user
    user and issuer of an assertion that was refused.
    """

    event: str
    outcome: Outcome = Outcome.SUCCESS
    description: str = ""
    action: Action | None = None
    patient: str = ""
    patient_details: tuple[Detail, ...] = ()
    objects: tuple[ParticipantObject, ...] = ()
    also: str = ""
    claimed: tuple[str, str] = ("", "")


def record_of(occurrence: Occurrence, caller: Caller, node: Node, now: datetime) -> Record:
    """The record, by the table. `now` is when the outcome was decided."""
    event = EVENTS[occurrence.event]
    details = (*occurrence.patient_details, *_broken_glass(caller))
    patient = (a_patient(occurrence.patient, *details),) if occurrence.patient else ()
    also = (EVENTS[occurrence.also].type_code,) if occurrence.also else ()
    return Record(
        event_id=event.event_id,
        action=occurrence.action or event.action,
        time=written_time(now),
        outcome=occurrence.outcome,
        type_codes=(event.type_code, *also),
        description=occurrence.description,
        purposes=tuple(_coded(one) for one in caller.purposes),
        participants=(*_participants(event, caller, node), *_not_verified(*occurrence.claimed)),
        source=node.source,
        objects=(*patient, *occurrence.objects),
    )


def _broken_glass(caller: Caller) -> Iterator[Detail]:
    """That the holder authorised nobody, and why it was done; PurposeOfUse says it in code. DMP 6.5"""
    if caller.purpose is PurposeOfUse.BREAK_GLASS:
        yield Detail(str(caller.purpose), caller.reason.encode(errors="surrogatepass"))


def written_time(moment: datetime) -> str:
    """UTC, with milliseconds."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03}Z"


def _participants(event: Event, caller: Caller, node: Node) -> list[Participant]:
    """The source first. What the server does by itself has the server alone, and who told it to."""
    theirs = SOURCE if event.ours is DESTINATION else DESTINATION
    if not event.is_transaction:
        operator = [Participant(user_id=caller.name, is_requestor=True)] if caller.name else []
        return [_of_node(node), *_peer(caller, (NODE,)), *operator, *_human(caller)]
    ends = [_client(caller, theirs), _service(event, node)]
    return [*(ends if event.ours is DESTINATION else reversed(ends)), *_human(caller)]


def _of_node(node: Node) -> Participant:
    return Participant(
        user_id=node.url or node.id,
        alternative_user_id=node.process_id,
        is_requestor=False,
        network=node.host,
        network_type=_NAME,
    )


def _service(event: Event, node: Node) -> Participant:
    address = event.door if event.door is Door.FEED else f"{node.url}{event.door}"
    return replace(_of_node(node), user_id=str(address), roles=(event.ours,))


def _client(caller: Caller, role: Coded) -> Participant:
    """The software that asks: named by its certificate, by its address where it proved none."""
    peer = caller.peer
    proved_by_itself = "" if caller.credentials is not None or caller.is_open else caller.name
    return Participant(
        user_id=peer.certificate or proved_by_itself or peer.address or caller.name,
        is_requestor=True,
        roles=(role,),
        network=peer.address,
        network_type=_ADDRESS if peer.address else "",
    )


def _peer(caller: Caller, roles: tuple[Coded, ...]) -> list[Participant]:
    peer = caller.peer
    if not peer.address and not peer.certificate:
        return []
    return [replace(_client(caller, NODE), user_id=peer.certificate or peer.address, roles=roles)]


def _human(caller: Caller) -> list[Participant]:
    """The subject of the assertion, marked where an open server took it at its word. ITI TF-2: 3.40.4.2

    AlternativeUserID, which XUA leaves free, is the ID of the assertion: AuditEvent has it as `agent.policy`.
    """
    if caller.credentials is None:
        return []
    mark = () if caller.credentials.signer else (NOT_VERIFIED,)
    return [
        Participant(
            user_id=caller.name,
            alternative_user_id=caller.credentials.assertion_id,
            user_name=f"{caller.credentials.alias}<{caller.name}@{caller.credentials.issuer}>",
            is_requestor=True,
            roles=(*mark, *(_coded(one) for one in caller.roles)),
        )
    ]


def _not_verified(user: str, issuer: str) -> list[Participant]:
    """The subject of an assertion that was refused, marked as such."""
    if not user:
        return []
    return [Participant(user_id=user, user_name=f"<{user}@{issuer}>", is_requestor=True, roles=(NOT_VERIFIED,))]


def _coded(code: Code) -> Coded:
    return Coded(code.code, code.coding_scheme or "", code.display_name or code.code)
