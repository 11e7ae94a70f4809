"""Whether documents and database belong together, or one of them is only the place where it should be mounted."""

from itertools import islice

from carnet.document_stores import open_store
from carnet.domains import repository_unique_id
from carnet.settings import Settings, SettingsError
from repository import index
from repository.blob_store import DamagedBlob
from repository.filesystem_store import FilesystemStore
from storage.unit_of_work import Units

_LOOKED_AT = 20
_MOST_LEFT_BEHIND = 100


def check_documents(settings: Settings, units: Units) -> None:
    """Raises SettingsError for a folder that is another repository's, or that lacks the documents of the database, and
    for a new database beside a folder that is in use.

    A folder is marked when it is first used. One without mark passes when there are no documents yet, when some of
    those that there are lie in it, or when the former store that they are moved from passes.
    """
    urls = [url for url in (settings.documents_former, settings.documents_url) if url]
    for url in urls:
        store = open_store(settings, url)
        if isinstance(store, FilesystemStore):
            _check(store, units, repository_unique_id(settings), may_be_new=len(urls) > 1 and url == urls[-1])
            _check_database(store, units)


def _check(store: FilesystemStore, units: Units, repository_id: str, *, may_be_new: bool) -> None:
    owner = store.owner()
    if owner not in ("", repository_id):
        raise SettingsError(
            f"the folder of documents {store.root} is marked as that of repository {owner}, expected {repository_id}"
        )
    if not owner and not may_be_new and not _fits(store, units):
        raise SettingsError(
            f"the folder of documents {store.root} has none of the documents of the database: is it mounted?"
        )
    if not owner:
        store.mark(repository_id)


def _check_database(store: FilesystemStore, units: Units) -> None:
    """Crashes before the first commit may leave some blobs without document, never so many.

    A bucket is not asked: this runs before the server forks, and the client of the object store has threads that do not
    come along.
    """
    with units.read() as connection:
        is_new = index.is_new(connection)
    if is_new and sum(1 for _ in islice(store.blobs(), _MOST_LEFT_BEHIND + 1)) > _MOST_LEFT_BEHIND:
        raise SettingsError(
            f"the database is new and {store.root} holds documents already: is the folder of the database mounted? "
            "(carnet restore brings a backup back)"
        )


def _fits(store: FilesystemStore, units: Units) -> bool:
    with units.read() as connection:
        some = index.page(connection, after="", size=_LOOKED_AT)
    return not some or any(_holds(store, one.blob_key) for one in some)


def _holds(store: FilesystemStore, key: str) -> bool:
    try:
        store.open(key).close()
    except DamagedBlob:
        return False
    return True
