"""Whole documents checked: our examples are valid, one fault each is found in its layer, with its place."""

import base64

import pytest
from lxml import etree

from cda.findings import Finding, Layer, Report, Severity
from cda.models import model_of
from cda.rule_packs import own_rules_of_layers
from cda.validate import check_bytes
from tests.cda.mutations import Element, example, mutated

H = "/h:ClinicalDocument"
REPORT, LETTER, LEVEL_1 = "cr-biologie.xml", "lettre-liaison-sortie.xml", "cr-consultation.xml"


def checked(root: Element) -> Report:
    return check_bytes(etree.tostring(root), own_rules_of_layers())


def fault(name: str, xpath: str, operation: str, attribute: str = "", value: str = "") -> Report:
    return checked(mutated(example(name), xpath, operation, attribute, value))


def of(report: Report, rule: str) -> Finding:
    return next(each for each in report.findings if each.rule.startswith(rule))


@pytest.mark.parametrize("name", [REPORT, LETTER, LEVEL_1])
def test_our_reports_have_no_finding(name: str) -> None:
    report = checked(example(name))
    assert report.findings == ()
    assert report.is_valid


@pytest.mark.parametrize(
    ("layer", "name", "fault_of"),
    [
        (Layer.XSD, LETTER, (f"{H}/h:title", "swap")),
        (Layer.XSD, LETTER, (f"{H}/h:id", "set_attribute", "root", "1.2.250.01.3")),
        (Layer.HEADER, LETTER, (f"{H}/h:realmCode", "delete")),
        (Layer.HEADER, LETTER, (f"{H}/h:setId", "delete")),
        (Layer.HEADER, LETTER, (f"{H}/h:confidentialityCode", "set_attribute", "code", "X")),
        (Layer.HEADER, LETTER, (f"{H}/h:effectiveTime", "set_attribute", "value", "20230230")),
        (Layer.HEADER, LETTER, (f"{H}/h:author/h:time", "delete_attribute", "value")),
        (Layer.HEADER, LETTER, (f"{H}/h:recordTarget//h:family", "delete_attribute", "qualifier")),
        (Layer.HEADER, LETTER, (f"{H}/h:code", "set_attribute", "code", "00000-0")),
        (Layer.IHE, LETTER, (f"{H}//h:section[h:code/@code = '42349-1']/h:code", "set_attribute", "code", "1-8")),
        (Layer.MODEL, LETTER, (f"{H}/h:templateId[@root = '1.2.250.1.213.1.1.1.29']/following::h:code", "delete")),
        (Layer.MODEL, REPORT, (f"{H}/h:title", "set_text", "", "Un titre")),
    ],
)
def test_one_fault_is_found_in_its_layer(layer: Layer, name: str, fault_of: tuple[str, ...]) -> None:
    report = fault(name, *fault_of)
    assert report.errors(layer)
    assert not report.is_valid


def test_a_finding_says_where_what_was_found_and_what_was_expected_in_two_languages() -> None:
    report = fault(LETTER, f"{H}/h:confidentialityCode", "set_attribute", "code", "X")
    found = next(each for each in report.findings if each.layer is Layer.HEADER)
    assert found.location == "/ClinicalDocument/confidentialityCode"
    assert found.line > 1
    assert 'code="X"' in found.found
    assert "@code vaut « N » ou" in found.expected.french
    assert "@code is 'N' or" in found.expected.english


def test_a_cardinality_says_how_many_were_found() -> None:
    report = fault(LETTER, f"{H}/h:setId", "delete")
    found = next(each for each in report.findings if "setId" in each.expected.french)
    assert found.expected.french.startswith("exactement 1 élément setId")
    assert found.expected.english.startswith("exactly 1 element setId")
    assert found.found == "0"


def test_a_broken_data_type_names_its_rule() -> None:
    report = fault(LETTER, f"{H}/h:effectiveTime", "set_attribute", "value", "20230230")
    assert of(report, "DT05-real").layer is Layer.HEADER


def test_all_layers_are_reported_together() -> None:
    root = mutated(example(LETTER), f"{H}/h:realmCode", "delete")
    root = mutated(root, f"{H}/h:id", "set_attribute", "root", "1.2.250.01.3")
    layers = {each.layer for each in checked(root).findings}
    assert {Layer.XSD, Layer.HEADER} <= layers


