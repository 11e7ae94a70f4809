"""Whom the holder of a record authorises and blocks, the médecin traitant, and what is refused or allowed. DMP 3, 13.

Each function is one act, as in `dmp.life`.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace

from dmp.actor import Actor
from dmp.national_identifiers import expected_identifier, is_identifier
from dmp.record import Act, HolderKind, Record, Right
from dmp.records import Records
from dmp.refusal import RecordRefused, Refusal
from dmp.rules import later
from dmp.sql import rights
from storage.unit_of_work import UnitOfWork

DECLARED, INSURER = "declared", "insurer"


@dataclass(frozen=True, slots=True, kw_only=True)
class Whom:
    """A professional (PS_IdNat) or a structure (Struct_IdNat), with what lists show of it."""

    id: str
    kind: HolderKind = HolderKind.PROFESSIONAL
    display: str = ""
    speciality: str = ""


def authorise(
    dmp: Records, unit: UnitOfWork, patient: str, whom: Whom, *, by: Actor, now: str, until: str = ""
) -> Record:
    """Let somebody read the record until a time, by default the usual validity. Again renews it. DMP 3 (TD0.3)"""
    _check_identifier(whom)
    record = dmp.active(unit, patient, by, now)
    held = rights.find(unit.connection, record.key, whom.kind, whom.id)
    if held is not None and held.is_block:
        raise RecordRefused(Refusal.BLOCKED, f"{patient}: found {whom.id} blocked by the holder, expected no block")
    end = until or later(now, months=dmp.rules.authorisation_months)
    if end <= now:
        context = f"found an end of {end}, expected one after {now}"
        raise RecordRefused(Refusal.AUTHORISATION_ENDED, f"authorisation: {context}")
    since = held.since if held is not None and now < held.until else now
    rights.put(unit.connection, record.key, _right(whom, since=since, until=end, last_action=now))
    return _noted(dmp, unit, record, Act.AUTHORISE, whom, by, now, until=end)


def remove_authorisation(dmp: Records, unit: UnitOfWork, patient: str, whom: Whom, *, by: Actor, now: str) -> Record:
    """Take an authorisation back, expired or not. DMP 3 (TD0.3)"""
    _check_named(whom)
    record = dmp.active(unit, patient, by, now)
    held = rights.find(unit.connection, record.key, whom.kind, whom.id)
    if held is None or held.is_block:
        raise RecordRefused(Refusal.NOT_AUTHORISED, f"{patient}: found no authorisation of {whom.id}, expected one")
    rights.remove(unit.connection, record.key, whom.kind, whom.id)
    return _noted(dmp, unit, record, Act.REMOVE_AUTHORISATION, whom, by, now)


def block(dmp: Records, unit: UnitOfWork, patient: str, whom: Whom, *, by: Actor, now: str) -> Record:
    """Let somebody see nothing, authorised or not; the médecin traitant is none any more then. DMP 1 (S47)"""
    _check_identifier(whom)
    record = dmp.active(unit, patient, by, now)
    if whom.kind is HolderKind.PROFESSIONAL and whom.id == record.treating_doctor:
        record = drop_treating_doctor(dmp, unit, patient, by=by, now=now)
    rights.put(unit.connection, record.key, _right(whom, since=now, until="", last_action=now, is_block=True))
    return _noted(dmp, unit, record, Act.BLOCK, whom, by, now)


def unblock(dmp: Records, unit: UnitOfWork, patient: str, whom: Whom, *, by: Actor, now: str) -> Record:
    """Take a block back; that authorises nobody."""
    _check_named(whom)
    record = dmp.active(unit, patient, by, now)
    held = rights.find(unit.connection, record.key, whom.kind, whom.id)
    if held is None or not held.is_block:
        raise RecordRefused(Refusal.NOT_AUTHORISED, f"{patient}: found no block of {whom.id}, expected one")
    rights.remove(unit.connection, record.key, whom.kind, whom.id)
    return _noted(dmp, unit, record, Act.UNBLOCK, whom, by, now)


def declare_treating_doctor(
    dmp: Records, unit: UnitOfWork, patient: str, whom: Whom, *, by: Actor, now: str, source: str = DECLARED
) -> Record:
    """Make a doctor the one médecin traitant; the former is none any more. `source`: declared, or the insurer's.

    DMP 1 (S74), 3 (TD0.3). Twice is no error, as with an authorisation.
    """
    _check_identifier(whom)
    record = dmp.active(unit, patient, by, now)
    held = rights.find(unit.connection, record.key, HolderKind.PROFESSIONAL, whom.id)
    if held is not None and held.is_block:
        raise RecordRefused(Refusal.BLOCKED, f"{patient}: found {whom.id} blocked by the holder, expected no block")
    since = record.treating_doctor_since if record.treating_doctor == whom.id else now
    former = "" if record.treating_doctor == whom.id else record.treating_doctor
    changes = {"treating_doctor": whom.id, "treating_doctor_from": source, "treating_doctor_since": since}
    details = {"professional": whom.id, "source": source, "former": former}
    return dmp.edit(unit, record, Act.DECLARE_TREATING_DOCTOR, by, now, **changes, details=details)


def drop_treating_doctor(dmp: Records, unit: UnitOfWork, patient: str, *, by: Actor, now: str) -> Record:
    """Have no médecin traitant any more. DMP 3 (TD0.3)"""
    record = dmp.active(unit, patient, by, now)
    if not record.treating_doctor:
        raise RecordRefused(Refusal.NOT_TREATING_DOCTOR, f"{patient}: found no médecin traitant, expected one")
    changes = {"treating_doctor": "", "treating_doctor_from": "", "treating_doctor_since": ""}
    details = {"professional": record.treating_doctor}
    return dmp.edit(unit, record, Act.DROP_TREATING_DOCTOR, by, now, **changes, details=details)


def set_wishes(
    dmp: Records, unit: UnitOfWork, patient: str, wishes: Mapping[str, bool], *, by: Actor, now: str
) -> Record:
    """Oppose break-glass or emergency regulation, allow masked documents there, consent to occupational doctors.

    `wishes` holds those that change, by the names of `dmp.record.Wishes`. CSP L.1111-17
    """
    record = dmp.active(unit, patient, by, now)
    details = {name: "yes" if value else "no" for name, value in wishes.items() if value != getattr(record, name)}
    changed = asdict(replace(record.wishes, **wishes))
    return dmp.edit(unit, record, Act.SET_WISHES, by, now, **changed, details=details)


def _check_identifier(whom: Whom) -> None:
    """Who is put on a list is somebody; who stands on one already may be taken from it. Raises RecordRefused."""
    _check_named(whom)
    if not is_identifier(whom.kind, whom.id):
        context = f"found {whom.id[:64]!r}, expected {expected_identifier(whom.kind)}"
        raise RecordRefused(Refusal.WRONG_IDENTIFIER, f"{whom.kind}: {context}")


def _check_named(whom: Whom) -> None:
    if not whom.id.strip():
        raise RecordRefused(Refusal.UNNAMED, f"{whom.kind}: found no identifier, expected a national one")


def _right(whom: Whom, *, since: str, until: str, last_action: str, is_block: bool = False) -> Right:
    return Right(
        kind=whom.kind,
        holder=whom.id,
        is_block=is_block,
        since=since,
        until=until,
        last_action=last_action,
        display=whom.display,
        speciality=whom.speciality,
    )


def _noted(
    dmp: Records, unit: UnitOfWork, record: Record, act: Act, whom: Whom, by: Actor, now: str, until: str = ""
) -> Record:
    dmp.note(unit, record, act, by, now, details={str(whom.kind): whom.id, "until": until})
    return replace(record)
