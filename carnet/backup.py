"""Backup and restore of database and documents together, while the server runs.

The database is copied first, in one consistent state; then every document that this state refers to. What
is submitted meanwhile belongs to the next backup; what is removed meanwhile is noted and removed again
when the backup is restored.
"""

import json
import os
import shutil
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TypeVar

from sqlalchemy import Connection, func, inspect, make_url, select

from carnet.clock import true_time
from carnet.document_stores import open_documents
from carnet.existing_stores import check_database_is_there, existing_units
from carnet.registry_wiring import open_units
from carnet.roles import Role
from carnet.settings import Settings
from carnet.wiring import settle_awaited
from repository import index
from repository.consistency import documents
from repository.filesystem_store import FilesystemStore, path_of
from repository.moving import Moved, move
from storage import migrate
from storage.durable_folders import make_folder, sync_folder
from storage.engine import open_engine
from storage.sqlite_units import SqliteUnits
from storage.unit_of_work import UnitOfWork, Units

T = TypeVar("T")
OnProgress = Callable[[int], None]
MANIFEST, SQLITE_COPY, POSTGRESQL_DUMP, DOCUMENTS = "carnet-backup.json", "carnet.sqlite", "carnet.pgdump", "documents"
_FORMAT = 1


class BackupRefused(Exception):
    """A backup or restore that is not begun, or did not come to its end; the text is one sentence."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Backup:
    """What a backup holds. `removed`: documents removed while it was made; `missing`: damaged ones, not in it."""

    created: str
    database: str
    revision: str
    documents: int
    octets: int
    removed: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _OneState:
    """One committed state as `Units`, for reading only."""

    connection: Connection

    def read(self) -> AbstractContextManager[Connection]:
        return nullcontext(self.connection)

    def look(self) -> AbstractContextManager[Connection]:
        return self.read()

    def write(self, work: Callable[[UnitOfWork], T]) -> T:
        raise NotImplementedError("a backup changes nothing")

    def append(self, insertion: Callable[[UnitOfWork], T]) -> T:
        raise NotImplementedError("a backup changes nothing")

    def turn(self, name: str) -> AbstractContextManager[bool]:
        """Nothing is to be done in turns."""
        return nullcontext(False)

    def is_accepting(self) -> bool:
        """A backup writes nothing to the database it reads."""
        return False

    def close(self) -> None:
        """The connection is closed by who opened it."""


def back_up(settings: Settings, folder: Path, *, link: bool = False, on_progress: OnProgress) -> Backup:
    """Write a backup into an empty folder; without its manifest it is none.

    Raises BackupRefused, SettingsError where there is no database, OSError.
    """
    check_database_is_there(settings)
    if folder.exists() and any(folder.iterdir()):
        raise BackupRefused(f"{folder} is not empty: expected an empty or a new folder")
    make_folder(folder)
    if Role.REGISTRY not in settings.played:
        _settle(settings)
    store, target = open_documents(settings), FilesystemStore(folder / DOCUMENTS)
    copied = _copied_sqlite if settings.uses_sqlite else _copied_postgresql
    with copied(settings, folder) as state:
        with state.read() as connection:
            revision = migrate.revision(connection)
            held, octets = index.count(connection)
        if link:
            _link(state, store, target)
        moved = move(state, store, target, on_progress=on_progress)
        _leave_out(state, target, moved.failed)
    removed = _removed_meanwhile(settings, moved.failed)
    backup = Backup(
        created=true_time(),
        database="sqlite" if settings.uses_sqlite else "postgresql",
        revision=revision,
        documents=held,
        octets=octets,
        removed=tuple(sorted(removed)),
        missing=tuple(one for one in moved.failed if one not in removed),
    )
    _write_manifest(folder, backup)
    return backup


def restore(settings: Settings, folder: Path, *, on_progress: OnProgress) -> tuple[Backup, Moved]:
    """Bring database and documents back where the settings say, each document verified.

    Raises BackupRefused, nothing changed, when the folder holds no whole backup or the database is not empty.
    """
    backup = read_manifest(folder)
    if backup.database != ("sqlite" if settings.uses_sqlite else "postgresql"):
        raise BackupRefused(f"{folder} is a backup of {backup.database}: the settings name another kind of database")
    restored = _restored_sqlite if settings.uses_sqlite else _restored_postgresql
    store = open_documents(settings)
    with restored(settings, folder) as units:
        if backup.removed:
            units.write(lambda unit: index.remove(unit.connection, backup.removed, now=true_time()))
        moved = move(units, FilesystemStore(folder / DOCUMENTS), store, on_progress=on_progress)
    return backup, moved


def read_manifest(folder: Path) -> Backup:
    """What the backup in this folder says of itself. Raises BackupRefused."""
    try:
        found = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    except (OSError, ValueError) as problem:
        raise BackupRefused(f"{folder} holds no whole backup: {MANIFEST} cannot be read") from problem
    if found.get("format") != _FORMAT:
        raise BackupRefused(f"{folder} is a backup of another version of Carnet")
    return Backup(
        created=found["created"],
        database=found["database"],
        revision=found["revision"],
        documents=found["documents"],
        octets=found["octets"],
        removed=tuple(found["removed"]),
        missing=tuple(found["missing"]),
    )


def _write_manifest(folder: Path, backup: Backup) -> None:
    """Last, synced and renamed: what has a manifest is whole."""
    fields = {name: getattr(backup, name) for name in Backup.__slots__}
    text = json.dumps({"format": _FORMAT, "carnet": version("carnet"), **fields}, indent=2)
    part = folder / f"{MANIFEST}.part"
    with part.open("w", encoding="utf-8") as file:
        file.write(text + "\n")
        file.flush()
        os.fsync(file.fileno())
    part.rename(folder / MANIFEST)
    sync_folder(folder)


def _settle(settings: Settings) -> None:
    """What a registry elsewhere has and has not told belongs to the backup. Raises RegistryNotAvailable."""
    with existing_units(settings) as units:
        settle_awaited(settings, units)


def _removed_meanwhile(settings: Settings, unique_ids: tuple[str, ...]) -> set[str]:
    with existing_units(settings) as units, units.read() as connection:
        return index.removed_among(connection, unique_ids)


def _link(state: Units, store: object, target: FilesystemStore) -> None:
    """Hard links to the files of the documents, durable like copies; `move` then reads and compares each."""
    if not isinstance(store, FilesystemStore):
        raise BackupRefused("--link: found documents elsewhere, expected a folder of this file system")
    folders = {target.root}
    for one in documents(state):
        place = path_of(target.root, one.blob_key)
        place.parent.mkdir(exist_ok=True)
        folders.add(place.parent)
        with suppress(FileNotFoundError):
            os.link(path_of(store.root, one.blob_key), place)
    for folder in folders:
        sync_folder(folder)


def _leave_out(state: Units, target: FilesystemStore, unique_ids: tuple[str, ...]) -> None:
    """A damaged document has no place in a backup, not even as a link."""
    with state.read() as connection:
        damaged = index.held(connection, unique_ids)
    for one in damaged.values():
        target.delete(one.blob_key)


@contextmanager
def _copied_sqlite(settings: Settings, folder: Path) -> Iterator[Units]:
    """A copy by SQLite's own backup, which waits for no writer and sees one state."""
    source = sqlite3.connect(f"file:{settings.sqlite_file}?mode=ro", uri=True)
    target = sqlite3.connect(folder / SQLITE_COPY)
    try:
        source.backup(target)
    finally:
        source.close()
        target.close()
    _sync(folder / SQLITE_COPY)
    units = SqliteUnits(open_engine(f"sqlite:///{(folder / SQLITE_COPY).absolute()}"))
    try:
        yield units
    finally:
        units.close()


