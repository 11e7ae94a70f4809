"""Times of a CDA to UTC."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cda.timestamps import read_timestamp

CONVERTED = {
    "20250317153000+0100": "20250317143000",
    "20250702104500+0200": "20250702084500",
    "20250101003000+0100": "20241231233000",
    "20241231233000-0500": "20250101043000",
    "20250317153000.123+0100": "20250317143000",
    "202503171530+0100": "202503171430",
    "2025031715+0100": "2025031714",
    "2025031715+0530": "202503170930",
    "20250317153000+1": "20250317053000",
    "20250317153000+01": "20250317143000",
    "20250317153000+010": "20250317143000",
    "20250317153000+0000": "20250317153000",
    "20240229120000+0100": "20240229110000",
}


@pytest.mark.parametrize(("local", "utc"), CONVERTED.items())
def test_a_time_with_an_offset_becomes_utc_with_the_same_precision(local: str, utc: str) -> None:
    timestamp = read_timestamp(local)
    assert (str(timestamp.dtm), timestamp.is_zone_assumed) == (utc, False)


@pytest.mark.parametrize("date", ["2025", "202503", "20250317", "19580614"])
def test_a_date_is_not_converted(date: str) -> None:
    assert read_timestamp(date) == (read_timestamp(f"{date}+0100").dtm, False)
    assert str(read_timestamp(date).dtm) == date


@pytest.mark.parametrize(
    ("local", "utc"),
    [
        ("20250115120000", "20250115110000"),
        ("20250715120000", "20250715100000"),
        ("202507151200", "202507151000"),
        ("20251026013000", "20251025233000"),
        ("20251026023000", "20251026003000"),
    ],
)
def test_a_time_without_offset_is_read_as_the_time_in_france_and_says_so(local: str, utc: str) -> None:
    timestamp = read_timestamp(local)
    assert (str(timestamp.dtm), timestamp.is_zone_assumed) == (utc, True)


@pytest.mark.parametrize(
    "value",
    [
        "",
        "25",
        "20250230",
        "20251301",
        "20250317250000+0100",
        "20250317156000",
        "2025-03-17",
        "20250317T1530",
        "20250317153000Z",
        "20250317153000+",
        "20250317153000+01000",
        "20250317153000+9900",
        "20250317153000+0160",
        "٢٠٢٥",
        "00010101000000+0100",
        "99991231235959-0100",
    ],
)
def test_what_is_no_time_is_refused(value: str) -> None:
    with pytest.raises(ValueError, match="expected"):
        read_timestamp(value)


@given(
    st.datetimes().filter(lambda moment: 1000 < moment.year < 9000),
    st.integers(min_value=-14 * 60, max_value=14 * 60),
)
def test_an_offset_and_its_opposite_cancel_out(moment: object, minutes: int) -> None:
    digits = f"{moment:%Y%m%d%H%M%S}"
    sign, back = ("+", "-") if minutes >= 0 else ("-", "+")
    offset = f"{abs(minutes) // 60:02}{abs(minutes) % 60:02}"
    utc = str(read_timestamp(f"{digits}{sign}{offset}").dtm)
    assert str(read_timestamp(f"{utc}{back}{offset}").dtm) == digits
