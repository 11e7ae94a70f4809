"""Texts are kept small and come back as they were; the dictionary that reads them stays as it is."""

import hashlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storage import deflated as module
from storage.deflated import Damaged, deflated, inflated
from tests.builders import an_entry
from xds.ebrim.write import write_object

# Of the dictionary of the mark 1: with another, nothing that was written would be readable.
DIGEST = "60a7f9d8bc55b3a9dddd735d86bb580a02ac4a8f4f51d9f7993dd39a6e811f70"


def test_the_dictionary_is_never_changed() -> None:
    dictionary = Path(module.__file__).with_name("dictionary.txt").read_bytes()
    assert hashlib.sha256(dictionary).hexdigest() == DIGEST


@given(st.binary())
def test_every_text_comes_back(text: bytes) -> None:
    assert inflated(deflated(text)) == text


def test_what_was_kept_before_is_its_own() -> None:
    for text in (b"<rim:Association/>", b'{"resourceType":"List"}', b""):
        assert inflated(text) == text


def test_a_rendering_takes_less_than_a_fifth() -> None:
    text = write_object(an_entry())
    assert len(deflated(text)) < len(text) / 5


@pytest.mark.parametrize("spoil", [lambda kept: kept[:-3], lambda kept: kept[:1], lambda kept: kept[:1] + b"\xff" * 20])
def test_a_damaged_text_is_told(spoil: object) -> None:
    with pytest.raises(Damaged, match=r"found [0-9]+ octets"):
        inflated(spoil(deflated(b"one text of some length" * 9)))  # type: ignore[operator]


def test_octets_behind_the_end_are_damage() -> None:
    with pytest.raises(Damaged, match="behind"):
        inflated(deflated(b"text") + b"x")
