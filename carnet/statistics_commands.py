"""`carnet stats`: the counters of the records. DMP 1 (S07 to S10, S18, S31, S34 to S37)."""

import csv
import io
import json
from collections.abc import Sequence
from dataclasses import asdict

import click
from rich.console import Console
from rich.table import Table

from carnet.clock import clock
from carnet.existing_stores import existing_units
from carnet.options import STORE, settings_options
from carnet.settings import Settings
from dmp.rules import later
from dmp.statistics import Figure, Period, figures
from storage.unit_of_work import UnitOfWork
from xds.datatypes import DTM

_COLUMNS = ("requirement", "counter", "group", "number", "share")


@click.command("stats")
@click.option("--since", default="", metavar="YYYYMMDD", help="First day; default twelve months ago.")
@click.option("--until", default="", metavar="YYYYMMDD", help="First day that is left out; default tomorrow.")
@click.option("--form", type=click.Choice(["table", "csv", "json"]), default="table", show_default=True, help="Form.")
@click.option("--json", "as_json", is_flag=True, help="The same as --form json.")
@click.option("--each", is_flag=True, help="Also for each professional and each structure.")
@settings_options(*STORE, "replica", "clock")
def stats(settings: Settings, since: str, until: str, form: str, as_json: bool, each: bool) -> None:
    """Creations, oppositions, feeders, readers and documents in a period; creations are cumulated.

    \b
    carnet stats
    carnet stats --since 20260101 --until 20270101 --form csv --each
    carnet stats --replica postgresql+psycopg://carnet@standby/carnet    # without work for the database that serves
    """
    now = clock(settings.clock)()
    period = Period(since=_day(since) or later(now, months=-12)[:8], until=_day(until) or later(now, days=1)[:8])
    if period.since >= period.until:
        raise click.UsageError(f"found --since {period.since} and --until {period.until}, expected a later --until")
    with existing_units(settings, from_replica=True) as units, units.read() as connection:
        found = figures(UnitOfWork(connection=connection), period, detailed=each)
    _FORMS["json" if as_json else form](found)


def _day(text: str) -> str:
    if text and not _is_day(text):
        raise click.UsageError(f"found {text!r}, expected a day YYYYMMDD, or a month or year")
    return text


def _is_day(text: str) -> bool:
    try:
        DTM.parse(text)
    except ValueError:
        return False
    return len(text) <= len("YYYYMMDD")


def _print_json(found: Sequence[Figure]) -> None:
    click.echo(json.dumps([asdict(one) for one in found], ensure_ascii=False, indent=2))


def _print_csv(found: Sequence[Figure]) -> None:
    lines = io.StringIO()
    writer = csv.writer(lines)
    writer.writerow(_COLUMNS)
    writer.writerows(_cells(one) for one in found)
    click.echo(lines.getvalue(), nl=False)


def _print_table(found: Sequence[Figure]) -> None:
    table = Table(*_COLUMNS)
    for one in found:
        table.add_row(*_cells(one))
    Console().print(table)


def _cells(figure: Figure) -> list[str]:
    return ["" if value is None else str(value) for value in asdict(figure).values()]


_FORMS = {"json": _print_json, "csv": _print_csv, "table": _print_table}
