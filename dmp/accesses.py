"""What a request of a caller leaves beside its audit record: emergency accesses told, feeders and readers counted.

CSP L.1111-17 I; DMP 1 (S34 to S37, S51)
"""

from collections.abc import Iterable, Iterator

from access_policy.caller import Caller, PurposeOfUse
from access_policy.decide import enters
from access_policy.rights import Action
from dmp import notices
from dmp.actor import actor_of
from dmp.facts import professional_of, record_facts
from dmp.notices import Notice
from dmp.record import Act, HolderKind, Record
from dmp.records import Records
from dmp.sql import events, readers, records, usage
from dmp.sql.rights import holder_text
from storage.unit_of_work import UnitOfWork

PROFESSIONAL, PATIENT, INSURER = "professional", "patient", "insurer"
EMERGENCIES = (PurposeOfUse.BREAK_GLASS, PurposeOfUse.REGULATION)
_REIMBURSEMENTS = "REMB"


def note_emergency(dmp: Records, unit: UnitOfWork, record: Record, caller: Caller, *, now: str) -> bool:
    """Note an access by break-glass or regulation, and tell holder and médecin traitant; once for each assertion.

    False where it was noted before, is no such access, or showed nothing because of the holder's wishes or the state of
    the record. CSP L.1111-17 I, R.1111-48
    """
    if caller.purpose not in EMERGENCIES or not _shows(dmp, unit, record, caller, now):
        return False
    assertion = "" if caller.credentials is None else caller.credentials.assertion_id
    by = actor_of(caller)
    if assertion and assertion == events.last_assertion(unit.connection, record.key, by):
        return False
    details = {"purpose": str(caller.purpose), "assertion": assertion, "reason": caller.reason}
    dmp.note(unit, record, Act.BREAK_GLASS, by, now, details=details)
    about = {"professional": caller.name, "structure": caller.structure, "purpose": str(caller.purpose)}
    notices.send(dmp, unit, record, Notice.BREAK_GLASS, now=now, **about)
    return True


def _shows(dmp: Records, unit: UnitOfWork, record: Record, caller: Caller, now: str) -> bool:
    """Whether there is anything for this caller to see in an emergency. DMP 12.3"""
    met = record_facts(unit.connection, patient=record.patient, caller=caller, now=now, rules=dmp.rules)
    is_glass = caller.purpose is PurposeOfUse.BREAK_GLASS
    is_opposed = met.opposes_break_glass if is_glass else met.opposes_regulation
    return not is_opposed and enters(Action.SEARCH, caller, met)


def note_reading(dmp: Records, unit: UnitOfWork, patient: str, caller: Caller, *, now: str) -> None:
    """Count a reader, keep the hour, and note an access in an emergency. Nothing where the person has no record."""
    record = records.find(unit.connection, patient)
    if record is None:
        return
    note_emergency(dmp, unit, record, caller, now=now)
    usage.add_read(unit.connection, _who(caller) | {"month": now[:6], "record_key": record.key})
    readers.note(unit.connection, record.key, _readers(caller), f"{now[:10]}0000")


def _readers(caller: Caller) -> Iterator[str]:
    """The professional, and the structure that they act for."""
    for kind, name in (
        (HolderKind.PROFESSIONAL, professional_of(caller)),
        (HolderKind.STRUCTURE, "" if caller.is_patient_side else caller.structure),
    ):
        if name:
            yield holder_text(kind, name)


def note_search(dmp: Records, unit: UnitOfWork, patient: str, caller: Caller, *, now: str) -> None:
    """Note a search in an emergency."""
    record = records.find(unit.connection, patient)
    if record is not None:
        note_emergency(dmp, unit, record, caller, now=now)


def note_feeding(
    dmp: Records, unit: UnitOfWork, types: Iterable[str], caller: Caller, *, origin: str, now: str
) -> None:
    """Count documents by their type, and who fed them. `origin`: who they come from."""
    who = _who(caller)
    rows = [
        who | {"fed_key": dmp.keys.new(), "fed": now, "type_code": one, "origin": _origin(origin, one), "number": 1}
        for one in types
    ]
    if rows:
        usage.add_fed(unit.connection, rows)


def _origin(origin: str, type_code: str) -> str:
    """Reimbursement histories are counted apart. DMP 1 (S37)"""
    return INSURER if type_code == _REIMBURSEMENTS else origin


def _who(caller: Caller) -> dict[str, str | int]:
    """The actor as the counters have it: profession, speciality, sector, as the caller proved them.

    What holders deposit is of no structure, whoever carries it.
    """
    return {
        "actor": professional_of(caller),
        "structure": "" if caller.is_patient_side else caller.structure,
        "profession": caller.roles[0].code if caller.roles else "",
        "speciality": caller.roles[1].code if len(caller.roles) > 1 else "",
        "sector": caller.sector.code if caller.sector is not None else "",
    }
