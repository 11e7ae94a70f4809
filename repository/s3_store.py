"""Documents as objects of an S3 bucket: `<prefix>/<sha256>/<uuid>`.

An object counts once it has its final key, which it gets whole: a small document by one PUT, a larger one
by a multipart upload under `incoming/` and a copy inside the bucket. Reading is by ranges, so that a slow
client holds no connection to the store.
"""

import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Self, TypeVar

import obstore
from obstore.exceptions import BaseError, NotFoundError, PermissionDeniedError, UnauthenticatedError
from obstore.store import S3Store as Bucket

from repository.blob_store import (
    DamagedBlob,
    Digest,
    Digesting,
    KeptBlob,
    StoreRefused,
    StoreUnavailable,
    is_key,
    new_key,
    parts_of,
)

T = TypeVar("T")
KEPT_IN_MEMORY = 256 * 1024
PART = 5 * 1024 * 1024  # the least that S3 takes: each upload holds three of them
_PARTS_AT_ONCE = 2
_INCOMING, _OWNER = "incoming", "carnet-repository"
_NO_BUCKET = "NoSuchBucket"
_TIMEOUT = "60s"
_RETRY: Any = {"max_retries": 3, "retry_timeout": timedelta(seconds=30)}


@dataclass(frozen=True, slots=True, kw_only=True)
class S3Address:
    """A bucket and how to reach it; credentials come from the variables AWS_… of the environment."""

    bucket: str
    prefix: str = ""
    endpoint: str = ""
    region: str = ""


class S3BlobStore:
    """`repository.blob_store.BlobStore` in an S3 bucket."""

    def __init__(self, address: S3Address) -> None:
        """Opens nothing yet: an unreachable bucket is told by the first operation. ValueError for bad settings."""
        self.address = address
        config: Any = {"checksum_algorithm": "SHA256"}
        if address.endpoint:
            config |= {"endpoint": address.endpoint, "virtual_hosted_style_request": False}
        if address.region or address.endpoint:
            config["region"] = address.region or "us-east-1"
        try:
            self._bucket = Bucket(
                address.bucket,
                prefix=address.prefix or None,
                config=config,
                client_options={"allow_http": address.endpoint.startswith("http://"), "timeout": _TIMEOUT},
                retry_config=_RETRY,
            )
        except BaseError as problem:
            raise ValueError(f"s3://{address.bucket}: {_sentence(problem)}") from problem

    def owner(self) -> str:
        """OID of the repository whose documents the bucket was marked to hold; empty when it was not.

        Raises StoreRefused for a bucket that does not exist, StoreUnavailable when it cannot be told.
        """
        try:
            found = _asked(lambda: self._bucket.get(_OWNER).bytes())
        except FileNotFoundError:
            next(self._listed(), None)
            return ""
        return bytes(found).decode("ascii", "replace").strip()

    def mark(self, repository_id: str) -> None:
        """Say in the bucket whose documents it holds."""
        _asked(lambda: self._bucket.put(_OWNER, f"{repository_id}\n".encode("ascii"), use_multipart=False))

    def reach(self) -> None:
        self.owner()

    def receive(self) -> "IncomingObject":
        return IncomingObject(self._bucket)

    def open(self, key: str) -> "ObjectReader":
        path = path_of(key)
        try:
            return ObjectReader(self._bucket, key, _asked(lambda: self._bucket.head(path))["size"])
        except FileNotFoundError:
            raise DamagedBlob(f"blob {key} is not in the bucket") from None

    def delete(self, key: str) -> None:
        path = path_of(key)
        try:
            _asked(lambda: self._bucket.delete(path))
        except FileNotFoundError:
            return

    def blobs(self, *, sha256: str = "") -> Iterator[KeptBlob]:
        for found in self._listed(f"{sha256}/" if sha256 else None):
            if is_key(str(found["path"])):
                yield KeptBlob(key=found["path"], size=found["size"], kept_at=found["last_modified"].timestamp())

    def clear_leftovers(self, *, before: float) -> int:
        """Objects only; multipart uploads cut off by a crash end by a lifecycle rule of the bucket."""
        old = [one["path"] for one in self._listed(f"{_INCOMING}/") if one["last_modified"].timestamp() < before]
        for path in old:
            _asked(lambda path=path: self._bucket.delete(path))  # type: ignore[misc]
        return len(old)

    def _listed(self, prefix: str | None = None) -> Iterator[Any]:
        pages = self._bucket.list(prefix)
        while page := _asked(lambda: next(pages, [])):
            yield from page


