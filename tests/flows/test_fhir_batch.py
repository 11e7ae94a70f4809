"""Batches over real HTTP: each part is answered as if it had come by itself, for their sender. FHIR R4 3.1.0.11"""

import base64
import json
from collections.abc import Iterator
from typing import Any

import pytest
from fhir.resources.R4B.bundle import Bundle

from fhir_facade.fhir_xml import read_xml
from tests import fhir_bundles as fhir
from tests import servers
from tests.audit_store import Trail
from tests.flows.fhir_requests import fed, provide, send
from tests.flows.test_access_policy import MASKED, NURSE, World
from tests.flows.test_patch_document_reference import JSON_PATCH, TO_ARCHIVED, by
from tests.servers import Response, Server


@pytest.fixture(scope="module")
def server(fhir_server: Server) -> Server:
    return fhir_server


@pytest.fixture(scope="module")
def dmp(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with servers.in_process(servers.settings_for(tmp_path_factory.mktemp("carnet"))) as running:
        yield running


def a_batch(*entries: dict[str, Any]) -> dict[str, Any]:
    return {"resourceType": "Bundle", "type": "batch", "entry": list(entries)}


def asked(method: str, url: str, resource: dict[str, Any] | None = None, **request: str) -> dict[str, Any]:
    entry: dict[str, Any] = {"request": {"method": method, "url": url, **request}}
    return entry | ({} if resource is None else {"resource": resource})


def answered(response: Response) -> list[dict[str, Any]]:
    assert response.status == 200, response.body
    bundle = json.loads(response.body)
    Bundle.model_validate(bundle)
    assert bundle["type"] == "batch-response"
    entries: list[dict[str, Any]] = bundle["entry"]
    return entries


def statuses(entries: list[dict[str, Any]]) -> list[str]:
    return [one["response"]["status"][:3] for one in entries]


def test_every_part_is_answered_in_its_place_and_none_keeps_another_from_it(server: Server) -> None:
    patient = fed(server, fhir.a_patient())
    place = provide(server, fhir.a_provide_bundle(patient))[0]["location"].removeprefix(f"{server.url}/fhir/")
    entries = answered(
        send(
            server,
            "POST",
            "/fhir",
            a_batch(
                asked("GET", place),
                asked("GET", f"{server.url}/fhir/DocumentReference?patient={patient}&_count=1"),
                asked("GET", "DocumentReference/nobody"),
                asked("GET", place, ifNoneMatch='W/"1"'),
                asked("GET", f"{place}/_history/1"),
                asked("GET", "DocumentReference?type:not=x"),
                asked("DELETE", place),
                asked("GET", "Observation"),
            ),
        )
    )
    assert statuses(entries) == ["200", "200", "404", "304", "200", "400", "405", "404"]
    assert entries[0]["resource"]["id"] == place.rpartition("/")[2]
    assert entries[0]["response"]["etag"] == 'W/"1"'
    assert entries[0]["response"]["lastModified"] == entries[0]["resource"]["meta"]["lastUpdated"]
    assert (entries[1]["resource"]["type"], entries[1]["resource"]["total"]) == ("searchset", 1)
    for refused in (2, 5, 6, 7):
        assert "resource" not in entries[refused]
        assert entries[refused]["response"]["outcome"]["issue"][0]["severity"] == "error"


def test_parts_may_write_and_each_is_on_record(server: Server) -> None:
    resource = fhir.a_patient()
    token = "{system}|{value}".format(**resource["identifier"][0])
    trail = Trail(server)
    entries = answered(
        send(
            server,
            "POST",
            "/fhir",
            a_batch(
                asked("POST", "Patient", resource),
                asked("POST", "Patient", resource, ifNoneExist=f"identifier={token}"),
                asked("POST", "Patient", resource),
                asked("GET", f"Patient?identifier={token}"),
                asked("POST", "DocumentReference", {"resourceType": "DocumentReference", "status": "current"}),
            ),
        )
    )
    assert statuses(entries) == ["201", "200", "409", "200", "400"]
    assert entries[0]["response"]["location"].startswith(f"{server.url}/fhir/Patient/")
    assert entries[3]["resource"]["total"] == 1
    recorded = [one.type_codes[0].code for one in trail.records()]
    assert sorted(recorded) == sorted(["ITI-104", "ITI-104", "ITI-78", "ITI-105"])


def test_a_batch_in_xml_is_answered_in_xml(server: Server) -> None:
    headers = {"Content-Type": "application/fhir+json", "Accept": "application/fhir+xml", "Accept-Encoding": "gzip"}
    body = json.dumps(a_batch(asked("GET", "DocumentReference/x"), asked("GET", "Patient?identifier=x"))).encode()
    response = server.request("POST", "/fhir", body, headers | {"Accept-Encoding": "identity"})
    assert statuses(read_xml(response.body)["entry"]) == ["404", "200"]


@pytest.mark.parametrize(
    "resource", ["x", 1, [], {}, {"resourceType": "Binary"}, {"resourceType": "Binary", "data": "é"}]
)
def test_a_resource_that_is_none_is_refused_in_its_place(server: Server, resource: Any) -> None:
    entries = [asked(method, "Patient?identifier=x", resource) for method in ("PUT", "GET")]
    entries += [asked("PATCH", "DocumentReference?identifier=x", resource), asked("POST", "Patient", resource)]
    assert statuses(answered(send(server, "POST", "/fhir", a_batch(*entries)))) in (
        ["400", "200", "404", "400"],
        ["415", "200", "404", "415"],
    )


@pytest.mark.parametrize("url", ["", "/", "metadata", "Binary/1", "https://other.example/fhir/Patient/1"])
def test_what_is_no_part_of_a_batch_is_refused_in_its_place(server: Server, url: str) -> None:
    entries = answered(send(server, "POST", "/fhir", a_batch(asked("GET", url or "?"), asked("GET", "Patient/1"))))
    assert statuses(entries)[0] in ("400", "404")
    assert statuses(entries)[1] == "404"


@pytest.mark.parametrize(
    ("url", "status"),
    [
        ("Patient?identifier=x&_format=xml", "200"),
        ("http://[", "400"),
        ("DocumentReference/%E2%82%AC", "404"),
        ("Patient?identifier=€", "200"),
    ],
)
def test_a_part_that_is_hard_to_read_keeps_no_other_from_its_answer(server: Server, url: str, status: str) -> None:
    entries = answered(send(server, "POST", "/fhir", a_batch(asked("GET", "Patient/1"), asked("GET", url))))
    assert statuses(entries) == ["404", status]


def test_a_number_that_nobody_can_keep_is_refused_in_its_place(server: Server) -> None:
    resource = {"resourceType": "Patient", "extension": [{"url": "x", "valueInteger": 10**30}]}
    entries = [asked("POST", "Patient", resource), asked("GET", "Patient/1")]
    assert statuses(answered(send(server, "POST", "/fhir", a_batch(*entries)))) == ["400", "404"]


@pytest.mark.parametrize(
    "bundle",
    [
        a_batch({"resource": {"resourceType": "Patient"}}),
        a_batch(*[asked("GET", "Patient/1")] * 101),
        a_batch(asked("GET", "Patient/1")) | {"type": "history"},
        a_batch(asked("COO", "Patient/1")),
    ],
)
def test_what_is_no_batch_is_refused_whole(server: Server, bundle: dict[str, Any]) -> None:
    assert send(server, "POST", "/fhir", bundle).status == 400


def test_an_empty_batch_has_an_empty_answer(server: Server) -> None:
    response = send(server, "POST", "/fhir", {"resourceType": "Bundle", "type": "batch"})
    assert json.loads(response.body) == {"resourceType": "Bundle", "type": "batch-response"}


def test_each_part_sees_what_its_sender_may_see(dmp: Server) -> None:
    world = World(dmp, NURSE)
    entry, masked = world.fed(), world.fed(MASKED)
    places = [f"DocumentReference/{(one.logical_id or '')[9:]}" for one in (entry, masked)]
    patch = {"resourceType": "Binary", "contentType": JSON_PATCH, "data": in_base64(TO_ARCHIVED)}
    bundle = a_batch(*(asked("GET", one) for one in places), *(asked("PATCH", one, patch) for one in places))
    seen = {}
    for subject in (NURSE, world.vihf):
        header = world.vihf(NURSE) if subject is NURSE else world.vihf()
        headers = by(header) | {"Content-Type": "application/fhir+json"}
        response = dmp.request("POST", "/fhir", json.dumps(bundle).encode(), headers)
        seen[subject is NURSE] = statuses(answered(response))
    assert seen == {True: ["200", "404", "403", "404"], False: ["200", "200", "200", "200"]}


def in_base64(operations: Any) -> str:
    return base64.b64encode(json.dumps(operations).encode()).decode()


def a_transaction(*entries: dict[str, Any]) -> dict[str, Any]:
    return {"resourceType": "Bundle", "type": "transaction", "entry": list(entries)}


def token_of(resource: dict[str, Any]) -> str:
    return "{system}|{value}".format(**resource["identifier"][0])


def total(server: Server, resource: dict[str, Any]) -> int:
    found: int = json.loads(server.request("GET", f"/fhir/Patient?identifier={token_of(resource)}").body)["total"]
    return found


def test_a_transaction_of_patients_feeds_all_of_them(server: Server) -> None:
    there, new, other = fhir.a_patient(), fhir.a_patient(), fhir.a_patient()
    fed(server, there)
    trail = Trail(server)
    bundle = a_transaction(
        asked("POST", "Patient", new),
        asked("POST", "Patient", there, ifNoneExist=f"identifier={token_of(there)}"),
        asked("PUT", f"Patient?identifier={token_of(other)}", other),
    )
    response = send(server, "POST", "/fhir", bundle)
    assert response.status == 200, response.body
    answer = json.loads(response.body)
    Bundle.model_validate(answer)
    assert answer["type"] == "transaction-response"
    assert statuses(answer["entry"]) == ["201", "200", "201"]
    assert [total(server, one) for one in (there, new, other)] == [1, 1, 1]
    assert [one.type_codes[0].code for one in trail.records()][:2] == ["ITI-104", "ITI-104"]


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"request": {"method": "DELETE", "url": "Patient"}}, 400),
        ({"request": {"method": "POST", "url": "List"}}, 400),
        ({"request": {"method": "PUT", "url": "Patient"}}, 400),
        ({"resource": {"resourceType": "Patient", "gender": 7}}, 400),
        ("twice", 400),
        ("known", 409),
    ],
)
def test_a_transaction_of_patients_is_fed_whole_or_not_at_all(server: Server, change: Any, status: int) -> None:
    first, second = fhir.a_patient(), fhir.a_patient()
    if change == "known":
        fed(server, second)
    entry = asked("POST", "Patient", first if change == "twice" else second)
    bundle = a_transaction(asked("POST", "Patient", first), entry | (change if isinstance(change, dict) else {}))
    refused = send(server, "POST", "/fhir", bundle)
    assert refused.status == status, refused.body
    assert json.loads(refused.body)["issue"][0]["expression"][0].startswith("Bundle.entry")
    assert total(server, first) == 0


