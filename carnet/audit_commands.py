"""`carnet audit`: the audit trail read, proved and looked after. ITI TF-2: 3.20; CSP R.1111-43."""

import sys
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import click
from cryptography import x509

from access_policy.caller import Caller
from audit import chain, outbox, retention
from audit.extracts import FORMS, Kept
from audit.objects import a_log
from audit.occurrence import Occurrence, written_time
from audit.outbox import Question
from audit.record import Detail
from audit.recorder import columns_of, utc_now
from carnet.audit_keeping_commands import COMMANDS, STORE
from carnet.audit_signing import (
    Anchors,
    BadAnchor,
    is_believed,
    open_signer,
    read_anchors,
    read_certificates,
    signing_certificate,
    written_anchor,
)
from carnet.audit_wiring import ANCHORS, open_trail
from carnet.existing_stores import existing_units
from carnet.options import authority_option, json_option, patient_id_of, print_result, settings_options
from carnet.settings import Settings
from storage.unit_of_work import Units

_MICROSECOND = 10**6
_OPERATOR = Caller(name="operator")


@click.group()
def audit() -> None:
    """Who did what: the audit trail of this server.

    \b
    carnet audit verify
    carnet audit export --professional 899700218896 --from 2026-01-01 --to 2026-03-31
    carnet audit status
    """


for _command in COMMANDS:
    audit.add_command(_command)


@audit.command("verify")
@click.option("--anchors", "anchors_file", metavar="FILE", help=f"Anchors kept elsewhere; default {ANCHORS} in --data.")
@click.option(
    "--signed-by",
    multiple=True,
    metavar="FILE",
    help="Certificate whose signatures are believed, repeatable; default the one that the settings sign with.",
)
@json_option
@settings_options(*STORE)
def audit_verify(settings: Settings, anchors_file: str | None, signed_by: tuple[str, ...], as_json: bool) -> None:
    """Prove that no record was removed, inserted, moved or changed; exit code 1 names the first break.

    Records cut off at the end show by an anchor alone: keep copies of the anchors where nobody who can write to the
    database can write. Anchors and the summaries of purges are signed; give the certificate to verify that too.

    \b
    carnet audit verify --certificate server.pem
    carnet audit verify --anchors /mnt/worm/audit-anchors.jsonl --signed-by former.pem --signed-by server.pem --json
    """
    own = signing_certificate(settings)
    believed = read_certificates(tuple(map(Path, signed_by)) or (() if own is None else (own,)))
    anchors = _read_anchors(anchors_file, settings.data_folder / ANCHORS, believed)
    with existing_units(settings) as units, units.read() as connection:
        purged = retention.segments(connection)
        verified = chain.verify(
            outbox.all_links(connection),
            anchors.seals,
            columns_of=columns_of,
            segments=purged,
            is_believed=lambda one: is_believed(one, believed),
        )
        waiting = outbox.unsealed(connection)
    result: dict[str, Any] = {
        "verified": verified.last,
        "seal": verified.seal.hex(),
        "purged": sum(one.last - one.first + 1 for one in purged),
        "anchors": len(anchors.seals),
        "signed": anchors.signed,
        "unsealed": waiting,
        "broken": None if verified.broken is None else verified.broken.sequence,
        "found": None if verified.broken is None else verified.broken.found,
    }
    print_result(result, _sentence(result, knows_signer=bool(believed)), as_json)
    if verified.broken is not None:
        sys.exit(1)


def _sentence(result: dict[str, Any], *, knows_signer: bool) -> str:
    if result["broken"] is not None:
        return f"broken at sequence {result['broken']}: {result['found']}; the records before it are whole"
    not_yet = f"; {result['unsealed']} not sealed yet" if result["unsealed"] else ""
    gone = f", {result['purged']} of them purged" if result["purged"] else ""
    signed = (
        f"{result['signed']} of them signed" if knows_signer else "no certificate was given to verify signatures by"
    )
    agree = f"{result['anchors']} anchors agree, {signed}"
    return f"{result['verified']} records are whole and in their order{gone}, {agree}{not_yet}"


def _read_anchors(named: str | None, default: Path, believed: tuple[x509.Certificate, ...]) -> Anchors:
    """Those of the file that is named, or that the server keeps, which may have none yet.

    Raises UsageError for a named file that cannot be read, a line that is no anchor, or not signed by who is believed.
    """
    file = Path(named) if named else default
    if not named and not file.exists():
        return Anchors()
    try:
        return read_anchors(file.read_text(encoding="utf-8"), believed)
    except (OSError, UnicodeDecodeError) as problem:
        raise click.UsageError(f"{file} cannot be read: {problem}") from None
    except BadAnchor as problem:
        raise click.UsageError(f"{file}, {problem}") from None


@audit.command("anchor")
@settings_options(*STORE)
def audit_anchor(settings: Settings) -> None:
    """Print the end of the chain, signed, to be kept where nobody who can write to the database can write.

    \b
    carnet audit anchor --certificate server.pem >> /mnt/worm/audit-anchors.jsonl
    """
    signer = open_signer(settings)
    with existing_units(settings) as units, units.read() as connection:
        end = outbox.head(connection)
    click.echo(written_anchor(sequence=end.sequence, seal=end.seal, time=written_time(utc_now()), signer=signer))


