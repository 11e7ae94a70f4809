"""What a store of document octets offers; the repository knows no more of it.

A blob has the key `<sha256>/<uuid>`, belongs to one stored document and is never shared.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

CHUNK = 64 * 1024


class DamagedBlob(Exception):
    """The stored octets are missing, or are not the ones that were stored."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Digest:
    """Length in octets, SHA-1 (the standard's hash) and SHA-256 (our identity), both in hexadecimal."""

    size: int
    sha1: str
    sha256: str


class Digesting:
    """Computes a Digest while octets pass."""

    def __init__(self) -> None:
        self._sha1, self._sha256 = hashlib.sha1(usedforsecurity=False), hashlib.sha256()
        self._size = 0

    def update(self, chunk: bytes) -> None:
        self._sha1.update(chunk)
        self._sha256.update(chunk)
        self._size += len(chunk)

    def digest(self) -> Digest:
        return Digest(size=self._size, sha1=self._sha1.hexdigest(), sha256=self._sha256.hexdigest())


class Octets(Protocol):
    """The octets of a blob in chunks, once; `close` when they are not wanted after all."""

    def __iter__(self) -> Iterator[bytes]: ...

    def __next__(self) -> bytes: ...

    def close(self) -> None: ...


class IncomingBlob(Protocol):
    """Octets on their way in: nothing of them counts before `keep`."""

    def write(self, chunk: bytes) -> None: ...

    def digest(self) -> Digest: ...

    def keep(self) -> str:
        """Make the octets durable and return their key. Raises OSError when that fails."""
        ...

    def discard(self) -> None:
        """Forget octets that were not kept; harmless on kept ones."""
        ...


class BlobStore(Protocol):
    """A place for document octets."""

    def receive(self) -> IncomingBlob: ...

    def read(self, key: str, *, sha256: str) -> Octets:
        """The octets, checked against their SHA-256 before the first is given. Raises DamagedBlob."""
        ...

    def delete(self, key: str) -> None: ...
