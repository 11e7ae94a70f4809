"""Data types: what is read is what is written, and only the grammar is accepted."""

from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests import strategies
from xds.datatypes import CX, DTM, XCN, XON, XTN, Code, CXi, escape, unescape
from xds.texts import (
    parse_language,
    parse_mime_type,
    parse_oid,
    parse_patient_field,
    parse_recipient,
    parse_sha1,
    parse_size,
    parse_unique_id,
)


@given(st.one_of(strategies.cxs, strategies.cxis, strategies.xcns, strategies.xons, strategies.xtns, strategies.dtms))
def test_a_value_is_written_as_it_was_read(value: CX | CXi | XCN | XON | XTN | DTM) -> None:
    assert type(value).parse(str(value)) == value


@given(st.text())
def test_escaping_is_undone_by_unescaping(text: str) -> None:
    assert unescape(escape(text)) == text
    assert not set("|^~&") & set(escape(text))


@given(strategies.texts, strategies.oids)
def test_a_cx_gives_back_its_id_and_authority(identifier: str, oid: str) -> None:
    value = CX.of(id=identifier, authority=oid)
    assert (value.id, value.authority, value.is_plain) == (identifier, oid, True)


@given(st.text(max_size=60))
def test_parsers_refuse_noise_with_a_sentence(text: str) -> None:
    for parse in (CX.parse, CXi.parse, XCN.parse, XON.parse, XTN.parse, DTM.parse, Code.parse, parse_oid, parse_size):
        try:
            parse(text)
        except ValueError as problem:
            assert str(problem).startswith("expected")


@given(st.text("0123456789", min_size=1, max_size=15))
def test_a_dtm_is_a_date_of_the_calendar(text: str) -> None:
    formats = {4: "%Y", 6: "%Y%m", 8: "%Y%m%d", 10: "%Y%m%d%H", 12: "%Y%m%d%H%M", 14: "%Y%m%d%H%M%S"}
    try:
        datetime.strptime(text, formats[len(text)])  # noqa: DTZ007
        expected = True
    except (KeyError, ValueError):
        expected = False
    try:
        DTM.parse(text)
        found = True
    except ValueError:
        found = False
    assert found == expected


@pytest.mark.parametrize(
    ("text", "earliest", "latest"),
    [
        ("2024", "20240101000000", "20241231235959"),
        ("202402", "20240201000000", "20240229235959"),
        ("20240229", "20240229000000", "20240229235959"),
        ("2024022913", "20240229130000", "20240229135959"),
        ("202402291330", "20240229133000", "20240229133059"),
        ("20240229133015", "20240229133015", "20240229133015"),
    ],
)
def test_a_dtm_of_less_precision_means_a_span(text: str, earliest: str, latest: str) -> None:
    assert (DTM.parse(text).earliest, DTM.parse(text).latest) == (earliest, latest)


def test_times_with_a_zone_or_of_another_script_are_refused() -> None:
    for text in ("20240101120000+0100", "2024-01-01", "٢٠٢٤", "20230229", "20241301", "2024010124", "00000101"):
        with pytest.raises(ValueError, match="expected DTM"):
            DTM.parse(text)


@pytest.mark.parametrize(
    ("parse", "text"),
    [
        (CX.parse, "1"),
        (CX.parse, "^^^&1.2.3&ISO"),
        (CX.parse, "1^^^&1.2.3&NPI"),
        (CX.parse, "1^^^&1.2.x&ISO"),
        (CX.parse, "1^2^^&1.2.3&ISO"),
        (CXi.parse, "1^^^&1.2.3&ISO"),
        (CXi.parse, "1^x^^&1.2.3&ISO^type"),
        (XCN.parse, "^^Anne"),
        (XCN.parse, "^Anne^^^^^^^&1.2.3&ISO"),
        (XON.parse, "^^^^^&1.2.3&ISO"),
        (XON.parse, "Name^^^^^^^^^no oid"),
        (XTN.parse, "^^Internet^"),
        (XTN.parse, "^PRN^Internet^a@example.org"),
        (XTN.parse, "^PRN^PH"),
        (Code.parse, "a"),
        (Code.parse, "a^^"),
        (Code.parse, "^^b"),
        (Code.parse, "a^b^c"),
        (parse_sha1, "0" * 39),
        (parse_sha1, "g" * 40),
        (parse_size, "-1"),
        (parse_size, "1e3"),
        (parse_size, "9" * 19),
        (parse_oid, "1.2.03"),
        (parse_oid, "3.1"),
        (parse_oid, "1." + "1" * 64),
        (parse_language, "fr_FR"),
        (parse_mime_type, "text"),
        (parse_mime_type, "text/xml\r\n\r\n;x"),
        (parse_mime_type, "text/xml; a=b\rc"),
        (parse_mime_type, "text/xml; a=é"),
        (parse_mime_type, "text/xml\n"),
        (parse_unique_id, ""),
        (parse_unique_id, "x" * 129),
        (parse_unique_id, "a\nb"),
        (parse_patient_field, "Dupont"),
        (parse_recipient, "|^|"),
        (parse_recipient, "Hospital|||"),
        (parse_recipient, "^^^^^^^^^no OID"),
        (parse_recipient, "Hospital|^^given name alone"),
        (parse_recipient, "Hospital||^^Internet^"),
    ],
)
def test_a_malformed_value_is_refused(parse: object, text: str) -> None:
    with pytest.raises(ValueError, match=r"^expected"):
        parse(text)  # type: ignore[operator]


def test_a_hash_is_compared_without_regard_to_case() -> None:
    assert parse_sha1("ABCDEF" + "0" * 34) == "abcdef" + "0" * 34


def test_a_patient_identifier_is_compared_by_id_and_authority_alone() -> None:
    forms = ("1^^^&1.2.3&ISO", "1^^^&1.2.3&ISO^NH", "1^^^&1.2.3&ISO^NH^^20200101", "1^^^&1.2.3&ISO^^^")
    assert {CX.parse(form).key for form in forms} == {"1^^^&1.2.3&ISO"}


def test_telephones_and_mail_are_told_apart() -> None:
    assert XTN.parse("^^Internet^a@example.org").address == "a@example.org"
    assert XTN.parse("^PRN^PH^^33^1^99001234").number == "+33 1 99001234"
    assert XTN.parse("^PRN^PH^^^^^^^^^0199001234").number == "0199001234"


@pytest.mark.parametrize("text", ["text/xml", "application/hl7-v3+xml; charset=utf-8", 'text/xml ; charset="utf-8"'])
def test_a_mime_type_may_have_parameters(text: str) -> None:
    assert parse_mime_type(text) == text


@pytest.mark.parametrize("identifier", ["^1", "A^^^&9.9&ISO", "A&B", "a|b~c", "back\\slash", "\\S\\"])
def test_no_letters_of_an_identifier_make_it_one_of_another_authority(identifier: str) -> None:
    key = CX.of(id=identifier, authority="1.2.3").key
    assert (CX.parse(key).id, CX.parse(key).authority) == (identifier, "1.2.3")
    assert CX.parse(key).key == key
