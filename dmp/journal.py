"""The journal of accesses: what was done with a record and who read it, as its reader may see it. DMP 3.1, 13 (S52).

Holder, representatives and the médecin traitant see all of it, another professional own actions only; one year back, or
the last hundred lines of a quiet record.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from audit import outbox
from audit.dicom import read_message
from audit.outbox import Question
from audit.record import Outcome
from dmp.actor import Actor, ActorKind
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
