import pytest
from hypothesis import given
from hypothesis import strategies as st

from cda.code_shapes import is_cisis, is_loinc, is_sctid, verhoeff

# Check digits of the specifications' own examples: a finding of SNOMED CT, a model component, an extension's concept.
KNOWN = ["22298006", "900000000000207008", "138875005", "73211009"]


@pytest.mark.parametrize("code", KNOWN)
def test_an_identifier_of_snomed_ct_ends_with_its_check_digit(code: str) -> None:
    assert is_sctid(code)
    assert not is_sctid(code[:-1] + str((int(code[-1]) + 1) % 10))


@given(st.sampled_from(KNOWN), st.data())
def test_one_wrong_digit_or_two_swapped_are_seen(code: str, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(code) - 2))
    wrong = data.draw(st.sampled_from([digit for digit in "0123456789" if digit != code[at]]))
    assert not verhoeff(code[:at] + wrong + code[at + 1 :])
    if code[at] != code[at + 1]:
        assert not verhoeff(code[:at] + code[at + 1] + code[at] + code[at + 2 :])


@pytest.mark.parametrize("code", ["", "22298", "022298006", "22298006 ", "1234567890123456789", "ZZZ-404"])
def test_other_shapes_are_no_identifier_of_snomed_ct(code: str) -> None:
    assert not is_sctid(code)


@pytest.mark.parametrize("code", ["29463-7", "2951-2", "11502-2", "LA6752-5", "LP7753-9", "XX-MCH-PsychoMDev"])
def test_a_loinc_number_has_a_check_digit(code: str) -> None:
    assert is_loinc(code)


@pytest.mark.parametrize("code", ["29463-6", "29463", "ZZZ", "LA6752", "-7", "29463-77", "29463–7"])
def test_other_shapes_are_no_loinc_number(code: str) -> None:
    assert not is_loinc(code)


@pytest.mark.parametrize(
    ("code", "holds"), [("MED-142", True), ("GEN-092.03.01", True), ("ZZZ", False), ("142", False)]
)
def test_a_code_of_the_cisis_terminology_names_its_field(code: str, holds: bool) -> None:
    assert is_cisis(code) is holds
