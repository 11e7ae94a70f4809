"""What ITI-41 wrote, ITI-67 finds and ITI-68 delivers, over real HTTP."""

import json
from dataclasses import replace
from typing import Any
from urllib.parse import quote, urlencode

import pytest
from fhir.resources.R4B.bundle import Bundle
from fhir.resources.R4B.capabilitystatement import CapabilityStatement
from fhir.resources.R4B.operationoutcome import OperationOutcome

from tests import messages
from tests.builders import (
    LOINC,
    OTHER_PATIENT,
    PATIENT,
    a_folder,
    a_replacement,
    a_submission,
    a_submission_set,
    an_association,
    an_entry,
)
from tests.flows.test_submit_query_retrieve import entry_uuid, pushed
from tests.servers import Response, Server
from xds.datatypes import DTM, XCN, Code, CXi

SYSTEM = "urn:oid:1.2.250.1.213.1.4.10"


def get(server: Server, path: str, **headers: str) -> Response:
    return server.request("GET", path, headers={name.replace("_", "-"): value for name, value in headers.items()})


def search(server: Server, *parameters: tuple[str, str], patient: str = PATIENT.id) -> dict[str, Any]:
    """A searchset that answered 200 and is a valid Bundle."""
    query = urlencode([("patient.identifier", f"{SYSTEM}|{patient}"), *parameters], quote_via=quote)
    response = get(server, f"/fhir/DocumentReference?{query}")
    assert response.status == 200, response.body
    found: dict[str, Any] = json.loads(response.body)
    Bundle.model_validate(found)
    return found


def unique_ids(bundle: dict[str, Any]) -> list[str]:
    return [
        entry["resource"]["masterIdentifier"]["value"].removeprefix("urn:oid:") for entry in bundle.get("entry", [])
    ]


def refused(response: Response, status: int) -> None:
    assert response.status == status, response.body
    assert response.headers["content-type"].startswith("application/fhir+json")
    OperationOutcome.model_validate(json.loads(response.body))


def test_fhir_finds_what_xds_submitted_and_reads_the_same_bytes(server: Server) -> None:
    content = b"<ClinicalDocument>both doors</ClinicalDocument>\r\n"
    entry = pushed(server, content)
    bundle = search(server, ("status", "current"))
    resources = {one["resource"]["masterIdentifier"]["value"]: one for one in bundle["entry"]}
    found = resources[f"urn:oid:{entry.unique_id}"]
    assert found["fullUrl"].startswith(f"{server.url}/fhir/DocumentReference/")
    attachment = found["resource"]["content"][0]["attachment"]
    assert attachment["url"].startswith(f"{server.url}/fhir/Binary/")
    response = get(server, attachment["url"].removeprefix(server.url), Accept="*/*")
    assert response.status == 200
    assert response.body == content
    assert response.headers["content-type"] == "text/xml"
    assert response.headers["content-disposition"] == "attachment"
    assert response.headers["x-content-type-options"] == "nosniff"


def test_both_doors_show_the_same_documents(server: Server) -> None:
    pushed(server, b"same truth")
    slots = {
        "$XDSDocumentEntryPatientId": f"'{PATIENT.key}'",
        "$XDSDocumentEntryStatus": "('urn:oasis:names:tc:ebxml-regrep:StatusType:Approved')",
    }
    answer = messages.query(server, messages.FIND_DOCUMENTS, slots)
    by_xds = {
        one.get("value")
        for one in answer.envelope.iter("{*}ExternalIdentifier")
        if one.get("identificationScheme") == "urn:uuid:2e82c1f6-a085-4c72-9da3-8640a32e42ab"
    }
    bundle = search(server, ("status", "current"), ("_count", "500"))
    assert set(unique_ids(bundle)) == by_xds
    assert bundle["total"] == len(by_xds)


def test_a_replaced_document_is_superseded_and_the_new_one_says_so(server: Server) -> None:
    original = pushed(server, b"one")
    uuid_of = entry_uuid(server, str(original.unique_id))
    newer = an_entry(content=b"two")
    submission = a_submission(newer, associations=(a_replacement(newer, uuid_of),))
    assert messages.provide(server, submission, {newer.entry_uuid: b"two"}).status == "Success"
    old = json.loads(get(server, f"/fhir/DocumentReference/{uuid_of.removeprefix('urn:uuid:')}").body)
    assert old["status"] == "superseded"
    current = search(server, ("status", "current"), ("_count", "500"))
    superseded = search(server, ("status", "superseded"), ("_count", "500"))
    assert newer.unique_id in unique_ids(current)
    assert original.unique_id not in unique_ids(current)
    assert original.unique_id in unique_ids(superseded)
    found = next(
        one["resource"]
        for one in current["entry"]
        if one["resource"]["masterIdentifier"]["value"].endswith(str(newer.unique_id))
    )
    assert found["relatesTo"] == [{"code": "replaces", "target": {"reference": f"DocumentReference/{old['id']}"}}]


