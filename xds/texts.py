"""Grammar of the attributes that are plain texts and numbers. ITI TF-3: 4.2.3.2.

Each function takes the text of the wire, gives the value, and raises ValueError with a sentence that names what was
expected.
"""

import re
from collections.abc import Callable

from xds.datatypes import XCN, XON, XTN, Composite
from xds.identifiers import is_oid

_SHA1 = re.compile(r"[0-9a-fA-F]{40}\Z")
_LANGUAGE = re.compile(r"[A-Za-z]{1,8}(-[A-Za-z0-9]{1,8})*\Z")
_MIME_TYPE = re.compile(r"[\w!#$&^.+-]+/[\w!#$&^.+-]+( *;[ -~]*)?\Z", re.ASCII)
_UNIQUE_ID_MAX_LENGTH = 128


def parse_string(text: str) -> str:
    return text


def parse_sha1(text: str) -> str:
    """40 hexadecimal digits, kept in lower case. ITI TF-3: 4.2.3.2.10"""
    if not _SHA1.match(text):
        raise ValueError("expected SHA-1 as 40 hexadecimal digits")
    return text.lower()


def parse_size(text: str) -> int:
    """Octets, a whole number. ITI TF-3: 4.2.3.2.23"""
    if not (text.isascii() and text.isdigit()) or len(text) > 18:
        raise ValueError("expected a whole number of octets")
    return int(text)


def parse_oid(text: str) -> str:
    if not is_oid(text):
        raise ValueError("expected an OID of at most 64 characters")
    return text


def parse_language(text: str) -> str:
    if not _LANGUAGE.match(text):
        raise ValueError("expected a language tag such as fr-FR")
    return text


def parse_mime_type(text: str) -> str:
    """Type and parameters in printable ASCII: the value becomes a header of MIME parts and HTTP answers."""
    if not _MIME_TYPE.match(text):
        raise ValueError("expected a MIME type such as text/xml")
    return text


def parse_unique_id(text: str) -> str:
    """Opaque; an OID is usual and not demanded. ITI TF-3: 4.2.3.2.26"""
    if not text or len(text) > _UNIQUE_ID_MAX_LENGTH or not text.isprintable():
        raise ValueError("expected 1 to 128 printable characters")
    return text


def parse_patient_field(text: str) -> str:
    """One line of sourcePatientInfo, `PID-n|value`. ITI TF-3: 4.2.3.2.25"""
    if not re.match(r"PID-\d{1,2}\|", text):
        raise ValueError("expected PID-n|value")
    return text


_RECIPIENT_PARTS: tuple[Callable[[str], Composite], ...] = (XON.parse, XCN.parse, XTN.parse)


def parse_recipient(text: str) -> str:
    """`XON|XCN|XTN`, each part optional, at least one. ITI TF-3: 4.2.3.3.7"""
    parts = text.split("|")
    given = [(parse, part) for parse, part in zip(_RECIPIENT_PARTS, parts, strict=False) if part.strip("^ ")]
    if not given or len(parts) > len(_RECIPIENT_PARTS):
        raise ValueError("expected XON|XCN|XTN with at least one part")
    for parse, part in given:
        parse(part)
    return text