class IncomingObject:
    """A document on its way into a bucket: in memory while small, then a multipart upload."""

    def __init__(self, bucket: Bucket) -> None:
        self._bucket, self._path = bucket, f"{_INCOMING}/{uuid.uuid4()}"
        self._digesting, self._memory = Digesting(), bytearray()
        self._upload: Any = None
        self._is_uploaded = self._is_kept = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.discard()

    def write(self, chunk: bytes) -> None:
        self._digesting.update(chunk)
        if self._upload is None and len(self._memory) + len(chunk) <= KEPT_IN_MEMORY:
            self._memory += chunk
            return
        if self._upload is None:
            self._upload = obstore.open_writer(
                self._bucket, self._path, buffer_size=PART, max_concurrency=_PARTS_AT_ONCE
            )
            _asked(lambda: self._upload.write(bytes(self._memory)))
            self._memory.clear()
        _asked(lambda: self._upload.write(chunk))

    def finish(self) -> None:
        if self._upload is not None and not self._is_uploaded:
            _asked(self._upload.close)
            self._is_uploaded = True

    def digest(self) -> Digest:
        return self._digesting.digest()

    def keep(self, name: str = "") -> str:
        """One PUT, or the end of the upload and a copy; then the store is asked for the length it has."""
        self.finish()
        digest = self.digest()
        key = new_key(digest.sha256, name)
        path = path_of(key)
        if self._upload is None:
            _asked(lambda: self._bucket.put(path, bytes(self._memory), use_multipart=False))
        else:
            _asked(lambda: self._bucket.copy(self._path, path))
        size = _asked(lambda: self._bucket.head(path))["size"]
        if size != digest.size:
            raise StoreUnavailable(f"the store kept {size} of {digest.size} octets")
        self._is_kept = True
        self._forget()
        return key

    def discard(self) -> None:
        """An upload that is under way is completed first: only so can its parts be deleted."""
        if not self._is_kept:
            self._forget()

    def _forget(self) -> None:
        upload, self._memory = self._upload, bytearray()
        if upload is None:
            return
        try:
            self.finish()
            _asked(lambda: self._bucket.delete(self._path))
        except OSError:
            # The copy is kept or the octets are unwanted; what stays under incoming/ is cleared as a leftover.
            self._is_uploaded = True
        self._upload = None


class ObjectReader:
    """An object read by ranges."""

    def __init__(self, bucket: Bucket, key: str, size: int) -> None:
        self._bucket, self._key, self.size = bucket, key, size

    def read_at(self, offset: int, length: int) -> bytes:
        end = min(offset + length, self.size)
        if end <= offset:
            return b""
        path = path_of(self._key)
        try:
            return bytes(_asked(lambda: self._bucket.get_range(path, start=offset, end=end)))
        except FileNotFoundError:
            raise DamagedBlob(f"blob {self._key} is not in the bucket") from None

    def close(self) -> None:
        """Nothing is held between two reads."""


def path_of(key: str) -> str:
    """The key below the prefix; ValueError for anything that is not a key."""
    return "/".join(parts_of(key))


def _asked(question: Callable[[], T]) -> T:
    """What the store answers; FileNotFoundError for "no such object", StoreRefused, StoreUnavailable."""
    try:
        return question()
    except (NotFoundError, FileNotFoundError):
        raise FileNotFoundError from None
    except (PermissionDeniedError, UnauthenticatedError) as problem:
        raise StoreRefused(f"the object store refuses: {_sentence(problem)}") from problem
    except (BaseError, OSError) as problem:
        if _NO_BUCKET in str(problem):
            raise StoreRefused(f"the object store refuses: {_NO_BUCKET}") from problem
        raise StoreUnavailable(f"the object store failed: {_sentence(problem)}") from problem


def _sentence(problem: Exception) -> str:
    """The kind of failure; the text of the client may hold headers and is not repeated."""
    return type(problem).__name__
