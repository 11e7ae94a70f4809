"""DocumentEntry -> DocumentReference: every attribute has its element, every resource is valid."""

import base64
import json
from typing import Any

import pytest
from fhir.resources.R4B.documentreference import DocumentReference
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fhir_facade.code_systems import from_identifier, from_uri, to_identifier, to_uri
from fhir_facade.document_reference import BASE_URL, to_document_reference
from fhir_facade.times import search_range, to_date_time, to_instant
from tests import strategies
from tests.builders import an_association, an_author, an_entry
from xds.datatypes import CX, DTM, XCN, XON, XTN, Code, CXi
from xds.metadata import Association, DocumentEntry
from xds.vocabulary import AssociationType, AvailabilityStatus

UUID = "urn:uuid:7c1b2f60-0000-4000-8000-000000000001"
UPDATED = "20260310100000"


def rendered(entry: DocumentEntry, *links: Association) -> dict[str, Any]:
    resource: dict[str, Any] = json.loads(to_document_reference(entry, links, UPDATED))
    DocumentReference.model_validate(resource)
    return resource


def of(**changes: Any) -> dict[str, Any]:
    return rendered(an_entry(entry_uuid=UUID, logical_id=UUID, version=1, **changes))


def contained(resource: dict[str, Any], reference: dict[str, str]) -> dict[str, Any]:
    return next(one for one in resource["contained"] if f"#{one['id']}" == reference["reference"])


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None, max_examples=60)
@given(strategies.document_entries, st.lists(strategies.associations, max_size=2))
def test_every_entry_is_rendered_as_a_valid_resource(entry: DocumentEntry, links: list[Association]) -> None:
    resource = json.loads(to_document_reference(entry, links, UPDATED))
    DocumentReference.model_validate(resource)
    assert BASE_URL.decode() in resource["content"][0]["attachment"]["url"]


def test_ids_version_and_status() -> None:
    resource = of(availability_status=AvailabilityStatus.DEPRECATED)
    assert resource["id"] == UUID.removeprefix("urn:uuid:")
    assert resource["meta"] == {"versionId": "1", "lastUpdated": "2026-03-10T10:00:00Z"}
    assert resource["status"] == "superseded"
    kinds = {one["type"]["coding"][0]["code"]: one for one in resource["identifier"]}
    assert (kinds["entryUUID"]["value"], kinds["entryUUID"]["use"]) == (UUID, "official")
    assert kinds["uniqueId"] == resource["masterIdentifier"]


def test_codes_carry_uris_and_displays() -> None:
    resource = of()
    assert resource["type"]["coding"] == [
        {"system": "http://loinc.org", "code": "11488-4", "display": "CR de consultation"}
    ]
    assert resource["securityLabel"][0]["coding"][0]["system"].endswith("v3-Confidentiality")
    assert resource["content"][0]["format"]["code"] == "urn:ihe:iti:xds-sd:pdf:2008"
    assert resource["context"]["practiceSetting"]["coding"][0]["code"] == "AMBULATOIRE"
    assert resource["context"]["facilityType"]["coding"][0]["code"] == "SA07"


def test_the_attachment_describes_the_document() -> None:
    entry = an_entry(entry_uuid=UUID, comments="à relire")
    resource = rendered(entry)
    attachment = resource["content"][0]["attachment"]
    assert base64.b64decode(attachment["hash"]).hex() == entry.hash
    assert (attachment["size"], attachment["language"]) == (entry.size, "fr-FR")
    assert attachment["creation"] == resource["date"] == "2026-03-10T09:30:00Z"
    assert resource["description"] == "à relire"


def test_the_subject_is_the_patients_identifier() -> None:
    assert of(patient_id=CX("1^^^&1.2.3&ISO"))["subject"] == {
        "type": "Patient",
        "identifier": {"system": "urn:oid:1.2.3", "value": "1"},
    }


def test_authors_are_contained_with_their_organisations() -> None:
    author = an_author(author_role=("Médecin",), author_telecommunication=(XTN("^^Internet^a@example.org"),))
    resource = of(author=(author,))
    role = contained(resource, resource["author"][0])
    assert role["resourceType"] == "PractitionerRole"
    assert contained(resource, role["practitioner"])["name"] == [{"family": "VILLARD", "given": ["ELISE"]}]
    assert contained(resource, role["organization"])["identifier"][0]["value"] == "1690000014"
    assert role["code"] == [{"text": "Médecin"}]
    assert role["telecom"] == [{"system": "email", "value": "a@example.org"}]


def test_a_person_alone_needs_no_role_and_a_system_is_a_device() -> None:
    alone = of(author=(an_author(author_institution=(), author_specialty=()),))
    assert contained(alone, alone["author"][0])["resourceType"] == "Practitioner"
    system = an_author(
        author_person=XCN("7^Logiciel^Modèle^^^^^^&1.2.3&ISO^U"), author_institution=(), author_specialty=()
    )
    resource = of(author=(system,))
    assert contained(resource, resource["author"][0])["deviceName"][0]["name"] == "Logiciel"
    institution = of(
        author=(an_author(author_person=None, author_specialty=(), author_institution=(XON("Clinique"),)),)
    )
    assert contained(institution, institution["author"][0]) == {
        "resourceType": "Organization",
        "id": "organization-1",
        "name": "Clinique",
    }


