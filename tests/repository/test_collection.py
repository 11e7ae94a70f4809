"""Blobs that nothing refers to are collected after the grace; one that a submission commits never is."""

import os
import threading
import time
from collections.abc import Collection
from contextlib import ExitStack
from pathlib import Path

import pytest
from sqlalchemy import Connection, text

from repository import index
from repository.collection import GRACE_SECONDS, Collected, Refused, collect
from repository.filesystem_store import FilesystemStore
from storage.engine import open_engine
from storage.migrate import _config
from storage.unit_of_work import StorageFailed, Units
from tests.repository.holdings import document_of, hold, kept, keys

CONTENT = b"<ClinicalDocument/>"


@pytest.fixture
def store(tmp_path: Path) -> FilesystemStore:
    return FilesystemStore(tmp_path / "documents")


def rows(units: Units) -> dict[str, bool]:
    with units.read() as connection:
        return {key: gone is not None for key, gone in connection.execute(text("SELECT blob_key, discarded FROM blob"))}


def test_only_what_is_past_the_grace_and_without_document_is_deleted(units: Units, store: FilesystemStore) -> None:
    document = hold(units, store, "2.25.1", CONTENT)
    kept(store, CONTENT)
    now = time.time()
    assert collect(units, store, before=now - 3600) == Collected()
    assert len(keys(store)) == 2
    assert collect(units, store, before=now + 60) == Collected(blobs=1, octets=len(CONTENT))
    assert keys(store) == {document.blob_key}
    assert rows(units)[document.blob_key] is False


def test_leftovers_of_crashed_uploads_go_too(units: Units, store: FilesystemStore) -> None:
    with ExitStack() as crashed:
        for age in (60, 7200):
            blob = crashed.enter_context(store.receive())
            blob.write(CONTENT)
            blob.finish()
            [file] = [one for one in (store.root / "incoming").iterdir() if one.stat().st_mtime > time.time() - 30]
            os.utime(file, (time.time() - age,) * 2)
        assert collect(units, store, before=time.time() + 60).leftovers == 1


def test_the_blob_of_a_removed_document_needs_no_grace(units: Units, store: FilesystemStore) -> None:
    hold(units, store, "2.25.1", CONTENT)
    units.write(lambda unit: index.remove(unit.connection, ["2.25.1"], now="20260310100000"))
    collect(units, store, before=0)
    assert keys(store) == set()


class StoreThatKeeps(FilesystemStore):
    """Deletes nothing, as a bucket that cannot be reached."""

    def delete(self, key: str) -> None:
        raise OSError("not now")


def test_what_cannot_be_deleted_is_tried_again(units: Units, store: FilesystemStore, tmp_path: Path) -> None:
    kept(store, CONTENT)
    stubborn = StoreThatKeeps(tmp_path / "documents")
    assert collect(units, stubborn, before=time.time() + 60) == Collected(failed=1)
    assert list(rows(units).values()) == [True]
    assert collect(units, store, before=0).failed == 0
    assert keys(store) == set()


def test_a_discarded_key_stays_taken_for_a_day(
    units: Units, store: FilesystemStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    key, _ = kept(store, CONTENT)
    collect(units, store, before=time.time() + 60)
    collect(units, store, before=time.time() + 60)
    assert rows(units) == {key: True}
    later = time.time() + GRACE_SECONDS + 60
    monkeypatch.setattr(time, "time", lambda: later)
    collect(units, store, before=later)
    assert rows(units) == {}


def test_a_store_of_another_database_is_not_emptied(units: Units, store: FilesystemStore) -> None:
    for number in range(21):
        kept(store, b"%d" % number)
    with pytest.raises(Refused, match="21 of 21"):
        collect(units, store, before=time.time() + 60)
    assert len(keys(store)) == 21
    assert collect(units, store, before=time.time() + 60, force=True).blobs == 21


def test_a_submission_that_commits_first_keeps_its_blob(units: Units, store: FilesystemStore) -> None:
    """The collection has listed the blob as unreferred when the submission commits."""
    key, blocks = kept(store, CONTENT)

    committed = threading.Event()
    document = document_of("2.25.1", key, CONTENT, blocks)
    look = index.known_blobs

    def look_then_commit(connection: Connection, wanted: Collection[str]) -> set[str]:
        found = look(connection, wanted)
        if not committed.is_set():
            committed.set()
            units.write(lambda unit: index.add(unit.connection, [document]))
        return found

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(index, "known_blobs", look_then_commit)
        done = collect(units, store, before=time.time() + 60, force=True)
    assert committed.is_set()
    assert done == Collected()
    assert keys(store) == {key}
    assert rows(units) == {key: False}


def test_a_submission_that_comes_after_the_collection_cannot_commit(units: Units, store: FilesystemStore) -> None:
    key, blocks = kept(store, CONTENT)
    assert collect(units, store, before=time.time() + 60).blobs == 1
    document = document_of("2.25.1", key, CONTENT, blocks)
    with pytest.raises(StorageFailed):
        units.write(lambda unit: index.add(unit.connection, [document]))
    with units.read() as connection:
        assert index.held(connection, ["2.25.1"]) == {}


def test_collections_and_submissions_at_once_lose_nothing(units: Units, store: FilesystemStore) -> None:
    """No grace at all, against submissions under way: each is stored whole or refused."""
    stopping = threading.Event()
    held: list[str] = []
    refused: list[str] = []

    def collecting() -> None:
        while not stopping.is_set():
            collect(units, store, before=time.time() + 60, force=True)

    def submitting(first: int) -> None:
        for number in range(first, first + 40):
            unique_id = f"2.25.{number}"
            try:
                hold(units, store, unique_id, CONTENT + b"%d" % number)
                held.append(unique_id)
            except (StorageFailed, OSError):
                refused.append(unique_id)

    collectors = [threading.Thread(target=collecting) for _ in range(2)]
    submitters = [threading.Thread(target=submitting, args=(first,)) for first in (100, 200, 300)]
    for thread in (*collectors, *submitters):
        thread.start()
    for thread in submitters:
        thread.join()
    stopping.set()
    for thread in collectors:
        thread.join()
    assert len(held) + len(refused) == 120
    assert held
    with units.read() as connection:
        documents = index.held(connection, held + refused)
    assert set(documents) == set(held)
    assert {one.blob_key for one in documents.values()} <= keys(store)


def test_documents_stored_before_blobs_had_rows_get_them(database_url: str) -> None:
    from alembic import command

    engine = open_engine(database_url)
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        command.upgrade(_config(connection), "0003")
        columns = "unique_id, size, sha1, sha256, blob_key, mime_type"
        for number in (1, 2):
            connection.execute(
                text(
                    f"INSERT INTO document ({columns}) VALUES ('2.25.{number}', 1, 'a', 'b', 'key-{number}', 'text/xml')"
                )
            )
        command.upgrade(_config(connection), "0004_documents")
        found = connection.execute(text("SELECT blob_key, discarded, blocks FROM blob ORDER BY 1")).all()
    engine.dispose()
    assert [tuple(row) for row in found] == [
        ("key-1", None, None),
        ("key-2", None, None),
    ]
