"""A message that came is read as far as it can be, and reading never raises."""

import gzip

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conformance.client.http_reading import MOST_OCTETS
from conformance.client.received import Received
from conformance.sentence import french

SOAP = b"POST /xds/registry HTTP/1.1\r\nContent-Type: application/soap+xml\r\n"
ENVELOPE = (
    b'<e:Envelope xmlns:e="http://www.w3.org/2003/05/soap-envelope"><e:Body><AdhocQueryRequest/></e:Body></e:Envelope>'
)


def looked_at(octets: bytes) -> Received:
    """Everything that rules and behaviours look at."""
    one = Received.of(octets)
    assert isinstance(one.transaction, str)
    assert isinstance(one.problem, str)
    for value in (one.envelope, one.parts, one.resource, one.assertion, one.status, one.media):
        assert value is not NotImplemented
    return one


@given(st.binary(max_size=200), st.sampled_from(["", "gzip"]), st.text(max_size=60), st.binary(max_size=300))
def test_reading_never_raises(start: bytes, encoding: str, kind: str, body: bytes) -> None:
    named = f"Content-Type: {kind}\r\nContent-Encoding: {encoding}".encode("utf-8", "replace")
    looked_at(start + b"\r\n" + named + b"\r\n\r\n" + body)


def test_a_body_in_gzip_is_read() -> None:
    assert looked_at(SOAP + b"Content-Encoding: gzip\r\n\r\n" + gzip.compress(ENVELOPE)).transaction == "ITI-18"


@pytest.mark.parametrize(
    "body",
    [
        gzip.compress(ENVELOPE)[:-9],
        b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03" + b"\xff" * 40,
        gzip.compress(b"<a>" + b" " * (MOST_OCTETS + 1)),
    ],
    ids=["cut", "damaged", "larger than a message may be"],
)
def test_a_gzip_that_cannot_be_read_is_told(body: bytes) -> None:
    one = looked_at(SOAP + b"Content-Encoding: gzip\r\n\r\n" + body)
    assert one.envelope is None
    assert one.problem


def test_a_parameter_in_the_form_of_rfc_2231_is_a_text() -> None:
    head = b"POST /xds/registry HTTP/1.1\r\nContent-Type: multipart/related; boundary=b; start*=utf-8''root\r\n\r\n"
    part = b"--b\r\nContent-ID: <root>\r\n\r\n" + ENVELOPE + b"\r\n--b--\r\n"
    assert looked_at(head + part).transaction == "ITI-18"


def test_an_empty_body_is_told_in_both_languages() -> None:
    assert french(looked_at(SOAP + b"\r\n").problem) == "le corps est vide"
