"""Bringing the database to the newest schema."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine

_LOCK = 7_236_318_441  # any number; two processes that start at once must use the same


def upgrade(engine: Engine) -> str:
    """Run the migrations that are missing, all or none; returns the revision the database now has.

    Several processes may call it at once: one runs, the others wait and find nothing to do.
    """
    with engine.begin() as connection:
        if connection.dialect.name == "postgresql":
            connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_LOCK})")
            command.upgrade(_config(connection), "head")
        elif revision(connection) != newest():
            _upgrade_sqlite(connection)
        return revision(connection)


def _upgrade_sqlite(connection: Connection) -> None:
    """Under the write lock. The engine leaves transactions to who opens them."""
    connection.exec_driver_sql("BEGIN IMMEDIATE")
    try:
        command.upgrade(_config(connection), "head")
    except BaseException:
        connection.exec_driver_sql("ROLLBACK")
        raise
    connection.exec_driver_sql("COMMIT")


def revision(connection: Connection) -> str:
    """The revision the database has, empty before the first migration."""
    return MigrationContext.configure(connection).get_current_revision() or ""


def newest() -> str:
    """The revision this version of the program needs."""
    return ScriptDirectory(str(_folder())).get_current_head() or ""


def _folder() -> Path:
    return Path(__file__).parent / "migrations"


def _config(connection: Connection) -> Config:
    config = Config()
    config.set_main_option("script_location", str(_folder()))
    config.attributes["connection"] = connection
    return config
