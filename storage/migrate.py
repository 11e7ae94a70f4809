"""Bringing the database to the newest schema. Alembic is imported where there is something to bring."""

import re
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection, Engine, inspect, text

from storage.online_indexes import build_missing
from xds.failure import WrongSettings

if TYPE_CHECKING:
    from alembic.config import Config

_LOCK = 7_236_318_441  # any number that no other lock has; two processes that start at once must use the same
_REVISION = re.compile(r'^revision = "(\w+)"$', re.MULTILINE)


class NewerDatabase(WrongSettings):
    """The schema of the database is one that this version of the program does not know."""


def upgrade(engine: Engine) -> str:
    """Run the migrations that are missing, all or none; returns the revision the database now has.

    Indexes over large tables are built after that, while others write (`storage.online_indexes`).
    Several processes may call it at once: one runs, the others wait and find nothing to do. Raises NewerDatabase.
    """
    with engine.begin() as connection:
        found = revision(connection)
        if found and found not in _revisions():
            raise NewerDatabase(
                f"the database is at revision {found}, this version of carnet knows those up to {newest()}: "
                "start the version that made it, or a newer one"
            )
        if found != newest():
            _UPGRADES[connection.dialect.name](connection)
        reached = revision(connection)
    build_missing(engine)
    return reached


def _upgrade_postgresql(connection: Connection) -> None:
    connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_LOCK})")
    _run_missing(connection)


def _upgrade_sqlite(connection: Connection) -> None:
    """Under the write lock. The engine leaves transactions to who opens them."""
    connection.exec_driver_sql("BEGIN IMMEDIATE")
    try:
        _run_missing(connection)
    except BaseException:
        connection.exec_driver_sql("ROLLBACK")
        raise
    connection.exec_driver_sql("COMMIT")


_UPGRADES = {"postgresql": _upgrade_postgresql, "sqlite": _upgrade_sqlite}


def _run_missing(connection: Connection) -> None:
    from alembic import command

    command.upgrade(_config(connection), "head")


def revision(connection: Connection) -> str:
    """The revision the database has, empty before the first migration."""
    if not inspect(connection).has_table("alembic_version"):
        return ""
    return connection.execute(text("SELECT version_num FROM alembic_version")).scalar() or ""


def newest() -> str:
    """The revision this version of the program needs: that of the last file, which follows on all others."""
    return _revisions()[-1]


def _revisions() -> list[str]:
    files = sorted((_folder() / "versions").glob("[0-9]*.py"))
    return [found for file in files for found in _REVISION.findall(file.read_text(encoding="utf-8"))]


def _folder() -> Path:
    return Path(__file__).parent / "migrations"


def _config(connection: Connection) -> "Config":
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(_folder()))
    config.attributes["connection"] = connection
    return config
