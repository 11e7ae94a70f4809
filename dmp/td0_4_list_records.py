"""List the records that the caller is authorised on [TD0.4]. DMP 3."""

from collections.abc import Iterator

from lxml import etree
from sqlalchemy import Connection

from access_policy.caller import Caller
from access_policy.record_facts import Authorisation
from access_policy.rights import Action, Grade
from dmp.record import HolderKind, Right
from dmp.record_desk import RecordDesk
from dmp.refusal import RecordRefused, Refusal
from dmp.service_messages import OK, PATIENTS, Fields, read_fields, write_answer
from dmp.sql import persons, records, rights
from hl7v3.person import UNKNOWN
from xds.datatypes import CX, DTM

TRANSACTION = "TD0.4"
_BY_AUTHORISATION, _BY_DOCUMENT = "LASTAUTORIZATION", "LASTDOC"
_FIELDS = {"startDate": (), "dateType": (_BY_AUTHORISATION, _BY_DOCUMENT), "psOwnerId": ()}
_OF_STRUCTURE = (Grade.SAME_STRUCTURE, Grade.NEW_AUTHORISATIONS, Grade.AS_STRUCTURE, Grade.FOR_STRUCTURE)


def soap(service: RecordDesk, body: etree._Element, caller: Caller) -> bytes:
    """`patientList` -> `patientListResponse` with one `patientlistData` for each record."""
    try:
        fields = read_fields(body, _FIELDS)
        listed = handle(service, caller, start=_start(fields.get("startDate", "")))
    except RecordRefused as refused:
        return write_answer(body, PATIENTS, refused.code, refused.context)
    return write_answer(body, PATIENTS, OK, str(len(listed)), [("patientlistData", one) for one in listed])


def handle(service: RecordDesk, caller: Caller, *, start: str = "") -> list[Fields]:
    """Each record with what a list shows of it; those authorised since `start` alone. Raises RecordRefused."""
    with service.units.read() as connection:
        grade = service.permitted(Action.LIST_AUTHORIZED, caller, service.facts(connection, caller, "")).grade
        kind, holder = HolderKind.PROFESSIONAL, caller.name
        if grade in _OF_STRUCTURE:
            kind, holder = HolderKind.STRUCTURE, caller.structure
        found = rights.records_of(connection, kind, holder)
        shown = [
            (patient, right)
            for patient, right in found
            if _may_read(service, connection, caller, patient, right)
            and (not start or (right is not None and right.last_action >= start))
        ]
        return [list(_fields(connection, patient, right, holder)) for patient, right in shown]


def _may_read(service: RecordDesk, connection: Connection, caller: Caller, patient: str, right: Right | None) -> bool:
    """The médecin traitant needs no authorisation; whom the holder blocked, by the structure too, has none."""
    met = service.facts(connection, caller, patient)
    is_valid = met.is_treating_doctor or (right is not None and (right.until == "" or service.now() < right.until))
    return is_valid and met.authorisation is not Authorisation.BLOCKED


def _fields(connection: Connection, patient: str, right: Right | None, holder: str) -> Iterator[tuple[str, str]]:
    record, cx = records.find(connection, patient), CX(patient)
    person = (persons.find(connection, record.key) if record is not None else None) or UNKNOWN
    yield "ins", cx.id
    yield "insRoot", cx.authority
    yield "civility", person.prefix
    yield "lastName", person.usual_family or person.birth_family
    yield "birthName", person.birth_family
    yield "firstName", " ".join(person.given)
    yield "dateOfBirth", person.birth_time
    yield "MT", "true" if record is not None and record.treating_doctor == holder else "false"
    yield "message", "false"
    yield "lastUpdateDate", "" if right is None else right.last_action
    yield "startOfAuthorization", "" if right is None else right.since


def _start(text: str) -> str:
    """A time of 14 digits, or its beginning; 8 digits of day, month, year are met too. DMP 3"""
    if not text:
        return ""
    for one in (text, f"{text[4:]}{text[2:4]}{text[:2]}" if len(text) == 8 else text):
        if _is_time(one):
            return one.ljust(14, "0")
    raise RecordRefused(Refusal.WRONG_DATE, f"startDate: found {text[:20]!r}, expected yyyyMMddHHmmss")


def _is_time(text: str) -> bool:
    try:
        return DTM.parse(text) is not None and text[:2] in ("19", "20")
    except ValueError:
        return False
