"""Documents are cut from a body while it arrives: what is left is the resource, which fits into memory.

Cut is a long base64 value of `Bundle.entry.resource.data` (a Binary, ITI-65) and of
`DocumentReference.content.attachment.data` (ITI-105). A mark takes its place, which `put_back` finds.
"""

import re
import secrets
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from fhir_facade.base64_text import Base64Decoder, OctetsApart
from fhir_facade.operation_outcome import FhirProblem, bad_request
from repository.blob_store import IncomingBlob

LONGEST_INLINE = 16 * 1024  # characters of base64 that stay where they are, as those of a patch in a batch
_BEGINNING = 256  # octets at the end of what came in which the name before a value may be cut off
Path = tuple[bytes, ...]


class Nesting(Protocol):
    """Which elements are open where the text read so far ends."""

    @property
    def path(self) -> Path: ...

    def read(self, text: bytes) -> None:
        """Read on; a text ends where no token is open."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Grammar:
    """How a format says a value of base64: what stands before it, where it may be cut, how characters are escaped."""

    before: re.Pattern[bytes]
    places: Collection[Path]
    nesting: Callable[[], Nesting]
    unfinished: re.Pattern[bytes]
    escape: re.Pattern[bytes]
    unescaped: Callable[[re.Match[bytes]], bytes]


class _JsonNesting:
    """The name of each open object and array, empty in arrays. RFC 8259"""

    # What begins or ends an object or array, with the name before it; all that is neither lies before the group. A
    # text that does not end goes to the end: whatever comes in is looked at a fixed number of times.
    _TEXT = rb'"[^"\\]*+(?:\\.[^"\\]*+)*+(?:"|\\?\Z)'
    _NAMED = _TEXT + rb"\s*+:\s*+[{\[]"
    _TOKEN = re.compile(
        rb'(?:[^"{}\[\]]++|(?!' + _NAMED + rb")" + _TEXT + rb")*+(" + _NAMED + rb"|[{}\[\]]|\Z)", re.DOTALL
    )

    def __init__(self) -> None:
        self._names: list[bytes] = []

    @property
    def path(self) -> Path:
        return tuple(self._names)

    def read(self, text: bytes) -> None:
        for token in self._TOKEN.findall(text):
            if token in (b"}", b"]"):
                del self._names[-1:]
            elif token:
                self._names.append(token[1 : token.rfind(b'"')] if token[:1] == b'"' else b"")


class _XmlNesting:
    """The local name of each open element."""

    _TOKEN = re.compile(
        rb"<!--.*?(?:-->|\Z)|<!\[CDATA\[.*?(?:\]\]>|\Z)|<\?.*?(?:\?>|\Z)"
        rb"|<(/?)(?:[\w.-]+:)?([\w.-]+)(?:\"[^\"<]*\"|'[^'<]*'|[^<>\"'/]+|/(?!>))*+(/?)>",
        re.DOTALL,
    )

    def __init__(self) -> None:
        self._names: list[bytes] = []

    @property
    def path(self) -> Path:
        return tuple(self._names)

    def read(self, text: bytes) -> None:
        for slash, name, empty in self._TOKEN.findall(text):
            if slash:
                del self._names[-1:]
            elif name and not empty:
                self._names.append(name)


def _character(number: int) -> bytes:
    """What is no character of base64 stays none."""
    return bytes([number]) if number < 128 else b"?"


_BY_LETTER = {b"/": b"/", b"n": b"\n", b"r": b"\r", b"t": b"\t"}


def _of_json(escape: re.Match[bytes]) -> bytes:
    return _character(int(escape[1], 16)) if escape[1] else _BY_LETTER.get(escape[2], b"?")


def _of_xml(escape: re.Match[bytes]) -> bytes:
    return _character(int(escape[1], 16) if escape[1] else int(escape[2]))


JSON = Grammar(
    before=re.compile(rb'(?<!\\)"data"[ \t\r\n]*:[ \t\r\n]*"'),
    places=((b"", b"entry", b"", b"resource"), (b"", b"content", b"", b"attachment")),
    nesting=_JsonNesting,
    unfinished=re.compile(rb"\\(?:u[0-9A-Fa-f]{0,3})?\Z"),
    escape=re.compile(rb"\\(?:u([0-9A-Fa-f]{4})|(.))", re.DOTALL),
    unescaped=_of_json,
)
XML = Grammar(
    before=re.compile(rb"<(?:[A-Za-z_][\w.-]*:)?data\s+value\s*=\s*[\"']"),
    places=((b"Bundle", b"entry", b"resource", b"Binary"), (b"DocumentReference", b"content", b"attachment")),
    nesting=_XmlNesting,
    unfinished=re.compile(rb"&[^;]{0,8}\Z"),
    escape=re.compile(rb"&#(?:x([0-9A-Fa-f]{1,6})|([0-9]{1,7}));"),
    unescaped=_of_xml,
)


@dataclass(slots=True, kw_only=True)
class DocumentCutter:
    """One body. `receive` gives a new blob, which is its giver's to discard; sizes are in octets.

    `resource` is the most that is kept in memory, `document` the most of one document, `total` of all together,
    `number` how many there may be. `grows` is told how much is kept, and may raise.
    """

    grammar: Grammar
    receive: Callable[[], IncomingBlob]
    resource: int
    document: int
    total: int
    number: int
    grows: Callable[[int], None] = lambda _: None
    apart: dict[str, OctetsApart] = field(default_factory=dict)
    _text: bytearray = field(default_factory=bytearray)
    _nesting: Nesting = field(init=False)
    _read: int = 0  # how far the nesting is known
    _searched: int = 0  # behind which no value was found yet
    _received: int = 0  # octets of documents

    def __post_init__(self) -> None:
        self._nesting = self.grammar.nesting()

    def rest(self, chunks: Iterator[bytes]) -> bytes:
        """The body with marks for documents. Raises FhirProblem 413 past a size, OSError of the blob store."""
        for chunk in chunks:
            self._text += chunk
            while self._goes_on(chunks):
                pass
            if len(self._text) > self.resource:
                raise FhirProblem(413, "too-long", f"expected a resource of at most {self.resource} octets")
            self.grows(len(self._text))
        return bytes(self._text)

    def _goes_on(self, chunks: Iterator[bytes]) -> bool:
        """Past the next value, which is cut where it is a long one in its place; False where none begins."""
        found = self.grammar.before.search(self._text, self._searched)
        if found is None:
            self._searched = max(self._searched, len(self._text) - _BEGINNING)
            return False
        begin, self._searched = found.start(), found.end()
        quote = bytes(self._text[self._searched - 1 : self._searched])
        if self._is_long(quote, chunks) and self._is_place(begin):
            self._cut(quote, chunks)
        return True

    def _is_long(self, quote: bytes, chunks: Iterator[bytes]) -> bool:
        begin = self._searched
        while (end := self._text.find(quote, begin)) < 0 and len(self._text) - begin <= LONGEST_INLINE:
            chunk = next(chunks, b"")
            if not chunk:
                return False  # it breaks off, which its format forbids
            self._text += chunk
        return (len(self._text) if end < 0 else end) - begin > LONGEST_INLINE

    def _is_place(self, begin: int) -> bool:
        self._nesting.read(bytes(self._text[self._read : begin]))
        self._read = begin
        return self._nesting.path in self.grammar.places

    def _cut(self, quote: bytes, chunks: Iterator[bytes]) -> None:
        piece = bytes(self._text[self._searched :])
        del self._text[self._searched :]
        if len(self.apart) >= self.number:
            raise FhirProblem(413, "too-long", f"expected at most {self.number} documents")
        blob, decoder, escaped, size = self.receive(), Base64Decoder(), b"", 0
        while True:
            value, end, behind = piece.partition(quote)
            value = escaped + value
            escaped = b"" if end else self._unfinished(value)
            value = value.removesuffix(escaped) if escaped else value
            octets = decoder.octets(self.grammar.escape.sub(self.grammar.unescaped, value))
            size += len(octets)
            self._check_sizes(size, len(octets))
            blob.write(octets)
            if end:
                break
            piece = next(chunks, b"")
            if not piece:
                return
        blob.finish()
        mark = f"apart:{secrets.token_hex(16)}"  # nothing that a sender can say, nor base64
        self.apart[mark] = OctetsApart(mark, blob=blob, is_base64=decoder.is_base64())
        self._text += mark.encode() + quote + behind
        self._searched += len(mark)

    def _unfinished(self, value: bytes) -> bytes:
        found = self.grammar.unfinished.search(value, max(0, len(value) - 12))
        return b"" if found is None else found[0]

    def _check_sizes(self, document: int, more: int) -> None:
        self._received += more
        if document > self.document or self._received > self.total:
            sentence = f"expected documents of at most {self.document} octets, of {self.total} together"
            raise FhirProblem(413, "too-long", sentence)


def put_back(resource: Mapping[str, Any], apart: Mapping[str, OctetsApart]) -> None:
    """The documents for the marks in a resource that was read. Raises FhirProblem 400 where one is in no place."""
    found = 0
    for holder in _holders(resource):
        data = holder.get("data")
        if isinstance(data, str) and data in apart:
            holder["data"] = apart[data]
            found += 1
    if found != len(apart):
        raise bad_request("found base64 that is not the data of a Binary or attachment", code="structure")


def _holders(resource: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for entry in _dicts(resource.get("entry")):
        yield from _dicts([entry.get("resource")])
    for content in _dicts(resource.get("content")):
        yield from _dicts([content.get("attachment")])


def _dicts(value: Any) -> Iterator[dict[str, Any]]:
    """Nothing says yet that a resource is what it should be."""
    yield from (one for one in (value if isinstance(value, list) else [value]) if isinstance(one, dict))
