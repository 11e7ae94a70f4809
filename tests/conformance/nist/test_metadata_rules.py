"""The rules on returned metadata: a complete object passes, each thing missing or wrong is named."""

import re

import pytest
from lxml import etree

from conformance.nist.codes import CodeTable
from conformance.nist.ebrim21 import to_ebrim3
from conformance.nist.metadata_attributes import ROWS
from conformance.nist.metadata_rules import answer_problems, attribute_problems
from conformance.nist.registry_objects import DOCUMENT_ENTRY, FOLDER, SUBMISSION_SET, read_registry_objects
from tests.conformance.kits import (
    a_code,
    a_document_entry,
    a_member,
    a_submission,
    a_submission_set,
    an_identifier,
    name,
    slot,
)

PATIENT = "P^^^&amp;2.25.7&amp;ISO"
UUID = "urn:uuid:a54d6aa5-d40d-43f9-88c5-b4633d87f00"
OPEN = CodeTable()


def a_folder(*, patient: str = PATIENT) -> str:
    return (
        f'<r:RegistryPackage id="Folder01">{name("Folder")}'
        + a_code("Folder01", "1ba97051-7806-41a8-a48b-8fce7af683c5", "CASE")
        + an_identifier("f64ffdf0-4b97-4e06-b79f-a52b38ec2f8a", patient, "XDSFolder.patientId")
        + an_identifier("75df8f67-9973-4fbe-a900-df66cefecc5a", "1.2.3.4", "XDSFolder.uniqueId")
        + slot("lastUpdateTime", "20240101120000")
        + '<r:Classification classifiedObject="Folder01" '
        'classificationNode="urn:uuid:d9d542f3-6cc4-48b6-8870-ea235fbc94c2"/></r:RegistryPackage>'
    )


def an_author(*slots: str, code: str = "") -> str:
    return (
        f'<r:Classification classifiedObject="Document01" nodeRepresentation="{code}" '
        f'classificationScheme="urn:uuid:93606bcf-9494-43ec-9b4e-a7748d1a838d">{"".join(slots)}</r:Classification>'
    )


def submitted(*, spoil: tuple[str, str] = ("", "")) -> str:
    author = an_author(slot("authorPerson", "^Test^Alex"), slot("authorInstitution", "Clinic"))
    entry = a_document_entry(patient=PATIENT, uid="1.2.3.1").replace(
        "</r:ExtrinsicObject>", f"{author}</r:ExtrinsicObject>"
    )
    package = a_submission_set(patient=PATIENT).replace('value="SubmissionSet01"', 'value="1.2.3.2"')
    text = a_submission(
        entry,
        package,
        a_folder(),
        a_member("SubmissionSet01", "Document01"),
        a_member("SubmissionSet01", "Folder01", status=""),
    )
    old, new = spoil
    assert old in text
    return text.replace(old, new, 1) if old else text


def problems(*, codes: CodeTable = OPEN, spoil: tuple[str, str] = ("", "")) -> list[str]:
    objects = read_registry_objects(to_ebrim3(etree.fromstring(submitted(spoil=spoil))))
    return list(attribute_problems(objects, codes))


def test_complete_metadata_have_no_problem() -> None:
    assert problems() == []


REQUIRED = [
    *(f'<r:Slot name="{row.name}">' for kind in ROWS for row in ROWS[kind].slots if row.least),
    *(f'classificationScheme="{row.scheme}"' for kind in ROWS for row in ROWS[kind].codes if row.least),
    *(f'identificationScheme="{row.scheme}"' for kind in ROWS for row in ROWS[kind].identifiers),
]


@pytest.mark.parametrize("attribute", REQUIRED)
def test_each_required_attribute_is_missed(attribute: str) -> None:
    """The attribute is renamed, so that the object keeps its form."""
    renamed = re.sub(r'"[^"]+"', '"urn:x-extra"', attribute)
    assert any(
        re.search(r": 0 (values|codes|identifiers)", problem) for problem in problems(spoil=(attribute, renamed))
    )


