"""SubmissionSets by who made them: `source` and `authorOrg` over real HTTP. MHD 2:3.66.4.1.2; PDSm 5.1"""

import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

import pytest

from tests import earlier_rows, messages, servers
from tests import fhir_bundles as fhir
from tests.builders import a_submission, a_submission_set, an_author, an_entry
from tests.flows.fhir_requests import fed, provide
from tests.servers import Server
from xds.datatypes import CX, XON

AUTHOR_ORGANISATION = f"{fhir.MHD}ihe-authorOrg"
CLINIC = {
    "resourceType": "Organization",
    "id": "clinic",
    "identifier": [{"system": "urn:oid:1.2.250.1.71.4.2.2", "value": "1690000014"}],
    "name": "Clinique des Tilleuls",
}
LABORATORY = {
    "resourceType": "Organization",
    "id": "lab",
    "identifier": [{"system": "urn:ietf:rfc:3986", "value": "urn:oid:2.25.31"}],
    "name": "Laboratoire du Quai",
}
HERSELF = {"resourceType": "Patient", "id": "me", "name": [{"family": "Petit", "given": ["Aline"]}]}
DOCTOR = {"resourceType": "Practitioner", "id": "doctor", "name": [{"family": "Petit", "given": ["Paul"]}]}
ROLE = {
    "resourceType": "PractitionerRole",
    "id": "role",
    "practitioner": {"reference": "#doctor"},
    "organization": {"reference": "#clinic"},
}
NURSE = {"resourceType": "Practitioner", "id": "nurse", "name": [{"family": "Lepetit", "given": ["Zoé"]}]}
PATIENT, BY_ROLE, BY_NURSE, BY_LABORATORY, BY_REFERENCE = range(5)


def by(organisation: str) -> list[dict[str, Any]]:
    return [{"url": AUTHOR_ORGANISATION, "valueReference": {"reference": organisation}}]


class Desk:
    """Five submissions of a patient, each by somebody else."""

    def __init__(self, server: Server) -> None:
        self.server, self.patient = server, fed(server, fhir.a_patient())
        sources: list[dict[str, Any]] = [
            {"contained": [HERSELF], "source": {"reference": "#me"}},
            {"contained": [DOCTOR, CLINIC, ROLE], "source": {"reference": "#role"}},
            {"contained": [NURSE], "source": {"reference": "#nurse"}},
            {"contained": [LABORATORY], "source": {"extension": by("#lab")}},
            {"source": {"reference": "https://other.example/fhir/PractitionerRole/7"}},
        ]
        self.sets = [self._submitted(one) for one in sources]

    def _submitted(self, changes: dict[str, Any], extensions: list[dict[str, Any]] | None = None) -> str:
        bundle = fhir.a_provide_bundle(self.patient, level="UnContained.Comprehensive")
        owner = bundle["entry"][1]["resource"]
        owner |= changes | {"extension": [*owner["extension"], *(extensions or ())]}
        return provide(self.server, bundle)[1]["location"].rpartition("/")[2]

    def also(self, changes: dict[str, Any], extensions: list[dict[str, Any]] | None = None) -> str:
        return self._submitted(changes, extensions)

    def found(self, *parameters: tuple[str, str]) -> list[str]:
        asked = urlencode([("patient", self.patient), ("code", "submissionset"), *parameters])
        response = self.server.request("GET", f"/fhir/List?{asked}", headers={"Prefer": "handling=strict"})
        assert response.status == 200, response.body
        bundle = json.loads(response.body)
        ids = [one["resource"]["id"] for one in bundle.get("entry", ())]
        assert bundle["total"] == len(ids)
        return ids

    def places(self, *parameters: tuple[str, str]) -> list[int]:
        found = self.found(*parameters)
        return [place for place, one in enumerate(self.sets) if one in found]


