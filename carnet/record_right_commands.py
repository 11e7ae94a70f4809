"""`carnet record`: what the holder of a record decides, and the record as it stands. DMP 13."""

import json
from dataclasses import asdict
from typing import Any

import click

from carnet.record_options import Attempt, record_act, to_json
from dmp import life, people, rights
from dmp.record import Act, HolderKind, Representative, Right
from dmp.refusal import RecordRefused, Refusal
from dmp.rights import Whom
from dmp.sql import accounts, persons
from dmp.sql import records as record_rows
from dmp.sql import rights as right_rows

_professional = click.argument("professional")
_structure = click.option("--structure", is_flag=True, help="PROFESSIONAL is a structure (Struct_IdNat).")
_name = click.option("--name", default="", help="Name that lists show.")
_speciality = click.option("--speciality", default="", help="Profession and speciality, as G15_10/SM26.")


def _whom(professional: str, structure: bool, name: str = "", speciality: str = "") -> Whom:
    kind = HolderKind.STRUCTURE if structure else HolderKind.PROFESSIONAL
    return Whom(id=professional, kind=kind, display=name, speciality=speciality)


@click.command("authorise")
@record_act
@_professional
@_structure
@_name
@_speciality
@click.option("--until", default="", help="End, YYYYMMDDhhmmss; default the usual validity.")
@click.option("--remove", is_flag=True, help="Take the authorisation back.")
def authorise(attempt: Attempt, professional: str, structure: bool, until: str, remove: bool, **shown: str) -> None:
    """Let PROFESSIONAL (PS_IdNat) read the record.

    \b
    carnet record authorise 258063523804186 899700218896
    carnet record authorise 258063523804186 10B0000000 --structure --until 20270101000000
    carnet record authorise 258063523804186 899700218896 --remove
    """
    whom = _whom(professional, structure, **shown)
    if remove:
        attempt.do(Act.REMOVE_AUTHORISATION, rights.remove_authorisation, "authorisation removed", whom)
        return
    end = attempt.moment(until)
    attempt.do(Act.AUTHORISE, rights.authorise, "authorised", whom, until=end)


@click.command("block")
@record_act
@_professional
@_structure
@_name
@_speciality
def block(attempt: Attempt, professional: str, structure: bool, **shown: str) -> None:
    """Let PROFESSIONAL see nothing, authorised or not.

    \b
    carnet record block 258063523804186 899700218896 --by holder
    """
    whom = _whom(professional, structure, **shown)
    attempt.do(Act.BLOCK, rights.block, "blocked", whom)


@click.command("unblock")
@record_act
@_professional
@_structure
def unblock(attempt: Attempt, professional: str, structure: bool) -> None:
    """Take a block back; that authorises nobody.

    \b
    carnet record unblock 258063523804186 899700218896 --by holder
    """
    whom = _whom(professional, structure)
    attempt.do(Act.UNBLOCK, rights.unblock, "no longer blocked", whom)


@click.command("treating-doctor")
@record_act
@click.argument("professional", required=False, default="")
@_name
@click.option("--drop", is_flag=True, help="Have none any more.")
def treating_doctor(attempt: Attempt, professional: str, name: str, drop: bool) -> None:
    """Make PROFESSIONAL the médecin traitant, in place of the one before.

    \b
    carnet record treating-doctor 258063523804186 899700218896
    carnet record treating-doctor 258063523804186 899700218896 --by insurer
    carnet record treating-doctor 258063523804186 --drop
    """
    if drop:
        attempt.do(Act.DROP_TREATING_DOCTOR, rights.drop_treating_doctor, "no médecin traitant")
        return
    source = rights.INSURER if attempt.by.kind == "insurer" else rights.DECLARED
    whom = _whom(professional, structure=False, name=name)
    attempt.do(
        Act.DECLARE_TREATING_DOCTOR, rights.declare_treating_doctor, "médecin traitant declared", whom, source=source
    )


@click.command("oppose")
@record_act
@click.option("--break-glass", is_flag=True, help="Against break-glass, on an open record.")
@click.option("--regulation", is_flag=True, help="Against access of an emergency regulator, on an open record.")
@click.option("--withdraw", is_flag=True, help="Take the opposition back.")
@click.option("--how", default="", help="By which means the person said so.")
def oppose(attempt: Attempt, break_glass: bool, regulation: bool, withdraw: bool, how: str) -> None:
    """Refuse a record before it is opened; or, with an option, what may happen to an open one.

    \b
    carnet record oppose 258063523804186 --by holder
    carnet record oppose 258063523804186 --by holder --withdraw
    carnet record oppose 258063523804186 --break-glass --regulation
    """
    if break_glass or regulation:
        named = {"opposes_break_glass": break_glass, "opposes_regulation": regulation}
        change = {name: not withdraw for name, value in named.items() if value}
        attempt.do(Act.SET_WISHES, rights.set_wishes, "opposition " + ("withdrawn" if withdraw else "noted"), change)
    elif withdraw:
        attempt.do(Act.WITHDRAW_OPPOSITION, life.withdraw_opposition, "opposition withdrawn")
    else:
        attempt.do(Act.OPPOSE, life.oppose, "opposition noted", how=how)


