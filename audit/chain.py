"""The hash chain over the audit records: each seal covers the one before it, so what is taken out or changed shows.

seal = SHA-256(previous seal, sequence and time in microseconds since 1970 as 8 octets each, MSG). The first
record has the sequence 1 and follows 32 octets of zero. An anchor is a seal that was kept elsewhere.
"""

import hashlib
import heapq
import struct
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

GENESIS = bytes(32)
# The searchable columns as a message says them.
ColumnsOf = Callable[[bytes], tuple[str, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """A sealed record as the store has it; `recorded` in microseconds since 1970, `octets` of all messages so far."""

    sequence: int
    recorded: int
    message: bytes
    seal: bytes
    octets: int
    columns: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """Records that were purged: the seal of the last, `octets` of all messages so far, when, and who says so."""

    first: int
    last: int
    seal: bytes
    octets: int
    time: str
    signature: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class Break:
    """The first place where the chain does not hold: the sequence, and what was found there."""

    sequence: int
    found: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Verified:
    """How far the chain holds, and the break, if any."""

    last: int
    seal: bytes
    broken: Break | None = None


def seal_of(previous: bytes, sequence: int, recorded: int, message: bytes) -> bytes:
    """The seal of one record, 32 octets."""
    return hashlib.sha256(previous + struct.pack(">qq", sequence, recorded) + message).digest()


def verify(
    links: Iterable[Link],
    anchors: Mapping[int, bytes],
    *,
    columns_of: ColumnsOf,
    segments: Iterable[Segment] = (),
    is_believed: Callable[[Segment], bool] = lambda _: True,
) -> Verified:
    """Walk the chain from its beginning and stop at the first break.

    `anchors` are seals by sequence. `columns_of` tells from a message what its searchable columns must say. `segments`
    stand for what was purged, where `is_believed` says who did it may.
    """
    last = Verified(last=0, seal=GENESIS)
    octets = 0
    for link in in_their_places(links, segments):
        if isinstance(link, Segment):
            found = next(_problems_of_segment(last, link, octets, anchors, is_believed), "")
            if found:
                return Verified(last=last.last, seal=last.seal, broken=Break(sequence=last.last + 1, found=found))
            octets, last = link.octets, Verified(last=link.last, seal=link.seal)
            continue
        found = _problem(last, link, octets + len(link.message), anchors, columns_of)
        if found:
            return Verified(last=last.last, seal=last.seal, broken=Break(sequence=last.last + 1, found=found))
        octets += len(link.message)
        last = Verified(last=link.sequence, seal=link.seal)
    return _missing_end(last, anchors)


def in_their_places(links: Iterable[Link], segments: Iterable[Segment]) -> Iterator[Link | Segment]:
    """Records and summaries in the order of their sequences."""
    return heapq.merge(links, segments, key=lambda one: one.first if isinstance(one, Segment) else one.sequence)


def _problems_of_segment(
    last: Verified, one: Segment, octets: int, anchors: Mapping[int, bytes], is_believed: Callable[[Segment], bool]
) -> Iterator[str]:
    if one.first != last.last + 1 or one.last < one.first or one.octets < octets:
        yield f"the records {one.first} to {one.last} were purged, which is not what comes next"
    if anchors.get(one.last, one.seal) != one.seal:
        yield "the seal of what was purged is not the one of the anchor: the chain was written again"
    if not is_believed(one):
        yield f"the records {one.first} to {one.last} are gone, and the summary in their place has no good signature"


def _problem(last: Verified, link: Link, octets: int, anchors: Mapping[int, bytes], columns_of: ColumnsOf) -> str:
    """The first thing that is wrong with a link, empty when nothing is. A database takes values of any type."""
    try:
        return next(_problems(last, link, octets, anchors, columns_of), "")
    except (TypeError, ValueError, struct.error):
        return "the row holds values that no record has"


def _problems(
    last: Verified, link: Link, octets: int, anchors: Mapping[int, bytes], columns_of: ColumnsOf
) -> Iterator[str]:
    if link.sequence != last.last + 1:
        yield f"the next record has the sequence {link.sequence}: a record was removed or inserted"
    if link.seal != seal_of(last.seal, link.sequence, link.recorded, link.message):
        yield "the record, its time or its place is not the one that was sealed"
    if link.sequence in anchors and anchors[link.sequence] != link.seal:
        yield "the seal is not the one of the anchor: the chain was written again"
    if link.octets != octets:
        yield "the count of octets is not that of the messages before"
    if link.columns != columns_of(link.message):
        yield "the searchable columns do not say what the record says"


def _missing_end(last: Verified, anchors: Mapping[int, bytes]) -> Verified:
    """Records cut off at the end leave a whole chain: only an anchor tells of them."""
    newest = max(anchors, default=0)
    if newest <= last.last:
        return last
    found = f"the chain ends here, and an anchor names the sequence {newest}: records were removed from its end"
    return Verified(last=last.last, seal=last.seal, broken=Break(sequence=last.last + 1, found=found))