def test_search_by_type_takes_uri_oid_and_code_alone(server: Server) -> None:
    entry = pushed(server, b"type")
    for value in ("http://loinc.org|11488-4", f"urn:oid:{LOINC}|11488-4", "11488-4", "1234-5,11488-4"):
        assert entry.unique_id in unique_ids(search(server, ("type", value), ("_count", "500")))
    for value in ("http://loinc.org|11502-2", "http://snomed.info/sct|11488-4"):
        assert entry.unique_id not in unique_ids(search(server, ("type", value), ("_count", "500")))


@pytest.mark.parametrize(
    ("value", "is_found"),
    [
        ("2025-12-24", True),
        ("2025-12", True),
        ("ge2025-12-24T18:00:00Z", True),
        ("ge2025-12-24T19:00:00+01:00", True),
        ("gt2025-12-24T18:00:00Z", False),
        ("lt2025-12-24T18:00:01Z", True),
        ("le2025-12-24T17:59:59Z", False),
        ("lt2025-12-24", False),
        ("eq2025-12-25", False),
    ],
)
def test_search_by_date_compares_the_creation_time(server: Server, value: str, *, is_found: bool) -> None:
    entry = pushed(server, b"dated", creation_time=DTM("20251224180000"))
    assert (entry.unique_id in unique_ids(search(server, ("date", value), ("_count", "500")))) is is_found


def test_repeated_dates_bound_a_range(server: Server) -> None:
    entry = pushed(server, b"range", creation_time=DTM("20240615"))
    bundle = search(server, ("date", "ge2024-06-01"), ("date", "lt2024-07-01"))
    assert unique_ids(bundle) == [entry.unique_id]
    assert bundle["total"] == 1


def test_an_identifier_is_found_with_and_without_system(server: Server) -> None:
    entry = pushed(server, b"identified")
    for value in (f"urn:oid:{entry.unique_id}", f"urn:ietf:rfc:3986|urn:oid:{entry.unique_id}"):
        response = get(server, f"/fhir/DocumentReference?{urlencode({'identifier': value})}")
        assert unique_ids(json.loads(response.body)) == [entry.unique_id]


def test_pages_show_every_document_once_and_the_total_counts_all(server: Server) -> None:
    owner = a_submission_set(patient_id=OTHER_PATIENT)
    contents = {f"Document{number:02}": b"page %d" % number for number in range(7)}
    entries = [an_entry(entry_uuid=key, content=value, patient_id=OTHER_PATIENT) for key, value in contents.items()]
    answer = messages.provide(server, a_submission(*entries, submission_set=owner), contents)
    assert answer.status == "Success", answer.contexts
    bundle = search(server, ("_count", "3"), patient=OTHER_PATIENT.id)
    seen = unique_ids(bundle)
    while following := next((one["url"] for one in bundle["link"] if one["relation"] == "next"), None):
        assert bundle["total"] == 7
        bundle = json.loads(get(server, following.removeprefix(server.url)).body)
        seen += unique_ids(bundle)
    assert sorted(seen) == sorted(str(entry.unique_id) for entry in entries)


def test_search_by_post_is_the_same_search(server: Server) -> None:
    entry = pushed(server, b"posted")
    body = urlencode({"patient.identifier": f"{SYSTEM}|{PATIENT.id}", "_count": "500"}).encode()
    response = server.post("/fhir/DocumentReference/_search", body, "application/x-www-form-urlencoded")
    assert entry.unique_id in unique_ids(json.loads(response.body))


def test_an_unknown_patient_has_an_empty_searchset(server: Server) -> None:
    bundle = search(server, patient="000")
    assert bundle["total"] == 0
    assert "entry" not in bundle


@pytest.mark.parametrize(
    "query",
    [
        "",
        "status=current",
        f"patient.identifier={SYSTEM}%7C",
        f"patient.identifier={SYSTEM}%7C1,{SYSTEM}%7C2",
        f"patient.identifier={SYSTEM}%7C1&date=yesterday",
        f"patient.identifier={SYSTEM}%7C1&date=2026-02-30",
        f"patient.identifier={SYSTEM}%7C1&date=about2026",
        f"patient.identifier={SYSTEM}%7C1&type:text=report",
        f"patient.identifier={SYSTEM}%7C1&_sort=title",
        f"patient.identifier={SYSTEM}%7C1&_count=-1",
        f"patient.identifier={SYSTEM}%7C1&_count=many",
        f"patient.identifier={SYSTEM}%7C1%00",
        f"patient.identifier={SYSTEM}%7C1&type=a%00b",
        f"patient.identifier={SYSTEM}%7C1&date=0001-01-01T00:00:00%2B14:00",
    ],
)
def test_a_search_that_cannot_be_served_is_refused_with_an_operation_outcome(server: Server, query: str) -> None:
    refused(get(server, f"/fhir/DocumentReference?{query}"), 400)


