"""What the holder decides about single documents, as acts on the record. DMP 3 (TD3.3), CSP R.1111-49.

The metadata are written by the registry; here the act is checked against the record and journaled.
"""

from dmp.actor import Actor
from dmp.record import Act, Record
from dmp.records import Records
from storage.unit_of_work import UnitOfWork


def note_document(
    dmp: Records, unit: UnitOfWork, patient: str, document: str, *, act: Act, by: Actor, now: str
) -> Record:
    """An act on one document, on an active record. Raises RecordRefused."""
    record = dmp.active(unit, patient, by, now)
    dmp.note(unit, record, act, by, now, details={"document": document})
    return record
