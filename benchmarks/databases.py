"""The databases measured: SQLite always, PostgreSQL where its binaries are, each with the data set in it."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import create_engine, text

from benchmarks import process_times
from benchmarks.machine import machine
from benchmarks.servers import free_port
from carnet.reports import CONTENT_TYPE
from carnet.settings import Settings, load
from tests import postgresql

SQLITE, POSTGRESQL = "SQLite", "PostgreSQL"
# What docs/scaling.md tells an administrator to set, its memory apart; everything that protects data stays as it is.
_POSTGRESQL_SETTINGS = {"max_wal_size": "4GB", "max_connections": "250"}

# Without it ITI-105 and ITI-106 give a SubmissionSet the class of its document, which the domain dmp does not take.
DERIVED = {"derived_content_type": f"{CONTENT_TYPE.code}^^{CONTENT_TYPE.coding_scheme}"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Database:
    """A database to measure on: settings of its server, and the process of the database itself (0: none)."""

    name: str
    version: str
    settings: Settings
    process: int = 0


def available() -> tuple[str, ...]:
    """Names of the databases that can be measured on this machine."""
    return (SQLITE,) if postgresql.binaries() is None else (SQLITE, POSTGRESQL)


@contextmanager
def opened(name: str, folder: Path, *, threads: int, workers: int) -> Iterator[Database]:
    """The database of this name under a folder; what was loaded there before is found again."""
    if name == SQLITE:
        settings = _settings(folder / "sqlite", "", threads=threads, workers=1)
        yield Database(name=name, version=sqlite3.sqlite_version, settings=settings)
        return
    given = {"shared_buffers": f"{_buffers()}MB", **_POSTGRESQL_SETTINGS}
    with postgresql.running(keep_in=folder / "postgresql", settings=given) as url:
        settings = _settings(folder / "postgresql-documents", url, threads=threads, workers=workers)
        version, process = _facts(url)
        yield Database(name=name, version=version, settings=settings, process=process)


def _settings(data: Path, database: str, *, threads: int, workers: int) -> Settings:
    given = {"data": str(data), "database": database, "security": "open", "port": free_port()}
    given |= {"mllp": f"127.0.0.1:{free_port()}", **DERIVED}
    return load({**given, "threads": threads, "workers": workers})


def _buffers() -> int:
    """MB of memory for pages of the database: a quarter of the machine's, 512 where that is not known."""
    return int(machine().get("memory_MB", 2048)) // 4


def _facts(url: str) -> tuple[str, int]:
    """Version of the server and id of its first process."""
    engine = create_engine(url)
    with engine.connect() as connection:
        version = connection.execute(text("SHOW server_version")).scalar_one()
        backend = connection.execute(text("SELECT pg_backend_pid()")).scalar_one()
        process = process_times.parent_of(backend) if process_times.is_known() else 0
    engine.dispose()
    return str(version).split()[0], process