def test_a_patient_is_found_by_an_identifier_without_its_system(server: Server) -> None:
    """PDSm 5.2"""
    entry = pushed(server, b"by value alone")
    response = get(server, f"/fhir/DocumentReference?patient.identifier={PATIENT.id}&_count=500")
    assert response.status == 200
    assert entry.unique_id in unique_ids(json.loads(response.body))


def test_a_submission_set_and_a_folder_are_found_as_lists(server: Server) -> None:
    entry, folder = an_entry(content=b"listed"), a_folder()
    inside = an_association(source=folder.entry_uuid, target=entry.entry_uuid)
    owner = a_submission_set()
    member = an_association(source=owner.entry_uuid, target=inside.entry_uuid)
    submission = a_submission(entry, submission_set=owner, folders=(folder,), associations=(inside, member))
    assert messages.provide(server, submission, {entry.entry_uuid: b"listed"}).status == "Success"
    base = f"/fhir/List?patient.identifier={SYSTEM}%7C{PATIENT.id}&status=current"
    for code, unique_id, kinds in (
        ("submissionset", owner.unique_id, ["DocumentReference", "List"]),
        ("folder", folder.unique_id, ["DocumentReference"]),
    ):
        found = json.loads(get(server, f"{base}&code={code}&identifier=urn:oid:{unique_id}").body)
        Bundle.model_validate(found)
        assert found["total"] == 1
        resource = found["entry"][0]["resource"]
        assert resource["code"]["coding"][0]["code"] == code
        members = [one["item"]["reference"] for one in resource["entry"]]
        assert [one.partition("/")[0] for one in members] == kinds
        for one in members:
            assert get(server, f"/fhir/{one}").status == 200
        assert get(server, found["entry"][0]["fullUrl"].removeprefix(server.url)).status == 200
    asked = f"{base}&code=submissionset&sourceId=urn:oid:{owner.source_id}&designationType=07&date=ge2026-03"
    assert json.loads(get(server, asked).body)["total"] >= 1
    assert json.loads(get(server, f"{base}&code=submissionset&date=lt2020").body)["total"] == 0
    refused(get(server, base), 400)


@pytest.mark.parametrize(
    ("name", "value", "is_found"),
    [
        ("author.family", "De%", False),
        ("author.family", "del", True),
        ("author.family", "Delaunay", True),
        ("author.family", "launay", False),
        ("author.family", "Marie", False),
        ("author.family", "Nobody,Del", True),
        ("author.given", "Mar", True),
        ("author.given", "louise", True),
        ("author.given", "Delaunay", False),
        ("related.identifier", "urn:oid:2.25.77|A_1", True),
        ("related:identifier", "A_1", True),
        ("related.identifier", "A%2525", False),
        ("related.identifier", "urn:oid:2.25.78|A_1", False),
        ("related.identifier", "AB1", False),
    ],
)
def test_authors_and_related_identifiers_are_searched(server: Server, name: str, value: str, is_found: bool) -> None:
    person = XCN.parse("899700218896^Delaunay^Marie^Louise^^^^^&1.2.250.1.71.4.2.1&ISO^D")
    related = CXi.parse("A_1^^^&2.25.77&ISO^urn:ihe:iti:xds:2013:order")
    author = a_submission_set().author[0]
    entry = pushed(server, b"author", author=(replace(author, author_person=person),), reference_id_list=(related,))
    found = unique_ids(search(server, (name, value), ("_count", "500")))
    assert (entry.unique_id in found) is is_found


def test_an_unknown_parameter_is_ignored_or_refused_as_preferred(server: Server) -> None:
    path = f"/fhir/DocumentReference?patient.identifier={SYSTEM}%7C1&colour=blue"
    assert get(server, path).status == 200
    refused(get(server, path, Prefer="handling=strict"), 400)


@pytest.mark.parametrize(
    "path",
    [
        "/fhir/DocumentReference/00000000-0000-4000-8000-000000000000",
        "/fhir/DocumentReference/nothing",
        "/fhir/Binary/00000000-0000-4000-8000-000000000000",
        "/fhir/Binary/..%2f..%2fetc",
        "/fhir/Observation",
    ],
)
def test_what_is_not_there_is_404(server: Server, path: str) -> None:
    refused(get(server, path), 404)


