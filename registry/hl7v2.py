"""HL7 version 2 messages as far as a patient identity feed needs them: octets in, segments out, an ACK back.

HL7 2.3.1 chapter 2, ITI TF-2: 3.8.4, ITI TF-2x: C.2. The library `hl7` takes messages apart; texts are
unescaped here, because an identifier must come out whole or not at all.
"""

import re
from dataclasses import dataclass
from enum import StrEnum

import hl7

from registry.hl7v2_text import STANDARD_DELIMITERS, Delimiters, unescape

# MSH-18 -> codec. HL7 table 0211
CHARACTER_SETS = {
    "ASCII": "ascii",
    "UNICODE": "utf-8",
    "UNICODE UTF-8": "utf-8",
    "UTF-8": "utf-8",
    **{f"8859/{part}": f"iso8859-{part}" for part in (*range(1, 10), 15)},
}
_READ_SEGMENTS = ("MSH", "EVN", "PID", "MRG")
_SEGMENT = re.compile(r"[A-Z][A-Z0-9]{2}\Z")
_BLOCK_CHARACTERS = re.compile("[\x0b\x1c]")
_NULL = '""'
# Taking a message apart costs by the piece: a feed's message has some hundred.
_MOST_PIECES = 10_000


class AcknowledgementCode(StrEnum):
    """MSA-1. HL7 table 0008"""

    ACCEPT = "AA"
    ERROR = "AE"
    REJECT = "AR"


