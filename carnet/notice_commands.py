"""`carnet notices`: what persons and their médecin traitant are told, how far it got, and trying again."""

import json
from dataclasses import asdict

import click

from carnet.existing_stores import existing_units
from carnet.options import STORE, json_option, print_result, settings_options
from carnet.record_options import moment
from carnet.settings import Settings
from dmp.sql import letters
from dmp.sql.letters import Delivery

_STATES = [str(one) for one in Delivery]


@click.group()
def notices() -> None:
    """Notices to persons and their médecin traitant: waiting, sent, or dead."""


@notices.command("list")
@click.option("--state", type=click.Choice(_STATES), default=str(Delivery.DEAD), show_default=True, help="Which.")
@click.option("--limit", type=click.IntRange(1), default=1000, show_default=True, help="At most so many.")
@json_option
@settings_options(*STORE, "clock")
def notices_list(settings: Settings, state: str, limit: int, as_json: bool) -> None:
    """Show notices, those that nobody took by default, with the reason. Recipients are not shown but to --json.

    \b
    carnet notices list
    carnet notices list --state waiting --json
    """
    with existing_units(settings) as units, units.read() as connection:
        found = letters.in_state(connection, Delivery(state), limit=limit)
    if as_json:
        click.echo(json.dumps([asdict(one) for one in found], ensure_ascii=False, indent=2))
        return
    lines = ((str(one.key), one.recorded, one.notice, one.to, str(one.attempts), one.reason) for one in found)
    click.echo("".join("\t".join(line) + "\n" for line in lines), nl=False)


@notices.command("retry")
@click.argument("keys", nargs=-1, type=int)
@json_option
@settings_options(*STORE, "clock")
def notices_retry(settings: Settings, keys: tuple[int, ...], as_json: bool) -> None:
    """Try dead notices again, those with these KEYS or all; they leave with the next run of the jobs.

    \b
    carnet notices retry
    carnet notices retry 7318349394477056 && carnet jobs run
    """
    now = moment(settings, "")
    with existing_units(settings) as units:
        revived = units.write(lambda unit: letters.revive(unit.connection, now, keys))
    print_result({"revived": revived}, f"{revived} notices wait again", as_json)
