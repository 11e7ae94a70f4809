"""List the records that the caller is authorised on [TD0.4]. DMP 3."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from lxml import etree
from sqlalchemy import Connection

from access_policy.caller import Caller
from access_policy.record_facts import Authorisation
from access_policy.rights import Action, Grade
from dmp.record import HolderKind, Right
from dmp.record_desk import RecordDesk
from dmp.refusal import RecordRefused, Refusal
from dmp.service_messages import OK, PATIENTS, Fields, read_fields, write_answer
from dmp.sql import directory, persons, records, rights
from hl7v3.person import UNKNOWN
from xds.datatypes import CX, DTM

TRANSACTION = "TD0.4"
_BY_AUTHORISATION, _BY_DOCUMENT = "LASTAUTORIZATION", "LASTDOC"
_FIELDS = {"startDate": (), "dateType": (_BY_AUTHORISATION, _BY_DOCUMENT), "psOwnerId": ()}
_OF_STRUCTURE = (Grade.SAME_STRUCTURE, Grade.NEW_AUTHORISATIONS, Grade.AS_STRUCTURE, Grade.FOR_STRUCTURE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What a list is asked for: `since` a DTM, empty for all; of whom, empty for the caller's own."""

    since: str = ""
    by_document: bool = False
    owner: str = ""


def soap(service: RecordDesk, body: etree._Element, caller: Caller) -> bytes:
    """`patientList` -> `patientListResponse` with one `patientlistData` for each record."""
    try:
        fields = read_fields(body, _FIELDS)
        wanted = Wanted(
            since=_start(fields.get("startDate", "")),
            by_document=fields.get("dateType") == _BY_DOCUMENT,
            owner=fields.get("psOwnerId", ""),
        )
        listed = handle(service, caller, wanted)
    except RecordRefused as refused:
        return write_answer(body, PATIENTS, refused.code, refused.context)
    return write_answer(body, PATIENTS, OK, str(len(listed)), [("patientlistData", one) for one in listed])


def handle(service: RecordDesk, caller: Caller, wanted: Wanted) -> list[Fields]:
    """Each record with what a list shows of it, once whoever it was opened to. Raises RecordRefused."""
    with service.units.read() as connection:
        grade = service.permitted(Action.LIST_AUTHORIZED, caller, service.facts(connection, caller, "")).grade
        listed: dict[str, Listed] = {}
        for kind, holder in _holders(connection, caller, grade, wanted.owner):
            for patient, right, read in rights.records_of(connection, kind, holder):
                found = _listed(service, connection, caller, patient, right, holder)
                if found is not None and found.is_since(wanted):
                    listed.setdefault(patient, replace(found, read=read))
        return [list(_fields(connection, one)) for _, one in sorted(listed.items())]


def _holders(connection: Connection, caller: Caller, grade: Grade, owner: str) -> Iterator[tuple[HolderKind, str]]:
    """Whose authorisations are listed: one's own, those of the structure, or of its professionals too.

    Raises RecordRefused for an owner whose list it is not to show. DMP 3
    """
    if grade not in _OF_STRUCTURE:
        people: tuple[str, ...] = (caller.name,)
    elif grade is Grade.SAME_STRUCTURE:
        people = directory.professionals_of(connection, caller.structure)
    else:
        people = ()
    if owner and owner not in people:
        raise RecordRefused(Refusal.RIGHTS, "psOwnerId: found somebody whose list the caller may not read")
    if grade in _OF_STRUCTURE and not owner:
        yield HolderKind.STRUCTURE, caller.structure
    yield from ((HolderKind.PROFESSIONAL, one) for one in people if owner in ("", one))


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """One record of a list. `right` None: of the médecin traitant, who needs none.

    `read`: when whoever it was opened to last read it; `added`, `changed`: documents that the caller finds. DTM, empty
    for never.
    """

    patient: str
    right: Right | None
    is_treating_doctor: bool
    added: str
    changed: str
    read: str = ""

    def is_since(self, wanted: Wanted) -> bool:
        if wanted.by_document:
            return self.added >= wanted.since if self.added else not wanted.since
        return not wanted.since or (self.right is not None and self.right.last_action >= wanted.since)


def _listed(
    service: RecordDesk, connection: Connection, caller: Caller, patient: str, right: Right | None, holder: str
) -> Listed | None:
    """None where nothing is open: the right is over, or the holder blocked the caller, by the structure too."""
    about = replace(caller, patient_id=CX(patient))
    met = service.facts(connection, about, patient)
    record = records.find(connection, patient)
    is_doctor = record is not None and record.treating_doctor == holder
    is_valid = is_doctor or (right is not None and (right.until == "" or service.now() < right.until))
    if not is_valid or met.authorisation is Authorisation.BLOCKED:
        return None
    added, changed = service.last_submitted(connection, about)
    return Listed(patient=patient, right=right, is_treating_doctor=is_doctor, added=added, changed=changed)


def _fields(connection: Connection, listed: Listed) -> Iterator[tuple[str, str]]:
    record, cx = records.find(connection, listed.patient), CX(listed.patient)
    person = (persons.find(connection, record.key) if record is not None else None) or UNKNOWN
    yield "ins", cx.id
    yield "insRoot", cx.authority
    yield "civility", person.prefix
    yield "lastName", person.usual_family or person.birth_family
    yield "birthName", person.birth_family
    yield "firstName", " ".join(person.given)
    yield "dateOfBirth", person.birth_time
    yield "MT", "true" if listed.is_treating_doctor else "false"
    yield "message", "false"
    yield "lastAccessDate", listed.read
    yield "lastUpdateDate", listed.changed
    yield "lastAddDate", listed.added
    yield "startOfAuthorization", "" if listed.right is None else listed.right.since


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
