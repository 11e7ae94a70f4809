"""MIME multipart/related as MTOM uses it, sans-IO: octets in, events out. RFC 2046: 5.1, RFC 2387.

The reader takes any chunking. With `bare_lf` a message whose structure has LF line ends is read too;
the octets of a document are never touched.
"""

import re
import secrets
from collections.abc import Generator, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum

from soap.faults import HttpRefusal, sender
from soap.transfer_encoding import Decoder, decoder

_PADDING = b" \t"
_LONGEST_PADDING = 256
_BOUNDARY = re.compile(r"[0-9A-Za-z'()+_,./:=? -]{0,69}[0-9A-Za-z'()+_,./:=?-]\Z")


@dataclass(frozen=True, slots=True, kw_only=True)
class MimeLimits:
    """Caps of one message; past them a fault or 413."""

    parts: int = 512
    headers_per_part: int = 16
    header_octets: int = 8 * 1024
    epilogue_octets: int = 4 * 1024
    total_octets: int = 600 * 10**6


@dataclass(frozen=True, slots=True, kw_only=True)
class PartStart:
    """A part begins; header names in lower case."""

    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def content_id(self) -> str:
        """Content-ID without its angle brackets, empty when there is none."""
        return self.headers.get("content-id", "").strip().removeprefix("<").removesuffix(">")

    @property
    def content_type(self) -> str:
        return self.headers.get("content-type", "")


@dataclass(frozen=True, slots=True)
class PartEnd:
    """The part that began last is complete."""


Event = PartStart | bytes | PartEnd


class _State(Enum):
    PREAMBLE = 1
    HEADERS = 2
    BODY = 3
    EPILOGUE = 4


class _Line(Enum):
    """What a line that begins like a delimiter turns out to be."""

    PART = 1
    CLOSE = 2
    ORDINARY = 3
    UNDECIDED = 4


class MultipartReader:
    """Reads one multipart body; feed it octets, then `finish`. Raises SoapFault and HttpRefusal."""

    def __init__(self, boundary: str, *, limits: MimeLimits, bare_lf: bool = False) -> None:
        if not _BOUNDARY.match(boundary):
            raise sender("the boundary of the multipart message is missing or malformed")
        self._limits, self._bare_lf = limits, bare_lf
        self._dashes = b"--" + boundary.encode("ascii")
        self._eol = b"\n" if bare_lf else b"\r\n"
        self._marker = self._eol + self._dashes
        self._buffer, self._state = self._eol, _State.PREAMBLE
        self._total = self._parts = self._epilogue = 0
        self._seen: set[str] = set()
        self._at_start = False
        self._decoder: Decoder = decoder("")

    def feed(self, data: bytes) -> Iterator[Event]:
        """The events that these octets complete; consume them before feeding more."""
        self._total += len(data)
        if self._total > self._limits.total_octets:
            raise HttpRefusal(413, f"the message has more than {self._limits.total_octets} octets")
        self._buffer += data
        yield from self._advance(final=False)

    def finish(self) -> Iterator[Event]:
        """The last events; a message without closing delimiter is refused."""
        yield from self._advance(final=True)
        if self._state is not _State.EPILOGUE:
            raise sender("the multipart message ends before its closing boundary")

    def _advance(self, *, final: bool) -> Iterator[Event]:
        progressed = True
        while progressed:
            if self._state is _State.PREAMBLE:
                progressed = self._skip_preamble(final)
            elif self._state is _State.HEADERS:
                start = self._read_headers()
                progressed = start is not None
                if start is not None:
                    yield start
            elif self._state is _State.BODY:
                progressed = yield from self._read_body(final)
            else:
                self._skip_epilogue()
                progressed = False

    def _skip_preamble(self, final: bool) -> bool:
        at, kind, length = self._next_delimiter(final)
        if kind is _Line.PART:
            if self._bare_lf:
                self._learn_line_end(at, length)
            self._buffer = self._buffer[at + length :]
            self._begin_part()
            return True
        if kind is _Line.CLOSE:
            raise sender("the multipart message has no part")
        self._buffer = self._buffer[at:]
        return False

    def _learn_line_end(self, at: int, length: int) -> None:
        """The first delimiter line shows which line ends the whole structure has."""
        if self._buffer[at + length - 2 : at + length] == b"\r\n":
            self._eol = b"\r\n"
            self._marker = self._eol + self._dashes

    def _begin_part(self) -> None:
        self._parts += 1
        if self._parts > self._limits.parts:
            raise sender(f"the multipart message has more than {self._limits.parts} parts")
        self._state = _State.HEADERS

    def _read_headers(self) -> PartStart | None:
        """The header block of a part, None while it is incomplete."""
        cap = self._limits.headers_per_part * self._limits.header_octets
        block, rest = self._split_headers()
        if block is None:
            if len(self._buffer) > cap:
                raise sender("the headers of a MIME part are too long")
            return None
        start = PartStart(headers=self._parse_headers(block))
        if start.content_id and start.content_id in self._seen:
            raise sender("two MIME parts have the same Content-ID")
        self._seen.add(start.content_id)
        self._decoder = decoder(start.headers.get("content-transfer-encoding", ""))
        # The line end before the next delimiter belongs to it, so an empty part starts with one.
        self._buffer, self._state = self._eol + rest if rest is not None else b"", _State.BODY
        self._at_start = True
        return start

    def _split_headers(self) -> tuple[bytes | None, bytes | None]:
        if self._buffer.startswith(self._eol):
            return b"", self._buffer[len(self._eol) :]
        end = self._buffer.find(self._eol * 2)
        if end < 0:
            return None, None
        return self._buffer[:end], self._buffer[end + 2 * len(self._eol) :]

    def _parse_headers(self, block: bytes) -> dict[str, str]:
        lines: list[str] = []
        for line in block.decode("latin-1").split(self._eol.decode()):
            if line[:1] in (" ", "\t") and lines:
                lines[-1] += " " + line.strip()
            elif line:
                lines.append(line)
        if len(lines) > self._limits.headers_per_part or any(len(one) > self._limits.header_octets for one in lines):
            raise sender("a MIME part has too many or too long headers")
        headers: dict[str, str] = {}
        for line in lines:
            name, colon, value = line.partition(":")
            if not colon or not name.strip() or "\n" in line or "\r" in line:
                raise sender("a MIME part has a malformed header")
            headers.setdefault(name.strip().lower(), value.strip())
        return headers

    def _read_body(self, final: bool) -> Generator[Event, None, bool]:
        """Octets of the part; true when it ended. The buffer starts with a line end that is not of the document."""
        at, kind, length = self._next_delimiter(final)
        skip = len(self._eol) if self._at_start else 0
        if at > skip:
            decoded = self._decoder.decode(self._buffer[skip:at])
            self._at_start = False
            skip = 0
            if decoded:
                yield decoded
            self._buffer = self._buffer[at:]
            at = 0
        if kind not in (_Line.PART, _Line.CLOSE):
            return False
        rest = self._decoder.finish()
        if rest:
            yield rest
        yield PartEnd()
        self._buffer = self._buffer[at + length :]
        if kind is _Line.PART:
            self._begin_part()
        else:
            self._state = _State.EPILOGUE
        return True

    def _skip_epilogue(self) -> None:
        self._epilogue += len(self._buffer)
        self._buffer = b""
        if self._epilogue > self._limits.epilogue_octets:
            raise sender("the multipart message goes on after its closing boundary")

    def _next_delimiter(self, final: bool) -> tuple[int, _Line, int]:
        """Where the next delimiter line begins, what it is, its length; or how far the buffer is surely content."""
        at = self._buffer.find(self._marker)
        while at >= 0:
            kind, length = self._classify(at + len(self._marker), final)
            if kind is not _Line.ORDINARY:
                return at, kind, length + len(self._marker)
            at = self._buffer.find(self._marker, at + 1)
        return self._surely_content(final), _Line.UNDECIDED, 0

    def _surely_content(self, final: bool) -> int:
        """Length of the buffer up to a possible beginning of a marker at its end."""
        if final:
            return len(self._buffer)
        first = max(0, len(self._buffer) - len(self._marker) + 1)
        at = self._buffer.find(self._eol[:1], first)
        while at >= 0 and not self._marker.startswith(self._buffer[at:]):
            at = self._buffer.find(self._eol[:1], at + 1)
        return at if at >= 0 else len(self._buffer)

    def _classify(self, at: int, final: bool) -> tuple[_Line, int]:
        """What follows `--boundary`: nothing but padding and a line end, `--`, or other text."""
        rest = self._buffer[at : at + _LONGEST_PADDING]
        closing = rest.startswith(b"--")
        tail = rest[2:] if closing else rest
        padding = len(tail) - len(tail.lstrip(_PADDING))
        after = tail[padding:]
        used = (2 if closing else 0) + padding
        for end in (b"\r\n", b"\n") if self._bare_lf or closing else (b"\r\n",):
            if after.startswith(end):
                return (_Line.CLOSE if closing else _Line.PART), used + len(end)
        undecided = after in (b"", b"\r") or (not closing and rest == b"-")
        if undecided and len(rest) < _LONGEST_PADDING:
            if final and closing:
                return _Line.CLOSE, used + len(after)
            return (_Line.ORDINARY, 0) if final else (_Line.UNDECIDED, 0)
        return _Line.ORDINARY, 0