def test_the_source_patient_is_kept_as_sent() -> None:
    lines = (
        "PID-3|42^^^&1.2.4&ISO^PI",
        "PID-5|MARCHAL^LISE~DURAND^LISE^^^^^D",
        "PID-7|19790317",
        "PID-8|F",
        "PID-11|1 rue X^^Lyon^^69000^FR",
    )
    resource = of(source_patient_info=lines)
    patient = contained(resource, resource["context"]["sourcePatientInfo"])
    assert [one["value"] for one in patient["identifier"]] == ["IPP-4711", "42"]
    assert [name["family"] for name in patient["name"]] == ["MARCHAL", "DURAND"]
    assert (patient["gender"], patient["birthDate"]) == ("female", "1979-03-17")
    assert patient["address"][0]["city"] == "Lyon"


def test_reference_ids_are_encounters_or_related() -> None:
    ids = (CXi("1^^^&1.2.3&ISO^urn:ihe:iti:xds:2015:encounterId"), CXi("2^^^&1.2.3&ISO^urn:ihe:iti:xds:2013:order"))
    context = of(reference_id_list=ids)["context"]
    assert context["encounter"][0]["identifier"]["value"] == "1"
    assert context["related"][0]["identifier"]["type"]["coding"][0]["code"] == "urn:ihe:iti:xds:2013:order"


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        (AssociationType.RPLC, "replaces"),
        (AssociationType.XFRM_RPLC, "replaces"),
        (AssociationType.XFRM, "transforms"),
        (AssociationType.APND, "appends"),
        (AssociationType.SIGNS, "signs"),
        (AssociationType.IS_SNAPSHOT_OF, "transforms"),
    ],
)
def test_relationships_stand_on_the_new_document(kind: AssociationType, code: str) -> None:
    link = an_association(association_type=kind, source=UUID, target=UUID[:-1] + "2")
    target = f"DocumentReference/{UUID.removeprefix('urn:uuid:')[:-1]}2"
    assert rendered(an_entry(entry_uuid=UUID), link)["relatesTo"] == [{"code": code, "target": {"reference": target}}]


@given(st.one_of(strategies.oids, strategies.uuids, strategies.oids.map(lambda oid: f"{oid}^42")))
def test_identifiers_come_back_as_they_went(text: str) -> None:
    identifier = to_identifier(text)
    assert from_identifier(identifier["system"], identifier["value"]) == text


@pytest.mark.parametrize("scheme", ["2.16.840.1.113883.6.1", "1.2.250.1.213.1.1.4.12", "2.25.7", "ASTM", "URN"])
def test_code_systems_come_back_as_they_went(scheme: str) -> None:
    assert from_uri(to_uri(scheme)) == scheme


def test_private_codes_keep_their_oid() -> None:
    resource = of(event_code_list=(Code(code="e", coding_scheme="2.25.7", display_name="E"),))
    assert resource["context"]["event"][0]["coding"][0]["system"] == "urn:oid:2.25.7"


@pytest.mark.parametrize(
    ("text", "date_time", "instant"),
    [
        ("2026", "2026", "2026-01-01T00:00:00Z"),
        ("202603", "2026-03", "2026-03-01T00:00:00Z"),
        ("20260310", "2026-03-10", "2026-03-10T00:00:00Z"),
        ("2026031009", "2026-03-10T09:00:00Z", "2026-03-10T09:00:00Z"),
        ("20260310093015", "2026-03-10T09:30:15Z", "2026-03-10T09:30:15Z"),
    ],
)
def test_times_keep_their_precision_where_fhir_has_it(text: str, date_time: str, instant: str) -> None:
    assert to_date_time(DTM(text)) == date_time
    assert to_instant(DTM(text)) == instant


@pytest.mark.parametrize(
    ("text", "first", "after"),
    [
        ("2026", "20260101000000", "20270101000000"),
        ("2026-02", "20260201000000", "20260301000000"),
        ("2026-12", "20261201000000", "20270101000000"),
        ("2026-03-10", "20260310000000", "20260311000000"),
        ("2026-03-10T09:30Z", "20260310093000", "20260310093100"),
        ("2026-03-10T09:30:15.5+02:00", "20260310073015", "20260310073016"),
        ("0999", "09990101000000", "10000101000000"),
        ("9999", "99990101000000", "99999999999999"),
        ("9999-12", "99991201000000", "99999999999999"),
        ("9999-12-31", "99991231000000", "99999999999999"),
        ("9999-12-31T23:59:59Z", "99991231235959", "99999999999999"),
    ],
)
def test_a_search_date_is_the_range_it_means(text: str, first: str, after: str) -> None:
    assert search_range(text) == (first, after)


@pytest.mark.parametrize(
    "text",
    [
        *("", "26", "2026-13", "2026-02-30", "2026-03-10T25:00Z", "2026-03-10 09:30", "10/03/2026", "0000"),
        *("0001-01-01T00:00:00+14:00", "9999-12-31T23:00:00-02:00", "2026-03-10T09:30+99:99"),
    ],
)
def test_another_text_is_no_search_date(text: str) -> None:
    with pytest.raises(ValueError):
        search_range(text)
