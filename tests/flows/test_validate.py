"""`$validate` over real HTTP: the findings of a submission without the submission. FHIR R4 3.1.0.1.6."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from fhir.resources.R4B.operationoutcome import OperationOutcome

from fhir_facade.fhir_xml import read_xml, write_xml
from tests import fhir_bundles as fhir
from tests import servers
from tests.flows.fhir_requests import fed, find, send
from tests.flows.test_pdsm_profiles import a_pdsm_bundle
from tests.servers import Server


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with servers.in_process(servers.settings_for(tmp_path_factory.mktemp("carnet"), domain="ihe")) as running:
        yield running


def issues(server: Server, path: str, resource: dict[str, Any]) -> list[dict[str, Any]]:
    response = send(server, "POST", f"/fhir/{path}", resource)
    assert response.status == 200, response.body
    outcome = json.loads(response.body)
    OperationOutcome.model_validate(outcome)
    found: list[dict[str, Any]] = outcome["issue"]
    return found


def test_a_sound_bundle_is_told_so_and_nothing_is_stored(server: Server) -> None:
    bundle = fhir.a_provide_bundle(fed(server, fhir.a_patient()))
    for path in ("$validate", "Bundle/$validate"):
        [issue] = issues(server, path, bundle)
        assert (issue["severity"], issue["code"]) == ("information", "informational")
    identifier = bundle["entry"][0]["resource"]["masterIdentifier"]["value"]
    assert find(server, "DocumentReference", ("identifier", identifier))["total"] == 0


def test_the_findings_of_a_bundle_are_those_of_its_submission(server: Server) -> None:
    bundle = fhir.a_provide_bundle("Patient/1", type=None, securityLabel=None)
    told = {one["expression"][0] for one in issues(server, "$validate", bundle)}
    refused = json.loads(send(server, "POST", "/fhir", bundle).body)["issue"]
    assert told == {"Bundle.entry[0].resource.type", "Bundle.entry[0].resource.securityLabel"}
    assert told <= {one["expression"][0] for one in refused}


@pytest.mark.parametrize(
    ("path", "resource", "expected"),
    [
        ("DocumentReference/$validate", lambda: fhir.a_document_reference("Patient/1", "Binary/1", type=None), []),
        (
            f"DocumentReference/$validate?profile={fhir.MHD}IHE.MHD.Comprehensive.DocumentReference",
            lambda: fhir.a_document_reference("Patient/1", "Binary/1", type=None),
            ["DocumentReference.type"],
        ),
        (
            f"List/$validate?profile={fhir.MHD}IHE.MHD.Minimal.SubmissionSet",
            lambda: fhir.a_submission_set_list("Patient/1", date=None),
            ["List.date"],
        ),
        ("List/$validate", lambda: fhir.a_folder_list("Patient/1") | {"mode": "x"}, ["List.mode"]),
        ("DocumentReference/$validate", lambda: a_pdsm_document(custodian=None), ["DocumentReference.custodian"]),
    ],
)
def test_profiles_are_those_that_are_named(
    server: Server, path: str, resource: Callable[[], dict[str, Any]], expected: list[str]
) -> None:
    found = issues(server, path, resource())
    assert [one["expression"][0] for one in found if one["severity"] == "error"] == expected


def a_pdsm_document(**changes: Any) -> dict[str, Any]:
    found: dict[str, Any] = a_pdsm_bundle("Patient/1", **changes)["entry"][0]["resource"]
    return found


def test_parameters_carry_a_resource_in_xml_too(server: Server) -> None:
    resource = fhir.a_document_reference("Patient/1", "Binary/1", type=None)
    profile = f"{fhir.MHD}IHE.MHD.Comprehensive.DocumentReference"
    parameters = {
        "resourceType": "Parameters",
        "parameter": [{"name": "resource", "resource": resource}, {"name": "profile", "valueUri": profile}],
    }
    headers = {"Content-Type": "application/fhir+xml", "Accept": "application/fhir+xml"}
    response = server.request("POST", "/fhir/$validate", write_xml(parameters), headers)
    assert (response.status, read_xml(response.body)["issue"][0]["expression"]) == (200, ["DocumentReference.type"])


@pytest.mark.parametrize(
    ("path", "resource"),
    [
        ("List/$validate", {"resourceType": "DocumentReference"}),
        ("$validate", {"resourceType": "Observation"}),
        ("$validate?mode=delete", {"resourceType": "List"}),
        ("$validate", {"resourceType": "Parameters"}),
        ("$validate", {"resourceType": "Parameters", "parameter": [{"name": "resource", "resource": 1}]}),
    ],
)
def test_what_is_no_question_is_refused(server: Server, path: str, resource: dict[str, Any]) -> None:
    assert send(server, "POST", f"/fhir/{path}", resource).status == 400
