"""Document octets that are compared with their digests before they leave.

Up to 16 MB a document is hashed whole before its answer begins, so that a damaged one is an error of its
own (PartialSuccess). A larger one is checked MiB by MiB against the digests kept when it came in, each
before it is given: damage cuts the answer, no wrong octet leaves, and it is read once.
"""

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from repository.blob_store import BLOCK, BlobReader, BlobStore, DamagedBlob

HASHED_WHOLE = 16 * 10**6
_DIGEST = hashlib.sha256().digest_size
OnDamage = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """What a blob must be. `blocks`: SHA-256 of each MiB, empty when they were not kept."""

    key: str
    size: int
    sha256: str
    blocks: bytes = b""

    @property
    def is_hashed_whole(self) -> bool:
        return self.size <= HASHED_WHOLE or len(self.blocks) != _DIGEST * -(-self.size // BLOCK)


class Allowance:
    """Octets that one request may hold in memory, so that what was hashed need not be read again."""

    def __init__(self, octets: int = HASHED_WHOLE) -> None:
        self._left = octets

    def take(self, octets: int) -> bool:
        if octets > self._left:
            return False
        self._left -= octets
        return True


def checked_octets(
    store: BlobStore, expected: Expected, *, allowance: Allowance, on_damage: OnDamage
) -> "CheckedOctets":
    """The octets of a blob, checked as far as they can be before the answer begins.

    Raises DamagedBlob and OSError; `on_damage` is told of damage found later, when octets are on their way.
    """
    reader = store.open(expected.key)
    try:
        if reader.size != expected.size:
            raise DamagedBlob(f"blob {expected.key} has {reader.size} octets, expected {expected.size}")
        if expected.is_hashed_whole:
            keep = allowance.take(expected.size)
            blocks, kept = _hashed_whole(reader, expected, keep=keep)
        else:
            blocks, kept = expected.blocks, ()
            _block(reader, expected, blocks, 0)
    finally:
        reader.close()
    return CheckedOctets(store, expected, blocks=blocks, kept=kept, on_damage=on_damage)


def verify(store: BlobStore, expected: Expected, *, pause: Callable[[int], None] = lambda _octets: None) -> None:
    """Read a blob whole and compare it. Raises DamagedBlob and OSError; `pause` follows each block read."""
    reader = store.open(expected.key)
    try:
        if reader.size != expected.size:
            raise DamagedBlob(f"blob {expected.key} has {reader.size} octets, expected {expected.size}")
        digest = hashlib.sha256()
        for block in _blocks_of(reader, expected.size):
            digest.update(block)
            pause(len(block))
    finally:
        reader.close()
    if digest.hexdigest() != expected.sha256:
        raise DamagedBlob(f"blob {expected.key} has other octets than were stored")


class CheckedOctets:
    """Octets in blocks, each compared with its digest before it is given; nothing is open until the first."""

    def __init__(
        self,
        store: BlobStore,
        expected: Expected,
        *,
        blocks: bytes,
        kept: tuple[bytes, ...],
        on_damage: OnDamage,
    ) -> None:
        self._store, self._expected, self._digests, self._on_damage = store, expected, blocks, on_damage
        self._chunks = iter(kept) if kept else self._read()

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        return next(self._chunks)

    def close(self) -> None:
        """Harmless when everything was read."""
        close = getattr(self._chunks, "close", None)
        if close is not None:
            close()
        self._chunks = iter(())

    def _read(self) -> Iterator[bytes]:
        if not self._expected.size:
            return
        try:
            reader = self._store.open(self._expected.key)
            try:
                for number in range(-(-self._expected.size // BLOCK)):
                    yield _block(reader, self._expected, self._digests, number)
            finally:
                reader.close()
        except DamagedBlob:
            self._on_damage(self._expected.key)
            raise


def _hashed_whole(reader: BlobReader, expected: Expected, *, keep: bool) -> tuple[bytes, tuple[bytes, ...]]:
    """The blocks of a blob whose SHA-256 is right if they are to be kept, else their digests."""
    whole, digests, kept = hashlib.sha256(), bytearray(), []
    for block in _blocks_of(reader, expected.size):
        whole.update(block)
        if keep:
            kept.append(block)
        else:
            digests += hashlib.sha256(block).digest()
    if whole.hexdigest() != expected.sha256:
        raise DamagedBlob(f"blob {expected.key} has other octets than were stored")
    return bytes(digests), tuple(kept)


def _blocks_of(reader: BlobReader, size: int) -> Iterator[bytes]:
    for offset in range(0, size, BLOCK):
        yield reader.read_at(offset, min(BLOCK, size - offset))


def _block(reader: BlobReader, expected: Expected, digests: bytes, number: int) -> bytes:
    offset = number * BLOCK
    block = reader.read_at(offset, min(BLOCK, expected.size - offset))
    if hashlib.sha256(block).digest() != digests[number * _DIGEST : (number + 1) * _DIGEST]:
        raise DamagedBlob(f"blob {expected.key} has other octets than were stored, in MiB {number}")
    return block
