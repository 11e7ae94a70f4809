"""Content-Transfer-Encoding of MIME parts, decoded strictly as octets arrive. RFC 2045: 6."""

import base64
import binascii
import quopri
import re
from typing import Protocol

from soap.faults import sender

_NOT_QUOTED_PRINTABLE = re.compile(rb"=(?![0-9A-Fa-f]{2}|[ \t]*\r?\n)|[^\x09\x0a\x0d\x20-\x7e]")


class Decoder(Protocol):
    """Octets of the wire in, octets of the document out; `finish` gives the rest."""

    def decode(self, chunk: bytes) -> bytes: ...

    def finish(self) -> bytes: ...


class _Identity:
    def decode(self, chunk: bytes) -> bytes:
        return chunk

    def finish(self) -> bytes:
        return b""


class _Base64:
    """Whole quadruplets only; white space is dropped, anything else outside the alphabet refused."""

    def __init__(self) -> None:
        self._rest = b""
        self._padded = False

    def decode(self, chunk: bytes) -> bytes:
        text = self._rest + chunk.translate(None, b" \t\r\n")
        whole = len(text) - len(text) % 4
        self._rest = text[whole:]
        if not whole:
            return b""
        if self._padded:
            raise sender("a MIME part has octets after the end of its base64")
        self._padded = text[:whole].endswith(b"=")
        try:
            return base64.b64decode(text[:whole], validate=True)
        except binascii.Error:
            raise sender("a MIME part is not base64, as its Content-Transfer-Encoding says") from None

    def finish(self) -> bytes:
        if self._rest:
            raise sender("a MIME part ends inside its base64")
        return b""


class _QuotedPrintable:
    """Line by line, so that an escape is never cut."""

    def __init__(self) -> None:
        self._rest = b""

    def decode(self, chunk: bytes) -> bytes:
        text = self._rest + chunk
        end = text.rfind(b"\n") + 1
        self._rest = text[end:]
        return _unquoted(text[:end])

    def finish(self) -> bytes:
        return _unquoted(self._rest)


def _unquoted(text: bytes) -> bytes:
    if _NOT_QUOTED_PRINTABLE.search(text):
        raise sender("a MIME part is not quoted-printable, as its Content-Transfer-Encoding says")
    return quopri.decodestring(text)


def decoder(name: str) -> Decoder:
    """The decoder for a Content-Transfer-Encoding; empty means 7bit. Raises SoapFault for an unknown one."""
    name = name.strip().lower()
    if name in ("", "binary", "8bit", "7bit"):
        return _Identity()
    if name == "base64":
        return _Base64()
    if name == "quoted-printable":
        return _QuotedPrintable()
    raise sender("a MIME part has an unknown Content-Transfer-Encoding")
