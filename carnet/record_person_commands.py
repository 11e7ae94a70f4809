"""`carnet record`: who the holder is, and the web account: what TD0.5, TD1.3 and TD1.5 do for software. DMP 3."""

import json
from dataclasses import asdict, replace
from typing import Any

import click

from carnet.existing_stores import existing_units
from carnet.options import STORE, json_option, print_result, settings_options
from carnet.record_options import Attempt, record_act
from carnet.settings import Settings
from dmp import accounts, people
from dmp.account import Channel
from dmp.accounts import Credentials
from dmp.record import Act, Record
from dmp.sql import persons
from dmp.sql import records as record_rows
from dmp.td0_5_find_patient import candidates
from hl7v3.patient_search import Candidate
from hl7v3.person import UNKNOWN, Address, Person

# Option, its part of a person or address, and what it is.
_PERSON = (
    ("--birth-family", "birth_family", "Family name at birth."),
    ("--usual-family", "usual_family", "Family name in use."),
    ("--prefix", "prefix", "Civility: M, MME."),
    ("--gender", "gender", "M, F or U."),
    ("--birth-time", "birth_time", "Day of birth, YYYYMMDD."),
    ("--birth-place", "birth_place", "COG code of the place of birth."),
)
_ADDRESS = (
    ("--postal-code", "postal_code", "Postal code."),
    ("--city", "city", "City."),
    ("--country", "country", "Country."),
)
_MANY = (
    ("--given", "given", "Given name; repeated, all of them."),
    ("--telecom", "telecoms", "tel: or mailto:; repeated, all of them."),
    ("--line", "lines", "Line of the address; repeated, all of them."),
)
_ACTIONS: dict[str, Any] = {
    "create": accounts.create_account,
    "renew": accounts.renew_account,
    "add-channel": accounts.add_channel,
    "change-channel": accounts.change_channel,
    "remove-channel": accounts.remove_channel,
}


def _traits(command: Any) -> Any:
    for option, name, told in reversed((*_PERSON, *_ADDRESS)):
        command = click.option(option, name, default=None, help=told)(command)
    for option, name, told in reversed(_MANY):
        command = click.option(option, name, multiple=True, help=told)(command)
    return command


@click.command("change")
@record_act
@_traits
def change(attempt: Attempt, **given: Any) -> None:
    """Change the administrative data of the holder [TD1.3b]: what is named here; the rest stays. '' empties.

    \b
    carnet record change 258063523804186 --usual-family MARCHAL --telecom mailto:lise@example.org
    carnet record change 258063523804186 --line '3 rue des Tilleuls' --postal-code 31000 --city TOULOUSE --by holder
    """
    if not _named(given):
        raise click.UsageError("found nothing to change, expected at least one option, such as --usual-family")
    attempt.do(Act.CHANGE_PERSON, _change, "person changed", given)


def _change(dmp: Any, unit: Any, patient: str, given: dict[str, Any], **by: Any) -> Record:
    record = record_rows.find(unit.connection, patient)
    known = (persons.find(unit.connection, record.key) if record is not None else None) or UNKNOWN
    return people.change_person(dmp, unit, patient, _person(given, known), **by)


def _named(given: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in given.items() if value is not None and value != ()}


def _person(given: dict[str, Any], known: Person) -> Person:
    """The person known, changed in what is given."""
    named = _named(given)
    of_address = {name: named.pop(name) for _, name, _ in (*_ADDRESS, *_MANY[-1:]) if name in named}
    return replace(known, **named, address=replace(known.address, **of_address))


@click.command("account")
@record_act
@click.argument("action", type=click.Choice(list(_ACTIONS)))
@click.option("--type", "channel", type=click.Choice([str(one) for one in Channel]), help="How a password comes.")
@click.option("--address", help="Telephone number or mail address.")
def account(attempt: Attempt, action: str, channel: str | None, address: str | None) -> None:
    """The web account of the holder [TD1.5]: create or renew it (login and password are shown once), its channels.

    \b
    carnet record account 258063523804186 create --type SMS --address 0607080901
    carnet record account 258063523804186 renew
    carnet record account 258063523804186 add-channel --type EMAIL --address lise@example.org
    carnet record account 258063523804186 remove-channel --type SMS
    """
    given = _account_fields(action, channel, address)
    told = attempt.run(Act.CHANGE_ACCESS, _ACTIONS[action], *given)
    if isinstance(told, Credentials):
        print_result(asdict(told), f"login\t{told.login}\npassword\t{told.password}", attempt.as_json)
    else:
        print_result({"done": action}, "channels changed", attempt.as_json)


def _account_fields(action: str, channel: str | None, address: str | None) -> tuple[Any, ...]:
    """What the action takes, and neither more nor less."""
    needed = {"renew": (), "remove-channel": ("--type",)}.get(action, ("--type", "--address"))
    given = {name: value for name, value in (("--type", channel), ("--address", address)) if value is not None}
    if tuple(given) != needed:
        found, expected = (" and ".join(names) or "nothing" for names in (given, needed))
        raise click.UsageError(f"{action}: found {found}, expected {expected}")
    return tuple(Channel(value) if name == "--type" else value for name, value in given.items())


@click.command("search")
@click.argument("family")
@click.option("--given", default="", help="Given name.")
@click.option("--birth-time", default="", metavar="YYYYMMDD", help="Day of birth.")
@click.option("--gender", default="", help="M or F.")
@click.option("--city", default="", help="City.")
@click.option("--limit", type=click.IntRange(1, 500), default=20, show_default=True, help="At most so many.")
@json_option
@settings_options(*STORE)
def search(settings: Settings, family: str, given: str, limit: int, as_json: bool, **traits: str) -> None:
    """Persons with open records whose birth or usual name begins with FAMILY, the likeliest first [TD0.5].

    \b
    carnet record search MARCHAL --given Lise --birth-time 19580615
    """
    asked = Person(
        birth_family=family,
        given=(given,) if given else (),
        birth_time=traits["birth_time"],
        gender=traits["gender"],
        address=Address(city=traits["city"]),
    )
    with existing_units(settings) as units, units.read() as connection:
        found = [_shown(one) for one in candidates(connection, asked, most=limit)]
    if as_json:
        click.echo(json.dumps(found, ensure_ascii=False, indent=2))
        return
    click.echo("".join("\t".join(map(str, one.values())) + "\n" for one in found), nl=False)


def _shown(one: Candidate) -> dict[str, Any]:
    return {
        "match": one.match,
        "ins": one.ids[0].extension,
        "birthFamily": one.person.birth_family,
        "usualFamily": one.person.usual_family,
        "given": " ".join(one.person.given),
        "birthTime": one.person.birth_time,
        "gender": one.person.gender,
        "opposesRegulation": one.opposes_regulation,
    }


PERSON_COMMANDS = (change, account, search)