@pytest.mark.parametrize("path", ["/fhir/", "/fhir"])
def test_a_search_of_the_whole_server_names_its_type(server: Server, path: str) -> None:
    refused(get(server, path), 400)


def test_other_formats_are_refused(server: Server) -> None:
    path = f"/fhir/DocumentReference?patient.identifier={SYSTEM}%7C1"
    refused(get(server, path, Accept="text/html"), 406)
    refused(get(server, f"{path}&_format=ttl"), 406)
    assert get(server, path, Accept="application/fhir+xml;q=0.9, application/fhir+json;q=0.1").status == 200


def test_a_document_is_not_sent_again_to_who_has_it(server: Server) -> None:
    entry = pushed(server, b"cached")
    path = f"/fhir/Binary/{entry_uuid(server, str(entry.unique_id)).removeprefix('urn:uuid:')}"
    etag = get(server, path).headers["etag"]
    again = get(server, path, If_None_Match=etag)
    assert (again.status, again.body) == (304, b"")


def test_a_document_as_binary_resource_when_fhir_is_asked_for(server: Server) -> None:
    entry = pushed(server, b"wrapped \x00\xff")
    path = f"/fhir/Binary/{entry_uuid(server, str(entry.unique_id)).removeprefix('urn:uuid:')}"
    resource = json.loads(get(server, path, Accept="application/fhir+json").body)
    assert resource["resourceType"] == "Binary"
    assert resource["contentType"] == "text/xml"
    assert resource["data"] == "d3JhcHBlZCAA/w=="


def test_a_binary_resource_is_json_whatever_the_mime_type_says(server: Server) -> None:
    mime_type = 'text/xml; charset="utf-8"'
    entry = pushed(server, b"quoted", mime_type=mime_type)
    path = f"/fhir/Binary/{entry_uuid(server, str(entry.unique_id)).removeprefix('urn:uuid:')}"
    assert json.loads(get(server, path, Accept="application/fhir+json").body)["contentType"] == mime_type


def test_metadata_claims_only_what_is_served(server: Server) -> None:
    statement = json.loads(get(server, "/fhir/metadata").body)
    CapabilityStatement.model_validate(statement)
    resources = {one["type"]: one for one in statement["rest"][0]["resource"]}
    assert set(resources) == {"DocumentReference", "List", "Binary", "Patient"}
    assert [one["code"] for one in resources["Patient"]["interaction"]] == ["read", "search-type"]
    values = {"date": "2026", "token": "x", "reference": "Patient/1", "string": "x", "isArchived": "true"}
    for parameter in resources["DocumentReference"]["searchParam"]:
        if parameter["name"] in ("patient.identifier", "identifier", "_id"):
            continue
        search(server, (parameter["name"], values.get(parameter["name"], values[parameter["type"]])))
    for parameter in resources["List"]["searchParam"]:
        query = {"patient.identifier": f"{SYSTEM}|{PATIENT.id}", "code": "folder"}
        special = values | {"code": "submissionset", "patient.identifier": f"{SYSTEM}|1"}
        query[parameter["name"]] = special.get(parameter["name"], values[parameter["type"]])
        response = get(server, f"/fhir/List?{urlencode(query)}", Prefer="handling=strict")
        assert response.status == 200, response.body


def test_links_come_from_the_configured_url_not_from_the_host_header(server: Server) -> None:
    pushed(server, b"host")
    query = urlencode({"patient.identifier": f"{SYSTEM}|{PATIENT.id}"})
    response = get(server, f"/fhir/DocumentReference?{query}", Host="evil.example.org")
    assert b"evil.example.org" not in response.body


def test_codes_without_an_uri_keep_their_oid(server: Server) -> None:
    private = Code(code="999", coding_scheme="2.25.123", display_name="Privé")
    entry = pushed(server, b"codes", event_code_list=(private,))
    bundle = search(server, ("event", "urn:oid:2.25.123|999"))
    assert unique_ids(bundle) == [entry.unique_id]
    coding = bundle["entry"][0]["resource"]["context"]["event"][0]["coding"][0]
    assert coding == {"system": "urn:oid:2.25.123", "code": "999", "display": "Privé"}


def test_an_identifier_finds_by_status_without_naming_the_patient(server: Server) -> None:
    entry = pushed(server, b"<ClinicalDocument>by identifier</ClinicalDocument>")
    for status in ("current", "current,superseded"):
        found = get(server, f"/fhir/DocumentReference?identifier={entry.unique_id}&status={status}")
        assert (found.status, json.loads(found.body)["total"]) == (200, 1), found.body
