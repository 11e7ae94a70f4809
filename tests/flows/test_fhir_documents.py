"""What FHIR reads over real HTTP: formats, parts and ranges of documents, resources that come with others."""

import base64
import gzip
import json
import time
from typing import Any

import pytest
from fhir.resources.R4B.operationoutcome import OperationOutcome

from fhir_facade.fhir_xml import read_xml, write_xml
from tests import fhir_bundles as fhir
from tests import messages
from tests.builders import an_update
from tests.flows.fhir_requests import (
    FHIR_JSON,
    fed,
    find,
    provide,
    read,
)
from tests.servers import Server
from xds.ebrim.read import read_document_entries


@pytest.fixture(scope="module")
def server(fhir_server: Server) -> Server:
    return fhir_server


@pytest.fixture(scope="module")
def patient(server: Server) -> str:
    """The URL of a Patient of the server."""
    return fed(server, fhir.a_patient())


@pytest.fixture(scope="module")
def document(server: Server, patient: str) -> str:
    """The path of a document of 200,000 octets."""
    answers = provide(server, fhir.a_provide_bundle(patient, bytes(range(250)) * 800))
    return answers[2]["location"].removeprefix(server.url)


def test_xml_submits_and_reads_what_json_does(server: Server, patient: str) -> None:
    bundle = fhir.a_provide_bundle(patient, b"by xml")
    headers = {"Content-Type": "application/fhir+xml", "Accept": "application/fhir+xml"}
    response = server.request("POST", "/fhir", write_xml(bundle), headers)
    assert response.status == 200, response.body
    assert response.headers["content-type"].startswith("application/fhir+xml")
    location = read_xml(response.body)["entry"][0]["response"]["location"]
    by_xml = server.request("GET", f"{location.removeprefix(server.url)}?_format=xml")
    assert by_xml.status == 200
    by_json = read(server, location)
    assert read_xml(by_xml.body) == by_json
    assert by_json["masterIdentifier"].items() >= bundle["entry"][0]["resource"]["masterIdentifier"].items()


def test_a_refusal_is_told_in_the_format_that_is_wanted(server: Server, patient: str) -> None:
    bundle = fhir.a_provide_bundle(patient, type=None)
    headers = {"Content-Type": "application/fhir+xml", "Accept": "application/fhir+xml"}
    response = server.request("POST", "/fhir", write_xml(bundle), headers)
    assert response.status == 400
    assert read_xml(response.body)["issue"][0]["expression"] == ["Bundle.entry[0].resource.type"]


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        ("application/fhir+xml;q=0.5, application/fhir+json;q=0.4", "application/fhir+xml"),
        ("application/xml;q=0.5, */*;q=0.9", "application/fhir+json"),
        ("application/fhir+xml; fhirVersion=4.0", "application/fhir+xml"),
        ("text/html, */*", "application/fhir+json"),
        ("application/fhir+json;q=0, application/xml", "application/fhir+xml"),
        ("", "application/fhir+json"),
        ("text/html", ""),
        ("application/fhir+json; fhirVersion=3.0", ""),
    ],
)
def test_accept_chooses_by_quality(server: Server, accept: str, expected: str) -> None:
    response = server.request("GET", "/fhir/metadata", headers={"Accept": accept})
    assert response.status == (200 if expected else 406)
    if expected:
        assert response.headers["content-type"] == f"{expected}; charset=utf-8"


def test_answers_and_requests_may_be_compressed(server: Server, patient: str) -> None:
    body = gzip.compress(json.dumps(fhir.a_provide_bundle(patient)).encode())
    headers = {"Content-Type": FHIR_JSON, "Content-Encoding": "gzip"}
    assert server.request("POST", "/fhir", body, headers).status == 200
    assert server.request("POST", "/fhir", body[:-20], headers).status == 400
    assert server.request("POST", "/fhir", b"{}", headers).status == 400
    response = server.request("GET", "/fhir/metadata", headers={"Accept-Encoding": "gzip"})
    assert response.headers["content-encoding"] == "gzip"
    assert json.loads(gzip.decompress(response.body))["resourceType"] == "CapabilityStatement"


def test_a_body_that_grows_without_end_is_refused(server: Server) -> None:
    headers = {"Content-Type": FHIR_JSON, "Content-Encoding": "gzip"}
    response = server.request("POST", "/fhir", gzip.compress(b" " * 40_000_000), headers)
    assert response.status == 413


def test_what_stands_behind_a_compressed_body_is_not_collected(server: Server) -> None:
    """zlib keeps it all, and copies what it has with every piece: 40 MB took half a minute."""
    headers = {"Content-Type": FHIR_JSON, "Content-Encoding": "gzip"}
    began = time.process_time()
    response = server.request("POST", "/fhir", gzip.compress(b"{}") + bytes(40_000_000), headers)
    assert response.status == 400
    assert b"goes on behind its end" in response.body
    assert time.process_time() - began < 5


def _modes(bundle: dict[str, Any]) -> list[tuple[str, str]]:
    return [(one["search"]["mode"], one["resource"]["resourceType"]) for one in bundle.get("entry", [])]


