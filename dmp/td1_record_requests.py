"""Create [TD1.1], reactivate [TD1.2], change [TD1.3b] and close [TD1.4] a record. DMP 3; PDT-INF-526, PDT-INF-617."""

from collections.abc import Callable

from lxml import etree

from access_policy.caller import Caller
from access_policy.capacity import PHARMACIES
from access_policy.record_facts import RecordState
from dmp import life, people, rights
from dmp.actor import actor_of
from dmp.life import Opening
from dmp.record import Act, Channel, Record, Wishes
from dmp.record_desk import RecordDesk, check_administers, check_may_change, patient_asked_for, record_of
from dmp.refusal import RecordRefused, Refusal
from dmp.sql import persons
from hl7v3.person import UNKNOWN
from hl7v3.record_request import Act as Asked
from hl7v3.record_request import RecordRequest, read_record_request, write_request_answer
from hl7v3.transmission import Detail, DetailCode, read_transmission
from storage.unit_of_work import StorageFailed, UnitOfWork
from xds.datatypes import CX

_OPENING, _REOPENING = "CONSENTEMENT_OUVERTURE_DMP", "CONSENTEMENT_REACTIVATION_DMP"
_WISHES = {"OPPOSITION_BRIS_DE_GLACE": "opposes_break_glass", "OPPOSITION_ACCES_URGENCE": "opposes_regulation"}
# What is asked for -> the transaction it is, and the act on the record.
_ACTS = {
    Asked.CREATE: ("TD1.1", Act.OPEN),
    Asked.REACTIVATE: ("TD1.2", Act.REACTIVATE),
    Asked.CHANGE: ("TD1.3b", Act.CHANGE_PERSON),
    Asked.CLOSE: ("TD1.4", Act.CLOSE),
}
_RECEPTIONS, _PRACTICES = ("SA24",), ("SA07", "SA08", "SA09", "SA52")


def soap(service: RecordDesk, body: etree._Element, caller: Caller) -> bytes:
    """`hl7:PRPA_IN201311UV02` or `201314` -> accepted (312, 315) or refused (313, 316), in the DMP's wrapper."""
    transmission, request = read_transmission(body), read_record_request(body)
    details: tuple[Detail, ...] = (*transmission.details, *request.details)
    if not details:
        try:
            handle(service, request, caller)
        except RecordRefused as refused:
            details = (Detail(code=refused.code, text=refused.context),)
        except StorageFailed:
            details = (Detail(code=DetailCode.INTERNAL, text="the record could not be changed; send it again"),)
    return write_request_answer(transmission, request, details, now=service.now())


def handle(service: RecordDesk, request: RecordRequest, caller: Caller) -> None:
    """Carry out one request. Raises RecordRefused, nothing changed."""
    if request.act is None:
        raise RecordRefused(Refusal.WRONG_FIELD, "reasonCode: found none, expected one")
    patient = patient_asked_for(caller, request.patient)
    work = _WORK[request.act]

    def change(unit: UnitOfWork) -> None:
        check_administers(caller, service.facts(unit.connection, caller, patient))
        _check_requester(request)
        record = record_of(unit.connection, patient)
        if request.act is not Asked.CREATE:
            check_may_change(service, record)
        work(service, unit, patient, request, caller)

    transaction, act = _ACTS[request.act]
    service.act(transaction, act, patient, caller, change)


def transaction_of(body: etree._Element) -> str:
    """Which transaction a message asks for; TD1.1 for one that does not say so."""
    request = read_record_request(body)
    return "TD1.1" if request.act is None else _ACTS[request.act][0]


def _check_requester(request: RecordRequest) -> None:
    """Whoever acts has names. PDT-INF-617"""
    person = request.requester.person
    if not (person.given and (person.birth_family or person.usual_family)):
        raise RecordRefused(Refusal.UNNAMED, "author: found no family or given name, expected both")


def _create(service: RecordDesk, unit: UnitOfWork, patient: str, request: RecordRequest, caller: Caller) -> Record:
    if not service.creation_by_software:
        raise RecordRefused(Refusal.RIGHTS, "found a creation by software, expected automatic opening alone")
    found = record_of(unit.connection, patient)
    if found is not None and found.state is RecordState.CLOSED:
        raise RecordRefused(Refusal.CLOSED, f"{patient}: found a closed record, expected its reactivation")
    if caller.is_secret_connection:  # EX_0.1-1100
        raise RecordRefused(Refusal.WRONG_FIELD, "confidentiality-code: found a secret connection, expected none here")
    _check_consent(request, _OPENING)
    opening = Opening(
        channel=channel_of(caller),
        how="TD1.1",
        birth_date=_birth_date(request),
        wishes=Wishes(**_wishes(request)),
    )
    opened = life.open_record(service.records, unit, patient, opening, by=actor_of(caller), now=service.now())
    service.make_known(unit, CX(opened.patient), caller)
    if request.person != UNKNOWN:
        persons.put(unit.connection, opened.key, request.person)
    return opened


def _birth_date(request: RecordRequest) -> str:
    """A day of 8 digits, empty where the message has no whole one."""
    return request.person.birth_time[:8] if len(request.person.birth_time) >= 8 else ""


def _reactivate(service: RecordDesk, unit: UnitOfWork, patient: str, request: RecordRequest, caller: Caller) -> Record:
    _check_consent(request, _REOPENING)
    return life.reactivate(service.records, unit, patient, by=actor_of(caller), now=service.now(), how="TD1.2")


def _change(service: RecordDesk, unit: UnitOfWork, patient: str, request: RecordRequest, caller: Caller) -> Record:
    """Administrative data; the oppositions are wishes of the holder."""
    dmp, by, now = service.records, actor_of(caller), service.now()
    record = people.change_person(dmp, unit, patient, request.person, by=by, now=now)
    wishes = _wishes(request)
    return rights.set_wishes(dmp, unit, patient, wishes, by=by, now=now) if wishes else record


def _close(service: RecordDesk, unit: UnitOfWork, patient: str, request: RecordRequest, caller: Caller) -> Record:
    reason = request.text or request.reason
    return life.close(service.records, unit, patient, by=actor_of(caller), now=service.now(), reason=reason)


_Work = Callable[[RecordDesk, UnitOfWork, str, RecordRequest, Caller], Record]
_WORK: dict[Asked, _Work] = {
    Asked.CREATE: _create,
    Asked.REACTIVATE: _reactivate,
    Asked.CHANGE: _change,
    Asked.CLOSE: _close,
}


def _check_consent(request: RecordRequest, code: str) -> None:
    if not request.observations.get(code, False):
        shown = "false" if code in request.observations else "none"
        raise RecordRefused(Refusal.NO_CONSENT, f"{code}: found {shown}, expected true")


def _wishes(request: RecordRequest) -> dict[str, bool]:
    """What the message says of them, by the names of `Wishes`."""
    return {name: request.observations[code] for code, name in _WISHES.items() if code in request.observations}


def channel_of(caller: Caller) -> Channel:
    """Through what a creation comes: online by the person, else by the sector of the structure; that is inferred.

    DMP 1 (S01, S02)
    """
    if caller.is_patient_side:
        return Channel.INTERNET
    sector = "" if caller.sector is None else caller.sector.code
    for channel, sectors in (
        (Channel.PHARMACY, PHARMACIES),
        (Channel.RECEPTION, _RECEPTIONS),
        (Channel.LIBERAL_PROFESSIONAL, _PRACTICES),
    ):
        if sector in sectors:
            return channel
    return Channel.ESTABLISHMENT
