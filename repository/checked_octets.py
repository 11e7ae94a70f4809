"""Document octets that are compared with their digests before they leave.

Up to 16 MiB a document is hashed whole before its answer begins, so that a damaged one is an error of its
own (PartialSuccess). Of a larger one the first 16 MiB are; the rest is checked MiB by MiB against the digests kept when
it came in, each before it is given and while the one before it is sent: damage cuts the answer, no wrong octet leaves,
and it is read once.
"""

import hashlib
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from repository.blob_store import BLOCK, HASHED_WHOLE, BlobReader, BlobStore, DamagedBlob

_DIGEST = hashlib.sha256().digest_size
OnDamage = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """What a blob must be. `blocks`: as of its `Digest`; other ones, or none, count for nothing."""

    key: str
    size: int
    sha256: str
    blocks: bytes = b""

    def sections(self) -> tuple[bytes, ...]:
        """The digests of the first 16 MiB and of each MiB after them; of the whole document where it has no others."""
        further = -(-(self.size - HASHED_WHOLE) // BLOCK)
        if further <= 0 or len(self.blocks) != _DIGEST * (1 + further):
            return (bytes.fromhex(self.sha256),)
        return tuple(self.blocks[at : at + _DIGEST] for at in range(0, len(self.blocks), _DIGEST))


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
        first, *further = expected.sections()
        length = HASHED_WHOLE if further else expected.size
        digests, kept = _hashed(reader, expected.key, length, first, keep=allowance.take(length))
    finally:
        reader.close()
    return CheckedOctets(store, expected, kept=kept, digests=(*digests, *further), on_damage=on_damage)


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
        kept: Sequence[bytes],
        digests: Sequence[bytes],
        on_damage: OnDamage,
    ) -> None:
        """`kept` are the first blocks, `digests` those of the blocks after them."""
        self._store, self._expected, self._on_damage = store, expected, on_damage
        self._chunks = self._read(deque(kept), digests, len(kept))

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        return next(self._chunks)

    def close(self) -> None:
        """Harmless when everything was read."""
        self._chunks.close()

    def _read(self, kept: deque[bytes], digests: Sequence[bytes], first: int) -> Generator[bytes, None, None]:
        while kept:
            yield kept.popleft()
        if not digests:
            return
        try:
            reader = self._store.open(self._expected.key)
            try:
                yield from _ahead(reader, self._expected, digests, first)
            finally:
                reader.close()
        except DamagedBlob:
            self._on_damage(self._expected.key)
            raise


def _ahead(reader: BlobReader, expected: Expected, digests: Sequence[bytes], first: int) -> Iterator[bytes]:
    """Blocks from the one with this number on, each read and compared while the one before it is sent."""
    with ThreadPoolExecutor(1, thread_name_prefix="read-ahead") as aside:
        waiting = aside.submit(_block, reader, expected, first, digests[0])
        for number, digest in enumerate(digests[1:], start=first + 1):
            block = waiting.result()
            waiting = aside.submit(_block, reader, expected, number, digest)
            yield block
        yield waiting.result()


def _hashed(reader: BlobReader, key: str, length: int, digest: bytes, *, keep: bool) -> tuple[list[bytes], list[bytes]]:
    """So many octets from the beginning, if their SHA-256 is right: the digests of their blocks, or these, kept."""
    whole, digests, kept = hashlib.sha256(), [], []
    for block in _blocks_of(reader, length):
        whole.update(block)
        if keep:
            kept.append(block)
        else:
            digests.append(hashlib.sha256(block).digest())
    if whole.digest() != digest:
        raise DamagedBlob(f"blob {key} has other octets than were stored")
    return digests, kept


def _blocks_of(reader: BlobReader, size: int) -> Iterator[bytes]:
    for offset in range(0, size, BLOCK):
        yield reader.read_at(offset, min(BLOCK, size - offset))


def _block(reader: BlobReader, expected: Expected, number: int, digest: bytes) -> bytes:
    offset = number * BLOCK
    block = reader.read_at(offset, min(BLOCK, expected.size - offset))
    if hashlib.sha256(block).digest() != digest:
        raise DamagedBlob(f"blob {expected.key} has other octets than were stored, in MiB {number}")
    return block