def test_what_matches_refer_to_comes_with_them(server: Server) -> None:
    url = fed(server, fhir.a_patient())
    first = provide(server, fhir.a_provide_bundle(url))[0]["location"]
    relation = [{"code": "appends", "target": {"reference": first}}]
    document, submission, _ = provide(server, fhir.a_provide_bundle(url, relatesTo=relation))
    name = document["location"].rpartition("/")[2]
    asked = ("_id", name)
    found = find(server, "DocumentReference", asked, ("_include", "DocumentReference:relatesto"))
    assert (found["total"], _modes(found)) == (1, [("match", "DocumentReference"), ("include", "DocumentReference")])
    assert found["entry"][1]["fullUrl"] == first
    found = find(
        server, "DocumentReference", asked, ("_revinclude", "List:item"), ("_include", "DocumentReference:patient")
    )
    assert sorted(_modes(found)) == [("include", "List"), ("include", "Patient"), ("match", "DocumentReference")]
    lists = find(server, "List", ("patient", url), ("code", "submissionset"), ("_include", "List:item"))
    assert (lists["total"], len(lists["entry"])) == (2, 4)
    assert submission["location"] in [one["fullUrl"] for one in lists["entry"]]
    found = find(
        server, "DocumentReference", ("_id", first.rpartition("/")[2]), ("_revinclude", "DocumentReference:relatesto")
    )
    assert [one["fullUrl"] for one in found["entry"]] == [first, document["location"]]


def test_parts_of_resources_are_marked_as_parts(server: Server, patient: str) -> None:
    location = provide(server, fhir.a_provide_bundle(patient))[0]["location"]
    asked = ("_id", location.rpartition("/")[2])
    part = find(server, "DocumentReference", asked, ("_elements", "type"))["entry"][0]["resource"]
    assert part.keys() == {"resourceType", "id", "meta", "status", "content", "type"}
    assert [one["code"] for one in part["meta"]["tag"]] == ["SUBSETTED"]
    data = find(server, "DocumentReference", asked, ("_summary", "data"))["entry"][0]["resource"]
    assert "text" not in data
    assert "context" in data
    summary = find(server, "DocumentReference", asked, ("_summary", "true"))["entry"][0]["resource"]
    assert {one["id"] for one in summary["contained"]} == {"author", "source"}  # its references lead to them
    count = find(server, "DocumentReference", asked, ("_summary", "count"))
    assert count["total"] == 1
    assert "entry" not in count


@pytest.mark.parametrize(
    "query",
    ["_include=DocumentReference:author", "_summary=some", "_elements=,", "_sort=title", "_lastUpdated=yesterday"],
)
def test_a_shape_that_is_not_served_is_refused(server: Server, patient: str, query: str) -> None:
    response = server.request("GET", f"/fhir/DocumentReference?patient={patient}&{query}")
    assert response.status == 400
    OperationOutcome.model_validate(json.loads(response.body))


@pytest.mark.parametrize(
    ("asked", "first", "last"),
    [
        ("bytes=0-9", 0, 9),
        ("bytes=65530-65545", 65530, 65545),
        ("bytes=199990-", 199990, 199999),
        ("bytes=-5", 199995, 199999),
        ("bytes=199999-300000", 199999, 199999),
    ],
)
def test_a_part_of_a_document_is_sent(server: Server, document: str, asked: str, first: int, last: int) -> None:
    response = server.request("GET", document, headers={"Range": asked})
    assert response.status == 206
    assert response.headers["content-range"] == f"bytes {first}-{last}/200000"
    assert response.body == (bytes(range(250)) * 800)[first : last + 1]


def test_ranges_that_cannot_be_served(server: Server, document: str) -> None:
    assert server.request("GET", document, headers={"Range": "bytes=200000-"}).status == 416
    for whole in ("bytes=0-1,5-6", "lines=1-2", "bytes=9-3", "bytes=-"):
        assert server.request("GET", document, headers={"Range": whole}).status == 200
    other = {"Range": "bytes=0-9", "If-Range": '"another"'}
    assert server.request("GET", document, headers=other).status == 200


def test_a_document_is_given_as_what_is_accepted(server: Server, document: str) -> None:
    for accept, status, kind in (
        ("*/*", 200, "text/plain"),
        ("text/*", 200, "text/plain"),
        ("application/pdf", 406, FHIR_JSON),
        ("application/fhir+xml", 200, "application/fhir+xml"),
        ("application/fhir+json, text/plain;q=0.5", 200, FHIR_JSON),
        ("application/fhir+json;q=0.4, text/plain;q=0.5", 200, "text/plain"),
    ):
        response = server.request("GET", document, headers={"Accept": accept})
        assert (response.status, response.headers["content-type"].partition(";")[0]) == (status, kind), accept
    resource = read_xml(server.request("GET", document, headers={"Accept": "application/fhir+xml"}).body)
    assert base64.b64decode(resource["data"]) == bytes(range(250)) * 800


def test_a_document_that_is_known_is_not_sent_again(server: Server, document: str) -> None:
    etag = server.request("GET", document).headers["etag"]
    for named in (etag, f'"x", W/{etag}', "*"):
        assert server.request("GET", document, headers={"If-None-Match": named}).status == 304
    assert server.request("GET", document, headers={"If-None-Match": '"x"'}).status == 200


def test_an_update_by_xds_is_seen_and_keeps_what_only_fhir_said(server: Server, patient: str) -> None:
    custodian = {"identifier": {"system": "urn:oid:1.2.250.1.71.4.2.2", "value": "10B0000001"}}
    bundle = fhir.a_provide_bundle(patient, custodian=custodian)
    location = provide(server, bundle)[0]["location"]
    unique_id = bundle["entry"][0]["resource"]["masterIdentifier"]["value"].removeprefix("urn:oid:")
    slots = {"$XDSDocumentEntryUniqueId": f"('{unique_id}')"}
    (entry,) = read_document_entries(messages.query(server, messages.GET_DOCUMENTS, slots).envelope)
    answered = messages.submit(server, an_update(entry, title="Titre corrigé"), messages.UPDATE)
    assert answered.status == "Success", answered.contexts
    found = read(server, location)
    assert found["meta"]["versionId"] == "2"
    assert found["content"][0]["attachment"]["title"] == "Titre corrigé"
    assert (found["custodian"], found["text"]) == (custodian, bundle["entry"][0]["resource"]["text"])
