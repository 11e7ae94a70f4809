"""What PDSm asks of a submission beyond MHD, where its profile is named, over real HTTP. PDSm 2"""

import base64
import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests import fhir_bundles as fhir
from tests import messages, servers
from tests.flows.fhir_requests import fed, provide, read, refuse, send
from tests.servers import Server

PDSM = "https://interop.esante.gouv.fr/ig/fhir/pdsm/StructureDefinition/"
DOCUMENT = f"{PDSM}pdsm-comprehensive-document-reference"


@pytest.fixture(scope="module")
def server(database: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    settings = servers.settings_for(tmp_path_factory.mktemp("carnet"), database, domain="ihe")
    with servers.in_process(settings) as running:
        yield running


@pytest.fixture(scope="module")
def patient(server: Server) -> str:
    return fed(server, fhir.a_patient())


def a_pdsm_bundle(patient: str, **changes: Any) -> dict[str, Any]:
    custodian = {"identifier": {"system": "urn:oid:1.2.250.1.71.4.2.2", "value": "1350999033"}}
    bundle = fhir.a_provide_bundle(patient, **({"custodian": custodian, "meta": {"profile": [DOCUMENT]}} | changes))
    bundle["meta"]["profile"] = [f"{PDSM}pdsm-comprehensive-provide-document-bundle"]
    author = {"resourceType": "Practitioner", "id": "author", "name": [{"family": "Petit"}]}
    bundle["entry"][1]["resource"] |= {"contained": [author], "source": {"reference": "#author"}}
    return bundle


def test_a_bundle_of_pdsm_is_taken_and_its_profile_is_named_where_it_is_read(server: Server, patient: str) -> None:
    bundle = a_pdsm_bundle(patient)
    found = read(server, provide(server, bundle)[0]["location"])
    assert found["meta"]["profile"] == [DOCUMENT]
    assert found["custodian"] == bundle["entry"][0]["resource"]["custodian"]


@pytest.mark.parametrize("element", ["custodian", "date", "author"])
def test_what_pdsm_asks_for_beyond_mhd_is_asked_for(server: Server, patient: str, element: str) -> None:
    expressions = [one["expression"][0] for one in refuse(server, a_pdsm_bundle(patient, **{element: None}))]
    assert f"Bundle.entry[0].resource.{element}" in expressions


@pytest.mark.parametrize("element", ["size", "hash", "title"])
def test_what_pdsm_asks_for_of_the_attachment_is_asked_for(server: Server, patient: str, element: str) -> None:
    bundle = a_pdsm_bundle(patient)
    del bundle["entry"][0]["resource"]["content"][0]["attachment"][element]
    [issue] = refuse(server, bundle)
    assert issue["expression"] == [f"Bundle.entry[0].resource.content[0].attachment.{element}"]


def test_a_submission_set_of_pdsm_has_a_source(server: Server, patient: str) -> None:
    bundle = a_pdsm_bundle(patient)
    del bundle["entry"][1]["resource"]["source"]
    assert "Bundle.entry[1].resource.source" in [one["expression"][0] for one in refuse(server, bundle)]


def test_a_recipient_of_pdsm_is_one_of_xds(server: Server, patient: str) -> None:
    """Its extension is of its own: that of MHD has no PractitionerRole. PDSm 2.2"""
    bundle = a_pdsm_bundle(patient)
    owner = bundle["entry"][1]["resource"]
    owner["contained"] += [
        {"resourceType": "Practitioner", "id": "friend", "name": [{"family": "Roux", "given": ["Eve"]}]},
        {"resourceType": "PractitionerRole", "id": "role", "practitioner": {"reference": "#friend"}},
    ]
    recipient = {"url": f"{PDSM}pdsm-ext-intended-recipient", "valueReference": {"reference": "#role"}}
    owner["extension"].append(recipient)
    assert recipient in read(server, provide(server, bundle)[1]["location"])["extension"]
    identifier = read(server, patient)["identifier"][0]
    key = f"{identifier['value']}^^^&{identifier['system'].removeprefix('urn:oid:')}&ISO"
    slots = {
        "$XDSSubmissionSetPatientId": f"'{key}'",
        "$XDSSubmissionSetStatus": "('urn:oasis:names:tc:ebxml-regrep:StatusType:Approved')",
    }
    answer = messages.query(server, messages.FIND_SUBMISSION_SETS, slots)
    told = [
        value.text
        for slot in answer.envelope.iter("{*}Slot")
        if slot.get("name") == "intendedRecipient"
        for value in slot.iter("{*}Value")
    ]
    assert told == ["|^Roux^Eve"]


def test_the_same_bundle_is_taken_by_the_profile_of_mhd(server: Server, patient: str) -> None:
    bundle = a_pdsm_bundle(patient, custodian=None, date=None)
    bundle["meta"]["profile"] = [f"{fhir.MHD}IHE.MHD.Comprehensive.ProvideBundle"]
    assert provide(server, bundle)


def test_a_document_that_is_published_by_itself_is_asked_for_the_same(server: Server, patient: str) -> None:
    custodian = {"identifier": {"system": "urn:oid:1.2.250.1.71.4.2.2", "value": "1350999033"}}
    resource = fhir.a_document_reference(patient, "", custodian=custodian)
    resource["meta"] = {"profile": [f"{PDSM}pdsm-simplified-publish"]}
    attachment = resource["content"][0]["attachment"]
    del attachment["url"]
    attachment["data"] = base64.b64encode(b"content").decode()
    assert send(server, "POST", "/fhir/DocumentReference", resource).status == 201
    del resource["custodian"], attachment["title"]
    refused = send(server, "POST", "/fhir/DocumentReference", resource)
    assert refused.status == 400
    assert {one["expression"][0] for one in json.loads(refused.body)["issue"]} == {
        "DocumentReference.custodian",
        "DocumentReference.content[0].attachment.title",
    }
