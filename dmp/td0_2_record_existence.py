"""Test whether a record exists and what the caller may do with it [TD0.2]; read administrative data [TD1.3a]. DMP 3."""

from collections.abc import Iterator

from lxml import etree
from sqlalchemy import Connection

from access_policy.caller import Caller
from access_policy.record_facts import RecordFacts, RecordState
from access_policy.rights import Action
from dmp.record import Record
from dmp.record_desk import RecordDesk, patient_asked_for, record_of
from dmp.refusal import RecordRefused, Refusal
from dmp.sql import accounts, persons, rights
from dmp.sql.records import identifiers
from hl7v3.person import UNKNOWN, Person
from hl7v3.record_query import (
    Attention,
    Observation,
    Reason,
    RecordFound,
    RecordQuery,
    read_record_query,
    write_record_answer,
)
from hl7v3.transmission import Detail, DetailCode, InstanceIdentifier, read_transmission
from storage.unit_of_work import StorageFailed
from xds.datatypes import CX

# The reason of a query -> the transaction it is.
TRANSACTIONS = {Reason.EXISTENCE: "TD0.2", Reason.DATA: "TD1.3a"}
_ACTIONS = {Reason.EXISTENCE: Action.TEST_EXISTENCE, Reason.DATA: Action.READ_ADMIN_DATA}
_SHOWN = (RecordState.OPEN, RecordState.SUSPENDED, RecordState.CLOSED)
_AUTHORISATIONS, _WISHES, _ACCOUNT = "1.2.250.1.213.4.1.2.6.2", "1.2.250.1.213.4.1.2.3", "1.2.250.1.213.4.1.2.9"

Found = tuple[RecordFound | None, tuple[Attention, ...]]


def soap(service: RecordDesk, body: etree._Element, caller: Caller) -> bytes:
    """`hl7:PRPA_IN201307UV02` -> `hl7:PRPA_IN201308UV02`."""
    transmission, query = read_transmission(body), read_record_query(body)
    details: tuple[Detail, ...] = (*transmission.details, *query.details)
    found: Found = (None, ())
    if not details:
        try:
            found = handle(service, query, caller)
        except RecordRefused as refused:
            details = (Detail(code=refused.code, text=refused.context),)
        except StorageFailed:
            details = (Detail(code=DetailCode.INTERNAL, text="the record could not be read; ask again"),)
    record, attention = found
    return write_record_answer(transmission, query, record, attention=attention, details=details, now=service.now())


def handle(service: RecordDesk, query: RecordQuery, caller: Caller) -> Found:
    """The record and what the caller is to it; nothing where there is none. Raises RecordRefused."""
    patient = patient_asked_for(caller, query.patient)
    reason = Reason(query.reason)
    with service.units.read() as connection:
        facts = service.facts(connection, caller, patient)
        record = record_of(connection, patient)
        if reason is Reason.DATA and (record is None or record.state not in _SHOWN):
            raise RecordRefused(Refusal.NO_RECORD, "found no record, expected one")
        service.permitted(_ACTIONS[reason], caller, facts)
        if record is None or record.state not in _SHOWN:
            return None, ()
        return _found(connection, record, whole=reason is Reason.DATA), tuple(_attention(facts))


def transaction_of(body: etree._Element) -> str:
    """Which of the two a message asks for; TD0.2 for one that does not say so."""
    reason = read_record_query(body).reason
    return TRANSACTIONS[Reason(reason)] if reason in set(Reason) else TRANSACTIONS[Reason.EXISTENCE]


def _found(connection: Connection, record: Record, *, whole: bool) -> RecordFound:
    person = persons.find(connection, record.key) or UNKNOWN
    return RecordFound(
        ids=tuple(_identifiers(connection, record)),
        is_active=record.is_open,
        person=person,
        observations=tuple(_observations(connection, record, whole=whole)),
        representatives=tuple(_representatives(connection, record)) if whole else (),
        closed=_closed(record),
    )


def _closed(record: Record) -> tuple[str, str, str] | None:
    """Since when, and why, it is open to nobody."""
    if record.is_open:
        return None
    return record.closed or record.suspended, "FERMETURE_DEMANDE_PATIENT", record.closing_reason


def _identifiers(connection: Connection, record: Record) -> Iterator[InstanceIdentifier]:
    """The present INS first, then those the person had."""
    former = [one for one, _, _ in identifiers(connection, record.key) if one != record.patient]
    for key in (record.patient, *former):
        cx = CX(key)
        yield InstanceIdentifier(cx.authority, cx.id)


def _attention(facts: RecordFacts) -> Iterator[Attention]:
    yield Attention(keyword="AUTORISATION", code=facts.authorisation, code_system=_AUTHORISATIONS)
    yield Attention(keyword="STATUT_MT", boolean=facts.is_treating_doctor)


def _observations(connection: Connection, record: Record, *, whole: bool) -> Iterator[Observation]:
    has_account = accounts.find(connection, record.key) is not None
    yield Observation(code="COMPTE_INTERNET_OUVERT", code_system=_ACCOUNT, value=has_account)
    yield Observation(code="RATTACHEMENT_ENS", code_system=_WISHES, value=record.is_attached)
    if whole:
        yield Observation(code="OPPOSITION_BRIS_DE_GLACE", code_system=_WISHES, value=record.opposes_break_glass)
        yield Observation(code="OPPOSITION_ACCES_URGENCE", code_system=_WISHES, value=record.opposes_regulation)


def _representatives(connection: Connection, record: Record) -> Iterator[Person]:
    """Legal representatives as far as they are known here: those who have a record."""
    for one in rights.representatives(connection, record.key):
        own = record_of(connection, one.patient)
        person = None if own is None else persons.find(connection, own.key)
        if person is not None:
            yield person
