"""The SOAP door: an HTTP request in, an HTTP answer out, documents streaming through both ways. ITI TF-2x: V.

The root part is read, its action resolved and the transaction entered before an octet of a document
is taken from the connection.
"""

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from soap.answer import mtom_answer, plain_answer, refusal_answer
from soap.content_type import ContentType, parse_content_type
from soap.faults import HTTP_STATUS, FaultCode, HttpRefusal, SoapFault, sender
from soap.large_messages import Grows, LargeMessages
from soap.message import IncomingPart, Message, Operation, OutgoingPart, Reply
from soap.mtom import Event, MimeLimits, MultipartReader, PartEnd, PartStart
from soap.spyne_pipeline import CallerOf, Exchange, OnError, Pipeline
from soap.wire import Wire
from xds.xml import XmlLimits

__all__ = ["Endpoint", "HttpAnswer", "HttpRequest", "Message", "Operation", "OutgoingPart", "Reply", "SoapLimits"]

MEGABYTE = 10**6
_READ = 128 * 1024
_LINGER_OCTETS, _LINGER_SECONDS = 64 * MEGABYTE, 10.0
_SIMPLE = ("application/soap+xml", "text/xml", "application/xml")
_OCTETS = "application/octet-stream"  # updates come as this. DMP W03
_ROOTS = ("application/xop+xml", "application/soap+xml", "text/xml")


