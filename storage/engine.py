"""Opening the database: driver settings, and a refusal to start on unsafe ones.

SQLite: WAL and synchronous=FULL; NORMAL lost acknowledged rows in a third of simulated power cuts.
PostgreSQL: refuses what could lose an acknowledged row (`POSTGRESQL_SAFE`), whoever has set it: server, database, role.
"""

import os
import select
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, DatabaseError, DisconnectionError

from storage.pipelined import leave_for_sqlalchemy
from xds.failure import WrongSettings

SQLITE_PRAGMAS: Mapping[str, str] = {
    "journal_mode": "wal",
    "synchronous": "2",  # FULL
    "foreign_keys": "1",
    "busy_timeout": "10000",
    "trusted_schema": "0",
    "cell_size_check": "1",
}
_SQLITE_CACHE_KIB = 32 * 1024
# Threads beside those of requests that use the database: the sealer, jobs, senders, the dispatcher of notices …
_OF_NO_REQUEST = 8
_READ_AT_EVERY_START = 1024**3
# Setting -> values under which a commit that was acknowledged is on disk, and stays after a failed fsync.
POSTGRESQL_SAFE: Mapping[str, tuple[str, ...]] = {
    "fsync": ("on",),
    "full_page_writes": ("on",),
    "data_sync_retry": ("off",),
    "synchronous_commit": ("on", "remote_apply", "remote_write", "local"),
}
_STANDBYS = "synchronous_standby_names"
_DIVIDED, _CONNECTIONS = "carnet_divided", "carnet_connections"


class UnsafeDatabase(WrongSettings):
    """The database has a setting under which an acknowledged document could be lost."""


def open_engine(url: str, *, connections: int = 16) -> Engine:
    """An engine for `sqlite:///FILE` or `postgresql+psycopg://…`, ready and checked.

    `connections` to PostgreSQL are for those who read; as many more may be opened, since a request that reads may write
    meanwhile, and a few for what no request asks for. They stay open: a new one costs more than several requests do.

    Raises UnsafeDatabase for unsafe settings, ValueError for another kind of database.
    """
    opener = _OPENERS.get(database_kind(url))
    if opener is None or not make_url(url).database:
        raise ValueError("expected sqlite:///FILE or postgresql+psycopg://USER:PASSWORD@HOST/NAME")
    return opener(make_url(url), connections)


def connections_of(engine: Engine) -> int:
    """How many were asked for when it was opened."""
    return int(engine.get_execution_options()[_CONNECTIONS])


def database_kind(url: str) -> str:
    """`sqlite`, `postgresql` or another name; empty for what is no database URL."""
    try:
        return make_url(url).get_backend_name()
    except ArgumentError:
        return ""


def _open_sqlite(url: URL, connections: int) -> Engine:
    _keep_to_owner(Path(url.database or ""))
    engine = create_engine(
        url,
        isolation_level="AUTOCOMMIT",
        hide_parameters=True,
        pool_size=connections,
        max_overflow=-1,
        connect_args={"check_same_thread": False, "cached_statements": 512},
    )
    event.listen(engine, "connect", _set_pragmas)
    with engine.connect() as connection:
        _check_pragmas(connection)
    return engine


def _keep_to_owner(file: Path) -> None:
    """A new database is its account's alone; its logs take the mode after it. What there was stays as it is."""
    with suppress(OSError):  # where there is one, or none can be made: SQLite says so
        os.close(os.open(file, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))


def _set_pragmas(connection: Any, _record: Any) -> None:
    for name, value in SQLITE_PRAGMAS.items():
        connection.execute(f"PRAGMA {name}={value}")
    connection.execute("PRAGMA case_sensitive_like=1")
    connection.execute(f"PRAGMA cache_size=-{_SQLITE_CACHE_KIB}")


