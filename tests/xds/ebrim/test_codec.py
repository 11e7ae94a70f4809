"""ebRIM and JSON both ways, for every object the types can hold."""

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lxml import etree

from tests import strategies
from tests.builders import a_folder, a_submission, an_entry
from xds.datatypes import Code, LocalizedString
from xds.ebrim.read import Reading, read_submission
from xds.ebrim.response import adhoc_query_response
from xds.ebrim.schema import schema_findings
from xds.ebrim.write import write_object, write_submit_objects_request
from xds.metadata import Association, DocumentEntry, Folder, RegistryObject, Submission, SubmissionSet
from xds.metadata_json import from_json, to_json
from xds.vocabulary import RIM

slow = settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
KINDS = {
    DocumentEntry: strategies.document_entries,
    SubmissionSet: strategies.submission_sets,
    Folder: strategies.folders,
    Association: strategies.associations,
}


def read(*things: RegistryObject) -> Reading:
    return read_submission(etree.fromstring(write_submit_objects_request(things)))


@slow
@given(strategies.objects)
def test_json_gives_back_every_object(thing: RegistryObject) -> None:
    assert from_json(type(thing), to_json(thing)) == thing


@slow
@given(
    strategies.submission_sets,
    st.lists(strategies.document_entries, max_size=2),
    st.lists(strategies.folders, max_size=1),
    st.lists(strategies.associations, max_size=2),
)
def test_ebrim_gives_back_every_object_but_its_status(
    owner: SubmissionSet, entries: list[DocumentEntry], folders: list[Folder], associations: list[Association]
) -> None:
    reading = read(owner, *entries, *folders, *associations)
    assert reading.errors == ()
    assert reading.submission == Submission(
        submission_set=without_status(owner),
        document_entries=tuple(without_status(one) for one in entries),
        folders=tuple(without_status(one) for one in folders),
        associations=tuple(without_status(one) for one in associations),
    )


def test_limited_metadata_stays_flagged_in_a_submission_that_is_sent_on() -> None:
    submission = a_submission(an_entry(limited_metadata=True), folders=(a_folder(limited_metadata=True),))
    flagged = etree.fromstring(write_submit_objects_request(submission.objects, flagged=True))
    assert read_submission(flagged).submission == submission
    assert not read(*submission.objects).submission.document_entries[0].limited_metadata


def without_status(thing: Any) -> Any:
    """A submitted status is ignored. ITI TF-3: 4.2.3.2.2"""
    fields = {name: getattr(thing, name) for name in thing.__slots__}
    return type(thing)(**{**fields, "availability_status": None})


@slow
@given(strategies.objects)
def test_what_is_written_is_valid_against_the_schema(thing: RegistryObject) -> None:
    answer = adhoc_query_response([write_object(thing)])
    assert schema_findings(etree.fromstring(answer)) == ()


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_every_field_is_in_the_attribute_table(kind: type[RegistryObject]) -> None:
    not_ebrim = {"submitted_fhir"}  # what only FHIR said has no place in ebRIM
    assert strategies.fields_of(kind) | {"extra_slots", "extra_codes"} == set(kind.__slots__) - not_ebrim


def test_parts_have_the_same_ids_in_every_answer() -> None:
    entry = an_entry(entry_uuid="urn:uuid:11111111-1111-4111-8111-111111111111")
    assert write_object(entry) == write_object(entry)
    ids = [part.get("id") for part in etree.fromstring(_alone(entry)).iter(f"{{{RIM}}}Classification")]
    assert len(ids) == len(set(ids))


IN_FRENCH = LocalizedString("Compte rendu", language="fr-FR", charset="UTF-8")
IN_TWO = LocalizedString("Compte rendu", language="fr", others=(LocalizedString("Befund", language="de-DE"),))


@pytest.mark.parametrize("text", [IN_FRENCH, IN_TWO, LocalizedString("Compte rendu", charset="UTF8")])
def test_texts_keep_their_languages_in_ebrim_and_in_json(text: LocalizedString) -> None:
    entry = an_entry(title=text, comments=text, type_code=Code(code="1", coding_scheme="2.25.1", display_name=text))
    [read_back] = read(*a_submission(entry).objects).submission.document_entries
    for found in (read_back, from_json(DocumentEntry, to_json(read_back))):
        for kept in (found.title, found.comments, found.type_code and found.type_code.display_name):
            assert isinstance(kept, LocalizedString)
            assert [(str(one), one.language, one.charset) for one in kept.wordings] == [
                (str(one), one.language, one.charset) for one in text.wordings
            ]


def test_a_text_without_language_is_written_without_one() -> None:
    assert b"xml:lang" not in write_object(an_entry())
    assert b"charset" not in write_object(an_entry())
    assert b'"title":"Compte rendu de consultation"' in to_json(an_entry())


def _alone(thing: RegistryObject) -> bytes:
    return b'<x xmlns:rim="%s">%s</x>' % (RIM.encode(), write_object(thing))


# --- findings ---------------------------------------------------------------------------------


