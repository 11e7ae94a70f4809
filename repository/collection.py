"""Collecting blobs that nothing refers to: what crashes, refused submissions and removals leave behind.

A blob is collected when it is past the grace and has no row. The row is claimed first, in the database:
its primary key decides between the collection and a submission that commits at that moment, so a blob
that a committed submission refers to is never deleted, whatever the grace.
"""

import time
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import islice

from repository import index
from repository.blob_store import BlobStore, KeptBlob
from storage.unit_of_work import UnitOfWork, Units

GRACE_SECONDS = 24 * 3600
# An upload under way touches its file more often than this, whatever grace was asked for.
_UPLOAD_SECONDS = 3600
_BATCH = 200
_FEW = 20
OnProgress = Callable[[int], None]


class Refused(Exception):
    """The collection would delete what looks like another repository's documents."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Collected:
    """What a collection deleted; `failed` blobs are tried again by the next one.

    Blobs that a removal had discarded are deleted with the others and not counted.
    """

    blobs: int = 0
    octets: int = 0
    leftovers: int = 0
    failed: int = 0


def collect(
    units: Units,
    store: BlobStore,
    *,
    before: float,
    force: bool = False,
    on_progress: OnProgress = lambda _count: None,
) -> Collected:
    """Delete discarded blobs, and blobs without a row that were kept before that time (seconds since 1970).

    Raises Refused, nothing deleted, when most blobs of the store are unknown to this database and not
    `force`: a collection beside the wrong database would empty the store.
    """
    if not force:
        _check_most_are_known(units, store, before)
    deleted = octets = 0
    failed = sum(not _delete(store, key) for key in _discarded(units))
    if not failed:
        forgotten = time.time() - GRACE_SECONDS
        units.write(lambda unit: index.forget_discarded(unit.connection, before=forgotten))
    for batch in _batches(unreferenced(units, _old(store.blobs(), before, on_progress))):
        sizes = {one.key: one.size for one in batch}
        for key in units.write(partial(_discard, keys=tuple(sizes))):
            done = _delete(store, key)
            deleted, failed, octets = deleted + done, failed + (not done), octets + sizes[key] * done
    leftovers = store.clear_leftovers(before=min(before, time.time() - _UPLOAD_SECONDS))
    return Collected(blobs=deleted, octets=octets, leftovers=leftovers, failed=failed)


def unreferenced(units: Units, blobs: Iterable[KeptBlob]) -> Iterator[KeptBlob]:
    """Those of the blobs that no document refers to and nobody is deleting."""
    for batch in _batches(blobs):
        with units.read() as connection:
            known = index.known_blobs(connection, [one.key for one in batch])
        yield from (one for one in batch if one.key not in known)


def _check_most_are_known(units: Units, store: BlobStore, before: float) -> None:
    old = unknown = 0
    for batch in _batches(_old(store.blobs(), before, lambda _count: None)):
        old, unknown = old + len(batch), unknown + sum(1 for _ in unreferenced(units, batch))
    if unknown > _FEW and unknown * 2 > old:
        raise Refused(
            f"{unknown} of {old} blobs are unknown to this database: is it the one of these documents? "
            "Nothing was deleted; --force deletes them"
        )


def _old(blobs: Iterable[KeptBlob], before: float, on_progress: OnProgress) -> Iterator[KeptBlob]:
    for number, one in enumerate(blobs, start=1):
        on_progress(number)
        if one.kept_at < before:
            yield one


def _batches(blobs: Iterable[KeptBlob]) -> Iterator[list[KeptBlob]]:
    waiting = iter(blobs)
    while batch := list(islice(waiting, _BATCH)):
        yield batch


def _discard(unit: UnitOfWork, *, keys: Collection[str]) -> list[str]:
    return index.discard(unit.connection, keys)


def _discarded(units: Units) -> Iterator[str]:
    """Blobs that a removal or an earlier collection left to be deleted."""
    after = ""
    while True:
        with units.read() as connection:
            keys = index.discarded(connection, after=after, size=_BATCH)
        if not keys:
            return
        yield from keys
        after = keys[-1]


def _delete(store: BlobStore, key: str) -> bool:
    try:
        store.delete(key)
    except OSError:
        return False
    return True
