"""The value sets, associations and code systems shipped with the product."""

import csv

import pytest

from schemas import resource
from schemas.value_sets import (
    Concept,
    associations,
    class_of_type,
    code_systems,
    editions,
    format_of_media_type,
    format_of_template,
    value_set,
)
from xds.identifiers import is_oid

FOLDER = resource("valuesets/index.csv").parent
LOINC = "2.16.840.1.113883.6.1"
VALUE_SETS = sorted(name for name in editions() if name.startswith("JDV_"))
ASSOCIATIONS = sorted(name for name in editions() if name.startswith("ASS_"))
# Words carried as a codingScheme by the signature of a submission, which no OID names.
LITERAL_SYSTEMS = {"URN", "ASTM"}


def test_the_index_and_the_folder_name_the_same_files() -> None:
    present = {file.name for file in FOLDER.iterdir()}
    assert present == {edition.file for edition in editions().values()} | {"index.csv"}


def test_every_file_names_its_source_and_use_and_every_value_set_its_oid_and_version() -> None:
    for edition in editions().values():
        assert edition.source and edition.use, edition.name
        if edition.name.startswith("JDV_"):
            assert is_oid(edition.oid) and edition.version.isdigit(), edition.name


@pytest.mark.parametrize("name", VALUE_SETS)
def test_a_value_set_has_uniform_columns_and_each_code_once(name: str) -> None:
    text = (FOLDER / editions()[name].file).read_text(encoding="utf-8")
    header = next(csv.reader(text.splitlines()))
    assert header in (["code", "system", "display", *more] for more in ([], ["class"], ["vihf_occurrence"]))
    concepts = value_set(name).concepts
    keys = {(concept.code, concept.system) for concept in concepts}
    assert len(keys) == len(concepts) == len(text.splitlines()) - 1
    for concept in concepts:
        assert concept.code and concept.display
        assert is_oid(concept.system) or concept.system in LITERAL_SYSTEMS


@pytest.mark.parametrize(
    ("name", "size"),
    [
        ("JDV_J57_ClassCode_DMP", 12),
        ("JDV_J66_TypeCode_DMP", 108),
        ("JDV_J60_FormatCode_DMP", 61),
        ("JDV_J58_ConfidentialityCode_DMP", 6),
        ("JDV_J61_HealthcareFacilityTypeCode_DMP", 64),
        ("JDV_J62_PracticeSettingCode_DMP", 11),
        ("JDV_J59_ContentTypeCode_DMP", 93),
        ("JDV_J07_XdsTypeCode_CISIS", 114),
        ("JDV_J65_SubjectRole_DMP", 432),
        ("JDV_J64_RestrictionAudienceVIHF_DMP", 1),
        ("JDV_J38_ModeAcces_CISIS", 3),
    ],
)
def test_a_value_set_is_whole(name: str, size: int) -> None:
    assert len(value_set(name).concepts) == size


def test_a_code_belongs_to_a_value_set_only_with_its_system() -> None:
    types = value_set("JDV_J66_TypeCode_DMP")
    assert types.oid == "1.2.250.1.213.1.1.5.7"
    assert types.contains("11488-4", LOINC)
    assert not types.contains("11488-4", "1.2.250.1.213.1.1.4.12")
    assert not types.contains("nothing", LOINC)
    assert types.display("11502-2", LOINC) == "CR d'examens biologiques"
    assert types.display("nothing", LOINC) == ""


def test_a_value_set_is_read_once() -> None:
    assert value_set("JDV_J57_ClassCode_DMP") is value_set("JDV_J57_ClassCode_DMP")


@pytest.mark.parametrize("name", ["", "JDV_J99_Nothing", "code_systems", "../index"])
def test_an_unknown_name_is_refused(name: str) -> None:
    with pytest.raises(KeyError, match="in the index of value sets"):
        value_set(name)
    with pytest.raises(KeyError, match="in the index of value sets"):
        associations(name)


