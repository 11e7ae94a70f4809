"""`carnet db`: the schema of the database, and what is rendered in it."""

import click
from rich.console import Console
from sqlalchemy import Engine

from carnet.existing_stores import check_database_is_there, existing_registry
from carnet.options import settings_options
from carnet.registry_wiring import open_database, open_units
from carnet.settings import Settings
from registry.rerendering import render_everything
from storage import migrate
from storage.engine import open_engine, read_whole


@click.group()
def db() -> None:
    """The database."""


@db.command("upgrade")
@settings_options("data", "database")
def db_upgrade(settings: Settings) -> None:
    """Bring the database to the schema this version needs; harmless when it has it.

    \b
    carnet db upgrade --database postgresql+psycopg://carnet@localhost/carnet
    """
    open_units(settings).close()
    engine = open_engine(settings.database_url)
    with engine.connect() as connection:
        click.echo(f"database at revision {migrate.revision(connection)}")
    engine.dispose()


@db.command("check")
@settings_options("data", "database")
def db_check(settings: Settings) -> None:
    """Read every page and index of the database, beside a running server; minutes for each 10 GB. PostgreSQL checks
    its own pages when they are read, where it was made with checksums: this says whether.

    \b
    carnet db check --data ./carnet-data
    """
    check_database_is_there(settings)
    engine = open_database(settings)
    try:
        with Console(stderr=True).status("reading the database"):
            click.echo(_checked(engine))
    finally:
        engine.dispose()


def _checked(engine: Engine) -> str:
    if engine.dialect.name == "sqlite":
        read_whole(engine, "integrity_check")
        return "no damage found"
    with engine.connect() as connection:
        checksums = connection.exec_driver_sql("SHOW data_checksums").scalar()
    return f"PostgreSQL checks pages as they are read: data_checksums is {checksums}"


@db.command("rerender")
@settings_options("data", "database", "domain", "codes")
def db_rerender(settings: Settings) -> None:
    """Render every stored object anew, beside a running server: after an upgrade that renders more than before.

    \b
    carnet db rerender --data ./carnet-data
    """
    done, console = 0, Console(stderr=True)
    with existing_registry(settings) as registry, console.status("rendering") as shown:
        for number in render_everything(registry):
            done += number
            shown.update(f"{done} objects rendered")
    click.echo(f"{done} objects rendered")