@pytest.fixture(scope="module")
def server(database: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    settings = servers.settings_for(tmp_path_factory.mktemp("carnet"), database, domain="ihe")
    with servers.in_process(settings) as running:
        yield running


@pytest.fixture(scope="module")
def desk(server: Server) -> Desk:
    return Desk(server)


@pytest.fixture(scope="module", params=earlier_rows.WAYS, autouse=True)
def kept(request: pytest.FixtureRequest, server: Server, desk: Desk) -> None:
    """Asked first as it is written, then as the version before wrote it."""
    if request.param == earlier_rows.WAYS[1]:
        assert earlier_rows.write_as_before(server.settings.database_url) > 0


@pytest.mark.parametrize(
    ("name", "value", "places"),
    [
        ("source.family", "petit", [PATIENT, BY_ROLE]),
        ("source:Patient.family", "petit", [PATIENT]),
        ("source:Patient.given:exact", "Aline", [PATIENT]),
        ("source:Patient.given:exact", "aline", []),
        ("source:Patient.given:contains", "LIN", [PATIENT]),
        ("source:Patient.name", "petit", [PATIENT]),
        ("source:PractitionerRole.partOf.practitioner.family", "petit", [BY_ROLE]),
        ("source:PractitionerRole.partOf.practitioner.given:exact", "Paul", [BY_ROLE]),
        ("source:PractitionerRole.partOf.familyEx:contains", "petit", [BY_ROLE, BY_NURSE]),
        ("source:PractitionerRole.partOf.givenEx", "zo", [BY_NURSE]),
        ("source.partOf.familyEx:exact", "Petit", [PATIENT, BY_ROLE]),
        ("source:PractitionerRole.practitioner:Practitioner.family", "lepe", [BY_NURSE]),
        ("source:PractitionerRole.partOf:PractitionerRole.practitioner:Practitioner.given", "p", [BY_ROLE]),
        ("source:PractitionerRole.name", "aline", []),
        ("source:Practitioner.family", "petit", [BY_ROLE]),
        ("source:Device.name", "petit", []),
        ("source", "https://other.example/fhir/PractitionerRole/7", [BY_REFERENCE]),
        ("source", "PractitionerRole/7", []),
        ("source", "PractitionerRole/7,https://other.example/fhir/PractitionerRole/7", [BY_REFERENCE]),
        ("authorOrg.name", "clinique", [BY_ROLE]),
        ("authorOrg.name", "tilleuls", []),
        ("authorOrg.name:contains", "TILLEULS", [BY_ROLE]),
        ("authorOrg.name:exact", "Laboratoire du Quai", [BY_LABORATORY]),
        ("authorOrg:Organization.name", "l", [BY_LABORATORY]),
        ("authorOrg.name:missing", "true", [PATIENT, BY_NURSE, BY_REFERENCE]),
        ("authorOrg.identifier", "1690000014", [BY_ROLE]),
        ("authorOrg:identifier", "urn:oid:1.2.250.1.71.4.2.2|1690000014", [BY_ROLE]),
        ("authorOrg.identifier", "urn:oid:1.2.250.1.71.4.2.2|", [BY_ROLE]),
        ("authorOrg.identifier", "urn:oid:1.2.250.1.71.4.2|1690000014", []),
        ("authorOrg.identifier", "urn:oid:1.2.250.1.71.4.2.2|169", []),
        ("authorOrg.identifier", "|1690000014", []),
        ("authorOrg.identifier", "169000001_", []),
        ("authorOrg:identifier", "urn:ietf:rfc:3986|urn:oid:2.25.31,1690000014", [BY_ROLE, BY_LABORATORY]),
        ("source.organization.name", "clinique", [BY_ROLE]),
        ("source:PractitionerRole.organization.name:contains", "TILLEULS", [BY_ROLE]),
        ("source:PractitionerRole.organization:Organization.name:exact", "Laboratoire du Quai", []),
        ("source:PractitionerRole.organization.identifier", "1690000014", [BY_ROLE]),
        ("source.organization:identifier", "urn:oid:1.2.250.1.71.4.2.2|1690000014", [BY_ROLE]),
        ("source:Patient.organization.name", "clinique", []),
    ],
)
def test_submissions_are_found_by_who_made_them(desk: Desk, name: str, value: str, places: list[int]) -> None:
    assert desk.places((name, value)) == places


def test_an_organisation_is_found_in_both_places_of_its_extension(server: Server) -> None:
    """T14: the parameter of PDSm looks at the List, its profile puts the extension at the source."""
    desk = Desk(server)
    at_list = desk.also({"contained": [CLINIC, DOCTOR], "source": {"reference": "#doctor"}}, by("#clinic"))
    assert at_list in desk.found(("authorOrg.name", "clinique"))
    url = "https://other.example/fhir/Organization/9"
    referring = [
        desk.also({"source": {"extension": by(url)}}),
        desk.also({"contained": [DOCTOR], "source": {"reference": "#doctor"}}, by(url)),
    ]
    assert sorted(desk.found(("authorOrg", url))) == sorted(referring)
    assert desk.found(("authorOrg", "Organization/9")) == []
    recipient = [{"url": f"{fhir.MHD}ihe-intendedRecipient", "valueReference": {"reference": "Organization/10"}}]
    desk.also({"contained": [DOCTOR], "source": {"reference": "#doctor"}}, recipient)
    assert desk.found(("authorOrg", "Organization/10")) == []


def test_a_reference_may_say_its_type_beside_its_id(server: Server) -> None:
    desk = Desk(server)
    relative = desk.also({"source": {"reference": "PractitionerRole/8"}})
    assert desk.found(("source:PractitionerRole", "8")) == [relative]
    assert desk.found(("source", "PractitionerRole/8")) == [relative]
    assert desk.found(("source", f"{server.url}/fhir/PractitionerRole/8")) == [relative]
    assert desk.found(("source:Practitioner", "8")) == []


def test_what_xds_submitted_is_found_by_its_author_institution(server: Server) -> None:
    """What ITI-41 submitted has no extension, and its author is no Patient."""
    desk = Desk(server)
    identifier = json.loads(server.request("GET", desk.patient.removeprefix(server.url)).body)["identifier"][0]
    patient = CX.of(id=identifier["value"], authority=identifier["system"].removeprefix("urn:oid:"))
    institution = XON("Centre des Ormes^^^^^&1.2.250.1.71.4.2.2&ISO^IDNST^^^1690000022")
    owner = a_submission_set(patient_id=patient, author=(an_author(author_institution=(institution,)),))
    entry = an_entry(content=b"by xds", patient_id=patient)
    answered = messages.provide(server, a_submission(entry, submission_set=owner), {entry.entry_uuid: b"by xds"})
    assert answered.status == "Success", answered.contexts
    [made] = desk.found(("authorOrg.name", "centre"))
    assert made not in desk.sets
    assert desk.found(("authorOrg.identifier", "1690000022")) == [made]
    assert desk.found(("source:PractitionerRole.family", "vill")) == [made]
    assert desk.found(("source:Patient.family", "vill")) == []


@pytest.mark.parametrize(
    "query", ["source=1", "source:Organization=1", "authorOrg=9", "authorOrg.address=x", "source.birthdate=2000"]
)
def test_what_is_not_served_is_refused(desk: Desk, query: str) -> None:
    asked = f"{urlencode([('patient', desk.patient), ('code', 'submissionset')])}&{query}"
    assert desk.server.request("GET", f"/fhir/List?{asked}").status == 400
