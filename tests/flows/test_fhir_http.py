"""What HTTP asks of the FHIR door: methods, forms, conditions, preferences, parts. FHIR R4 3.1.0; RFC 9110."""

import base64
import gzip
import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest
from fhir.resources.R4B.parameters import Parameters

from carnet.cross_origin import origins
from carnet.settings import SettingsError
from fhir_facade import iti78_mobile_patient_demographics_query as iti78
from tests import fhir_bundles as fhir
from tests import servers
from tests.flows.test_provide_document_bundle import fed, provide, send
from tests.servers import Response, Server

FORM = "application/x-www-form-urlencoded"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with servers.in_process(servers.settings_for(tmp_path_factory.mktemp("carnet"), domain="ihe")) as running:
        yield running


@pytest.fixture(scope="module")
def patient(server: Server) -> str:
    """`Patient/1`, with two identifiers and one document."""
    place = fed(server, fhir.a_patient("P1")).removeprefix(f"{server.url}/fhir/")
    provide(server, fhir.a_provide_bundle(place, b"0123456789"))
    return place


@pytest.fixture(scope="module")
def document(server: Server, patient: str) -> str:
    """`DocumentReference/…`"""
    found = json.loads(server.request("GET", f"/fhir/DocumentReference?patient={patient}").body)
    return f"DocumentReference/{found['entry'][0]['resource']['id']}"


def get(server: Server, path: str, method: str = "GET", body: bytes | None = None, **headers: str) -> Response:
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    return server.request(method, f"/fhir/{path}", body, given)


def told(response: Response) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(response.body)
    return found


@pytest.mark.parametrize("path", ["metadata", "{document}", "{patient}", "{document}/_history", "DocumentReference"])
def test_a_slash_behind_a_path_changes_nothing(server: Server, patient: str, document: str, path: str) -> None:
    place = path.format(document=document, patient=patient)
    query = f"?patient={patient}" if path == "DocumentReference" else ""
    without, with_slash = (told(get(server, f"{place}{slash}{query}")) for slash in ("", "/"))
    assert with_slash == without


@pytest.mark.parametrize(
    ("path", "methods"),
    [
        ("", "GET, HEAD, POST"),
        ("metadata", "GET, HEAD"),
        ("{document}", "GET, HEAD, PATCH"),
        ("List/x", "GET, HEAD"),
        ("List", "GET, HEAD, POST"),
        ("DocumentReference", "GET, HEAD, POST, PATCH"),
        ("Patient", "GET, HEAD, POST, PUT"),
    ],
)
def test_a_path_tells_its_methods_and_refuses_others_by_405(
    server: Server, document: str, path: str, methods: str
) -> None:
    place = path.format(document=document)
    options = get(server, place, "OPTIONS")
    assert (options.status, options.headers["allow"]) == (204, f"{methods}, OPTIONS")
    refused = get(server, place, "DELETE")
    assert (refused.status, refused.headers["allow"]) == (405, f"{methods}, OPTIONS")
    assert told(refused)["resourceType"] == "OperationOutcome"


@pytest.mark.parametrize(
    "path", ["Observation", "DocumentReference/x/y", "DocumentReference/$everything", "$all", "no/"]
)
def test_what_is_not_there_has_no_methods(server: Server, path: str) -> None:
    for method in ("GET", "POST", "OPTIONS"):
        assert get(server, path, method).status == 404


def test_a_form_says_what_the_url_would(server: Server, patient: str) -> None:
    search = "DocumentReference/_search"
    found = told(get(server, f"DocumentReference?patient={patient}"))
    asked = f"patient={patient}".encode()
    for response in (
        get(server, search, "POST", asked, Content_Type=FORM),
        get(server, search, "POST", gzip.compress(asked), Content_Type=FORM, Content_Encoding="gzip"),
        get(server, search, "POST", gzip.compress(asked), Content_Type=FORM, Content_Encoding="x-gzip"),
        get(server, "DocumentReference", "POST", asked, Content_Type=FORM),
        get(server, f"DocumentReference?patient={patient}", "POST"),
        get(server, f"{search}?patient={patient}", "POST"),
        get(server, f"{search}?patient={patient}"),
    ):
        assert told(response) == found
    both = get(server, f"{search}?patient={patient}", "POST", b"type=other", Content_Type=FORM)
    assert told(both)["total"] == 0
    lists = get(server, f"List?code=submissionset&patient={patient}", "POST")
    assert told(lists)["total"] == 1
    as_xml = get(server, search, "POST", asked + b"&_format=xml", Content_Type=FORM)
    assert as_xml.headers["content-type"].startswith("application/fhir+xml")
    assert get(server, search, "POST", asked + b"&_pretty=x", Content_Type=FORM).status == 400


