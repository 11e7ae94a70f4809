"""What persons and their médecin traitant are told, left beside the change that causes it. DMP 1 (S14, S15, S55), 13.

`jobs.sent_notices` sends them; no document's content is in a notice, and no name. CSP R.1111-48, R.1111-53
"""

from collections.abc import Iterator
from enum import StrEnum

from dmp.record import Record
from dmp.records import Records
from dmp.rules import NoticeTarget
from dmp.sql import letters, rights
from storage.outbox import post
from storage.unit_of_work import UnitOfWork

HOLDER, REPRESENTATIVE, TREATING_DOCTOR = "holder", "representative", "treating_doctor"


class Notice(StrEnum):
    """What is told."""

    OPPOSED = "opposition recorded"
    CREATED = "record created automatically"
    DOCUMENT_ADDED = "document added"
    BREAK_GLASS = "emergency access"
    ANNOUNCEMENT_DUE = "hidden document to be announced"
    VISIBLE = "document visible from now on"


_TO_HOLDER, _TO_BOTH = (HOLDER,), (HOLDER, TREATING_DOCTOR)
_TO = {
    Notice.OPPOSED: _TO_HOLDER,
    Notice.CREATED: _TO_HOLDER,
    Notice.DOCUMENT_ADDED: _TO_HOLDER,
    Notice.BREAK_GLASS: _TO_BOTH,
    Notice.VISIBLE: _TO_HOLDER,
}
_ANNOUNCED_TO = {NoticeTarget.PATIENT: _TO_HOLDER, NoticeTarget.TREATING_DOCTOR: (TREATING_DOCTOR,)}


def send(dmp: Records, unit: UnitOfWork, record: Record, notice: Notice, *, now: str, **about: str) -> None:
    """Leave a notice for each who is told. Representatives are told in place of a minor.

    `about`: what it is about, as entryUUID, professional, structure.
    """
    for role, recipient in _recipients(dmp, unit, record, notice, now):
        told = {"notice": str(notice), "to": role, "recipient": recipient, "patient": record.patient, "recorded": now}
        key = dmp.keys.new()
        post(unit.connection, record_key=key, patient_key=record.key, record=told | about)
        letters.queue(unit.connection, key, now)


def _recipients(dmp: Records, unit: UnitOfWork, record: Record, notice: Notice, now: str) -> Iterator[tuple[str, str]]:
    to = _ANNOUNCED_TO[dmp.rules.announcement_target] if notice is Notice.ANNOUNCEMENT_DUE else _TO[notice]
    if TREATING_DOCTOR in to and record.treating_doctor:
        yield TREATING_DOCTOR, record.treating_doctor
    if HOLDER not in to:
        return
    if dmp.rules.is_minor(record.birth_date, now):
        majority = dmp.rules.majority(record.birth_date)
        for one in rights.representatives(unit.connection, record.key):
            if one.acts_at(now, majority):
                yield REPRESENTATIVE, one.patient
    else:
        yield HOLDER, record.patient
