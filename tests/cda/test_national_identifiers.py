import pytest
from hypothesis import given
from hypothesis import strategies as st

from cda.national_identifiers import ins_key_is_right, is_ins, is_professional, luhn, rpps_key_is_right


def _key(number: str) -> str:
    return f"{97 - int(number.replace('2A', '19').replace('2B', '18')) % 97:02}"


@given(st.from_regex(r"[12][0-9]{4}[0-9]{8}", fullmatch=True))
def test_the_key_of_an_ins_is_97_minus_the_remainder(number: str) -> None:
    assert is_ins(number + _key(number))
    assert ins_key_is_right(number + _key(number))
    wrong = f"{(int(_key(number)) % 97) + 1:02}"
    assert not ins_key_is_right(number + wrong)


@pytest.mark.parametrize("number", ["195032A004012", "195032B004012"])
def test_corsica_counts_as_19_and_18(number: str) -> None:
    assert ins_key_is_right(number + _key(number))


@pytest.mark.parametrize("value", ["", "2580635238041", "25806352380418X", "258063523804186 "])
def test_an_ins_has_15_characters(value: str) -> None:
    assert not is_ins(value)


def test_the_prefix_announces_the_number() -> None:
    assert is_professional("899900010010")
    assert not is_professional("8999")
    assert is_professional("0351234567")
    assert is_professional("3350999017/12")


def test_an_rpps_has_a_luhn_key() -> None:
    assert luhn("79927398713")
    assert not luhn("79927398714")
    assert rpps_key_is_right("879927398713")
    assert not rpps_key_is_right("879927398714")
    assert rpps_key_is_right("3350999017")
