"""Moving documents from one store to another while they are served.

Blobs keep their keys, so what is there already is not copied again: a move that was interrupted goes on.
"""

from collections.abc import Callable
from dataclasses import dataclass

from repository.blob_store import BLOCK, BlobStore, DamagedBlob, parts_of
from repository.checked_octets import Expected, verify
from repository.consistency import documents
from storage.unit_of_work import Units

OnProgress = Callable[[int], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Moved:
    """What a move did; `failed` are the uniqueIds of documents whose octets the former store does not give soundly."""

    copied: int
    octets: int
    present: int
    deleted: int
    failed: tuple[str, ...]


def move(
    units: Units,
    former: BlobStore,
    present: BlobStore,
    *,
    delete: bool = False,
    on_progress: OnProgress = lambda _octets: None,
) -> Moved:
    """Copy every document to the present store, read each copy back and compare every octet.

    With `delete` the blob is then deleted from the former store. Raises OSError when a store stops answering.
    """
    copied = octets = there = deleted = 0
    failed: list[str] = []
    for one in documents(units):
        expected = one.expected
        if _has(present, expected):
            there += 1
        elif _copy(former, present, expected):
            copied, octets = copied + 1, octets + expected.size
        else:
            failed.append(one.unique_id)
            continue
        if delete and _has(former, expected):
            former.delete(expected.key)
            deleted += 1
        on_progress(expected.size)
    return Moved(copied=copied, octets=octets, present=there, deleted=deleted, failed=tuple(failed))


def _has(store: BlobStore, expected: Expected) -> bool:
    try:
        reader = store.open(expected.key)
    except DamagedBlob:
        return False
    reader.close()
    return reader.size == expected.size


def _copy(former: BlobStore, present: BlobStore, expected: Expected) -> bool:
    """Whether the present store now has the octets; what it has of others is deleted again."""
    try:
        with present.receive() as incoming:
            reader = former.open(expected.key)
            for offset in range(0, expected.size, BLOCK):
                incoming.write(reader.read_at(offset, min(BLOCK, expected.size - offset)))
            reader.close()
            if reader.size != expected.size or incoming.digest().sha256 != expected.sha256:
                return False
            incoming.keep(parts_of(expected.key)[1])
        verify(present, expected)
    except DamagedBlob:
        present.delete(expected.key)
        return False
    return True
