"""People, systems and organisations in the syntaxes of the metadata."""

import pytest

from cda.datatypes import CD, II, PN, NamePart
from cda.document import read_document
from cda.header import AssignedEntity, Author, AuthoringDevice, Organization, read_header
from cda.participations import patient_id, source_patient_id, source_patient_lines, to_author, to_xcn, to_xon
from tests.cda.documents import a_document

PROFESSIONAL, STRUCTURE = "1.2.250.1.71.4.2.1", "1.2.250.1.71.4.2.2"
INS = II(root="1.2.250.1.213.1.4.10", extension="258063523804186")
LOCAL = II(root="1.2.250.1.999.1", extension="7")


def a_person(family: str = "LE GALL", given: str = "Maëlle") -> PN:
    return PN(family=(NamePart(family, ""),), given=(NamePart(given, ""),))


@pytest.mark.parametrize(
    ("entity", "expected"),
    [
        (
            AssignedEntity(id=(II(root=PROFESSIONAL, extension="899900010010"),), person=a_person()),
            f"899900010010^LE GALL^Maëlle^^^^^^&{PROFESSIONAL}&ISO^D^^^IDNPS",
        ),
        (
            AssignedEntity(id=(INS,), person=a_person("ESSAI", "Soizic")),
            "258063523804186^ESSAI^Soizic^^^^^^&1.2.250.1.213.1.4.10&ISO^D^^^NH",
        ),
        (
            AssignedEntity(
                id=(II(root=PROFESSIONAL, extension="535099901/7"),),
                device=AuthoringDevice(software_name="Logiciel", manufacturer_model_name="V2"),
            ),
            f"535099901/7^Logiciel^V2^^^^^^&{PROFESSIONAL}&ISO^U^^^RI",
        ),
        (
            AssignedEntity(id=(II(root="1.2.250.1.999.9", extension="12"),), person=a_person()),
            "12^LE GALL^Maëlle^^^^^^&1.2.250.1.999.9&ISO^D^^^RI",
        ),
        (AssignedEntity(person=a_person()), "^LE GALL^Maëlle^^^^^^^D"),
        (AssignedEntity(id=(II(root="1.2.3"),)), "1.2.3^^^^^^^^^D"),
        (
            AssignedEntity(id=(II(root="9B2C", extension="a^b&c"),), person=a_person("D|U~PONT")),
            "a\\S\\b\\T\\c^D\\F\\U\\R\\PONT^Maëlle^^^^^^^D",
        ),
    ],
)
def test_a_person_or_a_system_is_written_as_xcn(entity: AssignedEntity, expected: str) -> None:
    assert str(to_xcn(entity)) == expected


def test_nobody_is_no_xcn() -> None:
    assert to_xcn(AssignedEntity()) is None


@pytest.mark.parametrize(
    ("organization", "expected"),
    [
        (
            Organization(id=(II(root=STRUCTURE, extension="1350999017"),), name="Hôpital"),
            f"Hôpital^^^^^&{STRUCTURE}&ISO^IDNST^^^1350999017",
        ),
        (
            Organization(id=(II(root="1.3.2", extension="999000017"),), name="Éditeur"),
            "Éditeur^^^^^&1.3.2&ISO^SIREN^^^999000017",
        ),
        (Organization(id=(II(root="1.2.250.1.213.4.1"),), name="DMP"), "DMP^^^^^^^^^1.2.250.1.213.4.1"),
        (Organization(name="Cabinet A&B"), "Cabinet A\\T\\B"),
        (Organization(id=(II(root=STRUCTURE, extension="1350999017"),)), f"^^^^^&{STRUCTURE}&ISO^IDNST^^^1350999017"),
    ],
)
def test_an_organisation_is_written_as_xon_null_components_empty(organization: Organization, expected: str) -> None:
    assert str(to_xon(organization)) == expected


def test_an_organisation_without_name_and_id_is_no_xon() -> None:
    assert to_xon(Organization()) is None
    assert to_xon(None) is None


def test_an_author_carries_function_and_speciality() -> None:
    author = Author(
        time="",
        function_code=CD(code="PRELV", display_name="Préleveur"),
        assigned_author=AssignedEntity(
            person=a_person(), code=CD(code="G15_60", code_system="1.2.250.1.213.1.1.4.5", display_name="Infirmier")
        ),
    )
    written = to_author(author)
    assert written and written.author_role == ("Préleveur",)
    assert written.author_specialty == ("G15_60^Infirmier^1.2.250.1.213.1.1.4.5",)
    assert written.author_institution == ()


def test_the_patient_id_is_the_ins_wherever_it_stands() -> None:
    assert str(patient_id((LOCAL, INS))) == "258063523804186^^^&1.2.250.1.213.1.4.10&ISO^NH"
    assert patient_id((LOCAL,)) is None


def test_the_source_patient_id_is_the_local_one_else_the_ins() -> None:
    assert str(source_patient_id((INS, LOCAL))) == "7^^^&1.2.250.1.999.1&ISO^PI"
    assert str(source_patient_id((INS,))) == "258063523804186^^^&1.2.250.1.213.1.4.10&ISO^NH"
    assert source_patient_id((II(root="1.2.3"),)) is None
    assert source_patient_id((II(root="not-an-oid", extension="1"),)) is None


def test_the_identity_at_the_source_has_one_line_for_each_repetition() -> None:
    patient = read_header(read_document(a_document())).patient
    assert source_patient_lines(patient) == (
        "PID-3|IPP\\S\\7^^^&1.2.250.1.999.1&ISO^PI",
        "PID-3|258063523804186^^^&1.2.250.1.213.1.4.10&ISO^NH",
        "PID-5|ESSAI-KERLANN^SOIZIC^SOIZIC ANNE^^^^L",
        "PID-5|ESSAI-MORVAN^ANNE^^^^^S",
        "PID-7|19580614",
        "PID-8|F",
        "PID-11|8 Rue du Lavoir^^RENNES^^35000^^H",
        "PID-13|^PRN^PH^^^^^^^^^0261910001",
        "PID-13|^PRN^CP^^^^^^^^^0639980001",
        "PID-13|^NET^Internet^soizic@example.org",
    )


def test_a_name_without_qualifier_is_the_legal_one() -> None:
    lines = source_patient_lines(read_header(read_document(a_document(' qualifier="BR"', ""))).patient)
    assert "PID-5|ESSAI-MORVAN^ANNE^^^^^S" in lines
    bare = a_document().decode().replace(' qualifier="BR"', "").replace(' qualifier="CL"', "").encode()
    assert "PID-5|ESSAI-KERLANN^SOIZIC ANNE^^^^^L" in source_patient_lines(read_header(read_document(bare)).patient)