class Problem(StrEnum):
    """Code of an ERR segment. HL7 table 0357"""

    SEGMENT_SEQUENCE = "100"
    REQUIRED_FIELD = "101"
    DATA_TYPE = "102"
    TABLE_VALUE = "103"
    MESSAGE_TYPE = "200"
    EVENT_CODE = "201"
    VERSION = "203"
    UNKNOWN_KEY = "204"
    INTERNAL = "207"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Why a message is refused; `location` is segment, sequence and field, `PID^1^3`."""

    problem: Problem
    reason: str
    location: str = ""


@dataclass(eq=False)
class MessageRefused(Exception):
    """A message that is answered AE or AR, with the findings."""

    code: AcknowledgementCode
    findings: tuple[Finding, ...]


def rejected(problem: Problem, reason: str, location: str = "MSH^1") -> MessageRefused:
    """AR: a message that this receiver does not take, whatever it says."""
    return MessageRefused(AcknowledgementCode.REJECT, (Finding(problem=problem, reason=reason, location=location),))


def error(problem: Problem, reason: str, location: str) -> MessageRefused:
    """AE: a message of a kind that is taken, with contents that are not."""
    return MessageRefused(AcknowledgementCode.ERROR, (Finding(problem=problem, reason=reason, location=location),))


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """MSH, as far as it could be read: every value empty when it was not there. Texts are unescaped where possible."""

    delimiters: Delimiters = STANDARD_DELIMITERS
    sending_application: str = ""
    sending_facility: str = ""
    receiving_application: str = ""
    receiving_facility: str = ""
    message_type: str = ""
    event: str = ""
    control_id: str = ""
    processing_id: str = ""
    version: str = ""
    character_set: str = ""
    codec: str = "utf-8"
    is_codec_guessed: bool = False


# Header field -> MSH field and component.
_HEADER_FIELDS = {
    "sending_application": (3, 1),
    "sending_facility": (4, 1),
    "receiving_application": (5, 1),
    "receiving_facility": (6, 1),
    "message_type": (9, 1),
    "event": (9, 2),
    "control_id": (10, 1),
    "processing_id": (11, 1),
    "version": (12, 1),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class WireIdentifier:
    """One repetition of a CX field: the id and its assigner as they were sent, unescaped."""

    id: str
    namespace: str = ""
    universal_id: str = ""
    universal_id_type: str = ""


@dataclass(frozen=True, slots=True)
class Message:
    """A message taken apart."""

    header: Header
    segments: hl7.Message

    def identifiers(self, segment: str, field: int) -> tuple[WireIdentifier, ...]:
        """The repetitions of a CX field of the one segment of this name, empty ones left out.

        Raises MessageRefused when the segment is not there exactly once, or a text cannot be read.
        """
        found = [one for one in self.segments if str(one[0]) == segment]
        if len(found) != 1:
            reason = f"{segment}: found {len(found)} segments, expected exactly one"
            raise error(Problem.SEGMENT_SEQUENCE, reason, segment)
        texts = [str(one) for one in found[0][field]] if field < len(found[0]) else []
        return tuple(_identifier(text, self.header, f"{segment}^1^{field}") for text in texts if _is_given(text))


def read_message(octets: bytes) -> Message:
    """Take a message apart. Raises MessageRefused; `read_header` then still gives what the answer needs."""
    header = _header(octets, strict=True)
    text = _decoded(octets, header)
    if _BLOCK_CHARACTERS.search(text):
        raise rejected(Problem.SEGMENT_SEQUENCE, "found the start or end of a block inside a message")
    lines = [line for line in _lines(text) if line]
    for number, line in enumerate(lines, start=1):
        if not _SEGMENT.match(line.split(header.delimiters.field, 1)[0]):
            raise rejected(Problem.SEGMENT_SEQUENCE, f"line {number}: expected a segment name of three characters")
    if sum(line.startswith("MSH") for line in lines) != 1:
        raise rejected(Problem.SEGMENT_SEQUENCE, "MSH: found several segments, expected one message")
    kept = "\r".join(line for line in lines if line[:3] in _READ_SEGMENTS)
    if sum(map(kept.count, header.delimiters.separators)) > _MOST_PIECES:
        raise rejected(Problem.SEGMENT_SEQUENCE, f"found more than {_MOST_PIECES} fields and components")
    try:
        return Message(header, hl7.parse(kept))
    except (hl7.HL7Exception, ValueError, IndexError) as problem:
        raise rejected(Problem.SEGMENT_SEQUENCE, "the message is not HL7 version 2") from problem


def read_header(octets: bytes) -> Header:
    """What can be read of MSH, to answer even a message that cannot be read."""
    try:
        return _header(octets, strict=False)
    except MessageRefused:
        return Header()


def _header(octets: bytes, *, strict: bool) -> Header:
    line = octets.lstrip(b" \t\r\n").splitlines()[0] if octets.strip() else b""
    if len(line) < 8 or not line.startswith(b"MSH"):
        raise rejected(Problem.SEGMENT_SEQUENCE, "expected a message that starts with the segment MSH")
    delimiters = _delimiters(line)
    fields = line.split(delimiters.field.encode())
    declared = _first(fields[17], delimiters) if len(fields) > 17 else b""
    character_set = declared.decode("ascii", "replace").strip()
    codec, guessed = _codec(character_set, octets, strict=strict)
    values = {
        name: _header_text(fields, number, component, delimiters, codec)
        for name, (number, component) in _HEADER_FIELDS.items()
    }
    return Header(delimiters=delimiters, character_set=character_set, codec=codec, is_codec_guessed=guessed, **values)


def _delimiters(line: bytes) -> Delimiters:
    separator = chr(line[3])
    encoding = line[4:].split(line[3:4], 1)[0].decode("ascii", "replace")
    used = separator + encoding
    is_usable = all(char.isprintable() and not char.isalnum() and char != " " for char in used) and used.isascii()
    if not 4 <= len(encoding) <= 5 or len(set(used)) != len(used) or not is_usable:
        raise rejected(Problem.SEGMENT_SEQUENCE, "MSH-2: expected four different encoding characters such as ^~\\&")
    return Delimiters(
        field=separator,
        component=encoding[0],
        repetition=encoding[1],
        escape=encoding[2],
        subcomponent=encoding[3],
    )


def _first(field: bytes, delimiters: Delimiters) -> bytes:
    return field.split(delimiters.repetition.encode())[0]


def _codec(character_set: str, octets: bytes, *, strict: bool) -> tuple[str, bool]:
    """The codec of MSH-18; without it UTF-8, or ISO 8859-1 where the octets are not UTF-8, which is a guess."""
    if character_set in CHARACTER_SETS:
        return CHARACTER_SETS[character_set], False
    if character_set and strict:
        known = ", ".join(CHARACTER_SETS)
        raise rejected(Problem.TABLE_VALUE, f"MSH-18: found {character_set!r}, expected one of {known}", "MSH^1^18")
    try:
        octets.decode("utf-8")
    except UnicodeDecodeError:
        return "iso8859-1", True
    return "utf-8", False


def _header_text(fields: list[bytes], number: int, component: int, delimiters: Delimiters, codec: str) -> str:
    field = _first(fields[number - 1], delimiters) if len(fields) >= number else b""
    parts = field.split(delimiters.component.encode())
    text = parts[component - 1].decode(codec, "replace").strip() if len(parts) >= component else ""
    try:
        return unescape(text, delimiters, codec)
    except ValueError:
        return text


def _decoded(octets: bytes, header: Header) -> str:
    try:
        return octets.decode(header.codec)
    except UnicodeDecodeError:
        reason = f"MSH-18: found octets that are not {header.character_set or 'UTF-8'}"
        raise rejected(Problem.TABLE_VALUE, reason, "MSH^1^18") from None


def _lines(text: str) -> list[str]:
    """Segments end with a carriage return; line feeds, which editors and some senders write, stand for one."""
    text = text.strip(" \t\r\n").replace("\r\n", "\r")
    return (text if "\r" in text else text.replace("\n", "\r")).split("\r")


def _is_given(text: str) -> bool:
    return text.strip() not in ("", _NULL)


def _identifier(text: str, header: Header, location: str) -> WireIdentifier:
    delimiters = header.delimiters
    components = text.split(delimiters.component)
    assigner = components[3].split(delimiters.subcomponent) if len(components) > 3 else []
    try:
        parts = [unescape(part.strip(), delimiters, header.codec) for part in (components[0], *assigner[:3])]
    except ValueError as problem:
        raise error(Problem.DATA_TYPE, f"{_field(location)}: {problem}", location) from None
    if header.is_codec_guessed and not all(part.isascii() for part in parts):
        reason = f"{_field(location)}: found characters outside ASCII and no character set in MSH-18"
        raise error(Problem.TABLE_VALUE, reason, location)
    names = ("id", "namespace", "universal_id", "universal_id_type")
    given = {name: "" if part == _NULL else part for name, part in zip(names, parts, strict=False)}
    return WireIdentifier(**given)


def _field(location: str) -> str:
    """`PID^1^3` as people write it, `PID-3`."""
    return location.replace("^1^", "-")
