"""Affinity domains from a codes file: closed tables, authorities, and one sentence for a file that is wrong."""

from dataclasses import replace
from pathlib import Path

import pytest

from carnet.codes_file import read_codes_file
from carnet.domains import affinity_domain
from carnet.settings import Settings, SettingsError, load
from tests.builders import a_folder, a_submission, an_association, an_entry
from tests.servers import ROOT
from xds.affinity_domain import AffinityDomain
from xds.datatypes import CX, Code
from xds.ebrim.attributes import SubmissionKind
from xds.metadata import RegistryObject
from xds.submission_rules import object_rules
from xds.vocabulary import AssociationType

EXAMPLE = ROOT / "examples" / "codes.xml"
TILLEULS = "2.25.314159265358979323846"
CLASS = "urn:uuid:41a5887f-8865-4c09-adf7-e362475b143a"
ONE_CODE = '<CodeType name="classCode"><Code code="a" codingScheme="b"/></CodeType>'


def domain_of(file: Path, **given: object) -> AffinityDomain:
    return affinity_domain(Settings(domain="ihe", codes=str(file), **given))


def coded_entry(**changes: object) -> RegistryObject:
    """An entry whose codes are all in the example file."""
    loinc, snomed = "2.16.840.1.113883.6.1", "2.16.840.1.113883.6.96"
    codes = {
        "class_code": Code(code="18842-5", coding_scheme=loinc, display_name="x"),
        "type_code": Code(code="18842-5", coding_scheme=loinc, display_name="x"),
        "practice_setting_code": Code(code="394579002", coding_scheme=snomed, display_name="x"),
        "healthcare_facility_type_code": Code(code="22232009", coding_scheme=snomed, display_name="x"),
        "patient_id": CX(f"1^^^&{TILLEULS}&ISO"),
    }
    return an_entry(**(codes | changes))


def problems(thing: RegistryObject, domain: AffinityDomain) -> list[str]:
    """What the rules say of one object, not of its SubmissionSet."""
    submission = replace(a_submission(), submission_set=None, document_entries=(), associations=())
    field = {"DocumentEntry": "document_entries", "Folder": "folders", "Association": "associations"}[
        type(thing).__name__
    ]
    submission = replace(submission, **{field: (thing,)})
    return [error.context for error in object_rules(submission, SubmissionKind.REGISTER, domain)]


def test_the_example_closes_every_coded_attribute_but_event_codes() -> None:
    domain = domain_of(EXAMPLE)
    assert domain.assigning_authorities == {TILLEULS}
    assert domain.authority_names == {"TILLEULS": TILLEULS}
    assert domain.default_authority == TILLEULS
    assert (
        problems(coded_entry(event_code_list=(Code(code="any", coding_scheme="any", display_name="x"),)), domain) == []
    )


@pytest.mark.parametrize(
    ("attribute", "changes"),
    [
        ("classCode", {"class_code": Code(code="18842-5", coding_scheme="2.25.1", display_name="x")}),
        ("mimeType", {"mime_type": "image/tiff"}),
        ("patientId", {"patient_id": CX("1^^^&1.2.3&ISO")}),
        (
            "confidentialityCode",
            {"confidentiality_code": (Code(code="Z", coding_scheme="2.16.840.1.113883.5.25", display_name="x"),)},
        ),
    ],
)
def test_what_is_not_in_the_file_is_refused(attribute: str, changes: dict[str, object]) -> None:
    found = problems(coded_entry(**changes), domain_of(EXAMPLE))
    assert [text for text in found if attribute in text] == found != []


@pytest.mark.parametrize("mime_type", ["text/xml", "TEXT/XML", "text/xml; charset=utf-8"])
def test_a_mime_type_is_compared_without_case_and_parameters(mime_type: str) -> None:
    assert problems(coded_entry(mime_type=mime_type), domain_of(EXAMPLE)) == []


