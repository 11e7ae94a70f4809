"""Moving documents from one store to another while they are served.

Blobs keep their keys, so what is there already is not copied again: a move that was interrupted goes on. It is read and
compared all the same, because it may have been interrupted before that, and octets may have changed since.
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
    """Copy every document to the present store, where it is not there soundly; every octet there is read and compared.

    With `delete` the blob is then deleted from the former store, which must be another place than the present one.
    Raises OSError when a store stops answering.
    """
    copied = octets = there = deleted = 0
    failed: list[str] = []
    for one in documents(units):
        expected = one.expected
        if _is_sound(present, expected):
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


def _is_sound(store: BlobStore, expected: Expected) -> bool:
    try:
        verify(store, expected)
    except DamagedBlob:
        return False
    return True


def _copy(former: BlobStore, present: BlobStore, expected: Expected) -> bool:
    """Whether the present store now has the octets; a copy that it garbled is deleted again."""
    try:
        with present.receive() as incoming:
            reader = former.open(expected.key)
            for offset in range(0, expected.size, BLOCK):
                incoming.write(reader.read_at(offset, min(BLOCK, expected.size - offset)))
            reader.close()
            if reader.size != expected.size or incoming.digest().sha256 != expected.sha256:
                return False
            incoming.keep(parts_of(expected.key)[1])
    except DamagedBlob:
        return False
    if _is_sound(present, expected):
        return True
    present.delete(expected.key)
    return False
