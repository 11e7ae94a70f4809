"""Text in base64 looked at without decoding all of it: a document carries a file of any size that way."""

import base64

_SPACE = b" \t\n\r\x0b\x0c\x1c\x1d\x1e\x1f"
_LETTERS = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
_END_OCTETS = 4096
_END_LETTERS = 4 * (_END_OCTETS // 3 + 2)


def ends_of_base64(text: str) -> tuple[bytes, bytes]:
    """The first and the last 4,096 octets of what a text stands for; white space in it counts for nothing.

    ValueError for what is no base64. What has an odd form is decoded whole, so that the standard library judges it.
    """
    letters = text.encode("ascii") if text.isascii() else "".join(text.split()).encode("ascii")
    letters = letters.translate(None, _SPACE)
    first, last = letters[:_END_LETTERS], letters[-_END_LETTERS:]
    if not _has_plain_form(letters):
        first = last = letters
    return _decoded(first)[:_END_OCTETS], _decoded(last)[-_END_OCTETS:]


def _has_plain_form(letters: bytes) -> bool:
    """Groups of four letters, the last one filled with at most two signs: such a text can be cut between any two."""
    said = letters.rstrip(b"=")
    return not len(letters) % 4 and len(letters) - len(said) <= 2 and not said.translate(None, _LETTERS)


def _decoded(letters: bytes) -> bytes:
    return base64.b64decode(letters, validate=True)
