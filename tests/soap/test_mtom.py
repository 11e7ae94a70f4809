"""MIME messages of MTOM: any chunking, any boundary, any octets, and what is refused."""

import base64
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from soap.faults import HttpRefusal, SoapFault
from soap.mtom import (
    MimeLimits,
    MtomPart,
    MultipartReader,
    PartEnd,
    PartStart,
    content_type_of,
    multipart_length,
    new_boundary,
    write_multipart,
)
from tests.servers import ROOT_OF_CORPUS

LIMITS = MimeLimits()
BOUNDARY = "b"
boundaries = st.text("0123456789abcXYZ'()+_,-./:=?", min_size=1, max_size=70)
# Octets that look like structure: line ends, dashes, the boundary, its prefixes.
pieces = st.one_of(
    st.binary(max_size=20),
    st.sampled_from(
        [b"\r\n", b"\n", b"\r", b"--", b"\r\n--", b"\r\n\r\n", b"\r\n--b", b"\r\n--bx\r\n", b"--b--", b" \t"]
    ),
)
contents = st.lists(pieces, max_size=8).map(b"".join)


def events(
    message: bytes,
    sizes: Sequence[int] = (),
    *,
    boundary: str = BOUNDARY,
    limits: MimeLimits = LIMITS,
    bare_lf: bool = False,
) -> list[tuple[str, bytes]]:
    """(Content-ID, octets) of every part, read in chunks of these sizes and the rest at once."""
    reader, parts, at = MultipartReader(boundary, limits=limits, bare_lf=bare_lf), [], 0
    collected: list[object] = []
    for size in sizes:
        collected += reader.feed(message[at : at + size])
        at += size
    collected += [*reader.feed(message[at:]), *reader.finish()]
    for event in collected:
        if isinstance(event, PartStart):
            parts.append([event.content_id, b"", False])
        elif isinstance(event, PartEnd):
            parts[-1][2] = True
        else:
            parts[-1][1] += event
    assert all(part[2] for part in parts)
    return [(part[0], part[1]) for part in parts]


def outcome(message: bytes, sizes: Sequence[int] = (), **given: object) -> object:
    try:
        return events(message, sizes, **given)  # type: ignore[arg-type]
    except (SoapFault, HttpRefusal) as problem:
        return problem.reason


def written(parts: Sequence[bytes], boundary: str = BOUNDARY) -> bytes:
    later = [
        MtomPart(content_id=f"p{n}", content_type="text/xml", chunks=[part]) for n, part in enumerate(parts[1:], 1)
    ]
    return b"".join(write_multipart(parts[0], later, boundary=boundary, root_id="p0"))


def holds_delimiter(content: bytes, boundary: str) -> bool:
    """A line that is a delimiter cannot stand in a document: senders choose another boundary."""
    for line in (b"\r\n" + content + b"\r\n").split(b"\r\n--" + boundary.encode())[1:]:
        if line.lstrip(b" \t").startswith((b"\r\n", b"--")):
            return True
    return False


@given(st.lists(contents, min_size=1, max_size=4), boundaries, st.lists(st.integers(1, 50), max_size=30))
def test_what_is_written_is_read_in_any_chunking(parts: list[bytes], boundary: str, sizes: list[int]) -> None:
    if any(holds_delimiter(part, boundary) for part in parts):
        return
    message = written(parts, boundary)
    expected = [(f"p{n}", part) for n, part in enumerate(parts)]
    assert events(message, sizes, boundary=boundary) == expected
    assert events(message, [1] * len(message), boundary=boundary) == expected


@given(st.binary(max_size=300), st.lists(st.integers(1, 20), max_size=40), st.booleans())
def test_noise_gives_the_same_outcome_in_any_chunking(noise: bytes, sizes: list[int], bare_lf: bool) -> None:
    message = b"--b\r\nContent-ID: <a>\r\n\r\n" + noise + b"\r\n--b--\r\n"
    assert outcome(message, sizes, bare_lf=bare_lf) == outcome(message, bare_lf=bare_lf)


@given(contents, contents)
def test_a_message_with_bare_line_feeds_keeps_its_documents(first: bytes, second: bytes) -> None:
    if any(b"--b" in part for part in (first, second)):
        return
    message = b"--b\nContent-ID: <a>\n\n" + first + b"\n--b\nContent-ID: <c>\n\n" + second + b"\n--b--\n"
    assert events(message, bare_lf=True) == [("a", first), ("c", second)]
    assert events(message, [1] * len(message), bare_lf=True) == [("a", first), ("c", second)]


@given(st.lists(contents, min_size=1, max_size=3))
def test_tolerance_reads_a_proper_message_alike(parts: list[bytes]) -> None:
    if any(b"--b" in part for part in parts):
        return
    assert events(written(parts), bare_lf=True) == events(written(parts))


PART = b"Content-ID: <a>\r\n\r\nx"