def _check_pragmas(connection: Connection) -> None:
    for name, value in SQLITE_PRAGMAS.items():
        found = str(connection.exec_driver_sql(f"PRAGMA {name}").scalar())
        if found != value:
            raise UnsafeDatabase(f"SQLite {name} is {found}, must be {value}")


def check_undamaged(engine: Engine) -> None:
    """Read the whole file of a SQLite database once before it is served, some seconds for each GB.

    A file above 1 GiB is read only after it was not closed, so that a large site starts at once after a planned
    stop; `carnet db check` reads it at any time. Raises UnsafeDatabase when something in the file does not fit.
    """
    if engine.dialect.name == "sqlite" and _is_to_be_read(Path(engine.url.database or "")):
        read_whole(engine, "quick_check")


def read_whole(engine: Engine, check: str) -> None:
    """By `quick_check` (structure) or `integrity_check` (indexes too). Raises UnsafeDatabase for a damaged file."""
    with engine.connect() as connection:
        try:
            found = connection.exec_driver_sql(f"PRAGMA {check}(1)").scalar()
        except DatabaseError:
            found = "not readable"
    if found != "ok":
        raise UnsafeDatabase(f"SQLite {check} found the database file damaged")


def _is_to_be_read(file: Path) -> bool:
    """Small, or left with a log that nobody took over: whoever closes a database last empties it."""
    log = file.with_name(f"{file.name}-wal")
    return file.stat().st_size <= _READ_AT_EVERY_START or (log.exists() and log.stat().st_size > 0)


def _open_postgresql(url: URL, connections: int) -> Engine:
    engine = create_engine(
        url.set(drivername="postgresql+psycopg"),
        pool_size=2 * connections + _OF_NO_REQUEST,
        max_overflow=0,
        pool_use_lifo=True,  # the one that was used last has the most statements prepared
        hide_parameters=True,
    )
    event.listen(engine, "checkout", _check_connection)
    leave_for_sqlalchemy(engine)
    try:
        with engine.connect() as connection:
            _check_postgresql(connection)
            engine.update_execution_options(**{_DIVIDED: _has_citus(connection), _CONNECTIONS: connections})
    except BaseException:
        engine.dispose()
        raise
    return engine


def _check_postgresql(connection: Connection) -> None:
    for name, safe in POSTGRESQL_SAFE.items():
        found = _shown(connection, name)
        if found not in safe:
            raise UnsafeDatabase(f"PostgreSQL {name} is {found}, must be {' or '.join(safe)}")
    if _shown(connection, _STANDBYS) and _shown(connection, "synchronous_commit") == "local":
        raise UnsafeDatabase(
            f"PostgreSQL synchronous_commit is local while {_STANDBYS} names a standby, must be on: a failover would "
            "lose what was acknowledged"
        )


def _has_citus(connection: Connection) -> bool:
    found = connection.exec_driver_sql("SELECT count(*) FROM pg_extension WHERE extname = 'citus'")
    return bool(found.scalar_one())


def is_divided(connection: Connection) -> bool:
    """Whether the database is spread over several machines by patient (Citus, `storage.distribution`)."""
    return bool(connection.get_execution_options().get(_DIVIDED, False))


def _shown(connection: Connection, name: str) -> str:
    return str(connection.exec_driver_sql(f"SHOW {name}").scalar())


def _check_connection(connection: Any, _record: Any, _proxy: Any) -> None:
    """Before it is used: a server that was restarted has said good-bye on its connections, unasked.

    Looking costs some microseconds, asking would cost a round trip.
    """
    if said_goodbye(connection):
        raise DisconnectionError("the connection was closed by the server")


def said_goodbye(connection: Any) -> bool:
    """Whether the server of a driver's connection that waits has closed it; an embedded database never does."""
    if not hasattr(connection, "fileno"):
        return False
    watched = select.poll()
    watched.register(connection.fileno(), select.POLLIN)
    return bool(watched.poll(0))


_OPENERS = {"sqlite": _open_sqlite, "postgresql": _open_postgresql}