def test_folders_and_associations_have_tables_too() -> None:
    domain = domain_of(EXAMPLE)
    good = Code(code="pregnancy", coding_scheme="2.25.271828182845904523536", display_name="x")
    patient = CX(f"1^^^&{TILLEULS}&ISO")
    assert problems(a_folder(code_list=(good,), patient_id=patient), domain) == []
    assert (
        "codeList"
        in problems(
            a_folder(code_list=(good, Code(code="x", coding_scheme="y", display_name="x")), patient_id=patient), domain
        )[0]
    )
    link = an_association(
        association_type=AssociationType.XFRM, documentation=Code(code="x", coding_scheme="y", display_name="x")
    )
    assert "documentation" in problems(link, domain)[0]


def test_codes_may_be_left_open() -> None:
    domain = domain_of(EXAMPLE, check_codes=False)
    assert (domain.code_tables, domain.mime_types) == ({}, frozenset())
    assert domain.assigning_authorities == {TILLEULS}


@pytest.mark.parametrize(
    ("text", "line", "reason"),
    [
        ("<Tables/>", 1, "expected Codes"),
        ("<Codes>\n<CodeType name='colour'><Code code='a' codingScheme='b'/></CodeType></Codes>", 2, "'colour'"),
        (f"<Codes>\n{ONE_CODE}\n{ONE_CODE}</Codes>", 3, "second table for classCode"),
        ("<Codes>\n<CodeType name='classCode'/></Codes>", 2, "without a Code"),
        ("<Codes><CodeType name='classCode'>\n<Code code='a'/></CodeType></Codes>", 2, "without codingScheme"),
        ("<Codes><CodeType name='classCode'>\n\n<Code codingScheme='a'/></CodeType></Codes>", 3, "without code"),
        ("<Codes><CodeType name='classCode'>\n<Kode/></CodeType></Codes>", 2, "expected Code"),
        (f"<Codes>\n<CodeType name='typeCode' classScheme='{CLASS}'/></Codes>", 2, "classScheme"),
        (f"<Codes>\n<CodeType name='mimeType' classScheme='{CLASS}'/></Codes>", 2, "expected none"),
        ("<Codes>\n<AssigningAuthority id='1.2.3'/></Codes>", 2, "expected &OID&ISO"),
        ("<Codes>\n<AssigningAuthority id='&amp;x&amp;ISO'/></Codes>", 2, "expected &OID&ISO"),
        ("<Codes>\n<Authority/></Codes>", 2, "expected CodeType or AssigningAuthority"),
    ],
)
def test_a_wrong_file_is_one_sentence_with_line_and_reason(tmp_path: Path, text: str, line: int, reason: str) -> None:
    file = tmp_path / "codes.xml"
    file.write_text(text)
    with pytest.raises(SettingsError) as caught:
        read_codes_file(str(file))
    assert f"codes file {file}, line {line}: " in str(caught.value)
    assert reason in str(caught.value)


@pytest.mark.parametrize("text", ["", "<Codes>", "<!DOCTYPE Codes [<!ENTITY a 'b'>]><Codes/>"])
def test_a_file_that_is_no_xml_is_one_sentence(tmp_path: Path, text: str) -> None:
    file = tmp_path / "codes.xml"
    file.write_text(text)
    with pytest.raises(SettingsError, match="codes file"):
        read_codes_file(str(file))


def test_a_missing_file_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="No such file"):
        read_codes_file(str(tmp_path / "none.xml"))


def test_the_authority_of_a_feed_is_one_of_the_domain() -> None:
    with pytest.raises(SettingsError, match="feed_authority"):
        domain_of(EXAMPLE, feed_authority="1.2.3")
    assert affinity_domain(Settings(domain="ihe", feed_authority="1.2.3")).default_authority == "1.2.3"


def test_codes_belong_to_the_domain_ihe() -> None:
    with pytest.raises(SettingsError, match="--domain ihe"):
        load({"codes": str(EXAMPLE)})


@pytest.mark.corpus
def test_the_file_of_the_test_kit_is_read_whole(corpus: Path) -> None:
    found = read_codes_file(str(corpus / "nist-xds" / "environment" / "default" / "codes.xml"))
    sizes = {name: len(codes) for name, codes in found.code_tables.items()}
    assert len(sizes) == 10
    assert (sizes["typeCode"], sizes["codeList"], sizes["documentation"], len(found.mime_types)) == (43, 2, 2, 14)
    assert list(found.authorities.values()) == ["IHERED", "IHEGREEN", "IHEBLUE"]
