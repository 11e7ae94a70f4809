"""The jobs of a record's life: opening without opposition, closing after suspension, erasing. DMP 13."""

from collections.abc import Callable

from access_policy.record_facts import RecordState
from dmp import life
from dmp.actor import SERVER
from dmp.life import Opening
from dmp.record import Channel, Consent, Record
from dmp.records import Records
from jobs.dated_work import Job, on_due_records
from storage.unit_of_work import UnitOfWork, Units

# Opens a record and makes its person known to the registry; removes all that is kept of a person.
Open = Callable[..., Record]
Remove = Callable[[str], None]
_AUTOMATIC = Opening(channel=Channel.AUTOMATIC, consent=Consent.NO_OPPOSITION, how="end of the opposition period")


def automatic_opening(dmp: Records, units: Units, open_record: Open) -> Job:
    """Open the records of those who were informed and did not oppose in time. CSP R.1111-28, DMP 1 (S12, S15)"""

    def act(patient: str, now: str) -> bool:
        units.write(lambda unit: open_record(dmp, unit, patient, _AUTOMATIC, by=SERVER, now=now))
        return True

    return on_due_records("automatic opening", units, RecordState.INFORMED, act)


def closing_after_suspension(dmp: Records, units: Units) -> Job:
    """Close the records whose suspension nobody objected to. CSP R.1111-36"""

    def act(patient: str, now: str) -> bool:
        reason = "suspended without objection"
        units.write(lambda unit: life.close(dmp, unit, patient, by=SERVER, now=now, reason=reason))
        return True

    return on_due_records("closing after suspension", units, RecordState.SUSPENDED, act)


def erasing_after_retention(dmp: Records, units: Units, remove: Remove) -> Job:
    """Erase closed records once the retention is over: documents and metadata first, then what the record holds.

    A run that is stopped between the two removes what is left, and erases, the next time. CSP L.1111-18
    """

    def erase(unit: UnitOfWork, patient: str, now: str) -> None:
        life.erase(dmp, unit, patient, by=SERVER, now=now)

    def act(patient: str, now: str) -> bool:
        remove(patient)
        units.write(lambda unit: erase(unit, patient, now))
        return True

    return on_due_records("erasing after retention", units, RecordState.CLOSED, act)
