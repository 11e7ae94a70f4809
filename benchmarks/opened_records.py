"""The records of the patients of a data set, open and with the doctor of the measurements authorised to read."""

from collections.abc import Sequence
from functools import partial

from benchmarks.documents import Documents
from benchmarks.plan import Plan, Sizes
from benchmarks.progress import Progress
from benchmarks.submissions import SubmissionMaker
from carnet.clock import clock
from carnet.record_opening import open_known
from carnet.record_wiring import open_records
from carnet.registry_wiring import open_registry
from carnet.settings import Settings
from dmp import rights
from dmp.actor import OPERATOR
from dmp.life import Opening
from dmp.record import Channel
from dmp.rights import Whom
from dmp.sql import records
from storage.unit_of_work import UnitOfWork
from tests import sts

_AT_ONCE = 500


def open_for_the_doctor(sizes: Sizes, settings: Settings, *, fed: int = 0) -> None:
    """Of every patient whom requests are about; what is open already is left as it is.

    `fed`: of so many patients that documents are submitted for, where they are more than those of `SubmissionMaker`.
    """
    registry, dmp, now = open_registry(settings), open_records(settings), clock(settings.clock)()
    opening, doctor = Opening(channel=Channel.RECEPTION, how="measurement"), Whom(id=sts.DOCTOR.identifier)
    patients = _patients(sizes, fed)

    def work(unit: UnitOfWork, some: Sequence[str]) -> None:
        for patient in some:
            if records.find(unit.connection, patient) is None:
                open_known(registry, dmp, unit, patient, opening, by=OPERATOR, now=now)
                rights.authorise(dmp, unit, patient, doctor, by=OPERATOR, now=now)

    try:
        with Progress("opening records", len(patients)) as progress:
            for start in range(0, len(patients), _AT_ONCE):
                registry.units.write(partial(work, some=patients[start : start + _AT_ONCE]))
                progress.at(min(start + _AT_ONCE, len(patients)))
    finally:
        registry.units.close()


def _patients(sizes: Sizes, fed: int) -> list[str]:
    """Keys of those who are asked for, and of those whom documents are submitted for."""
    plan = Plan(sizes)
    documents = Documents(plan)
    numbers = (*plan.queried, *SubmissionMaker(plan, documents).patients, *plan.others[:fed])
    return [documents.patient(number).ins.key for number in dict.fromkeys(numbers)]
