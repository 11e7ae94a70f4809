"""List whom the holder of a record authorised or blocked [TD1.6]. DMP 3."""

from collections.abc import Iterator

from lxml import etree

from access_policy.caller import Caller
from access_policy.rights import Action
from dmp.record import HolderKind, Record, Right
from dmp.record_desk import RecordDesk, patient_of_assertion, record_of
from dmp.refusal import RecordRefused, Refusal
from dmp.service_messages import HABILITATIONS, OK, Fields, read_fields, required, write_answer
from dmp.sql import rights

TRANSACTION = "TD1.6"
_ACTIVE, _BLOCKED, _ALL = "ACTIVE", "INTERDITE", "TOUTE"
_FIELDS = {"mode": (_ACTIVE, _BLOCKED, _ALL)}


def soap(service: RecordDesk, body: etree._Element, caller: Caller) -> bytes:
    """`listAuthorizationByPatient` -> a `listOfAuthorizationByPatient` for each professional or structure."""
    try:
        listed = handle(service, required(read_fields(body, _FIELDS), "mode"), caller)
    except RecordRefused as refused:
        return write_answer(body, HABILITATIONS, refused.code, refused.context)
    fields = [("listOfAuthorizationByPatient", one) for one in listed]
    return write_answer(body, HABILITATIONS, OK, str(len(listed)), fields)


def handle(service: RecordDesk, mode: str, caller: Caller) -> list[Fields]:
    """The rights that stand, or the blocks, or both. Raises RecordRefused."""
    patient = patient_of_assertion(caller)
    with service.units.read() as connection:
        service.permitted(Action.LIST_PROFESSIONALS, caller, service.facts(connection, caller, patient))
        record = record_of(connection, patient)
        if record is None:
            raise RecordRefused(Refusal.NO_RECORD, "found no record, expected one")
        now = service.now()
        held = [
            one for one in rights.all_of(connection, record.key) if one.is_block or not one.until or now < one.until
        ]
        return [list(_fields(record, one)) for one in held if mode == _ALL or one.is_block is (mode == _BLOCKED)]


def _fields(record: Record, right: Right) -> Iterator[tuple[str, str]]:
    family, _, given = right.display.partition(" ")
    yield "nationalId", right.holder
    yield "nationalIdType", "PS" if right.kind is HolderKind.PROFESSIONAL else "ES"
    yield "lastName", family
    yield "firstName", given
    yield "codeSpeciality", right.speciality
    yield "startOfAuthorization", right.since
    yield "lastActionDate", right.last_action
    yield "mode", _BLOCKED if right.is_block else _ACTIVE
    if right.kind is HolderKind.PROFESSIONAL and right.holder == record.treating_doctor:
        yield "specificRight", "MEDECIN_TRAITANT"