def test_every_type_of_the_dmp_has_a_class_of_the_dmp() -> None:
    classes = value_set("JDV_J57_ClassCode_DMP")
    for concept in value_set("JDV_J66_TypeCode_DMP").concepts:
        found = class_of_type(concept.code, concept.system)
        assert found and classes.contains(found.code, found.system), concept.code


def test_the_dmp_and_the_general_association_give_one_type_the_same_class() -> None:
    general = associations("ASS_X04_TypeCode_ClassCode_CISIS")
    for concept in value_set("JDV_J66_TypeCode_DMP").concepts:
        found = general.get((concept.code, concept.system))
        assert found is None or found.code == concept.class_code, concept.code


@pytest.mark.parametrize(
    ("code", "system", "expected"),
    [
        ("11488-4", LOINC, "10"),
        ("101881-1", LOINC, "52"),
        ("10213-7", LOINC, "10"),
        ("PIECE-IDENTITE", "1.2.250.1.213.1.1.4.12", "95"),
    ],
)
def test_a_class_is_that_of_the_dmp_else_the_general_one(code: str, system: str, expected: str) -> None:
    found = class_of_type(code, system)
    assert found and found.code == expected


def test_an_unknown_type_has_no_class() -> None:
    assert class_of_type("nothing", LOINC) is None


def test_formats_are_found_by_template_and_by_media_type() -> None:
    template = format_of_template("1.2.250.1.213.1.1.1.29")
    assert template and template.code == "urn:asip:ci-sis:ldl-ses:2017"
    assert format_of_media_type("application/pdf") == Concept(
        code="urn:ihe:iti:xds-sd:pdf:2008",
        system="1.3.6.1.4.1.19376.1.2.3",
        display="Document à corps non structuré en Pdf/A-1",
    )
    assert format_of_template("application/pdf") is None
    assert format_of_media_type("1.2.250.1.213.1.1.1.29") is None


@pytest.mark.parametrize(("name", "size"), list(zip(ASSOCIATIONS, (78, 5, 128), strict=True)))
def test_an_association_is_whole(name: str, size: int) -> None:
    assert len(associations(name)) == size


def test_code_systems_are_one_to_one_between_oid_and_uri() -> None:
    systems = code_systems()
    names = [name for system in systems for name in (system.uri, *system.also)]
    assert len({system.oid for system in systems}) == len(systems)
    assert len(set(names)) == len(names)
    assert all(is_oid(system.oid) and system.uri.startswith(("http://", "https://")) for system in systems)


@pytest.mark.parametrize(
    ("oid", "uri"),
    [
        (LOINC, "http://loinc.org"),
        ("2.16.840.1.113883.6.96", "http://snomed.info/sct"),
        ("2.16.840.1.113883.5.25", "http://terminology.hl7.org/CodeSystem/v3-Confidentiality"),
        ("1.3.6.1.4.1.19376.1.2.3", "http://ihe.net/fhir/ihe.formatcode.fhir/CodeSystem/formatcode"),
        (
            "1.2.250.1.213.1.1.4.1",
            "https://mos.esante.gouv.fr/NOS/TRE_A03-ClasseDocument/FHIR/TRE-A03-ClasseDocument",
        ),
    ],
)
def test_a_code_system_has_its_published_uri(oid: str, uri: str) -> None:
    assert [system.uri for system in code_systems() if system.oid == oid] == [uri]


def test_every_system_of_the_value_sets_of_an_entry_has_a_uri() -> None:
    known = {system.oid for system in code_systems()} | LITERAL_SYSTEMS
    # Types of referenceIdList are URNs themselves: FHIR carries them without a system.
    of_entries = [
        name for name in VALUE_SETS if "ReferenceId" not in name and not editions()[name].use.endswith("of a CDA")
    ]
    used = {concept.system for name in of_entries for concept in value_set(name).concepts}
    assert used <= known
