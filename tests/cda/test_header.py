"""The typed view of a header."""

from cda.datatypes import CD, II, NamePart
from cda.document import read_document
from cda.header import Header, read_header
from tests.cda.documents import COMPLETE, SELF_PRESENTABLE, a_document, an_unstructured_document


def header_of(data: bytes) -> Header:
    return read_header(read_document(data))


def test_a_header_is_read_with_the_names_of_the_standard() -> None:
    header = header_of(a_document())
    assert header.id == II(root="2.25.1001")
    assert header.set_id == II(root="2.25.1000")
    assert header.version_number == "2"
    assert header.template_id[-1] == II(root="1.2.250.1.213.1.1.1.29", extension="2022.01")
    assert header.custodian and header.custodian.id == (II(root="1.2.250.1.71.4.2.2", extension="1350999017"),)
    assert header.patient.name[0].family == (NamePart("ESSAI-KERLANN", "BR"), NamePart("ESSAI-MORVAN", "CL"))
    assert header.author[0].time == "20250317153000+0100"
    assert not header.is_unstructured


def test_a_comment_inside_a_value_does_not_cut_it() -> None:
    assert header_of(a_document()).title == "Lettre de liaison"


def test_a_null_value_is_absent() -> None:
    header = header_of(a_document('<id root="2.25.1001"/>', '<id nullFlavor="UNK" root="2.25.1001"/>'))
    assert header.id is None
    assert len(header.patient.telecom) == 3


def test_a_code_without_code_is_absent_and_translations_are_kept() -> None:
    header = header_of(a_document())
    assert header.service_event[0].code == CD(
        code="IMP",
        code_system="2.16.840.1.113883.5.4",
        display_name="Hospitalisation",
        translation=(CD(code="DEQP003", code_system="1.2.250.1.213.2.5", display_name="Électrocardiographie"),),
    )
    assert header_of(a_document('code="SA01" ', "")).health_care_facility_code is None


def test_the_media_type_of_an_unstructured_body_is_read() -> None:
    header = header_of(an_unstructured_document("text/rtf"))
    assert (header.is_unstructured, header.media_type) == (True, "text/rtf")


def test_an_empty_document_is_an_empty_header() -> None:
    header = header_of(b'<ClinicalDocument xmlns="urn:hl7-org:v3"><author/><relatedDocument/></ClinicalDocument>')
    assert header.id is None and header.patient.id == () and header.legal_authenticator is None
    assert header.author[0].assigned_author.id == ()


def test_a_self_presentable_document_has_the_header_of_the_document_inside() -> None:
    plain = header_of(a_document())
    inside = header_of(SELF_PRESENTABLE.format(document=COMPLETE).encode())
    assert inside.mime_type == "application/xslt+xml"
    assert (inside.id, inside.patient, inside.author) == (plain.id, plain.patient, plain.author)
