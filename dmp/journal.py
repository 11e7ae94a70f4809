"""The journal of accesses: what was done with a record and who read it, as its reader may see it. DMP 3.1, 13 (S52).

Holder, representatives and the médecin traitant see all of it, another professional own actions only; one year back, or
the last hundred lines of a quiet record.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from sqlalchemy import Connection

from access_policy.caller import Caller, Standing
from access_policy.decide import enters
from access_policy.rights import Action
from audit import outbox
from audit.dicom import read_message
from audit.outbox import Extract, Question
from audit.record import Outcome
from dmp.actor import Actor, ActorKind
from dmp.facts import professional_of, record_facts
from dmp.record import Event, Record
from dmp.rules import Rules, later
from dmp.sql import events, records
from storage.unit_of_work import UnitOfWork

_SEES_ALL = (ActorKind.HOLDER, ActorKind.REPRESENTATIVE, ActorKind.OPERATOR, ActorKind.SERVER)
_EMERGENCIES = ("bris_de_glace", "centre_15")


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line: when (DTM, UTC), who, in what quality, what, and what it was about.

    `emergency` is the purpose of an access by break-glass or regulation; `refusal` why it was not done.
    """

    recorded: str
    actor: str
    kind: str
    structure: str
    action: str
    emergency: str = ""
    refusal: str = ""
    about: str = ""


def journal(unit: UnitOfWork, record: Record, *, reader: Actor, rules: Rules, now: str) -> tuple[Line, ...]:
    """The lines that this reader may see, newest first."""
    newest_first = list(_lines(unit, record))[::-1]  # of one second too
    found = sorted(newest_first, key=lambda one: one.recorded, reverse=True)
    seen = [one for one in found if _may_see(record, reader, one)]
    since = later(now, days=-rules.journal_days)
    recent = [one for one in seen if one.recorded >= since]
    return tuple(recent if len(recent) >= rules.journal_lines else seen[: rules.journal_lines])


def _may_see(record: Record, reader: Actor, line: Line) -> bool:
    if reader.kind in _SEES_ALL:
        return True
    is_doctor = reader.kind is ActorKind.PROFESSIONAL and reader.name != "" and reader.name == record.treating_doctor
    return is_doctor or (reader.name != "" and reader.name == line.actor)


def log_seen_by(
    connection: Connection, caller: Caller, patient: str, *, rules: Rules, now: str
) -> tuple[Extract, str] | None:
    """Which audit records of a person a caller may read, and the DTM they go back to; None for none.

    Those of the journal: holder, representatives and the médecin traitant all of it, another professional whom the
    record is open to own actions alone. A structure stands for nobody here.
    """
    record = records.find(connection, patient)
    if record is None:
        return None
    known = tuple(dict.fromkeys(one for one, _, _ in records.identifiers(connection, record.key)))
    all_of_it = Extract(patients=known, lines=rules.journal_lines)
    since = later(now, days=-rules.journal_days)
    if caller.is_open:
        return all_of_it, since
    if caller.patient_id is None or caller.patient_id.key not in known:
        return None
    met = record_facts(connection, patient=patient, caller=caller, now=now, rules=rules)
    if caller.standing is not Standing.PROFESSIONAL:
        is_holder = caller.standing is Standing.PATIENT and caller.name in known
        return (all_of_it, since) if is_holder or met.is_representative else None
    if not enters(Action.SEARCH, caller, met):
        return None
    if met.is_treating_doctor:
        return all_of_it, since
    own = professional_of(caller)
    return (replace(all_of_it, caller=own), since) if own else None


def _lines(unit: UnitOfWork, record: Record) -> Iterator[Line]:
    yield from (_of_event(one) for one in events.all_of(unit.connection, record.key))
    for patient, _, _ in records.identifiers(unit.connection, record.key):
        yield from _of_audit(outbox.find(unit.connection, Question(patient=patient)))


def _of_event(event: Event) -> Line:
    about = " ".join(value for name, value in sorted(event.details.items()) if name not in ("assertion", "purpose"))
    return Line(
        recorded=event.recorded,
        actor=event.actor,
        kind=str(event.actor_kind),
        structure=event.structure,
        action=str(event.act),
        emergency=event.details.get("purpose", ""),
        refusal=event.refusal,
        about=about,
    )


def _of_audit(kept: Iterable[tuple[int | None, bytes]]) -> Iterator[Line]:
    """Who came through a door: the person of the assertion where there is one, else the software."""
    for _, message in kept:
        found = read_message(message)
        requestors = [one for one in found.participants if one.is_requestor]
        who = next((one for one in requestors if one.user_name), requestors[0] if requestors else None)
        yield Line(
            recorded="".join(digit for digit in found.time[:19] if digit.isdigit()),
            actor="" if who is None else who.user_id,
            kind="professional" if who is not None and who.user_name else "software",
            structure="",
            action=found.type_codes[0].code if found.type_codes else "",
            emergency=next((one.code for one in found.purposes if one.code in _EMERGENCIES), ""),
            refusal="" if found.outcome is Outcome.SUCCESS else found.description or "failed",
            about=" ".join(one.id for one in found.objects if not one.is_patient and one.query is None),
        )
