"""Distinguished names as senders write them, compared as parsed names. RFC 4514, RFC 2253; DMP W21.

Seen in the field: `ST` and `S`, `GN` and `G`, OIDs with hexadecimal values, multi-valued parts, either order.
"""

import re
import unicodedata
from collections.abc import Iterator

from cryptography import x509

_OIDS = {
    "CN": "2.5.4.3",
    "SN": "2.5.4.4",
    "SURNAME": "2.5.4.4",
    "SERIALNUMBER": "2.5.4.5",
    "C": "2.5.4.6",
    "L": "2.5.4.7",
    "ST": "2.5.4.8",
    "S": "2.5.4.8",
    "STREET": "2.5.4.9",
    "O": "2.5.4.10",
    "OU": "2.5.4.11",
    "T": "2.5.4.12",
    "TITLE": "2.5.4.12",
    "GN": "2.5.4.42",
    "G": "2.5.4.42",
    "GIVENNAME": "2.5.4.42",
    "INITIALS": "2.5.4.43",
    "DNQ": "2.5.4.46",
    "DNQUALIFIER": "2.5.4.46",
    "PSEUDONYM": "2.5.4.65",
    "POSTALCODE": "2.5.4.17",
    "ORGANIZATIONIDENTIFIER": "2.5.4.97",
    "DC": "0.9.2342.19200300.100.1.25",
    "UID": "0.9.2342.19200300.100.1.1",
    "E": "1.2.840.113549.1.9.1",
    "EMAIL": "1.2.840.113549.1.9.1",
    "EMAILADDRESS": "1.2.840.113549.1.9.1",
}
_TYPE = re.compile(r"\s*(?:OID\.)?([A-Za-z][A-Za-z0-9-]*|\d+(?:\.\d+)+)\s*=\s*", re.IGNORECASE)
_HEXADECIMAL = re.compile(r"#((?:[0-9A-Fa-f]{2})+)\s*")
_PLAIN = re.compile(r"(?:\\[0-9A-Fa-f]{2}|\\.|[^\\,;+\"])*", re.DOTALL)
_QUOTED = re.compile(r'"((?:\\.|[^"\\])*)"\s*', re.DOTALL)
_ESCAPED = re.compile(r"((?:\\[0-9A-Fa-f]{2})+)|\\(.)", re.DOTALL)
_DER_STRINGS = {12: "utf-8", 19: "ascii", 20: "latin-1", 22: "ascii", 30: "utf-16-be", 28: "utf-32-be"}
_LONGEST = 2048

RelativeName = frozenset[tuple[str, str]]
ParsedName = tuple[RelativeName, ...]


def parse_name(text: str) -> ParsedName:
    """The name, most significant part first or last as it was written. Raises ValueError."""
    if not text.strip() or len(text) > _LONGEST:
        raise ValueError(f"expected a distinguished name of at most {_LONGEST} characters")
    parts: list[set[tuple[str, str]]] = [set()]
    for separator, oid, value in _pairs(text):
        if separator != "+":
            parts.append(set())
        parts[-1].add((oid, _comparable(value)))
    return tuple(frozenset(part) for part in parts if part)


def name_of(name: x509.Name) -> ParsedName:
    """The name in a certificate, in the form in which names are compared."""
    return tuple(
        frozenset((one.oid.dotted_string, _comparable(_text(one.value))) for one in relative) for relative in name.rdns
    )


def is_same_name(left: ParsedName, right: ParsedName) -> bool:
    """RFC 2253 writes a name backwards, OpenSSL forwards: both are the name."""
    return left in (right, right[::-1])


def _pairs(text: str) -> Iterator[tuple[str, str, str]]:
    """(separator before, OID, value) of every attribute."""
    position, separator = 0, ","
    while True:
        found = _TYPE.match(text, position)
        if found is None:
            raise ValueError("expected TYPE=value in a distinguished name")
        value, position = _value(text, found.end())
        yield separator, _oid(found[1]), value
        if position == len(text):
            return
        separator = text[position]
        if separator not in ",;+":
            raise ValueError("expected a comma or a plus sign between the parts of a distinguished name")
        position += 1


def _oid(name: str) -> str:
    oid = name if name[0].isdigit() else _OIDS.get(name.upper())
    if oid is None:
        raise ValueError("found an unknown attribute type in a distinguished name")
    return oid


def _value(text: str, position: int) -> tuple[str, int]:
    if found := _HEXADECIMAL.match(text, position):
        return _from_der(bytes.fromhex(found[1])), found.end()
    if found := _QUOTED.match(text, position):
        return _unescaped(found[1]), found.end()
    found = _PLAIN.match(text, position)
    if found is None or found[0].startswith("#"):
        raise ValueError("expected a value in a distinguished name")
    return _unescaped(_without_trailing_blanks(found[0])), found.end()


def _without_trailing_blanks(text: str) -> str:
    """Blanks around a value do not belong to it, but for an escaped one."""
    kept = text.rstrip()
    is_escape = (len(kept) - len(kept.rstrip("\\"))) % 2 == 1
    return text[: len(kept) + 1] if is_escape else kept


def _unescaped(text: str) -> str:
    return _ESCAPED.sub(lambda one: _octets(one[1]) if one[1] else one[2], text)


def _octets(escapes: str) -> str:
    try:
        return bytes.fromhex(escapes.replace("\\", "")).decode("utf-8")
    except UnicodeDecodeError:
        raise ValueError("expected UTF-8 in the escapes of a distinguished name") from None


def _from_der(octets: bytes) -> str:
    """A DER string with a short length: `#0c05…`."""
    if len(octets) < 2 or octets[0] not in _DER_STRINGS or octets[1] != len(octets) - 2 or octets[1] > 127:
        raise ValueError("expected a DER string after # in a distinguished name")
    try:
        return octets[2:].decode(_DER_STRINGS[octets[0]])
    except UnicodeDecodeError:
        raise ValueError("expected a DER string after # in a distinguished name") from None


def _text(value: str | bytes) -> str:
    return value if isinstance(value, str) else value.hex()


def _comparable(value: str) -> str:
    """Case and inner blanks do not tell names apart. RFC 5280: 7.1"""
    return " ".join(unicodedata.normalize("NFKC", value).casefold().split())