def test_the_whole_server_is_searched_for_one_type(server: Server, patient: str) -> None:
    asked = f"patient={patient}&code=submissionset"
    of_type = told(get(server, f"List?{asked}"))
    assert of_type["total"] >= 1
    assert told(get(server, f"?_type=List&{asked}"))["entry"] == of_type["entry"]
    form = f"_type=List&{asked}".encode()
    assert told(get(server, "_search", "POST", form, Content_Type=FORM))["entry"] == of_type["entry"]
    for query in ("", "_type=", "_type=Patient", "_type=List,DocumentReference", "_type=List&_type=List"):
        assert get(server, f"?{query}&{asked}").status == 400, query


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        (b"{}", "application/fhir+json", 415),
        (b"patient=x", "text/plain", 415),
        (b"a=1&" * 1001, FORM, 400),
        (b"patient=" + b"x" * 10**6, FORM, 413),
    ],
)
def test_a_form_that_is_none_is_refused(server: Server, body: bytes, kind: str, status: int) -> None:
    assert get(server, "DocumentReference/_search", "POST", body, Content_Type=kind).status == status


@pytest.mark.parametrize("kind", ["document", "list", "patient"])
def test_what_did_not_change_is_not_sent_again(server: Server, patient: str, document: str, kind: str) -> None:
    lists = told(get(server, f"List?code=submissionset&patient={patient}"))
    one = {"document": document, "list": f"List/{lists['entry'][0]['resource']['id']}", "patient": patient}[kind]
    state = get(server, one).headers
    etag, changed = state["etag"], state["last-modified"]
    assert get(server, one, If_None_Match=etag).status == 304
    assert get(server, one, If_None_Match=f'"other", {etag}').status == 304
    assert get(server, one, If_Modified_Since=changed).status == 304
    assert get(server, one, If_Modified_Since="Mon, 01 Jan 2001 00:00:00 GMT").status == 200
    assert get(server, one, If_Modified_Since="yesterday").status == 200
    assert get(server, one, If_None_Match='W/"x"', If_Modified_Since=changed).status == 200


def test_a_read_shows_the_part_that_is_wanted(server: Server, patient: str, document: str) -> None:
    part = told(get(server, f"{document}?_elements=type"))
    assert {"id", "meta", "status", "content", "type"} >= part.keys() - {"resourceType"}
    assert part["meta"]["tag"][0]["code"] == "SUBSETTED"
    assert "text" not in told(get(server, f"{document}?_summary=data"))
    assert "birthDate" not in told(get(server, f"{patient}?_elements=name"))
    assert get(server, f"{document}?_summary=count").status == 400


def test_patients_are_narrowed_by_what_is_known_of_them(server: Server, patient: str) -> None:
    def total(query: str) -> int:
        found: int = told(get(server, f"Patient?identifier=P1&{query}"))["total"]
        return found

    for query in ("family=dur", "given=MARIE", "birthdate=1979", "birthdate=1979-03-17", "gender=female,male"):
        assert total(query) == 1, query
    for query in ("family=x", "birthdate=197", "gender=male", "active=true", "family=dur&given=x"):
        assert total(query) == 0, query
    assert get(server, "Patient?identifier=P1&birthdate=ge1979").status == 400
    assert get(server, "Patient?family=dur").status == 400
    counted = told(get(server, "Patient?identifier=P1&_summary=count"))
    assert (counted["total"], counted.get("entry")) == (1, None)
    assert counted["link"][0]["url"].startswith(f"{server.url}/fhir/Patient?identifier=P1")


def test_everybody_with_an_identifier_of_a_system_is_found(server: Server) -> None:
    system = "http://hospital.example/wards"
    keys = []
    for family in ("Ames", "Bois", "Cerf"):
        resource = fhir.a_patient() | {"name": [{"family": family}]}
        resource["identifier"][1]["system"] = system
        keys.append(fed(server, resource).rpartition("/")[2])
    found = told(get(server, f"Patient?identifier={system}|"))
    assert found["total"] == 3
    assert sorted(one["resource"]["id"] for one in found["entry"]) == sorted(keys)
    assert told(get(server, f"Patient?identifier={system}|&family=b"))["total"] == 1
    assert told(get(server, f"Patient?identifier={system}x|"))["total"] == 0
    assert told(get(server, f"Patient?identifier={system}|&_id={keys[0]}"))["total"] == 1
    assert told(get(server, f"Patient?identifier={system}|&_summary=count")).get("entry") is None
    of_domain = {one["resource"]["id"] for one in told(get(server, "Patient?identifier=urn:oid:2.25.99|"))["entry"]}
    assert of_domain > set(keys)
    page, shown = told(get(server, f"Patient?identifier={system}|&_count=2")), list[str]()
    while True:
        assert page["total"] == 3
        shown += [one["resource"]["id"] for one in page["entry"]]
        after = [one["url"] for one in page["link"] if one["relation"] == "next"]
        if not after:
            break
        page = told(get(server, after[0].removeprefix(f"{server.url}/fhir/")))
    assert shown == sorted(keys, key=int)


