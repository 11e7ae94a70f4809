"""MTOM/XOP in both directions."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from conformance.failures import ExchangeFailed
from conformance.nist.mtom import attach_documents, media_type, read_multipart, resolve_includes, write_multipart
from tests.conformance.kits import element

DOCUMENT = "{urn:ihe:iti:xds-b:2007}Document"


def round_trip(content: bytes) -> bytes:
    payload = element('<x:R><x:Document id="a"/></x:R>')
    parts = attach_documents(payload, {"a": content}, is_mtom=True)
    content_type, body = write_multipart(etree.tostring(payload), parts, action="urn:a")
    kind, parameters = media_type(content_type)
    assert (kind, parameters["type"], parameters["action"]) == ("multipart/related", "application/xop+xml", "urn:a")
    root, others = read_multipart(parameters, body)
    envelope = etree.fromstring(root)
    resolve_includes(envelope, others)
    return base64.b64decode(envelope.findtext(DOCUMENT) or "")


@given(content=st.binary(max_size=200))
def test_what_is_written_is_read_back_octet_for_octet(content: bytes) -> None:
    assert round_trip(content) == content


def test_line_ends_and_dashes_in_a_document_are_kept() -> None:
    assert round_trip(b"\r\n--x\r\n\n--\x00\r\n") == b"\r\n--x\r\n\n--\x00\r\n"


def test_without_mtom_documents_are_inline() -> None:
    payload = element('<x:R><x:Document id="a"/><x:Document id="b">YQ==</x:Document></x:R>')
    assert attach_documents(payload, {"a": b"abc"}, is_mtom=False) == []
    assert [one.text for one in payload] == ["YWJj", "YQ=="]


def message(*parts: tuple[str, bytes], boundary: str = "b") -> bytes:
    return (
        b"".join(f"--{boundary}\r\n{head}\r\n\r\n".encode() + body + b"\r\n" for head, body in parts)
        + f"--{boundary}--".encode()
    )


def test_start_names_the_root_and_the_first_part_is_the_default() -> None:
    body = message(("Content-ID: <a>", b"A"), ("Content-ID: <b>", b"B"))
    assert read_multipart({"boundary": "b", "start": "<b>"}, body)[0] == b"B"
    assert read_multipart({"boundary": "b"}, body)[0] == b"A"


def test_transfer_encodings_are_decoded() -> None:
    body = message(
        ("Content-Transfer-Encoding: base64", b"YWJj"), ("Content-Transfer-Encoding: quoted-printable", b"a=3Db")
    )
    root, (other,) = read_multipart({"boundary": "b"}, body)
    assert (root, other.content) == (b"abc", b"a=b")


@pytest.mark.parametrize(
    ("parameters", "body", "sentence"),
    [
        ({}, b"", "names no boundary"),
        ({"boundary": "b"}, b"--b\r\n\r\n", "closing boundary"),
        ({"boundary": "b", "start": "<x>"}, message(("Content-ID: <a>", b"A")), "no part x"),
        ({"boundary": "b"}, b"--b\r\nno end of header\r\n--b--", "no end of its header"),
    ],
)
def test_what_is_no_multipart_is_named(parameters: dict[str, str], body: bytes, sentence: str) -> None:
    with pytest.raises(ExchangeFailed, match=sentence):
        read_multipart(parameters, body)


@pytest.mark.parametrize("href", ["cid:a%40b", "cid:a@b"])
@pytest.mark.parametrize("content_id", ["a@b", "a%40b"])
def test_references_match_percent_encoded_or_not(href: str, content_id: str) -> None:
    include = f'<x:D><i:Include xmlns:i="http://www.w3.org/2004/08/xop/include" href="{href}"/></x:D>'
    envelope = element(include)
    _, parts = read_multipart({"boundary": "b"}, message(("", b""), (f"Content-ID: <{content_id}>", b"abc")))
    resolve_includes(envelope, parts)
    assert envelope.text == "YWJj"


def test_an_include_without_part_is_named() -> None:
    with pytest.raises(ExchangeFailed, match="cid:x"):
        resolve_includes(
            element('<x:D><i:Include xmlns:i="http://www.w3.org/2004/08/xop/include" href="cid:x"/></x:D>'), []
        )