@dataclass(frozen=True, slots=True, kw_only=True)
class MtomPart:
    """A part to write: Content-ID without brackets, of characters that need no percent-encoding."""

    content_id: str
    content_type: str
    chunks: Iterable[bytes]
    length: int | None = None


def new_boundary() -> str:
    return f"MIMEBoundary_{secrets.token_hex(24)}"


def content_type_of(boundary: str, root_id: str) -> str:
    """Content-Type of an MTOM message we write. SOAP MTOM: 3.2"""
    return (
        f'multipart/related; boundary="{boundary}"; type="application/xop+xml"; '
        f'start="<{root_id}>"; start-info="application/soap+xml"'
    )


def write_multipart(root: bytes, parts: Iterable[MtomPart], *, boundary: str, root_id: str) -> Iterator[bytes]:
    """The message: the root part first, then the parts, streamed."""
    root_type = 'application/xop+xml; charset=UTF-8; type="application/soap+xml"'
    yield _part_head(boundary, root_id, root_type, first=True) + root
    for part in parts:
        yield _part_head(boundary, part.content_id, part.content_type)
        yield from part.chunks
    yield f"\r\n--{boundary}--\r\n".encode()


def multipart_length(root: bytes, parts: Iterable[MtomPart], *, boundary: str, root_id: str) -> int | None:
    """Content-Length of the message, None when a part does not know its own."""
    total = sum(len(chunk) for chunk in write_multipart(root, (), boundary=boundary, root_id=root_id))
    for part in parts:
        if part.length is None:
            return None
        total += len(_part_head(boundary, part.content_id, part.content_type)) + part.length
    return total


def _part_head(boundary: str, content_id: str, content_type: str, *, first: bool = False) -> bytes:
    start = "" if first else "\r\n"
    return (
        f"{start}--{boundary}\r\nContent-Type: {content_type}\r\nContent-Transfer-Encoding: binary\r\n"
        f"Content-ID: <{content_id}>\r\n\r\n"
    ).encode()