@pytest.mark.parametrize(
    ("spoil", "problem"),
    [
        ((" 20240101 ", "20241301"), "creationTime: malformed value '20241301'"),
        ((slot("languageCode", "fr-FR"), slot("languageCode", "fr-FR", "en")), "languageCode: 2 values"),
        ((slot("languageCode", "fr-FR"), slot("languageCode", "fr-FR") * 2), "Slot languageCode occurs twice"),
        ((slot("languageCode", "fr-FR"), slot("languageCode", "")), "Slot languageCode has no value"),
        ((slot("languageCode", "fr-FR"), slot("languageCode", "fr-FR") + slot("house", "x")), "Slot house is neither"),
        (
            (slot("languageCode", "fr-FR"), slot("languageCode", "fr-FR") + slot("urn:ihe:new", "x")),
            "Slot urn:ihe:new is neither",
        ),
        (('nodeRepresentation="REPORT"', 'nodeRepresentation=""'), "classCode: no nodeRepresentation"),
        (
            ('classifiedObject="Document01" classificationScheme', 'classifiedObject="x" classificationScheme'),
            "classifiedObject x is not the id",
        ),
        (('mimeType="text/plain"', 'mimeType="text"'), "mimeType text"),
        (('objectType="urn:uuid:7edca82f', 'objectType="urn:uuid:7edca82e'), "objectType urn:uuid:7edca82e"),
        (
            (
                'nodeRepresentation="" classificationScheme="urn:uuid:93606bcf',
                'nodeRepresentation="x" classificationScheme="urn:uuid:93606bcf',
            ),
            "author: nodeRepresentation x is not empty",
        ),
        (("^Test^Alex", "^^Alex"), "authorPerson: malformed value"),
        ((slot("authorPerson", "^Test^Alex"), slot("authorPerson", "^A", "^B")), "more than one authorPerson"),
        (
            (slot("authorPerson", "^Test^Alex") + slot("authorInstitution", "Clinic"), slot("authorRole", "x")),
            "neither person nor institution",
        ),
        (('value="1.2.3.2"', 'value="set"'), "uniqueId: malformed value 'set'"),
        ((name("Folder"), ""), "title is missing"),
        (('value="Compte rendu"', f'value="{"x" * 129}"'), "title of 129 characters"),
        (('associationType="HasMember"', 'associationType="urn:x"'), "unknown associationType urn:x"),
        (('targetObject="Document01"', 'targetObject="SubmissionSet01"'), "must be there and differ"),
        (
            (slot("SubmissionSetStatus", "Original"), slot("SubmissionSetStatus", "Other")),
            "SubmissionSetStatus ['Other']",
        ),
        ((slot("SubmissionSetStatus", "Original"), ""), "SubmissionSetStatus is missing"),
        (
            (
                '20240101120000</r:Value></r:ValueList></r:Slot><r:Classification classifiedObject="Folder01" classificationNode',
                '2024</r:Value></r:ValueList></r:Slot><r:Classification classifiedObject="Folder01" classificationNode',
            ),
            "lastUpdateTime: malformed",
        ),
        (('a54d6aa5-d40d-43f9-88c5-b4633d873bdd"/><r:Reg', '0"/><r:Reg'), "neither a SubmissionSet nor a Folder"),
        (
            ("d9d542f3-6cc4-48b6-8870-ea235fbc94c2", "2c144a76-29a9-4b7c-af54-b25409fe7d03"),
            "neither a SubmissionSet nor a Folder",
        ),
    ],
)
def test_what_is_wrong_is_named(spoil: tuple[str, str], problem: str) -> None:
    found = problems(spoil=spoil)
    assert any(problem in one for one in found), found


def test_documentation_codes_belong_to_relationships() -> None:
    member = a_member("SubmissionSet01", "Document01")
    documented = member.replace(
        "</r:Association>", a_code("x", "abd807a3-4432-4053-87b4-fd82c643d1f3", "c") + "</r:Association>"
    )
    assert any("documentation codes" in one for one in problems(spoil=(member, documented)))