@contextmanager
def _restored_sqlite(settings: Settings, folder: Path) -> Iterator[Units]:
    """The copy under another name, which becomes the database once the documents are there."""
    target = settings.sqlite_file
    for found in (target, *_logs(target)):
        if found.exists():
            raise BackupRefused(f"{found} exists: restore beside it with another --data, or move it away first")
    make_folder(target.parent)
    part = target.with_name(f"{target.name}.restoring")
    for left_behind in (part, *_logs(part)):
        left_behind.unlink(missing_ok=True)
    shutil.copyfile(folder / SQLITE_COPY, part)
    engine = open_engine(f"sqlite:///{part.absolute()}")
    migrate.upgrade(engine)
    units = SqliteUnits(engine)
    try:
        yield units
    finally:
        units.close()
    _sync(part)
    part.rename(target)
    sync_folder(target.parent)


def _logs(database: Path) -> list[Path]:
    """Files that SQLite takes for the newest part of the database beside them, even when they are another one's."""
    return [database.with_name(f"{database.name}{suffix}") for suffix in ("-wal", "-shm", "-journal")]


@contextmanager
def _copied_postgresql(settings: Settings, folder: Path) -> Iterator[Units]:
    """pg_dump of an exported snapshot, which is also what the documents are listed from."""
    engine = open_engine(settings.database_url)
    try:
        with engine.connect().execution_options(isolation_level="REPEATABLE READ") as connection:
            snapshot = connection.execute(select(func.pg_export_snapshot())).scalar_one()
            dump = folder / POSTGRESQL_DUMP
            _run(settings, "pg_dump", "--format=custom", f"--snapshot={snapshot}", f"--file={dump}")
            _sync(dump)
            yield _OneState(connection)
    finally:
        engine.dispose()


@contextmanager
def _restored_postgresql(settings: Settings, folder: Path) -> Iterator[Units]:
    """pg_restore in one transaction into a database that has no tables."""
    engine = open_engine(settings.database_url)
    has_tables = bool(inspect(engine).get_table_names())
    engine.dispose()
    if has_tables:
        raise BackupRefused("the database has tables: expected an empty one (createdb)")
    dump = str(folder / POSTGRESQL_DUMP)
    _run(settings, "pg_restore", "--no-owner", "--no-privileges", "--single-transaction", "--exit-on-error", dump)
    units = open_units(settings)
    try:
        yield units
    finally:
        units.close()


def _run(settings: Settings, program: str, *arguments: str) -> None:
    """A program of PostgreSQL on the database of the settings; the password stays off its command line."""
    url = make_url(settings.database_url)
    query = {key: str(value) for key, value in url.query.items()}
    places = {
        "PGHOST": url.host or query.get("host"),
        "PGPORT": str(url.port) if url.port else query.get("port"),
        "PGUSER": url.username,
        "PGPASSWORD": url.password,
    }
    environment = os.environ | {name: str(value) for name, value in places.items() if value}
    command = [_found(program), f"--dbname={url.database}", "--no-password", *arguments]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise BackupRefused(f"{program} failed: {done.stderr.strip().splitlines()[-1] if done.stderr else 'no reason'}")


def _found(program: str) -> str:
    """The newest installed one: it must not be older than the server."""
    versions = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{program}"), key=lambda path: int(path.parts[4]))
    found = str(versions[-1]) if versions else shutil.which(program)
    if found is None:
        raise BackupRefused(f"{program} is not installed: it comes with the client programs of PostgreSQL")
    return found


def _sync(file: Path) -> None:
    descriptor = os.open(file, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
