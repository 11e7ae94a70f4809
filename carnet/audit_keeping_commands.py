"""`carnet audit purge|hold|release|holds`: how long the audit trail is kept. CSP R.1112-7; DMP 12."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time
from typing import Any

import click
from sqlalchemy import Connection

from access_policy.caller import Caller
from audit import retention
from audit.objects import a_log
from audit.occurrence import Occurrence, written_time
from audit.record import Detail
from audit.recorder import utc_now
from audit.retention import Hold, Run
from carnet.audit_signing import open_signer
from carnet.audit_wiring import open_trail
from carnet.existing_stores import existing_units
from carnet.options import authority_option, json_option, patient_id_of, print_result, settings_options
from carnet.record_wiring import has_records
from carnet.settings import Settings
from dmp.sql import records
from storage.unit_of_work import UnitOfWork, Units

STORE = (
    *("data", "database", "domain", "security", "audit", "audit_source", "audit_site", "certificate", "key"),
    *("audit_signing_certificate", "audit_signing_key", "audit_retention_years"),
)
_OPERATOR = Caller(name="operator")
_MICROSECOND = 10**6
_professional = click.option("--professional", default="", metavar="ID", help="Records of this person or software.")
_patient = click.option("--patient", default="", metavar="INS", help="Records about this patient.")


@click.command("purge")
@click.option("--before", metavar="DAY", help="Records older than this day go; default the end of the retention time.")
@click.option("--yes", is_flag=True, help="Do it; without it the command only tells what would go.")
@json_option
@settings_options(*STORE)
def audit_purge(settings: Settings, before: str | None, yes: bool, as_json: bool) -> None:
    """Remove records past their retention time; `carnet audit verify` still proves all that is left.

    A summary, signed by the server's key, stays in the place of each run of records. What a hold covers stays, in the
    domain dmp what concerns a record that is open or not closed for as long, and what a receiver has not got. Each
    purge is itself on record.

    \b
    carnet audit purge --certificate server.pem
    carnet audit purge --certificate server.pem --before 2006-01-01 --yes
    """
    day = _day(settings, before)
    with existing_units(settings) as units:
        found = _purged(settings, units, day) if yes else _would_go(settings, units, day)
    result = {"before": day.isoformat(), "records": found, "done": yes}
    told = "purged" if yes else "would go; --yes removes them"
    print_result(result, f"{found} records of before {day.isoformat()} {told}", as_json)


def _day(settings: Settings, given: str | None) -> date:
    """Raises UsageError for a day within the retention time."""
    last = _years_ago(settings, datetime.now(UTC).date())
    if given is None:
        return last
    try:
        day = date.fromisoformat(given)
    except ValueError:
        raise click.UsageError(f"{given}: expected a day, 2006-01-01") from None
    if day > last:
        kept = f"records are kept for {settings.audit_retention_years} years (audit_retention_years)"
        raise click.UsageError(f"--before {given}: {kept}, expected {last} or before")
    return day


def _years_ago(settings: Settings, day: date) -> date:
    year = day.year - settings.audit_retention_years
    return day.replace(year=year, day=min(day.day, 28))


def _would_go(settings: Settings, units: Units, day: date) -> int:
    with units.read() as connection:
        return sum(one.last - one.first + 1 for one in _runs(settings, connection, day, after=0))


def _runs(settings: Settings, connection: Connection, day: date, *, after: int) -> "list[Run]":
    before = int(datetime.combine(day, time(), UTC).timestamp()) * _MICROSECOND
    is_needed = _Needed(connection, f"{day:%Y%m%d}").of if has_records(settings) else lambda _patient: False
    return list(retention.purgeable(connection, before, is_needed, after=after))


@dataclass(slots=True)
class _Needed:
    """Patients whose record is open, or was closed after a day (YYYYMMDD)."""

    connection: Connection
    day: str
    _known: dict[str, bool] = field(default_factory=dict)

    def of(self, patient: str) -> bool:
        if patient not in self._known:
            record = records.find(self.connection, patient) if patient else None
            self._known[patient] = record is not None and (not record.closed or record.closed[:8] >= self.day)
        return self._known[patient]


def _purged(settings: Settings, units: Units, day: date) -> int:
    """Run by run, each in a unit of work with the record of it."""
    trail, signer, count = open_trail(settings, units), open_signer(settings), 0
    with units.read() as connection:
        runs = _runs(settings, connection, day, after=0)
    for run in runs:
        count += run.last - run.first + 1

        def work(unit: UnitOfWork, run: Run = run) -> None:
            retention.purge(unit.connection, run, time=written_time(utc_now()), signer=signer)
            if trail is not None:
                trail.record(unit, [_told(run)], _OPERATOR)

        units.write(work)
    return count


def _told(run: Run) -> Occurrence:
    details = (("first", run.first), ("last", run.last), ("seal of the last", run.seal.hex()))
    log = a_log("urn:carnet:audit:log", *(Detail(name, str(value).encode()) for name, value in details))
    return Occurrence(event="configuration", description="audit purge", objects=(log,))


@click.command("hold")
@_professional
@_patient
@authority_option
@click.option("--reason", required=True, help="Why, such as the number of the case.")
@settings_options(*STORE)
def audit_hold(settings: Settings, professional: str, patient: str, authority: str, reason: str) -> None:
    """Keep records whatever their age: of a professional, about a patient, or of the one about the other.

    \b
    carnet audit hold --patient 258063523804186 --reason "case 2026/117"
    carnet audit hold --professional 899700218896 --reason "case 2026/118"
    """
    hold = replace(_about(professional, patient, authority), reason=reason, since=written_time(utc_now()))
    is_new = _changed(settings, hold, "legal hold", lambda connection: retention.hold(connection, hold))
    click.echo("held" if is_new else "held already, nothing changed")


@click.command("release")
@_professional
@_patient
@authority_option
@settings_options(*STORE)
def audit_release(settings: Settings, professional: str, patient: str, authority: str) -> None:
    """End a hold, given as it was made.

    \b
    carnet audit release --patient 258063523804186
    """
    hold = _about(professional, patient, authority)

    def release(connection: Connection) -> bool:
        return retention.release(connection, caller=hold.caller, patient=hold.patient)

    if not _changed(settings, hold, "legal hold released", release):
        raise click.ClickException("found no such hold; carnet audit holds lists them")
    click.echo("released")


@click.command("holds")
@json_option
@settings_options(*STORE)
def audit_holds(settings: Settings, as_json: bool) -> None:
    """What is kept whatever its age, and why.

    \b
    carnet audit holds --json
    """
    with existing_units(settings) as units, units.read() as connection:
        found = retention.holds(connection)
    rows: list[dict[str, Any]] = [
        {"professional": one.caller, "patient": one.patient, "reason": one.reason, "since": one.since} for one in found
    ]
    lines = [f"{one.since}  {one.caller or 'anybody'} about {one.patient or 'anybody'}: {one.reason}" for one in found]
    print_result({"holds": rows}, "\n".join(lines) or "no hold", as_json)


def _about(professional: str, patient: str, authority: str) -> Hold:
    if not professional and not patient:
        raise click.UsageError("expected --professional or --patient")
    return Hold(caller=professional, patient=patient_id_of(patient, authority).key if patient else "")


def _changed(settings: Settings, hold: Hold, what: str, change: Callable[[Connection], bool]) -> bool:
    """Make the change in a unit of work with its record; False where there was nothing to change."""
    details = (("professional", hold.caller), ("reason", hold.reason))
    log = a_log("urn:carnet:audit:log", *(Detail(name, value.encode()) for name, value in details if value))
    told = Occurrence(event="configuration", description=what, patient=hold.patient, objects=(log,))
    with existing_units(settings) as units:
        trail = open_trail(settings, units)

        def work(unit: UnitOfWork) -> bool:
            is_changed = change(unit.connection)
            if is_changed and trail is not None:
                trail.record(unit, [told], _OPERATOR)
            return is_changed

        return units.write(work)


COMMANDS = (audit_purge, audit_hold, audit_release, audit_holds)
