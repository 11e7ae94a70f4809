"""Octets in base64, between whose characters white space may stand. FHIR R4 2.24.0.1, base64Binary."""

import binascii

from repository.blob_store import IncomingBlob

_WHITE = b" \t\r\n"


def octets_of(text: str) -> bytes:
    """What the text stands for; nearly always it has no white space, and is not copied to find that out.

    Raises ValueError.
    """
    try:
        return binascii.a2b_base64(text, strict_mode=True)
    except ValueError:
        return binascii.a2b_base64("".join(text.split()), strict_mode=True)


class OctetsApart(str):
    """A mark where base64 stood that was cut from its body on arrival; its octets are in a blob that is finished."""

    __slots__ = ("blob", "is_base64")
    blob: IncomingBlob
    is_base64: bool

    def __new__(cls, mark: str, *, blob: IncomingBlob, is_base64: bool) -> "OctetsApart":
        made = super().__new__(cls, mark)
        made.blob, made.is_base64 = blob, is_base64
        return made


class Base64Decoder:
    """Base64 that comes in pieces. What is none is noticed, and nothing behind it is decoded."""

    def __init__(self) -> None:
        self._rest, self._is_padded, self._is_sound = b"", False, True

    def octets(self, piece: bytes) -> bytes:
        text = self._rest + piece.translate(None, _WHITE)
        whole = len(text) - len(text) % 4
        self._rest = text[whole:]
        if not whole or not self._is_sound:
            return b""
        try:
            octets = binascii.a2b_base64(text[:whole], strict_mode=True)
        except ValueError:
            octets, self._is_sound = b"", False
        self._is_sound = self._is_sound and not self._is_padded
        self._is_padded = text[whole - 1 : whole] == b"="
        return octets

    def is_base64(self) -> bool:
        """Whether all pieces together were; nothing follows."""
        return self._is_sound and not self._rest
