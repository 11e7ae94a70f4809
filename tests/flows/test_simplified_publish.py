"""Simplified Publish [ITI-105] and Generate Metadata [ITI-106] over real HTTP."""

import base64
import json
import re
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from fhir.resources.R4B.documentreference import DocumentReference

from fhir_facade.fhir_xml import read_xml, write_xml
from tests import fhir_bundles as fhir
from tests import servers
from tests.audit_store import Trail
from tests.flows.fhir_requests import (
    a_publication,
    expressions,
    fed,
    find,
    read,
    send,
)
from tests.servers import Response, Server


@pytest.fixture(scope="module")
def server(fhir_server: Server) -> Server:
    return fhir_server


@pytest.fixture(scope="module")
def patient(server: Server) -> str:
    """The URL of a Patient of the server."""
    return fed(server, fhir.a_patient())


def test_simplified_publish_gives_back_what_was_created(server: Server, patient: str) -> None:
    resource = a_publication(patient)
    response = send(server, "POST", "/fhir/DocumentReference", resource)
    assert response.status == 201, response.body
    created = json.loads(response.body)
    DocumentReference.model_validate(created)
    location = response.headers["location"].partition("/_history/")[0]
    assert read(server, location) == created
    assert created["subject"] == resource["subject"]
    attachment = created["content"][0]["attachment"]
    assert "data" not in attachment
    assert server.request("GET", attachment["url"].removeprefix(server.url)).body == b"simply"
    found = find(server, "DocumentReference", ("_id", created["id"]), ("_revinclude", "List:item"))
    assert [one["resource"]["resourceType"] for one in found["entry"]] == ["DocumentReference", "List"]


def test_simplified_publish_replaces(server: Server, patient: str) -> None:
    original = send(server, "POST", "/fhir/DocumentReference", a_publication(patient)).headers["location"]
    place = original.partition("/_history/")[0]
    newer = a_publication(patient, relatesTo=[{"code": "replaces", "target": {"reference": place}}])
    assert send(server, "POST", "/fhir/DocumentReference", newer).status == 201
    assert read(server, place)["status"] == "superseded"


@pytest.mark.parametrize(
    ("change", "status", "expression"),
    [
        ({"masterIdentifier": None}, 400, "DocumentReference.masterIdentifier"),
        ({"subject": None}, 400, "DocumentReference.subject"),
        ({"docStatus": "final"}, 400, "DocumentReference.docStatus"),
        ({"subject": {"reference": "Patient/9"}}, 422, "DocumentReference.subject"),
        (
            {"content": [{"attachment": {"contentType": "text/plain"}}]},
            400,
            "DocumentReference.content[0].attachment.data",
        ),
    ],
)
def test_simplified_publish_refuses_in_the_words_of_its_sender(
    server: Server, patient: str, change: dict[str, Any], status: int, expression: str
) -> None:
    resource = {name: one for name, one in (a_publication(patient) | change).items() if one is not None}
    response = send(server, "POST", "/fhir/DocumentReference", resource)
    assert response.status == status, response.body
    assert expression in expressions(json.loads(response.body)["issue"])


def a_report(patient: dict[str, Any]) -> bytes:
    """A CDA report of the examples, under an id of its own, about this patient."""
    text = (servers.ROOT / "examples" / "reports" / "cr-consultation.xml").read_text(encoding="utf-8")
    identifier = patient["identifier"][0]
    root, value = identifier["system"].removeprefix("urn:oid:"), identifier["value"]
    own = f'<id root="{fhir.an_oid_urn().removeprefix("urn:oid:")[:60]}"/>'
    text = re.sub(r"(<effectiveTime)", r"\1", re.sub(r'<id root="[^"]*"( extension="[^"]*")?/>', own, text, count=1))
    return re.sub(r"(<patientRole>\s*)", rf'\1<id root="{root}" extension="{value}"/>', text, count=1).encode()


def generate(server: Server, content: bytes) -> Response:
    binary = {"resourceType": "Binary", "contentType": "text/xml", "data": base64.b64encode(content).decode()}
    parameters = {"resourceType": "Parameters", "parameter": [{"name": "document", "resource": binary}]}
    return send(server, "POST", "/fhir/DocumentReference/$generate-metadata", parameters)


