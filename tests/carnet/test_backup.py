"""A backup taken while documents arrive and go is one state; restored, it is that state and sound."""

import os
import shutil
import sqlite3
import threading
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import create_engine

from carnet import backup as backups
from carnet.backup import BackupRefused, back_up, read_manifest, restore
from carnet.document_stores import open_documents
from carnet.registry_wiring import open_units
from carnet.settings import Settings
from repository import index
from repository.consistency import document_findings, documents
from repository.filesystem_store import path_of
from tests import forked, newest_schema
from tests.repository.holdings import flip, hold, keys


@pytest.fixture
def settings(tmp_path: Path, database_url: str) -> Settings:
    database = "" if database_url.startswith("sqlite") else database_url
    return Settings(data=str(tmp_path / "live"), database=database)


@pytest.fixture
def elsewhere(settings: Settings, tmp_path: Path, request: pytest.FixtureRequest) -> Settings:
    """Another, empty place: a folder, and on PostgreSQL a database of its own."""
    if not settings.database:
        return replace(settings, data=str(tmp_path / "restored"))
    engine = create_engine(settings.database, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.exec_driver_sql("CREATE DATABASE restored_here")
    engine.dispose()

    def drop() -> None:
        dropping = create_engine(settings.database, isolation_level="AUTOCOMMIT")
        with dropping.connect() as connection:
            connection.exec_driver_sql("DROP DATABASE restored_here WITH (FORCE)")
        dropping.dispose()

    request.addfinalizer(drop)
    return Settings(data=str(tmp_path / "restored"), database=settings.database.rpartition("/")[0] + "/restored_here")


def filled(settings: Settings, count: int, first: int = 0) -> set[str]:
    newest_schema.give(settings)
    units = open_units(settings)
    store = open_documents(settings)
    for number in range(first, first + count):
        hold(units, store, f"2.25.{number}", os.urandom(100 + number))
    units.close()
    return {f"2.25.{number}" for number in range(first, first + count)}


def sound(settings: Settings) -> set[str]:
    """uniqueIds of the documents held, each of which was read and compared."""
    units = open_units(settings)
    try:
        assert list(document_findings(units, open_documents(settings))) == []
        return {one.unique_id for one in documents(units)}
    finally:
        units.close()


def nothing(_octets: int) -> None:
    """No progress is shown."""


@pytest.mark.parametrize("link", [False, True])
def test_what_is_backed_up_comes_back_sound(
    settings: Settings, elsewhere: Settings, tmp_path: Path, *, link: bool
) -> None:
    held = filled(settings, 5)
    backup = back_up(settings, tmp_path / "backup", link=link, on_progress=nothing)
    assert (backup.documents, backup.missing, backup.removed) == (5, (), ())
    assert read_manifest(tmp_path / "backup") == backup
    filled(settings, 2, first=100)
    _, moved = restore(elsewhere, tmp_path / "backup", on_progress=nothing)
    assert (moved.copied, moved.failed) == (5, ())
    assert sound(elsewhere) == held
    assert filled(elsewhere, 1, first=200) <= sound(elsewhere)


def test_a_backup_under_load_is_one_state(settings: Settings, elsewhere: Settings, tmp_path: Path) -> None:
    filled(settings, 5)
    stopping = threading.Event()
    units, store = open_units(settings), open_documents(settings)

    def submitting() -> None:
        number = 1000
        while not stopping.is_set():
            hold(units, store, f"2.25.{number}", os.urandom(500))
            number += 1

    thread = threading.Thread(target=submitting)
    thread.start()
    backup = back_up(settings, tmp_path / "backup", on_progress=nothing)
    stopping.set()
    thread.join()
    units.close()
    restore(elsewhere, tmp_path / "backup", on_progress=nothing)
    assert len(sound(elsewhere)) == backup.documents >= 5


def test_a_document_removed_during_the_backup_does_not_come_back(
    settings: Settings, elsewhere: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = filled(settings, 3)
    move = backups.move

    def remove_then_move(*arguments, **named):  # type: ignore[no-untyped-def]
        units, store = open_units(settings), open_documents(settings)
        gone = units.write(lambda unit: index.remove(unit.connection, ["2.25.1"], now="20260310100000"))
        store.delete(gone["2.25.1"].blob_key)
        units.close()
        return move(*arguments, **named)

    with monkeypatch.context() as patched:
        patched.setattr(backups, "move", remove_then_move)
        backup = back_up(settings, tmp_path / "backup", on_progress=nothing)
    assert (backup.removed, backup.missing) == (("2.25.1",), ())
    restore(elsewhere, tmp_path / "backup", on_progress=nothing)
    assert sound(elsewhere) == held - {"2.25.1"}


@pytest.mark.parametrize("link", [False, True])
def test_a_damaged_document_is_named_and_the_others_are_saved(
    settings: Settings, tmp_path: Path, *, link: bool
) -> None:
    filled(settings, 3)
    units, store = open_units(settings), open_documents(settings)
    damaged = next(documents(units))
    units.close()
    flip(Path(settings.data) / "documents", damaged.blob_key)
    backup = back_up(settings, tmp_path / "backup", link=link, on_progress=nothing)
    assert backup.missing == (damaged.unique_id,)
    assert len(keys(store)) == 3
    assert not path_of(tmp_path / "backup" / "documents", damaged.blob_key).exists()


def test_nothing_is_overwritten(settings: Settings, elsewhere: Settings, tmp_path: Path) -> None:
    held = filled(settings, 1)
    back_up(settings, tmp_path / "backup", on_progress=nothing)
    with pytest.raises(BackupRefused, match="not empty"):
        back_up(settings, tmp_path / "backup", on_progress=nothing)
    with pytest.raises(BackupRefused, match=r"exists|has tables"):
        restore(settings, tmp_path / "backup", on_progress=nothing)
    (tmp_path / "backup" / backups.MANIFEST).unlink()
    with pytest.raises(BackupRefused, match="no whole backup"):
        restore(elsewhere, tmp_path / "backup", on_progress=nothing)
    assert sound(settings) == held


def test_a_log_that_an_earlier_database_left_is_no_part_of_the_restored_one(tmp_path: Path) -> None:
    """SQLite would replay it into the restored file."""
    settings, restored = (Settings(data=str(tmp_path / name)) for name in ("live", "restored"))
    held = filled(settings, 2)
    back_up(settings, tmp_path / "backup", on_progress=nothing)
    log = tmp_path / "restored" / "carnet.sqlite-wal"
    log.parent.mkdir()
    log.write_bytes(b"of a database that was moved away without it")
    with pytest.raises(BackupRefused, match="sqlite-wal exists"):
        restore(restored, tmp_path / "backup", on_progress=nothing)
    assert log.exists()
    log.rename(tmp_path / "moved-away")
    restore(restored, tmp_path / "backup", on_progress=nothing)
    assert sound(restored) == held


def test_a_restore_that_was_killed_leaves_nothing_to_the_next(tmp_path: Path) -> None:
    """What another backup had written to its log is not replayed into this one."""
    first, second, restored = (Settings(data=str(tmp_path / name)) for name in ("first", "second", "restored"))
    filled(first, 40)
    held = filled(second, 3, first=100)
    for settings in (first, second):
        back_up(settings, tmp_path / f"backup of {settings.data_folder.name}", on_progress=nothing)
    _killed_while_restoring(restored, tmp_path / "backup of first")
    restore(restored, tmp_path / "backup of second", on_progress=nothing)
    assert sound(restored) == held


def _killed_while_restoring(settings: Settings, folder: Path) -> None:
    """Copies of what is there while a restore has its log open, put back after its end, are what a kill leaves."""
    part = settings.sqlite_file.with_name("carnet.sqlite.restoring")
    part.parent.mkdir()
    shutil.copyfile(folder / backups.SQLITE_COPY, part)
    with closing(sqlite3.connect(part)) as connection:
        connection.executescript("PRAGMA journal_mode=WAL; DELETE FROM document; CREATE TABLE of_the_first (x);")
        left = {path: path.read_bytes() for path in part.parent.iterdir()}
    for path, content in left.items():
        path.write_bytes(content)
    assert part.with_name("carnet.sqlite.restoring-wal").stat().st_size > 0


def test_the_commands_do_it_and_fsck_agrees(tmp_path: Path) -> None:
    live, restored = str(tmp_path / "live"), str(tmp_path / "restored")
    filled(Settings(data=live), 2)
    for arguments in (
        ["backup", str(tmp_path / "b"), "--data", live],
        ["restore", str(tmp_path / "b"), "--data", restored],
        ["fsck", "--data", restored],
    ):
        done = forked.run(arguments)
        assert done.returncode == 0, done.stderr
    assert "2 documents, " in done.stdout
    refused = forked.run(["restore", str(tmp_path / "b"), "--data", restored])
    assert (refused.returncode, len(refused.stderr.splitlines())) == (1, 1)
