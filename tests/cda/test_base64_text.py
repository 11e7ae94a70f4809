"""Base64 that is looked at by its ends is taken and refused as one that is decoded whole."""

import base64
import random

import pytest

from cda.base64_text import ends_of_base64

_PIECES = (
    "QUJD",
    "QQ==",
    "QUI=",
    "=",
    "A",
    "+/",
    " ",
    "\n",
    "\r\n",
    "\t",
    "\x0b",
    "\x1f",
    "\xa0",
    "\u2003",
    "é",
    "%",
    "-",
    "_",
    "",
)


def _decoded(text: str) -> bytes | None:
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except ValueError:
        return None


def _ends(text: str) -> tuple[bytes, bytes] | None:
    try:
        return ends_of_base64(text)
    except ValueError:
        return None


def test_what_is_refused_and_what_is_read_are_those_of_the_whole() -> None:
    chance, seen = random.Random(7), set()
    for _ in range(20_000):
        text = "".join(chance.choice(_PIECES) for _ in range(chance.randrange(7)))
        whole = _decoded(text)
        seen.add(whole is None)
        assert _ends(text) == (None if whole is None else (whole, whole)), repr(text)
    assert seen == {True, False}


@pytest.mark.parametrize("size", [0, 1, 4094, 4095, 4096, 4097, 5000, 8192, 140_000])
def test_the_ends_are_4096_octets_of_a_file_in_lines(size: int) -> None:
    content = random.Random(size).randbytes(size)
    text = base64.encodebytes(content).decode()
    assert ends_of_base64(text) == (content[:4096], content[-4096:])


def test_a_letter_that_is_none_far_inside_is_found() -> None:
    text = base64.b64encode(bytes(90_000)).decode()
    with pytest.raises(ValueError):
        ends_of_base64(f"{text[:50_000]}%{text[50_001:]}")