def test_more_patients_than_can_be_shown_are_not_cut_off(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(iti78, "MOST_FOUND", 1)
    fed(server, fhir.a_patient())
    fed(server, fhir.a_patient())
    refused = get(server, "Patient?identifier=urn:oid:2.25.99|")
    assert refused.status == 400
    assert json.loads(refused.body)["issue"][0]["code"] == "too-costly"


def test_the_other_identifiers_of_a_patient_are_told(server: Server, patient: str) -> None:
    def asked(query: str) -> list[dict[str, Any]]:
        response = get(server, f"Patient/$ihe-pix?{query}")
        assert response.status == 200, response.body
        found = told(response)
        Parameters.model_validate(found)
        parameters: list[dict[str, Any]] = found.get("parameter", [])
        return parameters

    first, second = told(get(server, patient))["identifier"]
    source = f"sourceIdentifier={quote('urn:oid:2.25.99|P1')}"
    assert asked(source) == [
        {"name": "targetIdentifier", "valueIdentifier": second},
        {"name": "targetId", "valueReference": {"reference": patient}},
    ]
    assert asked(f"{source}&targetSystem={second['system']}") == [
        {"name": "targetIdentifier", "valueIdentifier": second}
    ]
    assert asked(f"{source}&targetSystem=urn:oid:2.25.98") == []
    assert asked(f"sourceIdentifier={second['system']}|{second['value']}")[0]["valueIdentifier"] == first
    for query, status in (("", 400), ("sourceIdentifier=P1", 400), (f"{source}9", 404)):
        assert get(server, f"Patient/$ihe-pix?{query}").status == status, query


@pytest.mark.parametrize("form", ["identifier={}", "Patient?identifier={}", "{base}/Patient?identifier={}"])
@pytest.mark.parametrize("is_encoded", [False, True])
def test_a_patient_is_not_made_twice_however_the_condition_is_written(
    server: Server, patient: str, form: str, is_encoded: bool
) -> None:
    token = "urn:oid:2.25.99|P1"
    condition = form.format(quote(token, safe="") if is_encoded else token, base=f"{server.url}/fhir")
    body = json.dumps(fhir.a_patient("P1")).encode()
    made = get(server, "Patient", "POST", body, Content_Type="application/fhir+json", If_None_Exist=condition)
    assert (made.status, f"Patient/{told(made)['id']}") == (200, patient)


def test_an_update_is_of_the_version_that_is_named(server: Server) -> None:
    place = fed(server, fhir.a_patient("P7")).removeprefix(f"{server.url}/fhir/")
    update = {"Content_Type": "application/fhir+json"}
    body = json.dumps(fhir.a_patient("P7") | {"id": place.rpartition("/")[2]}).encode()
    by_identifier = "Patient?identifier=urn:oid:2.25.99|P7"
    for where in (place, by_identifier):
        assert get(server, where, "PUT", body, If_Match='W/"99"', **update).status == 412
        etag = get(server, place).headers["etag"]
        answer = get(server, where, "PUT", body, If_Match=etag, Prefer='return="minimal"', **update)
        assert (answer.status, answer.body) == (200, b"")
        assert answer.headers["etag"] != etag
    other = get(server, "Patient?identifier=urn:oid:2.25.99|P8", "PUT", body, **update)
    assert other.status == 400
    outcome = get(server, place, "PUT", body, Prefer="return=OperationOutcome", **update)
    assert told(outcome)["resourceType"] == "OperationOutcome"


@pytest.mark.parametrize("value", ["1" * 300, "a\u2028b"])
def test_an_identifier_that_no_registry_holds_is_the_fault_of_its_sender(server: Server, value: str) -> None:
    body = json.dumps(fhir.a_patient(value)).encode()
    answer = get(server, "Patient", "POST", body, Content_Type="application/fhir+json")
    [issue] = told(answer)["issue"]
    assert (answer.status, issue["code"], issue["expression"]) == (400, "value", ["Patient.identifier"])


def a_published(patient: str, **changes: Any) -> dict[str, Any]:
    resource = fhir.a_document_reference(patient, "")
    attachment = resource["content"][0]["attachment"]
    del attachment["url"]
    attachment["data"] = base64.b64encode(b"content").decode()
    return resource | changes


def test_a_document_is_not_published_twice_where_it_must_not_exist(server: Server, patient: str) -> None:
    resource = a_published(patient)
    identifier = resource["masterIdentifier"]["value"]

    def published(condition: str) -> Response:
        headers = {"Content-Type": "application/fhir+json", "If-None-Exist": condition}
        return server.request("POST", "/fhir/DocumentReference", json.dumps(resource).encode(), headers)

    made = published(f"identifier={quote(identifier, safe='')}")
    assert made.status == 201
    present = published(f"DocumentReference?identifier={identifier}")
    assert (present.status, told(present)["id"]) == (200, told(made)["id"])
    assert published(f"patient={patient}").status == 412
    assert published("foo=bar").status == 400
    assert published("DocumentReference?").status == 412


@pytest.mark.parametrize(
    ("preference", "status"),
    [
        ("handling=strict", 400),
        ('handling="strict"', 400),
        ("return=minimal, handling = strict", 400),
        ("Handling=strict; x=y", 400),
        ("handling=lenient", 200),
        ("respond-async", 200),
        ("nothandling=strict", 200),
    ],
)
def test_a_preference_is_read_as_it_may_be_written(server: Server, patient: str, preference: str, status: int) -> None:
    assert get(server, f"DocumentReference?patient={patient}&foo=bar", Prefer=preference).status == status


def test_a_document_in_the_format_of_the_url_and_what_part_of_it_there_is(server: Server, document: str) -> None:
    binary = document.replace("DocumentReference", "Binary")
    assert get(server, binary).body == b"0123456789"
    assert told(get(server, f"{binary}?_format=json", Accept="text/plain"))["contentType"] == "text/plain"
    assert get(server, f"{binary}?_format=application/fhir%2Bxml").body.startswith(b"<?xml")
    assert get(server, f"{binary}?_format=text/plain").body == b"0123456789"
    refused = get(server, binary, Range="bytes=10-")
    assert (refused.status, refused.headers["content-range"]) == (416, "bytes */10")


def test_a_publication_is_no_search(server: Server, patient: str) -> None:
    assert send(server, "POST", "/fhir/DocumentReference", a_published(patient)).status == 201


# --- pages of other sites --------------------------------------------------------------------

PAGE = "https://app.example.org"


@pytest.fixture(scope="module")
def open_to_pages(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    settings = servers.settings_for(tmp_path_factory.mktemp("pages"), domain="ihe", fhir_origins=f"{PAGE} http://other")
    with servers.in_process(settings) as running:
        yield running


def test_a_browser_is_told_that_a_page_may_use_the_door(open_to_pages: Server) -> None:
    asked = {"Origin": PAGE, "Access-Control-Request-Method": "PUT", "Access-Control-Request-Headers": "if-match"}
    preflight = open_to_pages.request("OPTIONS", "/fhir/Patient/1", None, asked)
    assert (preflight.status, preflight.headers["access-control-allow-origin"]) == (204, PAGE)
    assert "PUT" in preflight.headers["access-control-allow-methods"]
    for name in ("Authorization", "Prefer", "If-Match", "If-None-Match", "If-None-Exist"):
        assert name in preflight.headers["access-control-allow-headers"]
    for path in ("metadata", "DocumentReference?patient=Patient/1", "Binary/none"):
        found = get(open_to_pages, path, Origin=PAGE)
        assert found.headers["access-control-allow-origin"] == PAGE
        for name in ("Location", "Content-Location", "ETag", "Last-Modified"):
            assert name in found.headers["access-control-expose-headers"]
        assert "Origin" in found.headers["vary"]
    assert "access-control-allow-credentials" not in found.headers


@pytest.mark.parametrize("origin", ["https://app.example.org.evil.example", "null", "https://app.example.org/", "*"])
def test_other_pages_are_told_nothing(open_to_pages: Server, origin: str) -> None:
    assert "access-control-allow-origin" not in get(open_to_pages, "metadata", Origin=origin).headers
    preflight = open_to_pages.request(
        "OPTIONS", "/fhir/metadata", None, {"Origin": origin, "Access-Control-Request-Method": "GET"}
    )
    assert "access-control-allow-origin" not in preflight.headers


def test_by_default_no_page_may_use_the_door(server: Server) -> None:
    found = get(server, "metadata", Origin=PAGE)
    assert not [name for name in found.headers if name.startswith("access-control")]


@pytest.mark.parametrize("text", ["*", "app.example.org", "https://a.example/path", "ftp://a.example", "https://u@a"])
def test_an_origin_that_is_none_is_refused_at_the_start(text: str) -> None:
    with pytest.raises(SettingsError, match="fhir_origins"):
        origins(text)
