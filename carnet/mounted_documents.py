"""Whether documents and database belong together, or one of them is only the place where it should be mounted."""

from collections.abc import Callable
from itertools import islice
from typing import NamedTuple

from carnet.document_stores import open_store
from carnet.domains import repository_unique_id
from carnet.settings import Settings, SettingsError
from repository import index
from repository.blob_store import BlobStore, DamagedBlob, StoreRefused, StoreUnavailable
from repository.filesystem_store import FilesystemStore
from repository.s3_store import S3BlobStore
from storage.unit_of_work import Units

OnUnreached = Callable[[str, Exception], None]
_LOOKED_AT = 20
_MOST_LEFT_BEHIND = 100


def check_documents(settings: Settings, units: Units, *, on_unreached: OnUnreached) -> None:
    """Raises SettingsError for a store that is another repository's, or that lacks the documents of the database, for
    a bucket that does not exist or refuses us, and for a new database beside a store that is in use.

    A store is marked when it is first used. One without mark passes when there are no documents yet, when some of
    those that there are lie in it, or when the former store that they are moved from passes. A store that cannot be
    reached passes too, and `on_unreached` is told: it may come back, and metadata is served meanwhile.
    """
    urls = [url for url in (settings.documents_former, settings.documents_url) if url]
    for url in urls:
        may_be_new = len(urls) > 1 and url == urls[-1]
        try:
            _check(_Store(url, open_store(settings, url)), units, repository_unique_id(settings), may_be_new=may_be_new)
        except StoreRefused as problem:
            raise SettingsError(f"setting documents: {url}: {problem}") from problem
        except StoreUnavailable as problem:
            on_unreached(url, problem)


class _Store(NamedTuple):
    url: str
    blobs: FilesystemStore | S3BlobStore


def _check(store: _Store, units: Units, repository_id: str, *, may_be_new: bool) -> None:
    owner = store.blobs.owner()
    if owner not in ("", repository_id):
        raise SettingsError(
            f"the store of documents {store.url} is marked as that of repository {owner}, expected {repository_id}"
        )
    if not owner and not may_be_new and not _fits(store.blobs, units):
        raise SettingsError(
            f"the store of documents {store.url} has none of the documents of the database: "
            "is it mounted, is it the right one?"
        )
    if not owner:
        store.blobs.mark(repository_id)
    _check_database(store, units)


def _check_database(store: _Store, units: Units) -> None:
    """Crashes before the first commit may leave some blobs without document, never so many."""
    with units.read() as connection:
        is_new = index.is_new(connection)
    if is_new and sum(1 for _ in islice(store.blobs.blobs(), _MOST_LEFT_BEHIND + 1)) > _MOST_LEFT_BEHIND:
        raise SettingsError(
            f"the database is new and {store.url} holds documents already: is the folder of the database mounted? "
            "(carnet restore brings a backup back)"
        )


def _fits(store: BlobStore, units: Units) -> bool:
    with units.read() as connection:
        some = index.page(connection, after="", size=_LOOKED_AT)
    return not some or any(_holds(store, one.blob_key) for one in some)


def _holds(store: BlobStore, key: str) -> bool:
    try:
        store.open(key).close()
    except DamagedBlob:
        return False
    return True
