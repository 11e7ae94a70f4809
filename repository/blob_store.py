"""What a store of document octets offers; the repository knows no more of it.

A blob has the key `<sha256>/<uuid>`, belongs to one stored document and is never shared. Stores keep and
give octets; whether these are the right ones is checked above them (`repository.checked_octets`).
"""

import hashlib
import re
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol, Self

CHUNK = 64 * 1024
BLOCK = 1024 * 1024
# The first section of a document, which is hashed whole before an answer begins; each further MiB is one of its own.
HASHED_WHOLE = 16 * BLOCK
_KEY = re.compile(r"([0-9a-f]{64})/([0-9a-f-]{36})\Z")


class DamagedBlob(Exception):
    """The stored octets are missing, or are not the ones that were stored."""


class StoreUnavailable(OSError):
    """The store cannot be reached or refuses to work; what it holds may be sound."""


class StoreRefused(StoreUnavailable):
    """The store answered, and does not let us in: it has no such bucket, or refuses the credentials."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Digest:
    """Length in octets, SHA-1 (the standard's hash) and SHA-256 (our identity), both in hexadecimal.

    `blocks` are the SHA-256 of the first 16 MiB and of each MiB after them, one after the other, 32 octets each; empty
    for a document that is not longer than 16 MiB, which its own SHA-256 is enough for.
    """

    size: int
    sha1: str
    sha256: str
    blocks: bytes = b""


class Digesting:
    """Computes a Digest while octets pass."""

    def __init__(self) -> None:
        self._sha1, self._sha256 = hashlib.sha1(usedforsecurity=False), hashlib.sha256()
        self._block, self._blocks = hashlib.sha256(), bytearray()
        self._size = 0

    def update(self, chunk: bytes) -> None:
        self._sha1.update(chunk)
        view = memoryview(chunk)
        while view:
            piece = view[: self._left()]
            self._sha256.update(piece)
            if self._size >= HASHED_WHOLE:
                self._block.update(piece)
            self._size += len(piece)
            if self._size >= HASHED_WHOLE and self._size % BLOCK == 0:
                self._end_section()
            view = view[len(piece) :]

    def digest(self) -> Digest:
        last = self._block.digest() if self._size % BLOCK else b""
        return Digest(
            size=self._size,
            sha1=self._sha1.hexdigest(),
            sha256=self._sha256.hexdigest(),
            blocks=bytes(self._blocks) + last if self._size > HASHED_WHOLE else b"",
        )

    def _left(self) -> int:
        """Octets to the end of the section."""
        return HASHED_WHOLE - self._size if self._size < HASHED_WHOLE else BLOCK - self._size % BLOCK

    def _end_section(self) -> None:
        """The digest of the first section is that of the document so far, which costs nothing."""
        ended = self._sha256.copy() if self._size == HASHED_WHOLE else self._block
        self._blocks += ended.digest()
        self._block = hashlib.sha256()


class Octets(Protocol):
    """The octets of a document in chunks, once; `close` when they are not wanted after all."""

    def __iter__(self) -> Iterator[bytes]: ...

    def __next__(self) -> bytes: ...

    def close(self) -> None: ...


class IncomingBlob(Protocol):
    """Octets on their way in: nothing counts before `keep`; leaving the `with` block discards what was not kept."""

    def __enter__(self) -> Self: ...

    def __exit__(self, *_: object) -> None: ...

    def write(self, chunk: bytes) -> None: ...

    def finish(self) -> None:
        """No octets follow: release what is held in memory. `keep` does it too."""
        ...

    def digest(self) -> Digest: ...

    def keep(self, name: str = "") -> str:
        """Make the octets durable and return their key, with `name` (a UUID) or a new one. Raises OSError."""
        ...

    def discard(self) -> None:
        """Forget octets that were not kept; harmless on kept ones."""
        ...


class BlobReader(Protocol):
    """An opened blob."""

    @property
    def size(self) -> int: ...

    def read_at(self, offset: int, length: int) -> bytes:
        """So many octets from there; fewer only where the blob ends. Raises DamagedBlob, StoreUnavailable."""
        ...

    def close(self) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptBlob:
    """A blob as its store lists it; `kept_at` in seconds since 1970, by the clock of the store."""

    key: str
    size: int
    kept_at: float


class BlobStore(Protocol):
    """A place for document octets."""

    def reach(self) -> None:
        """Raises StoreUnavailable, or another OSError, when nothing can be kept or given now."""
        ...

    def receive(self) -> IncomingBlob: ...

    def open(self, key: str) -> BlobReader:
        """Raises DamagedBlob when there is none, StoreUnavailable when it cannot be told."""
        ...

    def delete(self, key: str) -> None:
        """Harmless when there is none. Raises OSError."""
        ...

    def blobs(self, *, sha256: str = "") -> Iterator[KeptBlob]:
        """Every blob kept, or those of one SHA-256, in no order, without holding the list in memory."""
        ...

    def clear_leftovers(self, *, before: float) -> int:
        """Remove what was received before that time and never kept; returns how many."""
        ...


def new_key(sha256: str, name: str = "") -> str:
    return f"{sha256}/{name or uuid.uuid4()}"


def parts_of(key: str) -> tuple[str, str]:
    """SHA-256 and UUID of a key. Keys are ours alone; anything else is a ValueError and never becomes a path."""
    match = _KEY.match(key)
    if match is None:
        raise ValueError("not a blob key")
    return match[1], match[2]


def is_key(text: str) -> bool:
    return _KEY.match(text) is not None
