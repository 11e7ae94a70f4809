"""Documents by authors of a type that is named, over real HTTP. FHIR R4 3.1.1.4.12; MHD 2:3.67.4.1.2; PDSm 5.1"""

import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

import pytest

from tests import earlier_rows, messages, servers
from tests import fhir_bundles as fhir
from tests.builders import a_submission, an_author, an_entry
from tests.flows.fhir_requests import fed, provide
from tests.servers import Response, Server
from xds.datatypes import CX, XCN, XON

PS, CLINICS = "urn:oid:1.2.250.1.71.4.2.1", "urn:oid:1.2.250.1.71.4.2.2"
HERSELF = {"resourceType": "Patient", "id": "me", "name": [{"family": "Petit", "given": ["Aline"]}]}
DOCTOR = {
    "resourceType": "Practitioner",
    "id": "doctor",
    "identifier": [{"system": PS, "value": "899700218896"}],
    "name": [{"family": "Petit", "given": ["Paul", "Marie"]}],
}
CLINIC = {
    "resourceType": "Organization",
    "id": "clinic",
    "identifier": [{"system": CLINICS, "value": "899700218896"}],
    "name": "Petite Clinique",
}
ROLE = {
    "resourceType": "PractitionerRole",
    "id": "role",
    "practitioner": {"reference": "#doctor"},
    "organization": {"reference": "#clinic"},
}
DEVICE = {"resourceType": "Device", "id": "device", "deviceName": [{"name": "Petitron", "type": "user-friendly-name"}]}
OTHER = {"resourceType": "Practitioner", "id": "other", "name": [{"family": "Durand"}]}
SAID = {"type": "Practitioner", "display": "Petit Alain", "identifier": {"system": PS, "value": "7"}}
BY_PATIENT, BY_DOCTOR, BY_ROLE, BY_CLINIC, BY_DEVICE, BY_BOTH, BY_REFERENCE = range(7)
BY: list[tuple[list[dict[str, Any]], list[dict[str, Any]]]] = [
    ([HERSELF], [{"reference": "#me"}]),
    ([DOCTOR], [{"reference": "#doctor"}]),
    ([DOCTOR, CLINIC, ROLE], [{"reference": "#role"}]),
    ([CLINIC], [{"reference": "#clinic"}]),
    ([DEVICE], [{"reference": "#device"}]),
    ([HERSELF, OTHER], [{"reference": "#me"}, {"reference": "#other"}]),
    ([], [{"reference": "https://other.example/fhir/Practitioner/7", **SAID}]),
]


class Shelf:
    """A document by each of these."""

    def __init__(self, server: Server) -> None:
        self.server, self.patient = server, fed(server, fhir.a_patient())
        self.by = [self._submitted(contained, authors) for contained, authors in BY]

    def _submitted(self, contained: list[dict[str, Any]], authors: list[dict[str, Any]]) -> str:
        source = fhir.a_document_reference(self.patient, fhir.a_urn())["contained"][0]
        bundle = fhir.a_provide_bundle(
            self.patient, level="UnContained.Comprehensive", contained=[source, *contained], author=authors
        )
        return provide(self.server, bundle)[0]["location"].rpartition("/")[2]

    def ask(self, *parameters: tuple[str, str]) -> Response:
        asked = urlencode([("patient", self.patient), *parameters])
        return self.server.request("GET", f"/fhir/DocumentReference?{asked}")

    def places(self, *parameters: tuple[str, str]) -> list[int]:
        response = self.ask(*parameters)
        assert response.status == 200, response.body
        bundle = json.loads(response.body)
        found = [one["resource"]["id"] for one in bundle.get("entry", ())]
        assert bundle["total"] == len(found)
        return [place for place, one in enumerate(self.by) if one in found]