def test_patients_are_not_fed_where_fhir_may_not_feed_them(dmp: Server) -> None:
    assert send(dmp, "POST", "/fhir", a_transaction(asked("POST", "Patient", fhir.a_patient()))).status in (400, 405)


def test_a_part_may_end_what_a_request_by_itself_may_end(server: Server) -> None:
    entries = answered(send(server, "POST", "/fhir", a_batch(asked("DELETE", "List/x"), asked("DELETE", "Nothing/x"))))
    assert statuses(entries) == ["405", "404"]


def test_a_transaction_that_reads_alone_is_answered_as_a_whole_or_refused(server: Server) -> None:
    patient = fed(server, fhir.a_patient())
    place = provide(server, fhir.a_provide_bundle(patient))[0]["location"].removeprefix(f"{server.url}/fhir/")
    good = [asked("GET", place), asked("GET", f"DocumentReference?patient={patient}")]

    def sent(*entries: dict[str, Any]) -> Response:
        return send(server, "POST", "/fhir", a_batch(*entries) | {"type": "transaction"})

    answer = json.loads(sent(*good).body)
    Bundle.model_validate(answer)
    assert answer["type"] == "transaction-response"
    assert statuses(answer["entry"]) == ["200", "200"]
    assert answer["entry"][1]["resource"]["total"] == 1
    refused = sent(*good, asked("GET", "List/none"), asked("GET", "DocumentReference?type=x"))
    issues = json.loads(refused.body)["issue"]
    assert refused.status == 400
    assert [one["expression"] for one in issues] == [["Bundle.entry[2]"], ["Bundle.entry[3]"]]
    assert [one["code"] for one in issues] == ["not-found", "required"]
    assert sent(*good, asked("DELETE", place)).status == 400