def test_what_cannot_be_read_is_one_finding() -> None:
    report = check_bytes(b"<ClinicalDocument", own_rules_of_layers())
    assert [each.layer for each in report.findings] == [Layer.XML]
    assert not report.is_valid


@pytest.mark.parametrize(
    ("rule", "name", "fault_of"),
    [
        ("G01-document", LETTER, (f"{H}/h:effectiveTime", "set_attribute", "value", "20250317")),
        ("G01-time", LETTER, (f"{H}/h:author/h:time", "set_attribute", "value", "20250317153000")),
        ("G02-length", LETTER, (f"{H}//h:patientRole/h:id", "set_attribute", "extension", "2580635238041")),
        ("G02-key", LETTER, (f"{H}//h:patientRole/h:id", "set_attribute", "extension", "258063523804187")),
        ("G03-root", LETTER, (f"{H}/h:author/h:assignedAuthor/h:id", "set_attribute", "root", "1.2.3")),
        ("G03-form", LETTER, (f"{H}/h:author/h:assignedAuthor/h:id", "set_attribute", "extension", "8123")),
        ("G03-key", LETTER, (f"{H}/h:author/h:assignedAuthor/h:id", "set_attribute", "extension", "899900010011")),
        ("G05", LETTER, (f"{H}/h:confidentialityCode", "set_attribute", "codeSystem", "1.2.3")),
        ("G06-title", LETTER, (f"{H}//h:section/h:title", "delete")),
        ("G08-number", LETTER, (f"{H}/h:versionNumber", "set_attribute", "value", "-1")),
        ("G08-replaced", LETTER, (f"{H}/h:versionNumber", "set_attribute", "value", "7")),
        ("G09-media", LEVEL_1, (f"{H}//h:nonXMLBody/h:text", "set_attribute", "mediaType", "text/html")),
        ("G09-representation", LEVEL_1, (f"{H}//h:nonXMLBody/h:text", "delete_attribute", "representation")),
        ("G09-base64", LEVEL_1, (f"{H}//h:nonXMLBody/h:text", "set_text", "", "%%%")),
        ("G09-base64", LEVEL_1, (f"{H}//h:nonXMLBody/h:text", "set_text", "", "é")),
        ("G09-magic", LEVEL_1, (f"{H}//h:nonXMLBody/h:text", "set_text", "", base64.b64encode(b"<html>").decode())),
        ("G17", LETTER, (f"{H}/h:typeId", "set_attribute", "extension", "POCD_HD000099")),
        ("G19", LETTER, (f"{H}/h:templateId[@extension]", "set_attribute", "extension", "2099.01")),
        ("G21-2.16.840.1.113883.6.1", REPORT, (f"{H}//h:code[@code = '2951-2']", "set_attribute", "code", "2951-3")),
        ("G21-2.16.840.1.113883.6.1", LETTER, (f"{H}//h:section/h:code", "set_attribute", "code", "ZZZ")),
        ("G20-custodian", LETTER, (f"{H}/h:custodian//h:id", "delete_attribute", "extension")),
    ],
)
def test_what_published_rules_miss_is_found_too(rule: str, name: str, fault_of: tuple[str, ...]) -> None:
    assert of(fault(name, *fault_of), rule).layer is Layer.OWN


def test_a_dangling_reference_is_a_warning() -> None:
    reference = '<reference xmlns="urn:hl7-org:v3" value="#nowhere"/>'
    root = example(LETTER)
    entry = root.find(".//{urn:hl7-org:v3}entry/*/{urn:hl7-org:v3}text")
    assert entry is not None
    entry[:] = [etree.fromstring(reference)]
    assert of(checked(root), "G07").severity is Severity.WARNING


def test_an_earlier_version_is_not_refused_by_later_rules() -> None:
    """The qualifier SP was right until 2021."""
    root = mutated(example(LETTER), f"{H}//h:family", "set_attribute", "qualifier", "SP")
    assert not checked(root).is_valid
    earlier = mutated(root, f"{H}/h:templateId[@extension]", "set_attribute", "extension", "2017.01")
    report = checked(earlier)
    assert report.is_valid
    assert report.model.is_earlier
    assert any(each.severity is Severity.WARNING and each.layer is Layer.HEADER for each in report.findings)


def test_a_later_version_keeps_the_common_rules() -> None:
    root = mutated(example(LETTER), f"{H}/h:templateId[@extension]", "set_attribute", "extension", "2099.01")
    assert checked(root).is_valid
    assert not checked(mutated(root, f"{H}/h:realmCode", "delete")).is_valid