@pytest.fixture(scope="module")
def server(database: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    settings = servers.settings_for(tmp_path_factory.mktemp("carnet"), database, domain="ihe")
    with servers.in_process(settings) as running:
        yield running


@pytest.fixture(scope="module")
def shelf(server: Server) -> Shelf:
    return Shelf(server)


@pytest.fixture(scope="module", params=earlier_rows.WAYS, autouse=True)
def kept(request: pytest.FixtureRequest, server: Server, shelf: Shelf) -> None:
    """Asked first as it is written, then as the version before wrote it."""
    if request.param == earlier_rows.WAYS[1]:
        assert earlier_rows.write_as_before(server.settings.database_url) > 0


@pytest.mark.parametrize(
    ("name", "value", "places"),
    [
        ("author.family", "petit", [BY_PATIENT, BY_DOCTOR, BY_ROLE, BY_DEVICE, BY_BOTH, BY_REFERENCE]),
        ("author:Patient.family", "petit", [BY_PATIENT, BY_BOTH]),
        ("author:Patient.given:exact", "Aline", [BY_PATIENT, BY_BOTH]),
        ("author:Patient.given:exact", "aline", []),
        ("author:Patient.family", "durand", []),
        ("author:Practitioner.family", "petit", [BY_DOCTOR, BY_ROLE, BY_REFERENCE]),
        ("author:Practitioner.family", "durand", [BY_BOTH]),
        ("author:Practitioner.family:exact", "Petit", [BY_DOCTOR, BY_ROLE]),
        ("author:Practitioner.given", "marie", [BY_DOCTOR, BY_ROLE]),
        ("author:Practitioner.name:contains", "LAIN", [BY_REFERENCE]),
        ("author:Practitioner.name", "_etit,%", []),
        ("author:PractitionerRole.practitioner.given:contains", "AU", [BY_DOCTOR, BY_ROLE]),
        ("author:Organization.name", "petite", [BY_CLINIC]),
        ("author:Organization.name:exact", "Petite", []),
        ("author:Organization.family", "petit", []),
        ("author:Device.name", "petitron", [BY_DEVICE]),
        ("author:RelatedPerson.family", "petit", []),
        ("author:Practitioner.identifier", "899700218896", [BY_DOCTOR, BY_ROLE]),
        ("author:Practitioner.identifier", f"{PS}|7,{PS}|899700218896", [BY_DOCTOR, BY_ROLE, BY_REFERENCE]),
        ("author:Practitioner.identifier", f"{CLINICS}|899700218896", []),
        ("author:Practitioner.identifier", "|899700218896", []),
        ("author:Practitioner.identifier", "99700218896", []),
        ("author:Organization.identifier", "899700218896", [BY_CLINIC]),
        ("author:Organization:identifier", f"{CLINICS}|899700218896", [BY_CLINIC]),
        ("author:Patient.identifier", "899700218896", []),
        ("author.organization.name", "petite", [BY_ROLE]),
        ("author:PractitionerRole.organization.name:contains", "CLIN", [BY_ROLE]),
        ("author:PractitionerRole.organization:Organization.name:exact", "Petite Clinique", [BY_ROLE]),
        ("author:PractitionerRole.organization.name:exact", "Petite", []),
        ("author:PractitionerRole.organization.identifier", "899700218896", [BY_ROLE]),
        ("author:PractitionerRole.organization:identifier", f"{CLINICS}|899700218896", [BY_ROLE]),
        ("author.organization.identifier", f"{PS}|899700218896", []),
        ("author:Practitioner.organization.name", "petite", []),
    ],
)
def test_documents_are_found_by_authors_of_the_type_that_is_named(
    shelf: Shelf, name: str, value: str, places: list[int]
) -> None:
    assert shelf.places((name, value)) == places


def test_an_author_that_was_submitted_as_a_reference_is_of_the_type_that_is_named(shelf: Shelf) -> None:
    url = "https://other.example/fhir/Practitioner/7"
    assert shelf.places(("author:Practitioner", url)) == [BY_REFERENCE]
    assert shelf.places(("author:Organization", "7")) == []


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("author:Organization", "https://other.example/fhir/Practitioner/7"),
        ("author:Organization", "Practitioner/7"),
        ("author:Group.name", "petit"),
        ("author:Practitioner.birthdate", "1970"),
        ("author:Practitioner.family:missing", "true"),
        ("author:PractitionerRole.organization.address", "petite"),
        ("author.organization", "Organization/7"),
    ],
)
def test_a_type_that_narrows_nothing_here_is_refused(shelf: Shelf, name: str, value: str) -> None:
    response = shelf.ask((name, value))
    [issue] = json.loads(response.body)["issue"]
    assert (response.status, issue["severity"]) == (400, "error")
    assert name.partition(":missing")[0].partition(":")[0] in issue["expression"][0]


def test_authors_that_xds_submitted_have_the_type_that_fhir_shows(server: Server, shelf: Shelf) -> None:
    asked = (
        ("author:PractitionerRole.practitioner.given", "zo"),
        ("author:Patient.given", "zo"),
        ("author:Organization.name:contains", "maison"),
        ("author:Organization.identifier", "31"),
        ("author:PractitionerRole.organization.name", "petite m"),
        ("author.organization.identifier", "31"),
    )

    def totals() -> list[int]:
        return [json.loads(shelf.ask(one).body)["total"] for one in asked]

    before = totals()
    resource = json.loads(server.request("GET", shelf.patient.removeprefix(server.url)).body)
    patient = CX(f"{resource['identifier'][0]['value']}^^^&2.25.99&ISO")
    person = "1^Petit^Zoé^^^^^^&1.2.250.1.71.4.2.1&ISO^D^^^IDNPS"
    clinic = XON("Petite Maison^^^^^&1.2.250.1.71.4.2.2&ISO^IDNST^^^31")
    by_role = an_author(author_person=XCN(person), author_institution=(clinic,))
    by_clinic = an_author(author_person=None, author_institution=(clinic,), author_specialty=())
    for author in (by_role, by_clinic):
        entry = an_entry(content=b"by xds", patient_id=patient, author=(author,))
        answer = messages.provide(server, a_submission(entry, patient_id=patient), {entry.entry_uuid: b"by xds"})
        assert answer.status == "Success", answer.contexts
    assert [now - then for now, then in zip(totals(), before, strict=True)] == [1, 0, 1, 1, 1, 1]