def test_metadata_are_generated_from_a_report(server: Server) -> None:
    person = fhir.a_patient()
    fed(server, person)
    content = a_report(person)
    trail = Trail(server)
    response = generate(server, content)
    assert response.status == 200, response.body
    (parameter,) = json.loads(response.body)["parameter"]
    assert [one.type_codes[0].code for one in trail.records()] == ["ITI-106"]
    found = read(server, f"/fhir/{parameter['valueReference']['reference']}")
    assert found["type"]["coding"][0]["code"] == "11488-4"
    assert found["subject"]["identifier"]["value"] == person["identifier"][0]["value"]
    url = found["content"][0]["attachment"]["url"].removeprefix(server.url)
    assert server.request("GET", url).body == content


@pytest.mark.parametrize("content", [b"no document", b"<ClinicalDocument/>"])
def test_what_is_no_report_generates_nothing(server: Server, content: bytes) -> None:
    response = generate(server, content)
    assert response.status == 422
    assert expressions(json.loads(response.body)["issue"]) == ["Parameters.parameter[0].resource.data"]


def a_fhir_document(patient: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """A FHIR document of two entries beside its Composition: the patient, and the role of its author."""
    urls = {name: fhir.a_urn() for name in ("composition", "patient", "role", "doctor", "clinic")}
    composition = {
        "resourceType": "Composition",
        "status": "final",
        "language": "fr-FR",
        "type": fhir.a_concept(),
        "category": [fhir.a_concept("REPORTS", "urn:oid:1.3.6.1.4.1.19376.1.2.6.1", "Reports")],
        "subject": {"reference": urls["patient"]},
        "date": "2026-03-10T09:30:00+01:00",
        "author": [{"reference": urls["role"]}],
        "title": "A consultation in FHIR",
        "confidentiality": "R",
        "attester": [{"mode": "legal", "party": {"reference": urls["doctor"]}}],
        "custodian": {"reference": urls["clinic"]},
        "event": [{"code": [fhir.a_concept("x", "urn:oid:1.2.3", "X")], "period": {"start": "2026-03-10T09:00:00Z"}}],
    } | changes
    role = {
        "resourceType": "PractitionerRole",
        "practitioner": {"reference": urls["doctor"]},
        "organization": {"reference": urls["clinic"]},
    }
    doctor = {
        "resourceType": "Practitioner",
        "identifier": [{"system": "urn:oid:1.2.250.1.71.4.2.1", "value": "899700218896"}],
        "name": [{"family": "Petit", "given": ["Paul"]}],
    }
    entries = {
        "composition": {name: one for name, one in composition.items() if one is not None},
        "patient": patient,
        "role": role,
        "doctor": doctor,
        "clinic": {"resourceType": "Organization", "name": "Clinique"},
    }
    return {
        "resourceType": "Bundle",
        "type": "document",
        "identifier": {"system": "urn:ietf:rfc:3986", "value": fhir.a_urn()},
        "timestamp": "2026-03-10T09:30:00Z",
        "entry": [{"fullUrl": urls[name], "resource": one} for name, one in entries.items()],
    }


def generated_of(server: Server, document: dict[str, Any], form: str = "json") -> Response:
    parameters = {"resourceType": "Parameters", "parameter": [{"name": "document", "resource": document}]}
    body = write_xml(parameters) if form == "xml" else json.dumps(parameters).encode()
    headers = {"Content-Type": f"application/fhir+{form}", "Accept": "application/fhir+json"}
    return server.request("POST", "/fhir/DocumentReference/$generate-metadata", body, headers)


@pytest.mark.parametrize("form", ["json", "xml"])
def test_metadata_are_generated_from_a_fhir_document(server: Server, form: str) -> None:
    person = fhir.a_patient()
    fed(server, person)
    document = a_fhir_document(person)
    response = generated_of(server, document, form)
    assert response.status == 200, response.body
    [parameter] = json.loads(response.body)["parameter"]
    found = read(server, f"/fhir/{parameter['valueReference']['reference']}")
    uuid = int(document["identifier"]["value"].removeprefix("urn:uuid:").replace("-", ""), 16)
    assert found["masterIdentifier"]["value"] == f"urn:oid:2.25.{uuid}"
    assert found["type"]["coding"][0]["code"] == "11488-4"
    assert found["subject"]["identifier"] == {name: person["identifier"][0][name] for name in ("system", "value")}
    attachment = found["content"][0]["attachment"]
    assert (attachment["title"], attachment["language"]) == ("A consultation in FHIR", "fr-FR")
    assert attachment["contentType"] == f"application/fhir+{form}"
    assert found["securityLabel"][0]["coding"][0]["code"] == "R"
    assert found["context"]["period"] == {"start": "2026-03-10T09:00:00Z"}
    kept = server.request(
        "GET", attachment["url"].removeprefix(server.url), headers={"Accept": f"application/fhir+{form}"}
    )
    assert (read_xml(kept.body) if form == "xml" else json.loads(kept.body)) == document
    kinds = {one["id"]: one["resourceType"] for one in found["contained"]}
    assert kinds[found["author"][0]["reference"][1:]] == "PractitionerRole"
    assert kinds[found["authenticator"]["reference"][1:]] == "Practitioner"
    assert kinds[found["context"]["sourcePatientInfo"]["reference"][1:]] == "Patient"
    by_author = ("identifier", found["masterIdentifier"]["value"]), ("author.family", "Petit")
    assert find(server, "DocumentReference", *by_author)["total"] == 1


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda document: document.pop("identifier"), "required"),
        (lambda document: document["entry"].pop(0), "structure"),
        (lambda document: document.update(type="collection"), "structure"),
        (lambda document: document["entry"].pop(1), "not-found"),
    ],
)
def test_a_fhir_document_that_tells_too_little_generates_nothing(server: Server, change: Any, code: str) -> None:
    document = a_fhir_document(fhir.a_patient())
    change(document)
    response = generated_of(server, document)
    assert response.status == 422, response.body
    issues = json.loads(response.body)["issue"]
    assert code in [one["code"] for one in issues]
    assert {one["expression"][0] for one in issues} == {"Parameters.parameter[0].resource"}


