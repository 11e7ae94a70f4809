"""A repository with documents, for tests that look after them."""

import hashlib
from pathlib import Path

from repository import index
from repository.blob_store import BlobStore
from repository.filesystem_store import path_of
from repository.index import StoredDocument
from storage.unit_of_work import Units


def kept(store: BlobStore, content: bytes) -> tuple[str, bytes]:
    """A blob that nothing refers to yet: its key and the digests of its blocks."""
    blob = store.receive()
    blob.write(content)
    return blob.keep(), blob.digest().blocks


def document_of(unique_id: str, key: str, content: bytes, blocks: bytes) -> StoredDocument:
    return StoredDocument(
        unique_id=unique_id,
        size=len(content),
        sha1=hashlib.sha1(content).hexdigest(),
        sha256=hashlib.sha256(content).hexdigest(),
        blob_key=key,
        mime_type="text/xml",
        blocks=blocks,
    )


def hold(units: Units, store: BlobStore, unique_id: str, content: bytes) -> StoredDocument:
    key, blocks = kept(store, content)
    document = document_of(unique_id, key, content, blocks)
    units.write(lambda unit: index.add(unit.connection, [document]))
    return document


def flip(root: Path, key: str, at: int = 0) -> None:
    """One bit of a file changes."""
    file = path_of(root, key)
    content = bytearray(file.read_bytes())
    content[at] ^= 1
    file.write_bytes(bytes(content))


def keys(store: BlobStore) -> set[str]:
    return {one.key for one in store.blobs()}
