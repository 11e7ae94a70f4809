"""`carnet subscriptions`: who is told what, dead letters, and another try."""

from typing import Any

import click

from carnet.existing_stores import existing_units
from carnet.options import json_option, print_result, settings_options
from carnet.settings import Settings
from subscriptions import sql
from subscriptions.sql import Notification, Told
from subscriptions.subscription import Subscription

_SHOWN = 1000


@click.group("subscriptions")
def subscriptions() -> None:
    """Subscriptions to documents (DSUB, DSUBm), and what could not be told. Beside a running server or without one.

    \b
    carnet subscriptions list
    carnet subscriptions dead --json
    carnet subscriptions retry
    """


@subscriptions.command("list")
@settings_options("data", "database")
@json_option
def list_all(settings: Settings, as_json: bool) -> None:
    """Every subscription: its target, how it stands, and how many notifications wait, were sent, withheld, or are dead.

    \b
    carnet subscriptions list --data ./carnet-data
    """
    with existing_units(settings) as units, units.read() as connection:
        found, counts = sql.of_subscriber(connection, ""), sql.counts(connection)
    rows = [_row(one, counts) for one in found]
    lines = [_line(row) for row in rows] or ["no subscriptions"]
    print_result({"subscriptions": rows}, "\n".join(lines), as_json)


def _row(one: Subscription, counts: dict[tuple[str, str], int]) -> dict[str, Any]:
    """Neither who nor about whom: for that there is the audit."""
    told = {str(state): counts.get((one.id, str(state)), 0) for state in Told}
    return {
        "id": one.id,
        "channel": str(one.channel),
        "target": one.target,
        "state": str(one.state),
        "ends": one.ends,
    } | told


def _line(row: dict[str, Any]) -> str:
    told = ", ".join(f"{row[str(state)]} {state}" for state in Told)
    return f"{row['id']}  {row['channel']}  {row['state']}  until {row['ends']}  {row['target']}  {told}"


@subscriptions.command("dead")
@settings_options("data", "database")
@json_option
def dead(settings: Settings, as_json: bool) -> None:
    """Notifications that were given up, the oldest first, and what their targets did. Exit code 1 when there are any.

    \b
    carnet subscriptions dead
    """
    with existing_units(settings) as units, units.read() as connection:
        found = sql.in_state(connection, Told.DEAD, limit=_SHOWN)
    lines = [_dead_line(one) for one in found] or ["no dead letters"]
    rows = [{name: str(getattr(one, name)) for name in Notification.__slots__} for one in found]
    print_result({"dead": rows}, "\n".join(lines), as_json)
    if found:
        raise click.exceptions.Exit(1)


def _dead_line(one: Notification) -> str:
    place = f"{one.notification_key}  {one.subscription}"
    return f"{place}  {one.event} of {one.recorded}  {one.attempts} attempts: {one.problem}"


@subscriptions.command("retry")
@click.argument("keys", nargs=-1, type=int)
@settings_options("data", "database")
@json_option
def retry(settings: Settings, keys: tuple[int, ...], as_json: bool) -> None:
    """Put dead letters back in line, those with these KEYS or all of them; a running server sends them at once.

    \b
    carnet subscriptions retry
    carnet subscriptions retry 911328346112263213
    """
    with existing_units(settings) as units:
        number = units.write(lambda unit: sql.revive(unit.connection, keys or None))
    print_result({"retried": number}, f"{number} put back in line", as_json)
