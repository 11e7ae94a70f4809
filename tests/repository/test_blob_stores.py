"""What every store of documents does, in a folder, in a bucket, and in both while documents move."""

import hashlib
import os
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from repository.blob_store import BLOCK, HASHED_WHOLE, BlobStore, DamagedBlob, Digest, Digesting, StoreUnavailable
from repository.filesystem_store import FilesystemStore
from repository.s3_store import KEPT_IN_MEMORY, PART, S3Address, S3BlobStore
from repository.store_with_former import StoreWithFormer
from tests.blob_stores import BUCKET, client, object_store

CONTENT = b"<ClinicalDocument/>\r\n"
SIZES = [0, 1, 1000, KEPT_IN_MEMORY, KEPT_IN_MEMORY + 1, BLOCK, BLOCK + 1, PART, 2 * PART + 7]


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    with object_store() as url:
        yield url


@pytest.fixture(params=["folder", "bucket", "bucket with a former folder"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> BlobStore:
    if request.param == "folder":
        return FilesystemStore(tmp_path)
    url = request.getfixturevalue("endpoint")
    bucket = S3BlobStore(S3Address(bucket=BUCKET, prefix=f"carnet/{uuid.uuid4()}", endpoint=url))
    return bucket if request.param == "bucket" else StoreWithFormer(bucket, FilesystemStore(tmp_path))


def keep(store: BlobStore, content: bytes, step: int = 50_000) -> tuple[str, Digest]:
    blob = store.receive()
    for at in range(0, len(content), step):
        blob.write(content[at : at + step])
    blob.finish()
    return blob.keep(), blob.digest()


def content_of(store: BlobStore, key: str) -> bytes:
    reader = store.open(key)
    try:
        return b"".join(reader.read_at(at, BLOCK) for at in range(0, max(reader.size, 1), BLOCK))
    finally:
        reader.close()


def keys(store: BlobStore) -> list[str]:
    return sorted(one.key for one in store.blobs())


@pytest.mark.parametrize("size", SIZES)
def test_what_is_kept_comes_back(store: BlobStore, size: int) -> None:
    content = os.urandom(size)
    key, digest = keep(store, content)
    assert content_of(store, key) == content
    assert (digest.size, digest.sha256) == (size, hashlib.sha256(content).hexdigest())
    assert key.startswith(f"{digest.sha256}/")


def test_a_range_ends_where_the_blob_ends(store: BlobStore) -> None:
    key, _ = keep(store, CONTENT)
    reader = store.open(key)
    assert reader.size == len(CONTENT)
    assert [reader.read_at(5, 4), reader.read_at(15, 100), reader.read_at(21, 5), reader.read_at(500, 5)] == [
        CONTENT[5:9],
        CONTENT[15:],
        b"",
        b"",
    ]
    reader.close()


@pytest.mark.parametrize("size", [10, KEPT_IN_MEMORY + 1, 2 * PART])
def test_what_is_discarded_is_not_listed_and_leaves_nothing(store: BlobStore, size: int) -> None:
    blob = store.receive()
    blob.write(os.urandom(size))
    blob.discard()
    assert keys(store) == []
    assert store.clear_leftovers(before=time.time() + 60) == 0


@pytest.mark.parametrize("size", [10, KEPT_IN_MEMORY + 1])
def test_discarding_a_kept_blob_is_harmless(store: BlobStore, size: int) -> None:
    blob = store.receive()
    blob.write(b"x" * size)
    key = blob.keep()
    blob.discard()
    assert len(content_of(store, key)) == size


def test_nothing_is_listed_before_it_is_kept(store: BlobStore) -> None:
    blob = store.receive()
    blob.write(os.urandom(KEPT_IN_MEMORY + 1))
    blob.finish()
    assert keys(store) == []
    key = blob.keep()
    [found] = list(store.blobs())
    assert (found.key, found.size) == (key, KEPT_IN_MEMORY + 1)
    assert abs(found.kept_at - time.time()) < 60


def test_each_document_has_its_own_blob(store: BlobStore) -> None:
    first, second = keep(store, CONTENT)[0], keep(store, CONTENT)[0]
    assert first != second
    store.delete(first)
    store.delete(first)
    assert keys(store) == [second]
    with pytest.raises(DamagedBlob):
        store.open(first)


def test_blobs_of_one_digest_are_listed_without_the_others(store: BlobStore) -> None:
    both = sorted([keep(store, CONTENT)[0], keep(store, CONTENT)[0]])
    keep(store, b"another")
    sha256 = hashlib.sha256(CONTENT).hexdigest()
    assert sorted(one.key for one in store.blobs(sha256=sha256)) == both
    assert list(store.blobs(sha256=sha256[:-1] + ("0" if sha256[-1] != "0" else "1"))) == []


def test_a_name_can_be_given_so_that_a_blob_keeps_its_key(store: BlobStore) -> None:
    name = str(uuid.uuid4())
    blob = store.receive()
    blob.write(CONTENT)
    assert blob.keep(name) == f"{hashlib.sha256(CONTENT).hexdigest()}/{name}"


def test_leftovers_are_cleared_by_age_and_blobs_are_not(store: BlobStore) -> None:
    kept, _ = keep(store, CONTENT)
    blob = store.receive()
    blob.write(os.urandom(KEPT_IN_MEMORY + 1))
    blob.finish()
    assert store.clear_leftovers(before=time.time() - 3600) == 0
    assert store.clear_leftovers(before=time.time() + 60) == 1
    assert keys(store) == [kept]
    blob.discard()


@pytest.mark.parametrize("key", ["../../etc/passwd", "a" * 64 + "/../../x", "a" * 64 + "/" + "0" * 36 + "\n", ""])
def test_a_hostile_key_is_refused(store: BlobStore, key: str) -> None:
    for action in (store.open, store.delete):
        with pytest.raises(ValueError, match="not a blob key"):
            action(key)


@pytest.mark.parametrize("size", [HASHED_WHOLE + 1, HASHED_WHOLE + BLOCK, HASHED_WHOLE + 2 * BLOCK + 17])
def test_every_chunking_gives_the_same_digest(size: int) -> None:
    content = os.urandom(size)
    found = set()
    for step in (BLOCK, BLOCK - 1, BLOCK + 1, 1000, len(content)):
        digesting = Digesting()
        for at in range(0, len(content), step):
            digesting.update(content[at : at + step])
        found.add(digesting.digest())
    [digest] = found
    starts = (0, *range(HASHED_WHOLE, size, BLOCK))
    sections = [content[start:end] for start, end in zip(starts, (*starts[1:], size), strict=True)]
    assert digest.blocks == b"".join(hashlib.sha256(one).digest() for one in sections)


@pytest.mark.parametrize("size", [0, 1, BLOCK, HASHED_WHOLE])
def test_a_document_of_one_section_has_its_own_digest_alone(size: int) -> None:
    digesting = Digesting()
    digesting.update(bytes(size))
    assert (digesting.digest().blocks, digesting.digest().sha256) == (b"", hashlib.sha256(bytes(size)).hexdigest())


def test_a_bucket_holds_documents_under_their_keys_and_foreign_objects_are_left_alone(endpoint: str) -> None:
    prefix = f"carnet/{uuid.uuid4()}"
    store = S3BlobStore(S3Address(bucket=BUCKET, prefix=prefix, endpoint=endpoint))
    s3 = client(endpoint)
    s3.put_object(Bucket=BUCKET, Key=f"{prefix}/README", Body=b"not ours")
    key, _ = keep(store, CONTENT)
    assert keys(store) == [key]
    assert s3.get_object(Bucket=BUCKET, Key=f"{prefix}/{key}")["Body"].read() == CONTENT


def test_a_large_document_arrives_in_parts(endpoint: str, monkeypatch: pytest.MonkeyPatch) -> None:
    prefix = f"carnet/{uuid.uuid4()}"
    store = S3BlobStore(S3Address(bucket=BUCKET, prefix=prefix, endpoint=endpoint))
    blob = store.receive()
    blob.write(os.urandom(PART + 1))
    blob.finish()
    s3 = client(endpoint)
    [incoming] = s3.list_objects_v2(Bucket=BUCKET, Prefix=f"{prefix}/incoming/")["Contents"]
    assert incoming["ETag"].strip('"').endswith("-2")
    blob.keep()
    assert "Contents" not in s3.list_objects_v2(Bucket=BUCKET, Prefix=f"{prefix}/incoming/")


@pytest.mark.parametrize("bucket", ["no-such-bucket", BUCKET])
def test_a_store_that_cannot_be_reached_is_no_damage(
    endpoint: str, bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("repository.s3_store._RETRY", {"max_retries": 0})
    nowhere = endpoint if bucket != BUCKET else "http://127.0.0.1:9"
    store = S3BlobStore(S3Address(bucket=bucket, endpoint=nowhere))
    blob = store.receive()
    blob.write(CONTENT)
    with pytest.raises(OSError):
        blob.keep()
    with pytest.raises(StoreUnavailable):
        list(store.blobs())
    if bucket == BUCKET:
        with pytest.raises(StoreUnavailable):
            store.open("0" * 64 + "/" + str(uuid.uuid4()))


def test_a_document_is_read_from_where_it_is_while_it_moves(endpoint: str, tmp_path: Path) -> None:
    former = FilesystemStore(tmp_path)
    present = S3BlobStore(S3Address(bucket=BUCKET, prefix=str(uuid.uuid4()), endpoint=endpoint))
    both = StoreWithFormer(present, former)
    old, _ = keep(former, CONTENT)
    new, _ = keep(both, CONTENT * 2)
    assert keys(present) == [new]
    assert [content_of(both, old), content_of(both, new)] == [CONTENT, CONTENT * 2]
    both.delete(old)
    assert keys(former) == []
