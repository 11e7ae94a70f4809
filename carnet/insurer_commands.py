"""`carnet record treating-doctors` and `authorised`: what is about many records at once. DMP 1 (S74), 3 (TD0.4)."""

import csv
import json
from collections import Counter
from pathlib import Path
from typing import Any

import click

from carnet.existing_stores import existing_units
from carnet.options import STORE, authority_option, json_option, patient_id_of, print_result, settings_options
from carnet.record_options import RECORD_SETTINGS, moment
from carnet.record_wiring import open_records
from carnet.settings import Settings
from dmp import rights
from dmp.actor import Actor, ActorKind
from dmp.record import Act, HolderKind, Right
from dmp.refusal import RecordRefused
from dmp.rights import Whom
from dmp.sql import rights as rows
from storage.unit_of_work import UnitOfWork, Units

_INSURER = Actor(kind=ActorKind.INSURER, name="insurer")
_COLUMNS = ("ins", "professional", "name")
_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command("treating-doctors")
@click.argument("file", type=_FILE)
@authority_option
@json_option
@settings_options(*RECORD_SETTINGS)
def treating_doctors(settings: Settings, file: Path, authority: str, as_json: bool) -> None:
    """Take the médecins traitants that the health insurance knows: FILE is CSV with ins,professional,name.

    A line without professional says that there is none any more. Each line is done or refused alone; refused ones are
    journaled. Exit code 1: some were refused.

    \b
    carnet record treating-doctors medecins-traitants.csv
    """
    lines = _read(file, authority)
    with existing_units(settings) as units:
        now = moment(settings, "")
        told = Counter(_declare(settings, units, *line, now=now) for line in lines)
    done = told.pop("", 0)
    refused = ", ".join(f"{number} {code}" for code, number in sorted(told.items()))
    sentence = f"{done} médecins traitants" + (f", refused: {refused}" if refused else "")
    print_result({"done": done, "refused": dict(told)}, sentence, as_json)
    if told:
        raise click.exceptions.Exit(1)


def _read(file: Path, authority: str) -> list[tuple[str, str, str]]:
    """(CX key, professional, name) of every line. A file that is wrong is a usage error, nothing done."""
    try:
        with file.open(encoding="utf-8-sig", newline="") as opened:
            reader = csv.DictReader(opened)
            if tuple(reader.fieldnames or ()) != _COLUMNS:
                found = ",".join(reader.fieldnames or ()) or "nothing"
                raise click.UsageError(f"{file}: line 1: found {found}, expected {','.join(_COLUMNS)}")
            lines = list(reader)
    except UnicodeDecodeError as problem:
        raise click.UsageError(f"{file}: found octets that are no UTF-8 at {problem.start}, expected UTF-8") from None
    for number, line in enumerate(lines, 2):
        if None in line or None in line.values() or not line["ins"]:
            raise click.UsageError(f"{file}: line {number}: expected {len(_COLUMNS)} fields, the first an INS")
    return [(patient_id_of(one["ins"], authority).key, one["professional"], one["name"]) for one in lines]


def _declare(settings: Settings, units: Units, patient: str, professional: str, name: str, *, now: str) -> str:
    """The code of a refusal, empty for what was done."""
    dmp = open_records(settings)
    act = Act.DECLARE_TREATING_DOCTOR if professional else Act.DROP_TREATING_DOCTOR

    def work(unit: UnitOfWork) -> None:
        if professional:
            whom = Whom(id=professional, display=name)
            rights.declare_treating_doctor(dmp, unit, patient, whom, by=_INSURER, now=now, source=rights.INSURER)
        else:
            rights.drop_treating_doctor(dmp, unit, patient, by=_INSURER, now=now)

    try:
        units.write(work)
    except RecordRefused as refused:
        code = str(refused.code)
        units.write(lambda unit: dmp.note_refusal(unit, patient, act, code, by=_INSURER, now=now))
        return code
    return ""


@click.command("authorised")
@click.argument("professional")
@click.option("--structure", is_flag=True, help="PROFESSIONAL is a structure (Struct_IdNat).")
@click.option("--now", default="", help="Time at which authorisations are looked at; default the clock's.")
@json_option
@settings_options(*STORE, "clock")
def authorised(settings: Settings, professional: str, structure: bool, now: str, as_json: bool) -> None:
    """The open records that PROFESSIONAL was authorised on, or of which it is the médecin traitant, one a line.

    \b
    carnet record authorised 899700218896
    carnet record authorised 10B0000000 --structure --json
    """
    kind = HolderKind.STRUCTURE if structure else HolderKind.PROFESSIONAL
    with existing_units(settings) as units, units.read() as connection:
        found = rows.records_of(connection, kind, professional)
    at = moment(settings, now)
    shown = [_shown(patient, right, at) for patient, right, _ in found]
    if as_json:
        click.echo(json.dumps(shown, ensure_ascii=False, indent=2))
        return
    click.echo("".join(f"{one['patient']}\t{one['authorisation']}\t{one['until']}\n" for one in shown), nl=False)


def _shown(patient: str, right: Right | None, now: str) -> dict[str, Any]:
    """Without a right it is the record of the médecin traitant."""
    if right is None:
        return {"patient": patient, "authorisation": "VALIDE", "until": "", "lastAction": ""}
    expired = right.until != "" and right.until <= now
    state = "EXPIRE" if expired else "VALIDE"
    return {"patient": patient, "authorisation": state, "until": right.until, "lastAction": right.last_action}


INSURER_COMMANDS = (treating_doctors, authorised)
