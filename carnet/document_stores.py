"""Where documents are kept: a folder or a bucket, by its URL."""

import os
from pathlib import Path
from urllib.parse import unquote, urlsplit

from carnet.elsewhere_settings import is_loopback
from carnet.settings import Settings, SettingsError
from repository.blob_store import BlobStore
from repository.filesystem_store import FilesystemStore
from repository.s3_store import S3Address, S3BlobStore
from repository.store_with_former import StoreWithFormer
from storage.unit_of_work import OnSyncLost, go_on

_ENDPOINT_VARIABLES = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT")


def open_documents(settings: Settings, *, on_sync_lost: OnSyncLost = go_on) -> BlobStore:
    """The store the settings name, with the former one behind it when there is one."""
    present = open_store(settings, settings.documents_url, on_sync_lost=on_sync_lost)
    if not settings.documents_former:
        return present
    return StoreWithFormer(present, open_store(settings, settings.documents_former))


def open_store(settings: Settings, url: str, *, on_sync_lost: OnSyncLost = go_on) -> FilesystemStore | S3BlobStore:
    """The store at `file:///FOLDER` or `s3://BUCKET/PREFIX`. Raises SettingsError."""
    parts = urlsplit(url)
    if parts.scheme == "file" and not parts.netloc and parts.path:
        return FilesystemStore(Path(unquote(parts.path)), on_sync_lost=on_sync_lost)
    if parts.scheme != "s3" or not parts.netloc or parts.query or parts.fragment:
        raise SettingsError(f"documents: found {url!r}, expected file:///FOLDER or s3://BUCKET/PREFIX")
    address = S3Address(
        bucket=parts.netloc, prefix=parts.path.strip("/"), endpoint=_endpoint(settings), region=settings.s3_region
    )
    try:
        return S3BlobStore(address)
    except ValueError as problem:
        raise SettingsError(str(problem)) from problem


def open_existing_store(settings: Settings, url: str) -> FilesystemStore | S3BlobStore:
    """The same, of a store that is there: a mistyped folder is told, not made. Raises SettingsError."""
    parts = urlsplit(url)
    if parts.scheme == "file" and not Path(unquote(parts.path)).is_dir():
        raise SettingsError(f"documents: found no folder {unquote(parts.path)!r}, expected a store with documents")
    return open_store(settings, url)


def is_one_place(one: BlobStore, other: BlobStore) -> bool:
    """Whether two stores keep the same documents, whatever they are called: what is deleted in one is gone in both."""
    if isinstance(one, FilesystemStore) and isinstance(other, FilesystemStore):
        return one.root.samefile(other.root)
    return isinstance(one, S3BlobStore) and isinstance(other, S3BlobStore) and one.address == other.address


def _endpoint(settings: Settings) -> str:
    """The endpoint; documents and credentials travel unprotected over http:// beyond this machine."""
    endpoint = settings.s3_endpoint or next(
        (os.environ[name] for name in _ENDPOINT_VARIABLES if name in os.environ), ""
    )
    if not endpoint:
        return ""
    parts = urlsplit(endpoint)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise SettingsError(f"setting s3_endpoint: found {endpoint!r}, expected https://HOST[:PORT]")
    if parts.scheme == "http" and not (is_loopback(parts.hostname) or settings.s3_plain_http):
        raise SettingsError(
            f"setting s3_endpoint: found {endpoint!r}: http:// is for loopback only; "
            "use https://, or allow it with --s3-plain-http"
        )
    return endpoint.rstrip("/")