@pytest.mark.parametrize(
    ("template", "extension", "name", "version"),
    [
        ("1.2.250.1.213.1.1.1.55", "2023.01", "BIO-CR-BIO", "2023.01"),
        ("1.2.250.1.213.1.1.1.55", None, "BIO-CR-BIO", "2021.01"),
        ("1.2.250.1.213.1.1.1.13", "201310", "VSM", "1.4_2022.01"),
        ("1.2.250.1.213.1.1.1.5.2", "2024.01", "CSE-CS9", "2024.01"),
        ("1.2.3", None, "LDL-SES", "2022.01"),
    ],
)
def test_the_template_and_its_extension_choose_the_rules(
    template: str, extension: str | None, name: str, version: str
) -> None:
    root = example(LETTER)
    model = root.find("{urn:hl7-org:v3}templateId[@extension]")
    assert model is not None
    model.set("root", template)
    if extension is None:
        del model.attrib["extension"]
    else:
        model.set("extension", extension)
    found = model_of(root)
    assert (found.name, found.version) == (name, version)


def test_a_document_without_a_model_whose_code_belongs_to_several_has_the_common_rules_only() -> None:
    root = mutated(example(LETTER), f"{H}/h:templateId[@extension]", "delete")
    root = mutated(root, f"{H}/h:code", "set_attribute", "code", "74207-2")
    assert model_of(root).name == ""
    assert of(checked(root), "G19-none").severity is Severity.WARNING


def _self_presentable(extra: str = "") -> bytes:
    document = etree.tostring(example(LETTER)).decode()
    return (
        '<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform" xmlns:d="urn:asip-sante:ci-sis">'
        f'<d:Contenu>{document}</d:Contenu><xsl:template match="/"><html>{extra}</html></xsl:template></xsl:stylesheet>'
    ).encode()


def test_a_self_presentable_document_is_checked_like_any_other() -> None:
    assert check_bytes(_self_presentable(), own_rules_of_layers()).findings == ()


@pytest.mark.parametrize(
    "extra",
    [
        "<script>alert(1)</script>",
        '<img src="http://example.org/x.png"/>',
        '<a href="javascript:alert(1)">x</a>',
        '<p onclick="x()"/>',
        '<xsl:include href="x.xsl"/>',
    ],
)
def test_a_style_sheet_that_reaches_out_is_refused(extra: str) -> None:
    report = check_bytes(_self_presentable(extra), own_rules_of_layers())
    assert of(report, "G15").severity is Severity.ERROR


@pytest.mark.parametrize(
    ("xpath", "operation", "attribute", "value", "place", "french", "english", "found"),
    [
        (
            "/h:ClinicalDocument/h:custodian",
            "rename",
            "",
            "gardien",
            "/ClinicalDocument/gardien",
            "ici, un élément parmi : ",
            "here, one of the elements: ",
            "<gardien>",
        ),
        (
            "//h:patient/h:birthTime",
            "set_attribute",
            "quand",
            "hier",
            "/ClinicalDocument/recordTarget/patientRole/patient/birthTime",
            "aucun attribut @quand sur birthTime",
            "no attribute @quand on birthTime",
            "@quand",
        ),
        (
            "/h:ClinicalDocument/h:author",
            "set_attribute",
            "typeCode",
            "XXX",
            "/ClinicalDocument/author",
            "author/@typeCode",
            "author/@typeCode",
            "XXX",
        ),
        (
            "/h:ClinicalDocument/h:setId",
            "set_attribute",
            "root",
            "not an oid",
            "/ClinicalDocument/setId",
            "setId/@root de type",
            "setId/@root of type",
            "not an oid",
        ),
    ],
)
def test_the_schema_speaks_both_languages_and_names_the_element(
    xpath: str, operation: str, attribute: str, value: str, place: str, french: str, english: str, found: str
) -> None:
    changed = mutated(example("lettre-liaison-sortie.xml"), xpath, operation, attribute, value)
    report = check_bytes(etree.tostring(changed), own_rules_of_layers())
    findings = [each for each in report.findings if each.layer is Layer.XSD]
    said = [(each.location, each.found) for each in findings]
    assert (place, found) in said
    assert any(french in each.expected.french and english in each.expected.english for each in findings)
    assert all(each.line for each in findings)
    assert not any(found in each.expected.english for each in findings if found == value)
