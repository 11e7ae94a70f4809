"""Answers as HTTP: simple SOAP, MTOM, and the plain refusals. ITI TF-2x: V.3.6, V.3.2.2."""

import base64
import uuid
from collections.abc import Iterable, Iterator, Sequence

from soap.faults import HttpRefusal
from soap.message import OutgoingPart
from soap.mtom import MtomPart, content_type_of, multipart_length, new_boundary, write_multipart
from soap.xop import XOP

_RETRY_SECONDS = "5"
Http = tuple[int, tuple[tuple[str, str], ...], Iterable[bytes]]


def refusal_answer(refusal: HttpRefusal) -> Http:
    """One sentence; the connection is not used again, its body may be unread."""
    body = f"{refusal.reason}\n".encode()
    headers = (
        ("Content-Type", "text/plain; charset=utf-8"),
        ("Content-Length", str(len(body))),
        ("Connection", "close"),
        *((("Retry-After", _RETRY_SECONDS),) if refusal.status == 503 else ()),
    )
    return refusal.status, headers, [body]


def plain_answer(envelope: bytes, action: str, status: int, parts: Sequence[OutgoingPart] = ()) -> Http:
    """`application/soap+xml` with the action; documents of a simple answer stand in it as base64."""
    content_type = f'application/soap+xml; charset=UTF-8; action="{action}"'
    if parts:
        return status, (("Content-Type", content_type),), _inlined(envelope, parts)
    return status, (("Content-Type", content_type), ("Content-Length", str(len(envelope)))), [envelope]


def mtom_answer(envelope: bytes, parts: Sequence[OutgoingPart]) -> Http:
    """multipart/related, root first; with a length when every part knows its own."""
    boundary, root_id = new_boundary(), f"root-{uuid.uuid4()}@carnet"
    written = [
        MtomPart(content_id=one.content_id, content_type=one.content_type, chunks=one.chunks, length=one.length)
        for one in parts
    ]
    headers = [("Content-Type", content_type_of(boundary, root_id))]
    length = multipart_length(envelope, written, boundary=boundary, root_id=root_id)
    if length is not None:
        headers.append(("Content-Length", str(length)))
    return 200, tuple(headers), write_multipart(envelope, written, boundary=boundary, root_id=root_id)


def _inlined(envelope: bytes, parts: Sequence[OutgoingPart]) -> Iterator[bytes]:
    """Each XOP include of the envelope replaced by the base64 of its part, as it streams."""
    for part in parts:
        include = f'<xop:Include xmlns:xop="{XOP}" href="cid:{part.content_id}"/>'.encode()
        before, found, envelope = envelope.partition(include)
        yield before
        if found:
            yield from _base64(part.chunks)
    yield envelope


def _base64(chunks: Iterable[bytes]) -> Iterator[bytes]:
    rest = b""
    for chunk in chunks:
        octets = rest + chunk
        whole = len(octets) - len(octets) % 3
        rest = octets[whole:]
        yield base64.b64encode(octets[:whole])
    yield base64.b64encode(rest)