@pytest.mark.parametrize("races", [30, pytest.param(1000, marks=pytest.mark.long)])
def test_of_two_who_publish_at_once_one_does_where_it_must_not_exist(server: Server, races: int) -> None:
    """The criteria are asked again where nobody else can make such a document: by type, which no key keeps apart."""
    patient, start = fed(server, fhir.a_patient()).removeprefix(f"{server.url}/fhir/"), threading.Barrier(2)

    def published(code: str) -> Response:
        condition = f"patient={patient}&status=current&type=http://loinc.org|{code}"
        headers = {"Content-Type": "application/fhir+json", "If-None-Exist": condition}
        body = json.dumps(a_publication(patient, type=fhir.a_concept(code))).encode()
        start.wait()
        return server.request("POST", "/fhir/DocumentReference", body, headers)

    with ThreadPoolExecutor(2) as pool:
        for code in (f"race-{number}" for number in range(races)):
            answers = [one.result() for one in [pool.submit(published, code), pool.submit(published, code)]]
            assert sorted(one.status for one in answers) == [200, 201], [one.body for one in answers]
            assert len({json.loads(one.body)["id"] for one in answers}) == 1
            found = find(server, "DocumentReference", ("patient", patient), ("type", f"http://loinc.org|{code}"))
            assert found["total"] == 1


@pytest.mark.parametrize("condition", [True, False])
def test_of_two_who_make_one_patient_known_at_once_one_does(server: Server, condition: bool) -> None:
    start = threading.Barrier(2)

    def made(value: str) -> Response:
        resource = fhir.a_patient(value)
        asked = {"If-None-Exist": f"identifier=urn:oid:2.25.99|{value}"} if condition else {}
        start.wait()
        headers = {"Content-Type": "application/fhir+json", **asked}
        return server.request("POST", "/fhir/Patient", json.dumps(resource).encode(), headers)

    with ThreadPoolExecutor(2) as pool:
        for value in (f"race-{condition}-{number}" for number in range(20)):
            answers = [one.result() for one in [pool.submit(made, value), pool.submit(made, value)]]
            assert sorted(one.status for one in answers) == ([200, 201] if condition else [201, 409])


def test_a_document_too_large_to_be_read_whole_is_told_another_way(server: Server) -> None:
    """ITI-106 makes metadata of the whole document, in memory."""
    document = {"resourceType": "Binary", "contentType": "text/xml", "data": "PGEv" * (4 * 10**6)}
    parameters = {"resourceType": "Parameters", "parameter": [{"name": "document", "resource": document}]}
    response = send(server, "POST", "/fhir/DocumentReference/$generate-metadata", parameters)
    [issue] = json.loads(response.body)["issue"]
    assert (response.status, issue["code"]) == (413, "too-long")
    assert "ITI-65" in issue["diagnostics"]
