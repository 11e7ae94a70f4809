"""HL7 version 2 texts and headers: what goes in comes out, noise is refused, every header can be answered."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.hl7v2 import (
    CHARACTER_SETS,
    AcknowledgementCode,
    Finding,
    MessageRefused,
    Problem,
    WireIdentifier,
    read_header,
    read_message,
)
from registry.hl7v2_ack import write_ack
from registry.hl7v2_text import Delimiters, escape, unescape

PUNCTUATION = "|^~\\&#!$%*+:;<=>?@_"  # but those of "UNICODE UTF-8" and "2.3.1"
DELIMITERS = st.permutations(PUNCTUATION).map(
    lambda chars: Delimiters(
        field=chars[0], component=chars[1], repetition=chars[2], escape=chars[3], subcomponent=chars[4]
    )
)
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)


def adt(pid: str = "1|", *, event: str = "A01", msh: str = "", more: str = "") -> str:
    return f"MSH|^~\\&|EHR|CLINIC|CARNET|XDS|20260310||ADT^{event}|7|P|2.3.1{msh}\rEVN||20260310\rPID|{pid}\r{more}"


def refusal(octets: bytes) -> MessageRefused:
    with pytest.raises(MessageRefused) as caught:
        read_message(octets)
    return caught.value


@given(TEXT, DELIMITERS)
def test_what_is_escaped_is_unescaped(text: str, delimiters: Delimiters) -> None:
    assert unescape(escape(text, delimiters), delimiters) == text


@given(TEXT, DELIMITERS)
def test_an_escaped_text_breaks_no_message(text: str, delimiters: Delimiters) -> None:
    escaped = escape(text, delimiters)
    assert not any(
        char in escaped for char in (delimiters.field, delimiters.component, delimiters.repetition, "\r", "\n")
    )


@given(st.text(max_size=60), DELIMITERS)
def test_any_text_is_unescaped_or_refused(text: str, delimiters: Delimiters) -> None:
    try:
        unescape(text, delimiters)
    except ValueError as problem:
        assert str(problem)


@pytest.mark.parametrize("sequence", ["\\H\\", "\\.br\\", "\\C2842\\", "\\Zx\\", "\\X4\\", "\\\\", "\\E", "\\XFF\\"])
def test_what_stands_for_no_character_is_refused_not_dropped(sequence: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        unescape(f"12{sequence}34")


@given(st.text(st.characters(min_codepoint=33, exclude_categories=["C", "Z"]), min_size=1, max_size=30), DELIMITERS)
def test_an_identifier_survives_any_delimiters(identifier: str, delimiters: Delimiters) -> None:
    f, c, r, e, s = (
        getattr(delimiters, name) for name in ("field", "component", "repetition", "escape", "subcomponent")
    )
    fields = [
        "MSH",
        f"{c}{r}{e}{s}",
        "A",
        "B",
        "",
        "",
        "",
        "",
        f"ADT{c}A01",
        "1",
        "P",
        "2.3.1",
        "",
        "",
        "",
        "",
        "",
        "UNICODE UTF-8",
    ]
    cx = c.join([escape(identifier, delimiters), "", "", s.join(["", "1.2.3", "ISO"])])
    pid = f.join(["PID", "1", "", r.join(["other", cx])])
    message = read_message(f"{f.join(fields)}\r{pid}\r".encode())
    expected = (
        WireIdentifier(id="other"),
        WireIdentifier(id=identifier, universal_id="1.2.3", universal_id_type="ISO"),
    )
    if identifier != '""':
        assert message.identifiers("PID", 3) == expected


@given(st.binary(max_size=200))
def test_noise_is_refused_with_a_sentence(noise: bytes) -> None:
    for octets in (noise, b"MSH|^~\\&|" + noise, b"MSH|^~\\&|a|b|c|d|e||ADT^A01|1|P|2.3.1\rPID|" + noise):
        read_header(octets)
        try:
            read_message(octets).identifiers("PID", 3)
        except MessageRefused as refused:
            assert all(finding.reason for finding in refused.findings)


@pytest.mark.parametrize("name", CHARACTER_SETS)
def test_the_character_set_of_the_header_is_the_one_of_the_text(name: str) -> None:
    identifier = (
        bytes.fromhex("414243").decode()
        if name == "ASCII"
        else b"\xc3\xa9".decode(CHARACTER_SETS[name], "ignore") or "A"
    )
    octets = adt(f"||{identifier}", msh=f"||||||{name}").encode(CHARACTER_SETS[name])
    assert read_message(octets).identifiers("PID", 3) == (WireIdentifier(id=identifier),)


def test_an_undeclared_character_set_is_utf_8_and_never_guessed_in_an_identifier() -> None:
    assert read_message(adt("||É1").encode()).identifiers("PID", 3)[0].id == "É1"
    latin = read_message(adt("||1||HÉLÈNE").encode("latin-1"))
    assert latin.identifiers("PID", 3)[0].id == "1"
    with pytest.raises(MessageRefused):
        read_message(adt("||É1").encode("latin-1")).identifiers("PID", 3)


@pytest.mark.parametrize(
    ("octets", "problem"),
    [
        (b"", Problem.SEGMENT_SEQUENCE),
        (b"hello", Problem.SEGMENT_SEQUENCE),
        (b"PID|1\r", Problem.SEGMENT_SEQUENCE),
        (b"MSH|^~^&|a\r", Problem.SEGMENT_SEQUENCE),
        (b"MSH|^~\\|a|b|c\r", Problem.SEGMENT_SEQUENCE),
        (b"BHS|^~\\&|a\rMSH|^~\\&|a\r", Problem.SEGMENT_SEQUENCE),
        ((adt() + adt()).encode(), Problem.SEGMENT_SEQUENCE),
        ((adt() + "\x0b" + adt()).encode(), Problem.SEGMENT_SEQUENCE),
        ((adt() + "and so on\r").encode(), Problem.SEGMENT_SEQUENCE),
        (adt(msh="||||||ISO IR87").encode(), Problem.TABLE_VALUE),
        (adt("||É", msh="||||||ASCII").encode(), Problem.TABLE_VALUE),
    ],
)
def test_what_is_no_message_is_rejected(octets: bytes, problem: Problem) -> None:
    refused = refusal(octets)
    assert (refused.code, refused.findings[0].problem) == (AcknowledgementCode.REJECT, problem)


def test_segments_may_end_with_line_feeds() -> None:
    for end in ("\n", "\r\n"):
        octets = adt("||12^^^&1.2.3&ISO").replace("\r", end).encode()
        assert read_message(octets).identifiers("PID", 3)[0].universal_id == "1.2.3"


def test_null_and_empty_repetitions_are_no_identifiers() -> None:
    assert read_message(adt('||""~~ ~1~2^^^""').encode()).identifiers("PID", 3) == (
        WireIdentifier(id="1"),
        WireIdentifier(id="2"),
    )


def test_an_answer_turns_the_addresses_round_and_names_the_message() -> None:
    header = read_header(adt(msh="||||||8859/1").replace("|7|", "|a\\T\\b|").encode())
    found = Finding(problem=Problem.UNKNOWN_KEY, reason="é | & ~", location="PID^1^3")
    ack = write_ack(header, AcknowledgementCode.ERROR, [found], now="20260310100000").decode("latin-1")
    msh, msa, err = ack.rstrip("\r").split("\r")
    fields = msh.split("|")
    assert fields[2:6] == ["CARNET", "XDS", "EHR", "CLINIC"]
    assert (fields[6], fields[8], fields[10], fields[11], fields[17]) == (
        "20260310100000+0000",
        "ACK^A01",
        "P",
        "2.3.1",
        "8859/1",
    )
    assert msa == "MSA|AE|a\\T\\b|é \\F\\ \\T\\ \\R\\"
    assert err == "ERR|PID^1^3^204&é \\F\\ \\T\\ \\R\\&HL70357"


@given(st.binary(max_size=120))
def test_every_message_can_be_answered(noise: bytes) -> None:
    for octets in (noise, b"MSH|^~\\&|" + noise):
        ack = write_ack(read_header(octets), AcknowledgementCode.REJECT, now="20260310100000")
        assert ack.startswith(b"MSH|^~\\&|")
        assert b"\rMSA|AR|" in ack
        assert read_message(ack.replace(b"\x0b", b"").replace(b"\x1c", b"")).header.message_type == "ACK"
