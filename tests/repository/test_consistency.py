"""Whatever is wrong between documents and blobs is found, and what can be repaired is."""

import os
import random
from pathlib import Path

import pytest

from repository import index
from repository.checked_octets import verify
from repository.consistency import Finding, Kind, document_findings, documents, repaired, unreferenced_findings
from repository.filesystem_store import FilesystemStore, path_of
from storage.unit_of_work import Units
from tests.repository.holdings import flip, hold, kept, keys

CONTENT = b"<ClinicalDocument/>"


@pytest.fixture
def store(tmp_path: Path) -> FilesystemStore:
    return FilesystemStore(tmp_path / "documents")


def kinds(findings: list[Finding]) -> dict[str, Kind]:
    return {one.unique_id: one.kind for one in findings}


def test_sound_documents_give_no_finding_and_all_octets_are_counted(units: Units, store: FilesystemStore) -> None:
    sizes = [0, 1, 1024 * 1024, 3 * 1024 * 1024 + 5]
    for number, size in enumerate(sizes):
        hold(units, store, f"2.25.{number}", os.urandom(size))
    for whole in (True, False):
        read: list[int] = []
        assert list(document_findings(units, store, whole=whole, on_progress=read.append)) == []
        assert sum(read) == sum(sizes)


def test_missing_damaged_and_shortened_blobs_are_told_apart(units: Units, store: FilesystemStore) -> None:
    held = {name: hold(units, store, f"2.25.{name}", CONTENT * name) for name in range(1, 6)}
    path_of(store.root, held[2].blob_key).unlink()
    flip(store.root, held[3].blob_key)
    path_of(store.root, held[4].blob_key).write_bytes(b"short")
    found = list(document_findings(units, store))
    assert kinds(found) == {"2.25.2": Kind.MISSING_BLOB, "2.25.3": Kind.DAMAGED_BLOB, "2.25.4": Kind.DAMAGED_BLOB}
    quick = list(document_findings(units, store, whole=False))
    assert kinds(quick) == {"2.25.2": Kind.MISSING_BLOB, "2.25.4": Kind.DAMAGED_BLOB}


@pytest.mark.parametrize("seed", [20261126])
def test_two_hundred_damaged_blobs_are_all_found_and_none_verifies(
    units: Units, store: FilesystemStore, seed: int
) -> None:
    chance = random.Random(seed)
    held = [hold(units, store, f"2.25.{number}", os.urandom(chance.randint(1, 5000))) for number in range(260)]
    damaged = chance.sample(held, 200)
    for number, one in enumerate(damaged):
        if number % 3:
            flip(store.root, one.blob_key, chance.randrange(one.size))
        else:
            path_of(store.root, one.blob_key).write_bytes(b"\0" * chance.randrange(one.size))
    found = kinds(list(document_findings(units, store)))
    assert found == dict.fromkeys((one.unique_id for one in damaged), Kind.DAMAGED_BLOB)
    for one in set(held) - set(damaged):
        verify(store, one.expected)


def test_a_document_removed_meanwhile_is_no_finding(units: Units, store: FilesystemStore) -> None:
    hold(units, store, "2.25.1", CONTENT)
    found = documents(units)
    one = next(found)
    units.write(lambda unit: index.remove(unit.connection, ["2.25.1"], now="20260310100000"))
    store.delete(one.blob_key)
    assert list(document_findings(units, store)) == []


def test_blobs_without_document_count_once_they_are_old(units: Units, store: FilesystemStore) -> None:
    hold(units, store, "2.25.1", CONTENT)
    orphan, _ = kept(store, CONTENT)
    assert list(unreferenced_findings(units, store, before=1)) == []
    [finding] = unreferenced_findings(units, store, before=4e9)
    assert (finding.kind, finding.blob_key) == (Kind.UNREFERENCED_BLOB, orphan)


def test_a_blob_is_repaired_from_another_with_the_same_octets(units: Units, store: FilesystemStore) -> None:
    lost = hold(units, store, "2.25.1", CONTENT)
    twin = hold(units, store, "2.25.2", CONTENT)
    path_of(store.root, lost.blob_key).unlink()
    [finding] = document_findings(units, store)
    assert repaired(units, store, finding)
    assert list(document_findings(units, store)) == []
    with units.read() as connection:
        now = index.held(connection, ["2.25.1", "2.25.2"])
    assert len({lost.blob_key, twin.blob_key, now["2.25.1"].blob_key}) == 3
    assert now["2.25.2"].blob_key == twin.blob_key


def test_a_document_that_was_removed_and_sent_again_during_its_repair_keeps_what_was_sent(
    units: Units, store: FilesystemStore
) -> None:
    """The other octets are allowed once the metadata are gone too; the copy made in vain is collected like any orphan."""
    lost = hold(units, store, "2.25.1", CONTENT)
    hold(units, store, "2.25.2", CONTENT)
    path_of(store.root, lost.blob_key).unlink()
    [finding] = document_findings(units, store)

    class SentAgainMeanwhile(FilesystemStore):
        def receive(self):  # type: ignore[no-untyped-def]
            units.write(lambda unit: index.remove(unit.connection, ["2.25.1"], now="20260310100000"))
            hold(units, store, "2.25.1", b"other octets")
            return super().receive()

    assert not repaired(units, SentAgainMeanwhile(store.root), finding)
    assert list(document_findings(units, store)) == []
    [orphan] = unreferenced_findings(units, store, before=4e9)
    assert orphan.blob_key.startswith(lost.sha256)


def test_a_damaged_twin_repairs_nothing(units: Units, store: FilesystemStore) -> None:
    lost = hold(units, store, "2.25.1", CONTENT)
    twin = hold(units, store, "2.25.2", CONTENT)
    path_of(store.root, lost.blob_key).unlink()
    flip(store.root, twin.blob_key)
    found = list(document_findings(units, store))
    assert [repaired(units, store, one) for one in found] == [False, False]
    assert keys(store) == {twin.blob_key}