def test_service_times_must_follow_each_other() -> None:
    times = slot("serviceStartTime", "20240102") + slot("serviceStopTime", "20240101")
    assert any(
        "later than" in one
        for one in problems(spoil=(slot("languageCode", "fr-FR"), slot("languageCode", "fr-FR") + times))
    )
    equal = slot("serviceStartTime", "20240102") + slot("serviceStopTime", "2024")
    assert problems(spoil=(slot("languageCode", "fr-FR"), slot("languageCode", "fr-FR") + equal)) == []


def test_codes_outside_the_table_are_named() -> None:
    codes = CodeTable(codes={"classCode": frozenset({("OTHER", "2.25.7001")})}, mime_types=frozenset({"text/xml"}))
    found = problems(codes=codes)
    assert any("REPORT^^2.25.7001 is not in the code table classCode" in one for one in found)
    assert any("text/plain is not in the code table" in one for one in found)


def test_an_on_demand_entry_has_no_time_hash_and_size() -> None:
    on_demand = ('7edca82f-054d-47f2-a032-9b2a5b5186c1" mime', '34268e47-fdf5-41a6-ba33-82133c465248" mime')
    found = problems(spoil=on_demand)
    assert {"creationTime", "hash", "size"} == {one.split(": ")[1].split()[0] for one in found}


def answered() -> etree._Element:
    """The submission as a registry returns it."""
    text = etree.tostring(to_ebrim3(etree.fromstring(submitted())), encoding="unicode")
    for number, one in enumerate(read_registry_objects(etree.fromstring(text)).objects):
        text = text.replace(f'"{one.id}"', f'"{UUID}{number}"')
    listed = etree.fromstring(text)
    for one in read_registry_objects(listed).objects:
        one.element.set("lid", one.id)
        one.element.set("status", "urn:oasis:names:tc:ebxml-regrep:StatusType:Approved")
        etree.SubElement(one.element, "{urn:oasis:names:tc:ebxml-regrep:xsd:rim:3.0}VersionInfo", versionName="1")
    return listed


@pytest.mark.parametrize("kind", [DOCUMENT_ENTRY, SUBMISSION_SET, FOLDER, "Association"])
@pytest.mark.parametrize(
    ("attribute", "value", "problem"),
    [
        ("lid", None, "lid is missing"),
        ("lid", "Document01", "lid Document01"),
        ("status", None, "status is missing"),
        ("status", "Approved", "status Approved"),
        ("id", "URN:UUID:1", "the id is no UUID"),
        ("version", "x", "VersionInfo"),
    ],
)
def test_what_a_registry_assigns_is_checked_on_every_object(
    kind: str, attribute: str, value: str | None, problem: str
) -> None:
    listed = answered()
    nodes = read_registry_objects(listed)
    assert list(answer_problems(nodes)) == []
    spoiled = nodes.of(kind)[0].element
    if attribute == "version":
        spoiled[-1].set("versionName", "x")
    elif value is None:
        del spoiled.attrib[attribute]
    else:
        spoiled.set(attribute, value)
    found = list(answer_problems(nodes))
    assert any(problem in one and one.startswith(kind) for one in found), found


def test_a_submission_set_is_always_approved() -> None:
    objects = read_registry_objects(answered())
    objects.of(SUBMISSION_SET)[0].element.set("status", "urn:oasis:names:tc:ebxml-regrep:StatusType:Deprecated")
    assert any("SubmissionSet" in one and "Deprecated" in one for one in answer_problems(objects))


def test_the_submission_as_returned_obeys_the_attribute_rules_too() -> None:
    assert list(attribute_problems(read_registry_objects(answered()), OPEN)) == []


def test_parts_need_their_object_type() -> None:
    objects = read_registry_objects(answered())
    del objects.of(DOCUMENT_ENTRY)[0].classifications[0].attrib["objectType"]
    assert any("objectType is missing" in one for one in answer_problems(objects))