class Readable(Protocol):
    def read(self, size: int, /) -> bytes: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class SoapLimits:
    """Octets accepted; larger is 413. `before_root` is kept in memory for parts that precede the root.

    `parts` counts MIME parts, `header` is the longest of their header lines; beyond is a Sender fault.
    """

    root: int = 8 * MEGABYTE
    document: int = 500 * MEGABYTE
    total: int = 600 * MEGABYTE
    before_root: int = 1 * MEGABYTE
    parts: int = 512
    header: int = 8 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpRequest:
    """A POST as the HTTP server hands it over. `caller_of` is asked once, with the envelope; it may raise SoapFault."""

    content_type: str
    body: Readable
    caller_of: CallerOf
    content_length: int | None = None
    content_encoding: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpAnswer:
    """Status, headers and the octets to send."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: Iterable[bytes]


class Endpoint:
    """Some transactions behind one address."""

    def __init__(
        self,
        operations: Sequence[Operation],
        *,
        wire: Wire,
        limits: SoapLimits,
        on_error: OnError,
        statuses: Mapping[FaultCode, int] = HTTP_STATUS,
        large: LargeMessages | None = None,
    ) -> None:
        """`statuses` are those that faults of each code are sent with; `large` is what endpoints share."""
        self._wire, self._limits, self._statuses = wire, limits, statuses
        self._large = large or LargeMessages()
        xml_limits = XmlLimits(octets=limits.root)
        self._pipeline = Pipeline(tuple(operations), wire=wire, limits=xml_limits, on_error=on_error)

    def answer(self, request: HttpRequest) -> HttpAnswer:
        """Run the transaction the message names; every failure has an answer of the closed list."""
        with self._large.one() as grows:
            return self._answer(request, grows)

    def _answer(self, request: HttpRequest, grows: Grows) -> HttpAnswer:
        content_type = parse_content_type(request.content_type)
        is_mtom = content_type.media_type == "multipart/related"
        exchange = Exchange(caller_of=request.caller_of, http_action=content_type.parameter("action"), is_mtom=is_mtom)
        try:
            self._check_request(request, content_type)
            if is_mtom:
                root = self._mtom_root(request, content_type, exchange, grows)
            else:
                root = self._simple_root(request, exchange, grows)
            envelope = self._pipeline.run(exchange, root)
            if isinstance(exchange.parts, IncomingParts):
                exchange.parts.drain()
        except SoapFault as fault:
            exchange.fault, exchange.reply = fault, None
            envelope = self._pipeline.fault(fault, exchange)
        except HttpRefusal as refusal:
            exchange.refusal = refusal
        return self._answered(exchange, envelope if exchange.refusal is None else b"", request.body)

    def _check_request(self, request: HttpRequest, content_type: ContentType) -> None:
        if request.content_encoding not in ("", "identity"):
            raise HttpRefusal(415, "a Content-Encoding is not accepted here")
        tolerated = (_OCTETS,) if self._wire.any_part_type else ()
        if content_type.media_type not in (*_SIMPLE, *tolerated, "multipart/related"):
            raise HttpRefusal(415, "expected application/soap+xml or multipart/related")
        if (request.content_length or 0) > self._limits.total:
            raise HttpRefusal(413, f"the message has more than {self._limits.total} octets")

    def _simple_root(self, request: HttpRequest, exchange: Exchange, grows: Grows) -> bytes:
        """The whole body of a simple SOAP message."""
        charset = parse_content_type(request.content_type).parameter("charset")
        exchange.charset = None if self._wire.any_part_type else charset or None
        chunks, size = [], 0
        while chunk := request.body.read(_READ):
            size += len(chunk)
            if size > self._limits.root:
                raise HttpRefusal(413, f"the SOAP message has more than {self._limits.root} octets")
            grows(size)
            chunks.append(chunk)
        return b"".join(chunks)

    def _mtom_root(self, request: HttpRequest, content_type: ContentType, exchange: Exchange, grows: Grows) -> bytes:
        """The root part; what follows it stays on the connection, as `exchange.parts`."""
        root_type = content_type.parameter("type").lower()
        if root_type not in ("", *_ROOTS):
            raise HttpRefusal(415, 'expected multipart/related with type="application/xop+xml"')
        reader = MultipartReader(
            content_type.parameter("boundary"),
            limits=MimeLimits(
                parts=self._limits.parts, header_octets=self._limits.header, total_octets=self._limits.total
            ),
            bare_lf=self._wire.bare_line_feeds,
        )
        parts = IncomingParts(_events(reader, request.body), self._limits, grows)
        start = content_type.parameter("start").strip().removeprefix("<").removesuffix(">")
        head, root = parts.take_root(start)
        self._check_root_type(head, exchange)
        exchange.parts, exchange.root_id = parts, head.content_id
        return root

    def _check_root_type(self, head: PartStart, exchange: Exchange) -> None:
        if self._wire.any_part_type:
            return
        root_type = parse_content_type(head.content_type)
        if root_type.media_type not in _ROOTS:
            raise HttpRefusal(415, "expected application/xop+xml as the type of the root part")
        exchange.charset = root_type.parameter("charset") or None

    def _answered(self, exchange: Exchange, envelope: bytes, unread: Readable) -> HttpAnswer:
        if exchange.refusal is not None:
            status, headers, body = refusal_answer(exchange.refusal)
            body = _and_linger(body, unread)
        elif exchange.fault is not None:
            status, headers, body = plain_answer(envelope, exchange.fault.action, self._statuses[exchange.fault.code])
        elif exchange.is_mtom:
            status, headers, body = mtom_answer(envelope, exchange.reply.parts if exchange.reply else ())
        else:
            action = exchange.operation.response_action if exchange.operation else ""
            parts = exchange.reply.parts if exchange.reply else ()
            status, headers, body = plain_answer(envelope, action, 200, parts)
        return HttpAnswer(status=status, headers=headers, body=body)


def _and_linger(body: Iterable[bytes], unread: Readable) -> Iterator[bytes]:
    """The refusal, then for a while what the client still sends: closed at once, it might never read the answer."""
    yield from body
    deadline, left = time.monotonic() + _LINGER_SECONDS, _LINGER_OCTETS
    try:
        while left > 0 and time.monotonic() < deadline and (chunk := unread.read(_READ)):
            left -= len(chunk)
    except (OSError, HttpRefusal):
        return


def _events(reader: MultipartReader, body: Readable) -> Iterator[Event]:
    while chunk := body.read(_READ):
        yield from reader.feed(chunk)
    yield from reader.finish()


class IncomingParts:
    """The parts beside the root, in their order, each a stream that ends where the next begins."""

    def __init__(self, events: Iterator[Event], limits: SoapLimits, grows: Grows) -> None:
        self._events, self._limits, self._grows = events, limits, grows
        self._early: list[IncomingPart] = []
        self._current: _StreamedPart | None = None

    def take_root(self, start: str) -> tuple[PartStart, bytes]:
        """The root part: the one `start` names, else the first. Parts before it are kept, within a small cap."""
        kept = 0
        for event in self._events:
            if not isinstance(event, PartStart):
                continue
            if not start or event.content_id == start:
                return event, self._collect(self._limits.root, 413)
            content = self._collect(self._limits.before_root - kept, 413)
            kept += len(content)
            self._early.append(_KeptPart(event, content))
        raise sender("no part of the multipart message is its root")

    def __iter__(self) -> Iterator[IncomingPart]:
        yield from self._early
        self._early = []
        while True:
            if self._current is not None:
                self._current.drain()
            start = next(self._events, None)
            if start is None:
                return
            if isinstance(start, PartStart):
                self._current = _StreamedPart(start, self._events, self._limits.document)
                yield self._current

    def drain(self) -> None:
        """Read what the transaction did not ask for, so that the connection stays usable and caps hold."""
        for part in self:
            for _ in part:
                continue

    def _collect(self, cap: int, status: int) -> bytes:
        chunks, size = [], 0
        for event in self._events:
            if isinstance(event, PartEnd):
                break
            if isinstance(event, bytes):
                size += len(event)
                if size > cap:
                    raise HttpRefusal(status, "the part of the message that must be kept in memory is too large")
                self._grows(size)
                chunks.append(event)
        return b"".join(chunks)


class _KeptPart:
    """A part that came before the root."""

    def __init__(self, start: PartStart, content: bytes) -> None:
        self.content_id, self.content_type = start.content_id, start.content_type
        self._content = content

    def __iter__(self) -> Iterator[bytes]:
        if self._content:
            yield self._content


class _StreamedPart:
    """A part that is still on the connection."""

    def __init__(self, start: PartStart, events: Iterator[Event], cap: int) -> None:
        self.content_id, self.content_type = start.content_id, start.content_type
        self._events, self._cap = events, cap
        self._ended = False

    def __iter__(self) -> Iterator[bytes]:
        size = 0
        while not self._ended:
            event = next(self._events, None)
            if event is None or isinstance(event, PartEnd):
                self._ended = True
            elif isinstance(event, bytes):
                size += len(event)
                if size > self._cap:
                    raise HttpRefusal(413, f"a document has more than {self._cap} octets")
                yield event

    def drain(self) -> None:
        for _ in self:
            continue
