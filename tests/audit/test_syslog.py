"""Syslog messages and their frames, read by a reader that knows the RFCs alone."""

import pytest

from audit.dicom import write_message
from audit.occurrence import record_of
from audit.recorder import utc_now
from audit.syslog import Origin, framed
from tests.audit.happenings import NODE, PROFESSIONAL, asked
from tests.audit.syslog_receiver import FrameError, FrameReader
from tests.audit.test_dicom import NASTY

ORIGIN = Origin(host="xds.example.org", process_id="4711")
RECORDED = 1_893_456_000_123_456


def frame(text: str) -> tuple[bytes, bytes]:
    message = write_message(record_of(asked(1, text), PROFESSIONAL, NODE, utc_now()))
    return message, framed(ORIGIN, RECORDED, message)


@pytest.mark.parametrize("text", NASTY, ids=range(len(NASTY)))
def test_the_length_counts_octets_and_the_frame_is_one(text: str) -> None:
    message, octets = frame(text)
    (found,) = FrameReader().feed(octets)
    assert found.message == message
    assert (found.pri, found.message_id, found.time) == (85, "IHE+RFC-3881", "2030-01-01T00:00:00.123456Z")


@pytest.mark.parametrize("size", [1, 7, 4096])
def test_frames_are_found_however_they_are_cut(size: int) -> None:
    messages = [frame(text)[0] for text in NASTY[:-1]]
    octets = b"".join(framed(ORIGIN, RECORDED, one) for one in messages)
    reader, found = FrameReader(), []
    for start in range(0, len(octets), size):
        found += reader.feed(octets[start : start + size])
    assert [one.message for one in found] == messages


def test_the_same_record_makes_the_same_octets() -> None:
    message, octets = frame("x")
    assert framed(ORIGIN, RECORDED, message) == octets


def test_a_name_that_is_no_word_becomes_one() -> None:
    (found,) = FrameReader().feed(framed(Origin(host="a b\né", process_id=""), RECORDED, b"<AuditMessage/>"))
    assert found.host == "a_b__"


def test_the_reader_of_these_tests_refuses_what_is_no_frame() -> None:
    for octets in (b"05 <85>1", b" <85>1", b"x", b"9 <85>1 x y"):
        with pytest.raises(FrameError):
            FrameReader().feed(octets)