@click.command("allow")
@record_act
@click.option("--masked-in-emergency", is_flag=True, help="Masked documents may be read in an emergency.")
@click.option("--occupational-doctor", is_flag=True, help="An occupational doctor may read.")
@click.option("--withdraw", is_flag=True, help="Allow it no longer.")
def allow(attempt: Attempt, masked_in_emergency: bool, occupational_doctor: bool, withdraw: bool) -> None:
    """Allow what the law leaves to the holder.

    \b
    carnet record allow 258063523804186 --masked-in-emergency --by holder
    carnet record allow 258063523804186 --occupational-doctor --withdraw
    """
    named = {"masked_in_emergency": masked_in_emergency, "occupational_consent": occupational_doctor}
    if not any(named.values()):
        raise click.UsageError("expected --masked-in-emergency or --occupational-doctor")
    change = {name: not withdraw for name, value in named.items() if value}
    attempt.do(Act.SET_WISHES, rights.set_wishes, "no longer allowed" if withdraw else "allowed", change)


@click.command("represent")
@record_act
@click.argument("representative")
@click.option("--relation", default="", help="Relation to the holder, as MTH or FTH.")
@click.option("--remove", is_flag=True, help="REPRESENTATIVE acts no longer.")
def represent(attempt: Attempt, representative: str, relation: str, remove: bool) -> None:
    """Name REPRESENTATIVE (an INS) who acts for the holder; for a minor until majority.

    \b
    carnet record represent 212067511010115 258063523804186 --relation MTH
    """
    key = attempt.key_of(representative)
    if remove:
        attempt.do(Act.REMOVE_REPRESENTATIVE, people.remove_representative, "representative removed", key)
    else:
        named = Representative(patient=key, relation=relation)
        attempt.do(Act.ADD_REPRESENTATIVE, people.add_representative, "representative named", named)


@click.command("show")
@record_act
def show(attempt: Attempt) -> None:
    """The record as it stands, with its lists. Exit code 1: there is none.

    \b
    carnet record show 258063523804186
    carnet record show 258063523804186 --json
    """
    with attempt.registry.units.read() as connection:
        found = record_rows.find(connection, attempt.patient)
        if found is None:
            raise RecordRefused(Refusal.NO_RECORD, f"{attempt.patient}: found no record, expected one")
        listed = right_rows.all_of(connection, found.key)
        representatives = right_rows.representatives(connection, found.key)
        person = persons.find(connection, found.key)
        channels = accounts.channels(connection, found.key)
        known_as = [patient for patient, _, until in record_rows.identifiers(connection, found.key) if until]
    majority = attempt.dmp.rules.majority(found.birth_date)
    shown: dict[str, Any] = to_json(found) | {
        "rights": [_right(one, attempt.now) for one in listed],
        "representatives": [
            {"patient": one.patient, "relation": one.relation, "until": one.end(majority)} for one in representatives
        ],
        "formerIdentifiers": known_as,
        "person": None if person is None else asdict(person),
        "accountChannels": channels,
    }
    click.echo(json.dumps(shown, ensure_ascii=False, indent=2) if attempt.as_json else _text(shown))


def _right(right: Right, now: str) -> dict[str, str]:
    expired = right.until != "" and right.until <= now
    state = "INTERDIT" if right.is_block else "EXPIRE" if expired else "VALIDE"
    return {
        "holder": right.holder,
        "kind": str(right.kind),
        "authorisation": state,
        "since": right.since,
        "until": right.until,
        "lastAction": right.last_action,
        "name": right.display,
        "speciality": right.speciality,
    }


def _text(shown: dict[str, Any]) -> str:
    lines = [
        f"{name}\t{value}"
        for name, value in shown.items()
        if not isinstance(value, list | dict) and value not in (False, None)
    ]
    lines += [f"{name}\t{_plain(value)}" for name, value in (shown["person"] or {}).items() if _plain(value)]
    lines += [f"account {kind}\t{address}" for kind, address in shown["accountChannels"].items()]
    lines += [f"{one['authorisation']}\t{one['kind']} {one['holder']}\t{one['until']}" for one in shown["rights"]]
    lines += [f"representative\t{one['patient']}\t{one['until']}" for one in shown["representatives"]]
    lines += [f"former identifier\t{one}" for one in shown["formerIdentifiers"]]
    return "\n".join(lines)


def _plain(value: Any) -> str:
    """A part of a person on one line."""
    if isinstance(value, dict):
        return ", ".join(filter(None, map(_plain, value.values())))
    return value if isinstance(value, str) else " ".join(value)


RIGHT_COMMANDS = (authorise, block, unblock, treating_doctor, oppose, allow, represent, show)
