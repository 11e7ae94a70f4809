"""Opening a record where the registry is: its person is made known there in the same unit of work."""

from access_policy.caller import Caller
from dmp import life
from dmp.actor import Actor
from dmp.life import Opening
from dmp.record import Record
from dmp.records import Records
from registry import patients
from registry.patients import Source
from registry.store import Registry
from storage.unit_of_work import UnitOfWork
from xds.datatypes import CX


def open_known(
    registry: Registry, dmp: Records, unit: UnitOfWork, patient: str, opening: Opening, *, by: Actor, now: str
) -> Record:
    """`dmp.life.open_record` for a person whom the registry may not know yet; documents can be fed at once.

    Raises RecordRefused, and Rejected for an identifier that was merged into another.
    """
    opened = life.open_record(dmp, unit, patient, opening, by=by, now=now)
    source = Source(transaction="carnet patient", caller=Caller(name=by.name or str(by.kind)))
    present = patient if CX(patient).key == opened.patient else opened.patient  # it may be named by a former one
    patients.make_known(registry, unit, [CX.parse(present)], source)
    return opened
