"""Header to DocumentEntry: the complete mapping, what is missing, and every example of the corpus."""

import csv
import re
from collections.abc import Iterator
from dataclasses import fields
from xml.sax.saxutils import escape

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cda.document import read_document
from cda.document_entry import Derived, document_entry, replaced_unique_id
from cda.header import read_header
from tests.cda.documents import COMPLETE, CORPUS, a_document, an_unstructured_document
from xds.datatypes import Code

EXAMPLES = CORPUS / "cda" / "examples"
# Models that the published association gives no format.
WITHOUT_FORMAT = {"1.2.250.1.213.1.1.1.59", "1.2.250.1.213.1.1.1.61", "1.2.250.1.213.1.1.1.62"}
COMPUTED = {
    "logical_id", "version", "availability_status", "home_community_id", "comments", "document_availability", "hash",
    "repository_unique_id", "uri", "extra_slots", "extra_codes", "limited_metadata", "size", "submitted_fhir",
}  # fmt: skip


def derived(data: bytes, **keywords: object) -> Derived:
    return document_entry(read_header(read_document(data)), **keywords)  # type: ignore[arg-type]


def test_every_attribute_a_header_can_tell_is_derived() -> None:
    entry = derived(a_document()).entry
    absent = {field.name for field in fields(entry) if not getattr(entry, field.name)}
    assert absent == COMPUTED


def test_a_complete_header_gives_a_complete_entry() -> None:
    result = derived(a_document(), size=12, hash="da39a3ee5e6b4b0d3255bfef95601890afd80709", entry_uuid="urn:uuid:x")
    assert (result.missing, result.assumed) == ((), ())
    entry = result.entry
    assert (entry.size, entry.hash, entry.entry_uuid) == (12, "da39a3ee5e6b4b0d3255bfef95601890afd80709", "urn:uuid:x")
    assert entry.unique_id == "2.25.1001"
    assert str(entry.creation_time) == "20250317143000"
    assert (str(entry.service_start_time), str(entry.service_stop_time)) == ("20250310081500", "20250317133000")
    assert entry.type_code == Code(
        code="11490-0", coding_scheme="2.16.840.1.113883.6.1", display_name="Lettre de liaison"
    )
    assert entry.class_code == Code(code="10", coding_scheme="1.2.250.1.213.1.1.4.1", display_name="Compte rendu")
    assert str(entry.healthcare_facility_type_code) == "SA01^^1.2.250.1.71.4.2.4"
    assert str(entry.practice_setting_code) == "ETABLISSEMENT^^1.2.250.1.213.1.1.4.9"
    assert [str(code) for code in entry.confidentiality_code] == ["N^^2.16.840.1.113883.5.25"]


def test_the_symbolic_id_is_document01_by_default() -> None:
    assert derived(a_document()).entry.entry_uuid == "Document01"


def test_the_format_comes_from_the_ci_sis_model_before_the_ihe_one() -> None:
    format_code = derived(a_document()).entry.format_code
    assert format_code and format_code.code == "urn:asip:ci-sis:ldl-ses:2017"
    without_model = derived(a_document("1.2.250.1.213.1.1.1.29", "1.2.250.1.213.1.1.1.999")).entry.format_code
    assert without_model and without_model.code == "urn:ihe:lab:xd-lab:2008"


@pytest.mark.parametrize(
    ("media_type", "format_code"),
    [
        ("application/pdf", "urn:ihe:iti:xds-sd:pdf:2008"),
        ("text/plain", "urn:ihe:iti:xds-sd:text:2008"),
        ("text/rtf", "urn:ihe:iti-fr:xds-sd:rtf:2010"),
        ("image/jpeg", "urn:ihe:iti-fr:xds-sd:jpeg:2010"),
        ("image/tiff", "urn:ihe:iti-fr:xds-sd:tiff:2010"),
    ],
)
def test_the_format_of_an_unstructured_body_comes_from_its_media_type(media_type: str, format_code: str) -> None:
    code = derived(an_unstructured_document(media_type)).entry.format_code
    assert code and code.code == format_code


def test_an_unknown_media_type_gives_no_format() -> None:
    result = derived(an_unstructured_document("video/mp4"))
    assert result.entry.format_code is None
    assert len(result.missing) == 1 and result.missing[0].startswith("formatCode cannot be derived: ")


def test_acts_and_their_translations_are_listed_once_each() -> None:
    codes = [str(code) for code in derived(a_document()).entry.event_code_list]
    assert codes == ["IMP^^2.16.840.1.113883.5.4", "DEQP003^^1.2.250.1.213.2.5"]


def test_orders_and_accession_numbers_are_references() -> None:
    references = [str(reference) for reference in derived(a_document()).entry.reference_id_list]
    assert references == [
        "42^^^&1.2.250.1.999.2&ISO^urn:ihe:iti:xds:2013:order",
        "77^^^&1.2.250.1.999.3&ISO^urn:ihe:iti:xds:2013:accession",
    ]


def test_imaging_studies_are_references_without_authority() -> None:
    act = '<entry><act><templateId root="1.2.250.1.213.1.1.3.155"/><id root="1.2.3.4"/></act></entry>'
    entry = derived(a_document("<text>Rien</text>", f"{act}{act}")).entry
    assert str(entry.reference_id_list[-1]) == "1.2.3.4^^^^urn:ihe:iti:xds:2016:studyInstanceUID"
    assert len(entry.reference_id_list) == 3


