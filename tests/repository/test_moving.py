"""Documents move between stores while they are served; a move can be interrupted and damage does not spread."""

import os
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from repository.blob_store import BLOCK, BlobStore, StoreUnavailable
from repository.checked_octets import verify
from repository.filesystem_store import FilesystemStore
from repository.moving import Moved, move
from repository.s3_store import KEPT_IN_MEMORY, S3Address, S3BlobStore
from repository.store_with_former import StoreWithFormer
from storage.unit_of_work import Units
from tests.blob_stores import BUCKET, object_store
from tests.repository.holdings import flip, hold, keys

SIZES = (0, 10, KEPT_IN_MEMORY + 1, 2 * BLOCK + 3)


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    with object_store() as url:
        yield url


@pytest.fixture
def folder(tmp_path: Path) -> FilesystemStore:
    return FilesystemStore(tmp_path / "documents")


@pytest.fixture
def bucket(endpoint: str) -> S3BlobStore:
    return S3BlobStore(S3Address(bucket=BUCKET, prefix=str(uuid.uuid4()), endpoint=endpoint))


@pytest.mark.parametrize("to_bucket", [True, False])
def test_every_document_arrives_and_leaves_only_on_demand(
    units: Units, folder: FilesystemStore, bucket: S3BlobStore, *, to_bucket: bool
) -> None:
    former, present = (folder, bucket) if to_bucket else (bucket, folder)
    held = [hold(units, former, f"2.25.{number}", os.urandom(size)) for number, size in enumerate(SIZES)]
    wanted = {one.blob_key for one in held}
    done: list[int] = []
    moved = move(units, former, present, on_progress=done.append)
    assert moved == Moved(copied=4, octets=sum(SIZES), present=0, deleted=0, failed=())
    assert sum(done) == sum(SIZES)
    assert keys(present) == keys(former) == wanted
    for one in held:
        verify(present, one.expected)
    again = move(units, former, present, delete=True)
    assert again == Moved(copied=0, octets=0, present=4, deleted=4, failed=())
    assert (keys(present), keys(former)) == (wanted, set())


class StopsAnswering(FilesystemStore):
    """Keeps two blobs, then fails."""

    left = 2

    def receive(self):  # type: ignore[no-untyped-def]
        if not self.left:
            raise StoreUnavailable("gone")
        self.left -= 1
        return super().receive()


def test_an_interrupted_move_goes_on_where_it_was(units: Units, folder: FilesystemStore, tmp_path: Path) -> None:
    for number in range(5):
        hold(units, folder, f"2.25.{number}", os.urandom(100))
    with pytest.raises(StoreUnavailable):
        move(units, folder, StopsAnswering(tmp_path / "new"))
    moved = move(units, folder, FilesystemStore(tmp_path / "new"))
    assert (moved.copied, moved.present) == (3, 2)


def test_a_damaged_document_is_named_and_stays_where_it_is(
    units: Units, folder: FilesystemStore, tmp_path: Path
) -> None:
    held = [hold(units, folder, f"2.25.{number}", os.urandom(100)) for number in range(3)]
    flip(folder.root, held[1].blob_key)
    present = FilesystemStore(tmp_path / "new")
    moved = move(units, folder, present, delete=True)
    assert (moved.copied, moved.deleted, moved.failed) == (2, 2, ("2.25.1",))
    assert keys(folder) == {held[1].blob_key}
    assert keys(present) == {held[0].blob_key, held[2].blob_key}


def test_what_the_present_store_garbles_is_not_taken_for_a_copy(
    units: Units, folder: FilesystemStore, tmp_path: Path
) -> None:
    hold(units, folder, "2.25.1", os.urandom(100))

    class Garbles(FilesystemStore):
        def open(self, key: str):  # type: ignore[no-untyped-def]
            if any(one.key == key for one in self.blobs()):
                flip(self.root, key)
            return super().open(key)

    present = Garbles(tmp_path / "new")
    assert move(units, folder, present, delete=True).failed == ("2.25.1",)
    assert (len(keys(folder)), keys(present)) == (1, set())


@pytest.mark.parametrize("delete", [False, True])
def test_a_copy_that_was_damaged_since_is_made_again_before_its_original_goes(
    units: Units, folder: FilesystemStore, tmp_path: Path, *, delete: bool
) -> None:
    one = hold(units, folder, "2.25.1", os.urandom(100))
    present = FilesystemStore(tmp_path / "new")
    move(units, folder, present)
    flip(present.root, one.blob_key)
    again = move(units, folder, present, delete=delete)
    assert again == Moved(copied=1, octets=100, present=0, deleted=int(delete), failed=())
    verify(present, one.expected)


def test_a_damaged_document_without_original_is_named_and_what_is_left_of_it_stays(
    units: Units, folder: FilesystemStore, tmp_path: Path
) -> None:
    one = hold(units, folder, "2.25.1", os.urandom(100))
    flip(folder.root, one.blob_key)
    moved = move(units, FilesystemStore(tmp_path / "emptied"), folder, delete=True)
    assert (moved.deleted, moved.failed) == (0, ("2.25.1",))
    assert keys(folder) == {one.blob_key}


def test_documents_are_served_at_every_moment_of_a_move(units: Units, folder: FilesystemStore, tmp_path: Path) -> None:
    present = FilesystemStore(tmp_path / "new")
    served: BlobStore = StoreWithFormer(present, folder)
    held = [hold(units, folder, f"2.25.{number}", os.urandom(100)) for number in range(5)]

    def all_are_served(_octets: int) -> None:
        for one in held:
            verify(served, one.expected)

    late = hold(units, served, "2.25.9", b"arrives during the move")
    move(units, folder, present, delete=True, on_progress=all_are_served)
    assert keys(present) == {one.blob_key for one in (*held, late)}
