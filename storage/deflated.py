"""Texts that are kept deflated, with a dictionary of what nearly every one of them says. ADR 0019

The form is one octet for the dictionary, then raw DEFLATE (RFC 1951). A dictionary is never changed, only followed by
another: what was written with it would be unreadable.
"""

import zlib
from pathlib import Path

_MARK = b"\x01"  # no JSON and no XML begins with it
_DICTIONARY = (Path(__file__).parent / "dictionary.txt").read_bytes()
_LEVEL = 6
# The dictionary is taken in once: a copy of this costs less than reading it.
_begun = zlib.compressobj(_LEVEL, wbits=-zlib.MAX_WBITS, zdict=_DICTIONARY)


class Damaged(ValueError):
    """Octets that are no whole deflated text."""


def deflated(text: bytes) -> bytes:
    """The text as it is kept."""
    one = _begun.copy()
    return _MARK + one.compress(text) + one.flush()


def inflated(kept: bytes) -> bytes:
    """The text that was kept; one that was written before texts were deflated is its own. Raises Damaged."""
    if kept[:1] != _MARK:
        return kept
    one = zlib.decompressobj(-zlib.MAX_WBITS, _DICTIONARY)
    try:
        text = one.decompress(kept[1:])
    except zlib.error as problem:
        raise Damaged(f"found {len(kept)} octets that do not inflate: {problem}") from problem
    if not one.eof or one.unused_data:
        wrong = "with octets behind its end" if one.eof else "without its end"
        raise Damaged(f"found {len(kept)} octets of a deflated text {wrong}")
    return text
