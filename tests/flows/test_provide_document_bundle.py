"""ITI-65 over real HTTP: what FHIR submits is what XDS holds, in every arrangement that has both actors."""

import base64
import gzip
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import pytest
from fhir.resources.R4B.bundle import Bundle
from fhir.resources.R4B.documentreference import DocumentReference
from fhir.resources.R4B.list import List
from fhir.resources.R4B.operationoutcome import OperationOutcome

from fhir_facade.fhir_xml import read_xml, write_xml
from tests import fhir_bundles as fhir
from tests import messages, servers
from tests.audit_store import Trail
from tests.builders import an_update
from tests.servers import Response, Server
from xds.ebrim.read import read_document_entries

FHIR_JSON = "application/fhir+json"


@pytest.fixture(scope="module")
def server(database: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server of the domain ihe, whose patients are fed by FHIR."""
    data: Path = tmp_path_factory.mktemp("carnet")
    with servers.in_process(servers.settings_for(data, database, domain="ihe", audit="on")) as running:
        yield running


@pytest.fixture(scope="module")
def patient(server: Server) -> str:
    """The URL of a Patient of the server."""
    return fed(server, fhir.a_patient())


def fed(server: Server, resource: dict[str, Any]) -> str:
    response = send(server, "POST", "/fhir/Patient", resource)
    assert response.status == 201, response.body
    return response.headers["location"].partition("/_history/")[0]


def send(server: Server, method: str, path: str, resource: dict[str, Any]) -> Response:
    return server.request(method, path, json.dumps(resource).encode(), {"Content-Type": FHIR_JSON})


def provide(server: Server, bundle: dict[str, Any]) -> list[dict[str, Any]]:
    """The entries of the answer to a Bundle that is taken."""
    response = send(server, "POST", "/fhir", bundle)
    assert response.status == 200, response.body
    answer = json.loads(response.body)
    Bundle.model_validate(answer)
    assert answer["type"] == "transaction-response"
    assert len(answer["entry"]) == len(bundle["entry"])
    return [one["response"] for one in answer["entry"]]


def refuse(server: Server, bundle: dict[str, Any]) -> list[dict[str, Any]]:
    """The issues of a Bundle that is refused, of which nothing is stored."""
    response = send(server, "POST", "/fhir", bundle)
    assert response.status == 400, response.body
    outcome = json.loads(response.body)
    OperationOutcome.model_validate(outcome)
    for entry in bundle["entry"]:
        value = entry.get("resource", {}).get("masterIdentifier", {}).get("value")
        if value:
            assert find(server, "DocumentReference", ("identifier", value))["total"] == 0
    issues: list[dict[str, Any]] = outcome["issue"]
    return issues


def read(server: Server, url: str) -> dict[str, Any]:
    response = server.request("GET", url.removeprefix(server.url))
    assert response.status == 200, response.body
    found: dict[str, Any] = json.loads(response.body)
    kinds = {"DocumentReference": DocumentReference, "List": List}
    if found["resourceType"] in kinds:
        kinds[found["resourceType"]].model_validate(found)
    return found


def find(server: Server, resource: str, *parameters: tuple[str, str]) -> dict[str, Any]:
    response = server.request("GET", f"/fhir/{resource}?{urlencode(parameters, quote_via=quote)}")
    assert response.status == 200, response.body
    found: dict[str, Any] = json.loads(response.body)
    Bundle.model_validate(found)
    return found


def expressions(issues: list[dict[str, Any]]) -> list[str]:
    return [one for issue in issues for one in issue.get("expression", [])]


def test_what_fhir_submits_is_read_back_as_it_was_sent(server: Server, patient: str) -> None:
    bundle = fhir.a_provide_bundle(patient, b"the same octets")
    document, submission, binary = provide(server, bundle)
    assert [one["status"][:3] for one in (document, submission, binary)] == ["201"] * 3
    assert all("/_history/" not in one["location"] for one in (document, submission, binary))
    sent, found = bundle["entry"][0]["resource"], read(server, document["location"])
    for name in sent.keys() - {"content", "contained", "masterIdentifier"}:
        assert found[name] == sent[name]
    assert found["masterIdentifier"].items() > sent["masterIdentifier"].items()
    assert found["masterIdentifier"]["type"]["coding"][0]["code"] == "uniqueId"
    assert found["contained"] == sent["contained"]
    assert found["subject"]["reference"] == patient
    attachment = found["content"][0]["attachment"]
    assert attachment["url"] == binary["location"]
    assert {**attachment, "url": None} == {**sent["content"][0]["attachment"], "url": None}
    assert server.request("GET", attachment["url"].removeprefix(server.url)).body == b"the same octets"
    listed = read(server, submission["location"])
    assert listed["entry"] == [{"item": {"reference": document["location"].removeprefix(f"{server.url}/fhir/")}}]
    assert listed["title"] == "A submission"


def test_xds_finds_what_fhir_submitted(server: Server, patient: str) -> None:
    bundle = fhir.a_provide_bundle(patient, b"both doors")
    provide(server, bundle)
    sent = bundle["entry"][0]["resource"]
    unique_id = sent["masterIdentifier"]["value"].removeprefix("urn:oid:")
    answer = messages.query(server, messages.GET_DOCUMENTS, {"$XDSDocumentEntryUniqueId": f"('{unique_id}')"})
    (entry,) = answer.envelope.iter("{*}ExtrinsicObject")
    slots = {slot.get("name"): [one.text for one in slot.iter("{*}Value")] for slot in entry.iterchildren("{*}Slot")}
    assert slots["creationTime"] == ["20260310083000"]
    assert slots["languageCode"] == ["fr-FR"]
    assert slots["size"] == ["10"]
    assert slots["sourcePatientId"] == ["MRN-1^^^&2.25.98&ISO"]
    assert "PID-5|Durand^Aline^^^^^L" in (slots["sourcePatientInfo"] or [])
    classified = {one.get("nodeRepresentation") for one in entry.iter("{*}Classification")}
    assert {"11488-4", "REPORTS", "N", "82242000", "408467006", "PATDOC"} <= classified


def test_every_finding_is_in_one_outcome_with_its_place(server: Server, patient: str) -> None:
    bundle = fhir.a_provide_bundle(patient, type=None, securityLabel=None)
    bundle["entry"][0]["resource"]["content"][0].pop("format")
    bundle["entry"][1]["resource"].pop("extension")
    issues = refuse(server, bundle)
    assert {
        "Bundle.entry[0].resource.type",
        "Bundle.entry[0].resource.securityLabel",
        "Bundle.entry[0].resource.content[0].format",
        "Bundle.entry[1].resource.extension",
    } <= set(expressions(issues))


def test_what_the_registry_refuses_is_said_in_the_words_of_the_bundle(server: Server, patient: str) -> None:
    bundle = fhir.a_provide_bundle(patient)
    bundle["entry"][0]["resource"]["content"][0]["attachment"]["size"] = 3
    (issue,) = refuse(server, bundle)
    assert issue["expression"] == ["Bundle.entry[0].resource.content[0].attachment.size"]
    assert issue["details"]["coding"][0]["code"] == "XDSRepositoryMetadataError"
    assert "urn:uuid:" not in issue["diagnostics"]


@pytest.mark.parametrize(
    ("path", "value", "expression"),
    [
        (("type",), [], "type"),
        (("status",), "final", "status"),
        (("unknown",), 1, ""),
        (("content", 0, "attachment", "creation"), "yesterday", "content[0].attachment.creation"),
        (("content", 0, "attachment", "hash"), "%%%", "content[0].attachment.hash"),
        (("date",), "2026-03-10T09:00:00", "date"),
        (("description",), "a\u0000b", "description"),
        (("subject", "reference"), "Patient/999", "subject"),
        (("relatesTo",), [{"code": "replaces", "target": {"reference": "DocumentReference/x"}}], "relatesTo[0].target"),
    ],
)
def test_a_broken_element_is_named(
    server: Server, patient: str, path: tuple[str | int, ...], value: object, expression: str
) -> None:
    bundle = fhir.a_provide_bundle(patient)
    place: Any = bundle["entry"][0]["resource"]
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    found = expressions(refuse(server, bundle))
    assert any(one == f"Bundle.entry[0].resource{'.' if expression else ''}{expression}" for one in found), found


@pytest.mark.parametrize("with_patch", [False, True])
def test_a_replacement_supersedes_with_and_without_the_patch_entry(
    server: Server, patient: str, with_patch: bool
) -> None:
    original = provide(server, fhir.a_provide_bundle(patient, b"one"))[0]["location"]
    relation = [{"code": "replaces", "target": {"reference": original}}]
    bundle = fhir.a_provide_bundle(patient, b"two", relatesTo=relation)
    if with_patch:
        bundle["entry"].append(
            fhir.an_entry(a_patch(), method="PATCH", url=original.removeprefix(f"{server.url}/fhir/"))
        )
    answers = provide(server, bundle)
    assert read(server, original)["status"] == "superseded"
    newer = read(server, answers[0]["location"])
    assert newer["status"] == "current"
    target = original.removeprefix(f"{server.url}/fhir/")
    assert newer["relatesTo"] == [{"code": "replaces", "target": {"reference": target}}]
    if with_patch:
        assert (answers[-1]["status"], answers[-1]["location"]) == ("200 OK", original)


def a_patch(value: str = "superseded") -> dict[str, Any]:
    parts = [
        {"name": "path", "valueString": "DocumentReference.status"},
        {"name": "type", "valueCode": "replace"},
        {"name": "value", "valueCode": value},
    ]
    return {"resourceType": "Parameters", "parameter": [{"name": "operation", "part": parts}]}


def test_a_patch_of_anything_else_is_refused(server: Server, patient: str) -> None:
    other = provide(server, fhir.a_provide_bundle(patient))[0]["location"].removeprefix(f"{server.url}/fhir/")
    bundle = fhir.a_provide_bundle(patient)
    bundle["entry"].append(fhir.an_entry(a_patch("current"), method="PATCH", url=other))
    found = expressions(refuse(server, bundle))
    assert "Bundle.entry[3].request.url" in found
    assert "Bundle.entry[3].resource" in found


def test_a_superseded_document_is_not_replaced_again(server: Server, patient: str) -> None:
    original = provide(server, fhir.a_provide_bundle(patient))[0]["location"]
    relation = [{"code": "replaces", "target": {"reference": original}}]
    provide(server, fhir.a_provide_bundle(patient, relatesTo=relation))
    issues = refuse(server, fhir.a_provide_bundle(patient, relatesTo=relation))
    assert [one["details"]["coding"][0]["code"] for one in issues] == ["XDSRegistryDeprecatedDocumentError"]


@pytest.mark.parametrize("code", ["appends", "transforms"])
def test_an_addendum_and_a_transformation_leave_the_original_current(server: Server, patient: str, code: str) -> None:
    original = provide(server, fhir.a_provide_bundle(patient))[0]["location"]
    relation = [{"code": code, "target": {"reference": original}}]
    newer = provide(server, fhir.a_provide_bundle(patient, relatesTo=relation))[0]["location"]
    assert read(server, original)["status"] == "current"
    assert read(server, newer)["relatesTo"][0]["code"] == code


def test_a_folder_is_made_and_gets_members(server: Server, patient: str) -> None:
    document, folder, binary = fhir.a_urn(), fhir.a_urn(), fhir.a_urn()
    made = provide(
        server,
        fhir.a_bundle(
            fhir.an_entry(fhir.a_submission_set_list(patient, document, folder)),
            fhir.an_entry(fhir.a_document_reference(patient, binary), document),
            fhir.an_entry(fhir.a_folder_list(patient, document), folder),
            fhir.an_entry(fhir.a_binary(), binary),
        ),
    )
    place = made[2]["location"]
    first = made[1]["location"].removeprefix(f"{server.url}/fhir/")
    assert [one["item"]["reference"] for one in read(server, place)["entry"]] == [first]
    newer, other = fhir.a_urn(), fhir.a_urn()
    update = fhir.a_bundle(
        fhir.an_entry(fhir.a_submission_set_list(patient, newer, place)),
        fhir.an_entry(fhir.a_document_reference(patient, other), newer),
        fhir.an_entry(
            fhir.a_folder_list(patient, first, newer), place, "PUT", place.removeprefix(f"{server.url}/fhir/")
        ),
        fhir.an_entry(fhir.a_binary(), other),
    )
    answers = provide(server, update)
    assert (answers[2]["status"], answers[2]["location"]) == ("200 OK", place)
    assert len(read(server, place)["entry"]) == 2
    update = fhir.a_provide_bundle(patient)
    update["entry"].append(
        fhir.an_entry(fhir.a_folder_list(patient), place, "PUT", place.removeprefix(f"{server.url}/fhir/"))
    )
    assert "Bundle.entry[3].resource.entry" in expressions(refuse(server, update))


def test_a_fhir_document_is_kept_as_a_document(server: Server, patient: str) -> None:
    inner = {
        "resourceType": "Bundle",
        "identifier": {"system": "urn:ietf:rfc:3986", "value": fhir.a_urn()},
        "type": "document",
        "timestamp": "2026-03-10T09:00:00Z",
        "entry": [{"fullUrl": fhir.a_urn(), "resource": {"resourceType": "Basic", "code": {"text": "a composition"}}}],
    }
    document, bundle_url = fhir.a_urn(), fhir.a_urn()
    reference = fhir.a_document_reference(patient, bundle_url)
    attachment = reference["content"][0]["attachment"]
    attachment |= {"contentType": FHIR_JSON}
    attachment.pop("size"), attachment.pop("hash")
    answers = provide(
        server,
        fhir.a_bundle(
            fhir.an_entry(reference, document),
            fhir.an_entry(fhir.a_submission_set_list(patient, document)),
            fhir.an_entry(inner, bundle_url),
        ),
    )
    kept = read(server, answers[0]["location"])["content"][0]["attachment"]
    response = server.request("GET", kept["url"].removeprefix(server.url))
    assert json.loads(response.body) == inner
    assert response.headers["content-type"] == FHIR_JSON
    assert kept["size"] == len(response.body)


def test_minimal_metadata_is_taken_and_says_what_is_known(server: Server, patient: str) -> None:
    missing = dict.fromkeys(("type", "category", "securityLabel", "context", "author", "contained", "description"))
    bundle = fhir.a_provide_bundle(patient, level="Minimal", **missing)
    bundle["entry"][0]["resource"]["content"][0].pop("format")
    bundle["entry"][0]["resource"]["content"][0]["attachment"].pop("language")
    found = read(server, provide(server, bundle)[0]["location"])
    assert "type" not in found
    assert found["masterIdentifier"].items() >= bundle["entry"][0]["resource"]["masterIdentifier"].items()


def test_a_patient_that_the_bundle_brings_is_made_known_with_it(server: Server) -> None:
    url = fhir.a_urn()
    bundle = fhir.a_provide_bundle(url, level="Minimal")
    bundle["entry"].append(fhir.an_entry(fhir.a_patient(), url))
    answers = provide(server, bundle)
    identifier = bundle["entry"][3]["resource"]["identifier"][0]
    assert read(server, answers[3]["location"])["identifier"][0] == identifier
    found = find(server, "DocumentReference", ("patient", answers[3]["location"]), ("status", "current"))
    assert found["total"] == 1


def test_a_refused_bundle_makes_no_patient_known(server: Server) -> None:
    url = fhir.a_urn()
    bundle = fhir.a_provide_bundle(url, level="Minimal", masterIdentifier=None)
    bundle["entry"].append(fhir.an_entry(fhir.a_patient(), url))
    refuse(server, bundle)
    identifier = bundle["entry"][3]["resource"]["identifier"][0]
    token = f"{identifier['system']}|{identifier['value']}"
    assert find(server, "Patient", ("identifier", token))["total"] == 0


def test_two_patients_in_one_bundle_are_refused(server: Server, patient: str) -> None:
    bundle = fhir.a_provide_bundle(patient)
    bundle["entry"][1]["resource"]["subject"]["reference"] = fed(server, fhir.a_patient())
    issues = refuse(server, bundle)
    assert "XDSPatientIdDoesNotMatch" in [one["details"]["coding"][0]["code"] for one in issues if "details" in one]


@pytest.mark.parametrize("form", ["relative", "conditional", "logical", "versioned"])
def test_a_subject_may_be_said_in_every_form(server: Server, form: str) -> None:
    resource = fhir.a_patient()
    url = fed(server, resource)
    identifier = resource["identifier"][1]
    subject = {
        "relative": {"reference": url.removeprefix(f"{server.url}/fhir/")},
        "conditional": {"reference": f"Patient?identifier={identifier['system']}|{identifier['value']}"},
        "logical": {"identifier": identifier},
        "versioned": {"reference": f"{url}/_history/1"},
    }[form]
    bundle = fhir.a_provide_bundle(url)
    for entry in bundle["entry"][:2]:
        entry["resource"]["subject"] = subject
    assert read(server, provide(server, bundle)[0]["location"])["subject"] == subject
    assert find(server, "DocumentReference", ("patient", url), ("status", "current"))["total"] == 1


def test_the_same_bundle_twice_is_refused_by_its_unique_ids(server: Server, patient: str) -> None:
    bundle = fhir.a_provide_bundle(patient)
    provide(server, bundle)
    response = send(server, "POST", "/fhir", bundle)
    assert response.status == 400
    codes = {one["details"]["coding"][0]["code"] for one in json.loads(response.body)["issue"]}
    assert codes == {"XDSDuplicateUniqueIdInRegistry"}


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        (b"{", FHIR_JSON, 400),
        (b'{"resourceType":"Bundle","resourceType":"Bundle"}', FHIR_JSON, 400),
        (b"[]", FHIR_JSON, 400),
        (b'{"resourceType":"Patient"}', FHIR_JSON, 400),
        (b"{}", "text/plain", 415),
    ],
)
def test_what_is_no_bundle_is_refused(server: Server, body: bytes, kind: str, status: int) -> None:
    response = server.request("POST", "/fhir", body, {"Content-Type": kind})
    assert response.status == status
    OperationOutcome.model_validate(json.loads(response.body))


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


@pytest.fixture(scope="module")
def document(server: Server, patient: str) -> str:
    """The path of a document of 200,000 octets."""
    answers = provide(server, fhir.a_provide_bundle(patient, bytes(range(250)) * 800))
    return answers[2]["location"].removeprefix(server.url)


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


def a_publication(subject: str, content: bytes = b"simply", **changes: Any) -> dict[str, Any]:
    resource = fhir.a_document_reference(subject, "", content, **changes)
    attachment = resource["content"][0]["attachment"]
    attachment.pop("url")
    attachment["data"] = base64.b64encode(content).decode()
    return resource


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


def test_everything_that_was_done_or_refused_is_on_record(server: Server, patient: str) -> None:
    trail = Trail(server)

    def told() -> list[tuple[str, int]]:
        return [(one.type_codes[0].code, int(one.outcome)) for one in trail.records()]

    bundle = fhir.a_provide_bundle(patient)
    provide(server, bundle)
    (record,) = trail.records()
    assert (record.type_codes[0].code, int(record.outcome)) == ("ITI-65", 0)
    sent = bundle["entry"][1]["resource"]["identifier"][0]["value"].removeprefix("urn:oid:")
    assert sent in [one.id for one in record.objects]
    send(server, "POST", "/fhir", fhir.a_provide_bundle(patient, type=None))
    assert told() == [("ITI-65", 8)]
    send(server, "POST", "/fhir/DocumentReference", a_publication(patient))
    assert told() == [("ITI-105", 0)]
    send(server, "POST", "/fhir/DocumentReference", a_publication(patient) | {"docStatus": "final"})
    assert told() == [("ITI-105", 8)]
    fed(server, fhir.a_patient())
    assert told() == [("ITI-104", 0)]
    find(server, "List", ("patient", patient), ("code", "folder"))
    assert told() == [("ITI-66", 0)]


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


def test_a_reference_within_the_bundle_may_be_relative_to_the_url_of_its_entry(server: Server, patient: str) -> None:
    bundle = fhir.a_provide_bundle(patient, b"relative")
    text = json.dumps(bundle)
    for entry, name in zip(bundle["entry"], ("one", "two", "three"), strict=True):
        kind = entry["resource"]["resourceType"]
        text = text.replace(entry["fullUrl"], f"https://source.example/fhir/{kind}/{name}")
    relative = json.loads(text)
    relative["entry"][0]["resource"]["content"][0]["attachment"]["url"] = "Binary/three"
    relative["entry"][1]["resource"]["entry"][0]["item"]["reference"] = "DocumentReference/one"
    locations = [one["location"] for one in provide(server, relative)]
    assert server.request("GET", locations[2].removeprefix(server.url)).body == b"relative"
    listed = json.loads(server.request("GET", locations[1].removeprefix(server.url)).body)
    assert listed["entry"][0]["item"]["reference"] == locations[0].removeprefix(f"{server.url}/fhir/")


def test_a_replacement_that_is_refused_is_named_by_its_reference(server: Server, patient: str) -> None:
    first = provide(server, fhir.a_provide_bundle(patient))[0]["location"].removeprefix(f"{server.url}/fhir/")
    relation = [{"code": "replaces", "target": {"reference": first}}]
    provide(server, fhir.a_provide_bundle(patient, relatesTo=relation))
    refused = send(server, "POST", "/fhir", fhir.a_provide_bundle(patient, relatesTo=relation))
    (issue,) = json.loads(refused.body)["issue"]
    assert issue["expression"] == ["Bundle.entry[0].resource.relatesTo[0].target"]
    assert issue["location"] == ["/f:Bundle/f:entry[1]/f:resource/*/f:relatesTo[1]/f:target"]


def test_what_is_followed_on_is_found_at_every_step(server: Server, patient: str) -> None:
    chain, relation = [], None
    for _ in range(3):
        place = provide(server, fhir.a_provide_bundle(patient, relatesTo=relation))[0]["location"]
        chain.append(place.rpartition("/")[2])
        relation = [{"code": "appends", "target": {"reference": f"DocumentReference/{chain[-1]}"}}]

    def beside(*asked: tuple[str, str]) -> set[str]:
        found = find(server, "DocumentReference", *asked)
        return {one["resource"]["id"] for one in found["entry"] if one["search"]["mode"] == "include"}

    newest, oldest = ("_id", chain[2]), ("_id", chain[0])
    assert beside(newest, ("_include", "DocumentReference:relatesto")) == {chain[1]}
    for name in ("_include:iterate", "_include:recurse"):
        assert beside(newest, (name, "DocumentReference:relatesto")) == {chain[0], chain[1]}
    assert beside(oldest, ("_revinclude:iterate", "DocumentReference:relatesto:DocumentReference")) == set(chain[1:])
    assert len(beside(oldest, ("_revinclude:iterate", "List:item"))) == 1
    assert len(beside(oldest, ("_include", "DocumentReference:patient:Patient"))) == 1
    assert len(beside(newest, ("_include", "*"))) == 2
    for value in ("List:author", "DocumentReference:patient:Group", "*:*"):
        query = urlencode([newest, ("_include:iterate", value)])
        assert server.request("GET", f"/fhir/DocumentReference?{query}").status == 400
