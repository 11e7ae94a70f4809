"""Formats of metadata values."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conformance.nist import datatypes

CASES = {
    datatypes.is_oid: (["1.2.3", "2.25.0", "0.1"], ["", "1", "3.1", "1.02", "1.2.", "1." * 40 + "1", "urn:oid:1.2"]),
    datatypes.is_uuid: (
        ["urn:uuid:a54d6aa5-d40d-43f9-88c5-b4633d873bdd"],
        ["urn:uuid:A54D6AA5-D40D-43F9-88C5-B4633D873BDD", "a54d6aa5-d40d-43f9-88c5-b4633d873bdd", "Document01"],
    ),
    datatypes.is_dtm: (
        ["2024", "202402", "20240229", "2024022923", "202402292359", "20240229235959"],
        ["20230229", "1", "202", "20240229T10", "2024022925", "２０２４"],
    ),
    datatypes.is_dtm_to_the_second: (["20240229235959"], ["20240229"]),
    datatypes.is_cx: (
        ["P1^^^&1.2.3&ISO", "P1^^^&1.2.3&ISO^^"],
        ["P1", "^^^&1.2.3&ISO", "P1^^^1.2.3", "P1^x^^&1.2.3&ISO", "P1^^^&1.2.3&ISO^PI"],
    ),
    datatypes.is_cxi: (
        ["1^^^&1.2.3&ISO^urn:type", "1^^^^urn:type", "1^^^^t^home"],
        ["1", "1^^^&1.2.3&ISO", "^^^^t", "1^2^^^t"],
    ),
    datatypes.is_xcn: (
        ["^Smitty^Gerald^^^", "1^Smitty^^^^^^^&1.2.3&ISO", "1"],
        ["", "^^Gerald", "^Smitty^^^^^^^&1.2.3&ISO", "1^S^^^^^^^1.2.3"],
    ),
    datatypes.is_xon: (
        ["Clinic", "Clinic^^^^^^^^^1.2.3", "Clinic^^^^^&1.2.3&ISO^^^^45"],
        ["", "^^^^^&1.2.3&ISO^^^^45", "Clinic^^^^^^^^^45", "Clinic^x"],
    ),
    datatypes.is_xtn: (
        ["^^Internet^a@b.example", "^PRN^PH^^33^1^2345", "^^CP^^^^^^^^^0123"],
        ["", "^PRN^Internet^a@b", "^NET^PH^^^^1", "^^PH"],
    ),
    datatypes.is_recipient: (["Clinic", "|^Smitty", "Clinic|^S|^^Internet^a@b"], ["", "||", "^x", "a|^S||", "|^^G"]),
    datatypes.is_patient_field: (["PID-5|Doe^John", "PID-7|1970"], ["PID-4|x", "5|x", "PID-x|y", "PID-5"]),
    datatypes.is_language: (["fr", "en-US", "fr-CH-1996"], ["", "e n", "english_uk", "-fr"]),
    datatypes.is_sha1: (
        ["da39a3ee5e6b4b0d3255bfef95601890afd80709", "DA39A3EE5E6B4B0D3255BFEF95601890AFD80709"],
        ["", "abc", "g" * 40, "0" * 41],
    ),
    datatypes.is_integer: (["0", "061224"], ["", "-1", "1.0", "１"]),
    datatypes.is_mime_type: (["text/plain", "application/fhir+xml"], ["", "text", "text/", "text /plain"]),
    datatypes.is_unique_id: (["1.2.3", "2.25.1^ext", "urn:uuid:x"], ["", "x" * 129, "a\nb"]),
}


@pytest.mark.parametrize(
    ("predicate", "text"), [(predicate, text) for predicate, (good, _) in CASES.items() for text in good]
)
def test_well_formed(predicate: datatypes.Predicate, text: str) -> None:
    assert predicate(text)


@pytest.mark.parametrize(
    ("predicate", "text"), [(predicate, text) for predicate, (_, bad) in CASES.items() for text in bad]
)
def test_malformed(predicate: datatypes.Predicate, text: str) -> None:
    assert not predicate(text)


@given(text=st.text(alphabet="0123456789^&|.-ISOPDabx urn:", max_size=40))
def test_no_text_breaks_a_predicate(text: str) -> None:
    for predicate in CASES:
        assert predicate(text) in (True, False)