@audit.command("status")
@json_option
@settings_options(*STORE)
def audit_status(settings: Settings, as_json: bool) -> None:
    """How many records there are, and how far each receiver is.

    \b
    carnet audit status
    carnet audit status --json
    """
    with existing_units(settings) as units:
        result = _status(units)
    lines = [f"{result['sealed']} records sealed, {result['unsealed']} to be sealed, {result['octets']} octets"]
    lines += [
        f"{one['receiver']}: has {one['confirmed']}, {one['waiting']} wait ({one['octets_waiting']} octets), "
        f"{len(one['quarantined'])} in quarantine"
        for one in result["receivers"]
    ]
    print_result(result, "\n".join(lines), as_json)


def _status(units: Units) -> dict[str, Any]:
    with units.read() as connection:
        end = outbox.head(connection)
        receivers = [
            {
                "receiver": receiver,
                "confirmed": confirmed,
                "waiting": end.sequence - confirmed,
                "octets_waiting": outbox.octets_waiting(connection, receiver),
                "quarantined": outbox.quarantined(connection, receiver),
            }
            for receiver, confirmed in outbox.receivers(connection)
        ]
        unsealed = outbox.unsealed(connection)
    return {"sealed": end.sequence, "unsealed": unsealed, "octets": end.octets, "receivers": receivers}


@audit.command("export")
@click.option("--professional", default="", metavar="ID", help="Everything this person or software did.")
@click.option("--patient", default="", metavar="INS", help="Everything done with the record of this patient.")
@authority_option
@click.option("--from", "start", metavar="DATE", help="First day or moment (UTC), such as 2026-03-01.")
@click.option("--to", "stop", metavar="DATE", help="Last day, included, or a moment (UTC), left out.")
@click.option("--format", "form", type=click.Choice(tuple(FORMS)), default="json", show_default=True)
@click.option("-o", "--output", type=click.Path(dir_okay=False, path_type=Path), help="File; default standard output.")
@settings_options(*STORE, "replica")
def audit_export(
    settings: Settings,
    professional: str,
    patient: str,
    authority: str,
    start: str | None,
    stop: str | None,
    form: str,
    output: Path | None,
) -> None:
    """Every trace of a professional, of a patient's record, or of both; the export itself is recorded first.

    \b
    carnet audit export --professional 899700218896 --from 2026-01-01 --to 2026-03-31
    carnet audit export --patient 258063523804186 --format csv -o accesses.csv
    """
    if not professional and not patient:
        raise click.UsageError("expected --professional or --patient")
    question = Question(
        caller=professional,
        patient=patient_id_of(patient, authority).key if patient else "",
        start=_moment(start, is_end=False) if start else 0,
        stop=_moment(stop, is_end=True) if stop else Question().stop,
    )
    if question.stop <= question.start:
        raise click.UsageError(f"--from {start} --to {stop}: expected an end behind the begin")
    with existing_units(settings, from_replica=True) as units:
        _record_use(settings, units, question)
        with units.read() as connection:
            count = _write(form, outbox.find(connection, question), output)
    click.echo(f"{count} records exported", err=True)


def _write(form: str, kept: Iterator[Kept], output: Path | None) -> int:
    """Records are written as they are read, so that a long period needs little memory."""
    count = 0

    def counted() -> Iterator[Kept]:
        nonlocal count
        for one in kept:
            count += 1
            yield one

    file = sys.stdout if output is None else output.open("w", encoding="utf-8", newline="")
    try:
        for text in FORMS[form](counted()):
            file.write(text)
    finally:
        if output is not None:
            file.close()
    return count


def _record_use(settings: Settings, units: Units, question: Question) -> None:
    """Audit Log Used, durable before the first record is read. DICOM PS3.15: A.5.3.2"""
    trail = open_trail(settings, units)
    if trail is None:
        return
    details = tuple(
        Detail(name, str(value).encode(errors="surrogatepass"))
        for name, value in (("professional", question.caller), ("from", question.start), ("to", question.stop))
        if value
    )
    used = Occurrence(event="log used", patient=question.patient, objects=(a_log("urn:carnet:audit:log", *details),))
    trail.keep_always([used], _OPERATOR)


def _moment(text: str, *, is_end: bool) -> int:
    """Microseconds since 1970 of a day or a moment in UTC; the end of a period given as a day includes it."""
    try:
        if len(text) == len("2026-03-01"):
            day = date.fromisoformat(text) + timedelta(days=1 if is_end else 0)
            return int(datetime.combine(day, time(), UTC).timestamp()) * _MICROSECOND
        moment = datetime.fromisoformat(text)
    except (ValueError, OverflowError):
        raise click.UsageError(f"{text}: expected a day, 2026-03-01, or a moment, 2026-03-01T12:00:00Z") from None
    return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * _MICROSECOND)
