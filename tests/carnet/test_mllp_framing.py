"""Blocks of MLLP: the same messages whatever pieces the stream comes in."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from carnet.mllp_framing import Framer, FramingError, frame

MESSAGES = st.lists(st.binary(max_size=60).filter(lambda one: b"\x1c\r" not in one + b"\r"), max_size=6)
GAPS = st.binary(max_size=4).map(lambda octets: bytes(b"\r\n \x1c"[one % 4] for one in octets))


def pieces(stream: bytes, cuts: list[int]) -> list[bytes]:
    ends = sorted({cut % (len(stream) + 1) for cut in cuts} | {len(stream)})
    return [stream[start:end] for start, end in zip([0, *ends], ends, strict=False)]


@given(MESSAGES, st.lists(st.integers(min_value=0, max_value=10**6), max_size=30), GAPS)
def test_messages_come_out_whole_whatever_the_pieces(messages: list[bytes], cuts: list[int], gap: bytes) -> None:
    framer = Framer(longest_message=100)
    stream = gap + b"".join(frame(message) + gap for message in messages)
    found = [message for piece in pieces(stream, cuts) for message in framer.feed(piece)]
    assert found == messages
    assert not framer.is_inside


@given(MESSAGES)
def test_one_octet_at_a_time_is_enough(messages: list[bytes]) -> None:
    framer = Framer(longest_message=100)
    stream = b"".join(map(frame, messages))
    assert [message for octet in stream for message in framer.feed(bytes([octet]))] == messages


@given(st.binary(max_size=300), st.lists(st.integers(min_value=0, max_value=300), max_size=10))
def test_noise_is_taken_apart_or_refused(noise: bytes, cuts: list[int]) -> None:
    framer = Framer(longest_message=50)
    try:
        for piece in pieces(noise, cuts):
            assert all(len(message) <= 50 for message in framer.feed(piece))
    except FramingError as problem:
        assert str(problem)


def test_an_end_without_carriage_return_is_part_of_the_message() -> None:
    assert list(Framer(longest_message=100).feed(frame(b"a\x1cb\x1c\x1c"))) == [b"a\x1cb\x1c\x1c"]


def test_octets_that_are_no_block_are_an_error() -> None:
    with pytest.raises(FramingError, match="start of a block") as caught:
        list(Framer(longest_message=100).feed(b"MSH|^~\\&|"))
    assert caught.value.head == b"MSH|^~\\&|"


@pytest.mark.parametrize("piece", [1, 7, 1000])
def test_a_message_too_long_is_an_error_before_it_ends(piece: int) -> None:
    framer, stream = Framer(longest_message=100), frame(b"x" * 100) + b"\x0b" + b"MSH" + b"y" * 500
    found: list[bytes] = []
    with pytest.raises(FramingError, match="more than 100 octets") as caught:
        for start in range(0, len(stream), piece):
            for message in framer.feed(stream[start : start + piece]):
                found.append(message)
    assert found == [b"x" * 100]
    assert caught.value.head.startswith(b"MSH")


def test_a_block_that_has_begun_is_noticed() -> None:
    framer = Framer(longest_message=100)
    assert list(framer.feed(b"\r\n")) == []
    assert not framer.is_inside
    assert list(framer.feed(b"\x0b")) == []
    assert framer.is_inside