@pytest.mark.parametrize(
    "message",
    {
        "a blank line first": b"\r\n--b\r\n" + PART + b"\r\n--b--\r\n",
        "a preamble": b"ignored\r\n--bogus\r\n--b\r\n" + PART + b"\r\n--b--\r\n",
        "an epilogue": b"--b\r\n" + PART + b"\r\n--b--\r\nignored",
        "no last line end": b"--b\r\n" + PART + b"\r\n--b--",
        "padded delimiters": b"--b \t\r\n" + PART + b"\r\n--b--  \r\n",
    }.items(),
    ids=lambda item: item[0],
)
def test_structure_around_the_parts_is_tolerated(message: tuple[str, bytes]) -> None:
    assert events(message[1]) == [("a", b"x")]
    assert events(message[1], [1] * len(message[1])) == [("a", b"x")]


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        (b"--b\r\n" + PART, "ends before its closing boundary"),
        (b"", "ends before its closing boundary"),
        (b"--b--\r\n", "has no part"),
        (b"--b\n" + PART.replace(b"\r", b"") + b"\n--b--\n", "ends before its closing boundary"),
        (b"--b\r\nno colon\r\n\r\nx\r\n--b--\r\n", "malformed header"),
        (b"--b\r\n" + PART + b"\r\n--b\r\n" + PART + b"\r\n--b--\r\n", "same Content-ID"),
        (b"--b\r\n" + PART + b"\r\n--b--\r\n" + b"x" * 5000, "goes on after"),
        (b"--b\r\nContent-ID: " + b"x" * 9000 + b"\r\n\r\nx\r\n--b--\r\n", "too long headers"),
        (b"--b\r\n" + b"H: x\r\n" * 17 + b"\r\nx\r\n--b--\r\n", "too many or too long headers"),
        (b"--b\r\nContent-Transfer-Encoding: uuencode\r\n\r\nx\r\n--b--\r\n", "unknown Content-Transfer-Encoding"),
        (b"--b\r\nContent-Transfer-Encoding: base64\r\n\r\nYQ=\r\n--b--\r\n", "ends inside its base64"),
        (b"--b\r\nContent-Transfer-Encoding: base64\r\n\r\nY%==\r\n--b--\r\n", "not base64"),
        (b"--b\r\nContent-Transfer-Encoding: base64\r\n\r\nYQ==YQ==\r\n--b--\r\n", "not base64"),
        (b"--b\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\na=ZZ\r\n--b--\r\n", "not quoted-printable"),
    ],
)
def test_a_broken_message_is_a_fault(message: bytes, reason: str) -> None:
    assert reason in str(outcome(message))
    assert outcome(message, [1] * len(message)) is not None


@pytest.mark.parametrize("boundary", ["", "x" * 71, "a b ", "a\nb", "é"])
def test_an_illegal_boundary_is_a_fault(boundary: str) -> None:
    with pytest.raises(SoapFault):
        MultipartReader(boundary, limits=LIMITS)


def test_caps_of_a_message() -> None:
    many = b"--b\r\n" + b"\r\nx\r\n--b\r\n" * 3 + b"\r\nx\r\n--b--\r\n"
    assert "more than 3 parts" in str(outcome(many, limits=MimeLimits(parts=3)))
    with pytest.raises(HttpRefusal) as caught:
        events(b"x" * 101, limits=MimeLimits(total_octets=100))
    assert caught.value.status == 413


@given(st.binary(max_size=200), st.lists(st.integers(1, 9), max_size=60))
def test_base64_is_decoded_as_it_arrives(content: bytes, sizes: list[int]) -> None:
    encoded = base64.encodebytes(content).replace(b"\n", b"\r\n")
    message = b"--b\r\nContent-ID: <a>\r\nContent-Transfer-Encoding: BASE64\r\n\r\n" + encoded + b"\r\n--b--\r\n"
    assert events(message, sizes) == [("a", content)]


def test_quoted_printable_is_decoded_across_chunks() -> None:
    head = b"--b\r\nContent-ID: <a>\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n"
    message = head + b"caf=C3=A9 soft=\r\nbreak\r\n--b--\r\n"
    for sizes in ([], [1] * len(message)):
        assert events(message, sizes) == [("a", "café softbreak".encode())]


def test_a_written_message_knows_its_length() -> None:
    parts = [MtomPart(content_id="d", content_type="text/xml", chunks=[b"abc", b"de"], length=5)]
    boundary = new_boundary()
    message = b"".join(write_multipart(b"<root/>", parts, boundary=boundary, root_id="r"))
    assert multipart_length(b"<root/>", parts, boundary=boundary, root_id="r") == len(message)
    assert boundary in content_type_of(boundary, "r")
    unknown = [MtomPart(content_id="d", content_type="text/xml", chunks=[])]
    assert multipart_length(b"", unknown, boundary=boundary, root_id="r") is None


def corpus_files(*folders: str) -> list[Path]:
    found = [path for folder in folders for path in (ROOT_OF_CORPUS / "attacks" / folder).rglob("*") if path.is_file()]
    return sorted(path for path in found if path.stat().st_size < 20_000 and b"boundary" in path.read_bytes()[:4000])


@pytest.mark.corpus
@pytest.mark.parametrize("path", corpus_files("mime", "mtom"), ids=lambda path: path.name)
def test_hostile_messages_give_one_outcome_in_any_chunking(path: Path) -> None:
    data = path.read_bytes()
    head, _, body = data.partition(b"\r\n\r\n" if b"\r\n\r\n" in data else b"\n\n")
    boundary = head.decode("latin-1").partition("boundary=")[2].split(";")[0].split("\n")[0].strip().strip('"') or "x"
    for bare_lf in (False, True):
        try:
            MultipartReader(boundary, limits=LIMITS, bare_lf=bare_lf)
        except SoapFault:
            return
        whole = outcome(body, boundary=boundary, bare_lf=bare_lf)
        assert outcome(body, [1] * len(body), boundary=boundary, bare_lf=bare_lf) == whole
        assert outcome(body, [7] * (len(body) // 7), boundary=boundary, bare_lf=bare_lf) == whole