def broken(old: str, new: str, *, count: int = 1) -> list[str]:
    """Contexts of the findings when a good submission has `old` replaced by `new`."""
    submission = a_submission(an_entry(entry_uuid="Document01"), folders=(a_folder(),))
    text = write_submit_objects_request(submission.objects).decode()
    assert old in text
    return [error.context for error in read_submission(etree.fromstring(text.replace(old, new, count))).errors]


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ('name="creationTime"', 'name="createdOn"', "Slot createdOn"),
        ('name="creationTime"', 'name="urn:ihe:unknown"', "Slot urn:ihe:unknown"),
        ("20260310093000", "20261310093000", "creationTime: found '20261310093000', expected DTM"),
        ("<rim:Value>fr-FR</rim:Value>", "<rim:Value>fr-FR</rim:Value><rim:Value>en</rim:Value>", "found 2 values"),
        ("<rim:Value>fr-FR</rim:Value>", "<rim:Value>fr<!-- -->FR</rim:Value>", "a comment or element inside a value"),
        ("<rim:Value>fr-FR</rim:Value>", "<rim:Value></rim:Value>", "an empty value or list"),
        ("<rim:Value>fr-FR</rim:Value>", "", "an empty value or list"),
        ('mimeType="text/xml"', 'mimeType="xml"', "mimeType: found 'xml'"),
        ('objectType="urn:uuid:7edca82f', 'objectType="urn:uuid:7edca82e', "objectType"),
        ('classifiedObject="Document01"', 'classifiedObject="Document02"', "expected the id of the enclosing object"),
        ('registryObject="Document01"', 'registryObject="Document02"', "expected the id of the enclosing object"),
        ('nodeRepresentation="10"', 'nodeRepresentation=""', "classCode nodeRepresentation"),
        ('value="Compte rendu"', 'value=""', "classCode Name"),
        (
            "urn:uuid:41a5887f-8865-4c09-adf7-e362475b143a",
            "urn:uuid:aa543740-bdda-424e-8c96-df4873be8500",
            "expected a classification scheme of DocumentEntry",
        ),
        (
            "urn:uuid:41a5887f-8865-4c09-adf7-e362475b143a",
            "classe",
            "expected a classification scheme of DocumentEntry",
        ),
        ("urn:uuid:41a5887f-8865-4c09-adf7-e362475b143a", "urn:uuid:f0306f51-975f-434e-a61c-c59651d33983", "2 Classif"),
        ("urn:uuid:58a6f841", "urn:uuid:58a6f840", "expected an identification scheme of DocumentEntry"),
        ("urn:uuid:a54d6aa5", "urn:uuid:a54d6aa4", "0 kinds"),
        ("urn:uuid:d9d542f3-6cc4-48b6-8870-ea235fbc94c2", "urn:uuid:a54d6aa5-d40d-43f9-88c5-b4633d873bdd", "2 of them"),
        ("AssociationType:HasMember", "AssociationType:HasFriend", "associationType: found"),
        ("<rim:Value>Original</rim:Value>", "<rim:Value>Copy</rim:Value>", "SubmissionSetStatus: found 'Copy'"),
        (
            '<rim:Name><rim:LocalizedString value="XDSDocumentEntry.uniqueId"/></rim:Name>',
            "",
            "uniqueId Name: found none, expected XDSDocumentEntry.uniqueId",
        ),
    ],
)
def test_a_broken_wire_form_names_object_and_attribute(old: str, new: str, expected: str) -> None:
    contexts = broken(old, new)
    assert any(expected in context for context in contexts), contexts


def test_a_slot_that_stands_twice_is_refused() -> None:
    slot = '<rim:Slot name="languageCode"><rim:ValueList><rim:Value>fr-FR</rim:Value></rim:ValueList></rim:Slot>'
    assert any("the Slot twice" in context for context in broken(slot, slot + slot))


def test_limited_metadata_is_refused() -> None:
    flag = (
        '<rim:Classification id="urn:uuid:00000000-0000-4000-8000-000000000001" classifiedObject="Document01" '
        'classificationNode="urn:uuid:ab9b591b-83ab-4d03-8f5d-f93b1fb92e85"/><rim:ExternalIdentifier'
    )
    assert any("limitedMetadata" in context for context in broken("<rim:ExternalIdentifier", flag))


def test_a_classification_node_may_stand_beside_its_package() -> None:
    submission = a_submission()
    root = etree.fromstring(write_submit_objects_request(submission.objects))
    node = next(one for one in root.iter(f"{{{RIM}}}Classification") if one.get("classificationNode"))
    root[0].append(node)
    reading = read_submission(root)
    assert reading.errors == ()
    assert reading.submission == submission


def test_an_author_who_is_nobody_is_refused() -> None:
    contexts = broken('name="authorPerson"', 'name="urn:example:nobody"')
    assert not contexts  # an institution is enough
    text = write_submit_objects_request(a_submission().objects).decode()
    for name in ("authorPerson", "authorInstitution"):
        text = text.replace(f'name="{name}"', 'name="authorRole"' if name == "authorPerson" else 'name="urn:example:i"')
    errors = read_submission(etree.fromstring(text)).errors
    assert any("expected authorPerson, authorInstitution" in error.context for error in errors)


def test_blanks_around_a_value_are_trimmed() -> None:
    text = write_submit_objects_request(a_submission().objects).decode()
    padded = text.replace("<rim:Value>fr-FR</rim:Value>", "<rim:Value>\n  fr-FR\n</rim:Value>")
    reading = read_submission(etree.fromstring(padded))
    assert reading.submission.document_entries[0].language_code == "fr-FR"
