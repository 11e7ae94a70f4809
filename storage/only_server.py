"""One server for a SQLite file: the lock that a second one finds taken."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import make_url

from storage.durable_folders import make_folder
from storage.engine import UnsafeDatabase, database_kind


@contextmanager
def only_server(url: str) -> Iterator[None]:
    """Hold `FILE.lock` beside the database `sqlite:///FILE`; other databases take any number of servers.

    The lock belongs to the open file, which forked workers share, and ends with the last of them, however
    they end. Raises UnsafeDatabase when another server holds it.
    """
    database = make_url(url).database if database_kind(url) == "sqlite" else None
    if not database:
        yield
        return
    file = Path(f"{database}.lock")
    make_folder(file.parent)
    descriptor = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        _lock(descriptor, database)
        yield
    finally:
        os.close(descriptor)


def _lock(descriptor: int, database: str) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise UnsafeDatabase(
            f"another server has {database} open, and a SQLite database has one: stop it, give another --data, "
            "or use PostgreSQL"
        ) from None
