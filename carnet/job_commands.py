"""`carnet jobs`: dated work on the records, once and now. DMP 13."""

import json
from dataclasses import asdict

import click

from carnet.dated_work import jobs_of, run_all
from carnet.existing_actors import existing_actors
from carnet.options import json_option, settings_options
from carnet.record_options import RECORD_SETTINGS, moment
from carnet.settings import Settings


@click.group()
def jobs() -> None:
    """Dated work on records and subscriptions, which a server does by itself."""


@jobs.command("run")
@click.option("--now", default="", help="Time to take for now, YYYYMMDDhhmmss or ISO 8601; default the clock's.")
@json_option
@settings_options(*RECORD_SETTINGS, "notification_days")
def jobs_run(settings: Settings, now: str, as_json: bool) -> None:
    """Do what is due: open, close and erase records, remind of hidden documents and open them, purge notifications.

    Harmless when repeated: what is done is done. Exit code 1: something was left for another run.

    \b
    carnet jobs run
    carnet jobs run --now 20270101000000 --data /srv/carnet
    """
    with existing_actors(settings) as actors:
        ran = run_all(jobs_of(actors), actors.units, moment(settings, now))
    if as_json:
        click.echo(json.dumps([asdict(one) for one in ran], ensure_ascii=False, indent=2))
    else:
        left = {one.job: f", {len(one.left)} left: {', '.join(sorted(set(one.left)))}" for one in ran if one.left}
        click.echo("".join(f"{one.job}\t{one.done}{left.get(one.job, '')}\n" for one in ran), nl=False)
    if any(one.left for one in ran):
        raise click.exceptions.Exit(1)
