"""ITI-65 over real HTTP: what FHIR submits is what XDS holds."""

import json
from typing import Any
from urllib.parse import urlencode

import pytest
from fhir.resources.R4B.operationoutcome import OperationOutcome

from tests import fhir_bundles as fhir
from tests import messages
from tests.audit_store import Trail
from tests.flows.fhir_requests import FHIR_JSON, a_publication, expressions, fed, find, provide, read, refuse, send
from tests.servers import Server


@pytest.fixture(scope="module")
def server(fhir_server: Server) -> Server:
    return fhir_server


@pytest.fixture(scope="module")
def patient(server: Server) -> str:
    """The URL of a Patient of the server."""
    return fed(server, fhir.a_patient())


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


@pytest.mark.parametrize("name", ["ifNoneExist", "ifMatch", "ifNoneMatch", "ifModifiedSince"])
def test_a_condition_that_would_leave_an_entry_out_is_refused(server: Server, patient: str, name: str) -> None:
    bundle = fhir.a_provide_bundle(patient)
    value = "2026-01-01T00:00:00Z" if name == "ifModifiedSince" else "identifier=urn:oid:1.2"
    bundle["entry"][0]["request"][name] = value
    [issue] = refuse(server, bundle)
    assert (issue["code"], issue["expression"]) == ("not-supported", [f"Bundle.entry[0].request.{name}"])


def test_a_patient_that_is_there_already_is_not_fed_again(server: Server) -> None:
    known = fhir.a_patient()
    condition = f"identifier=urn:oid:2.25.99|{known['identifier'][0]['value']}"
    places = []
    for birth, status in (("1979-03-17", "201 Created"), ("1980-01-01", "200 OK")):
        urn = fhir.a_urn()
        bundle = fhir.a_provide_bundle(urn)
        entry = fhir.an_entry(known | {"birthDate": birth}, urn)
        entry["request"]["ifNoneExist"] = condition
        bundle["entry"].append(entry)
        answer = provide(server, bundle)[3]
        assert answer["status"] == status
        places.append(answer["location"])
    assert len(set(places)) == 1
    assert read(server, places[0])["birthDate"] == "1979-03-17"
    entry["request"]["ifNoneExist"] = "name=Durand"
    [issue] = refuse(server, bundle | {"entry": [*fhir.a_provide_bundle(urn)["entry"], entry]})
    assert issue["expression"] == ["Bundle.entry[3].request.ifNoneExist"]