MISSING = {
    '<id root="2.25.1001"/>': "uniqueId",
    '<id root="1.2.250.1.213.1.4.10" extension="258063523804186"/>': "patientId",
    '<effectiveTime value="20250317153000+0100"/>': "creationTime",
    '<languageCode code="fr-FR"/>': "languageCode",
    '<low value="20250310091500+0100"/>': "serviceStartTime",
    '<confidentialityCode code="N" displayName="Normal" codeSystem="2.16.840.1.113883.5.25"/>': "confidentialityCode",
    "<title>Lettre de <!-- un commentaire -->liaison</title>": "title",
    'code="SA01" ': "healthcareFacilityTypeCode",
    'code="ETABLISSEMENT" ': "practiceSettingCode",
}  # fmt: skip


@pytest.mark.parametrize(("element", "attribute"), MISSING.items(), ids=MISSING.values())
def test_each_absent_element_is_told_in_one_sentence(element: str, attribute: str) -> None:
    missing = derived(a_document(element)).missing
    assert len(missing) == 1
    assert missing[0].startswith(f"{attribute} cannot be derived: the document has no usable ")


@pytest.mark.parametrize(
    ("replace", "by", "attributes"),
    [
        ('code="11490-0"', 'code="00000-0"', ["classCode"]),
        ('value="20250317153000+0100"/>\n<conf', 'value="17/03/2025"/>\n<conf', ["creationTime"]),
        ('code="N" displayName="Normal" codeSystem="2.16.840.1.113883.5.25"', 'code="N"', ["confidentialityCode"]),
    ],
)
def test_a_value_that_cannot_be_used_is_missing(replace: str, by: str, attributes: list[str]) -> None:
    assert [sentence.split()[0] for sentence in derived(a_document(replace, by)).missing] == attributes


def test_a_document_with_nothing_in_it_lacks_everything_required() -> None:
    result = derived(b'<ClinicalDocument xmlns="urn:hl7-org:v3"/>')
    assert len(result.missing) == 16
    assert result.entry.author == () and result.entry.legal_authenticator is None


def test_a_time_without_offset_is_converted_and_told() -> None:
    result = derived(
        a_document('<effectiveTime value="20250317153000+0100"/>', '<effectiveTime value="20250717153000"/>')
    )
    assert str(result.entry.creation_time) == "20250717133000"
    assert result.assumed == ("creationTime: 20250717153000 has no offset and was read as the time in France.",)
    assert result.missing == ()


@pytest.mark.parametrize(
    ("replace", "by", "expected"),
    [
        ("", "", "2.25.1002"),
        ('<id root="2.25.1002"/>', '<id root="1.2.3" extension="v1"/>', "1.2.3^v1"),
        ('typeCode="RPLC"', 'typeCode="XFRM"', None),
        ('<id root="2.25.1002"/>', '<id nullFlavor="UNK"/>', None),
    ],
)
def test_the_replaced_document_is_the_parent_of_rplc(replace: str, by: str, expected: str | None) -> None:
    assert replaced_unique_id(read_header(read_document(a_document(replace, by)))) == expected


VALUES = [match.span(1) for match in re.finditer(r'(?:=|>)"?([^"<>=]+)(?:"|</)', COMPLETE) if "urn:" not in match[1]]


@given(
    st.sampled_from(VALUES),
    st.text(st.characters(min_codepoint=0x20, max_codepoint=0x2FF), max_size=20)
    | st.text("^~|&\\ .0123456789+-", max_size=20),
)
def test_whatever_stands_in_a_value_the_entry_is_derived(span: tuple[int, int], value: str) -> None:
    document = COMPLETE[: span[0]] + escape(value, {'"': "&quot;"}) + COMPLETE[span[1] :]
    result = derived(document.encode())
    assert result.entry.mime_type == "text/xml"
    assert len(result.missing) <= 2


def examples() -> Iterator[dict[str, str]]:
    with (EXAMPLES / "index.csv").open(encoding="utf-8", newline="") as index:
        yield from (row for row in csv.DictReader(index) if (EXAMPLES / row["file"]).is_file())


@pytest.mark.corpus
def test_every_published_example_gives_a_complete_entry() -> None:
    rows = list(examples())
    assert len(rows) == 103
    for row in rows:
        result = derived((EXAMPLES / row["file"]).read_bytes(), size=int(row["bytes"]))
        models = {template.split("^")[0] for template in row["templateIds"].split()}
        if models & WITHOUT_FORMAT:
            assert [sentence.split()[0] for sentence in result.missing] == ["formatCode"], row["file"]
        else:
            assert result.missing == (), row["file"]


@pytest.mark.corpus
def test_every_published_example_gives_the_codes_of_the_index() -> None:
    for row in examples():
        entry = derived((EXAMPLES / row["file"]).read_bytes()).entry
        codes = (entry.type_code, entry.format_code, entry.class_code)
        found = tuple(code.code if code else "" for code in codes)
        assert found == (row["typeCode"], row["formatCode"], row["classCode"]), row["file"]
        assert entry.title == " ".join(row["title"].split())
        is_self_presentable = row["form"] not in ("N1", "N3")
        assert entry.mime_type == ("application/xslt+xml" if is_self_presentable else "text/xml"), row["file"]


@pytest.mark.corpus
def test_self_presentable_examples_are_among_them() -> None:
    assert sum(row["form"] not in ("N1", "N3") for row in examples()) >= 3
