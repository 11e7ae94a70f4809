"""What /metadata and /openapi.json claim is served, each part of it tried."""

import json
from collections.abc import Iterator
from copy import deepcopy
from typing import Any
from urllib.parse import urlencode

import pytest
from fhir.resources.R4B.capabilitystatement import CapabilityStatement
from fhir.resources.R4B.operationoutcome import OperationOutcome
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fhir_facade.sorting import SORTS
from tests import fhir_bundles as fhir
from tests import servers
from tests.flows.fhir_requests import fed, provide, send
from tests.flows.subscribed import wanted
from tests.servers import Server

JSON_PATCH = "application/json-patch+json"
TARGET = "http://127.0.0.1:1/told"
VALUES = {"date": "ge2020", "token": "x", "string": "x"}


@pytest.fixture(scope="module")
def server(database: str, tmp_path_factory: pytest.TempPathFactory) -> Any:
    given = {"domain": "ihe", "audit": "on", "notification_targets": TARGET}
    settings = servers.settings_for(tmp_path_factory.mktemp("carnet"), database, **given)
    with servers.in_process(settings) as running:
        yield running


@pytest.fixture(scope="module")
def known(server: Server) -> dict[str, str]:
    """Resource type -> an id that can be read."""
    patient = fed(server, fhir.a_patient())
    answers = provide(server, fhir.a_provide_bundle(patient))
    found = dict(one["location"].split("/")[-2:] for one in answers)
    subscribed = send(server, "POST", "/fhir/Subscription", wanted(TARGET, filters=("DocumentReference?type=x",)))
    assert subscribed.status == 201
    log = json.loads(server.request("GET", f"/fhir/AuditEvent?patient={patient}").body)
    return found | {
        "Patient": patient.rpartition("/")[2],
        "Subscription": json.loads(subscribed.body)["id"],
        "AuditEvent": log["entry"][0]["resource"]["id"],
    }


def statement(server: Server) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(server.request("GET", "/fhir/metadata").body)
    CapabilityStatement.model_validate(found)
    return found


def test_every_interaction_that_is_declared_is_served(server: Server, known: dict[str, str]) -> None:
    rest = statement(server)["rest"][0]
    assert [one["code"] for one in rest["interaction"]] == ["batch", "search-system", "transaction"]
    assert server.request("GET", f"/fhir?_type=DocumentReference&patient={known['Patient']}").status == 200
    for kind in ("batch", "transaction"):
        answered = send(server, "POST", "/fhir", {"resourceType": "Bundle", "type": kind})
        assert answered.status == (200 if kind == "batch" else 400)
    for resource in rest["resource"]:
        kind = resource["type"]
        for code in [one["code"] for one in resource["interaction"]]:
            if (kind, code) == ("Subscription", "delete"):
                assert server.request("DELETE", f"/fhir/{kind}/none").status == 404
            elif code == "read":
                assert server.request("GET", f"/fhir/{kind}/{known[kind]}").status == 200
            elif code == "create":
                assert send(server, "POST", f"/fhir/{kind}", {"resourceType": kind, "id": "_"}).status in (400, 422)
            elif code == "update":
                assert (
                    send(server, "PUT", f"/fhir/{kind}?identifier=x", {"resourceType": kind, "id": "_"}).status == 400
                )
            elif code == "patch":
                path = f"/fhir/{kind}/{known[kind]}"
                assert server.request("PATCH", path, b"{}", {"Content-Type": JSON_PATCH}).status == 400
                mask = json.dumps([{"op": "test", "path": "/status", "value": "current"}]).encode()
                assert server.request("PATCH", path, mask, {"Content-Type": JSON_PATCH}).status == 200
            elif code in ("vread", "history-instance"):
                version = "/1" if code == "vread" else ""
                assert server.request("GET", f"/fhir/{kind}/{known[kind]}/_history{version}").status == 200
            else:
                assert code == "search-type"


def test_every_search_parameter_and_include_that_is_declared_is_served(server: Server, known: dict[str, str]) -> None:
    patient = f"Patient/{known['Patient']}"
    for resource in statement(server)["rest"][0]["resource"]:
        kind = resource["type"]
        base = {
            "DocumentReference": {"patient": patient},
            "List": {"patient": patient, "code": "folder"},
            "AuditEvent": {"patient": patient},
        }.get(kind, {})
        asked = [{one["name"]: _a_value(one, base, patient)} for one in resource.get("searchParam", ())]
        asked += [{"_sort": f"-{one}"} for one in SORTS.get(kind, ())]
        asked += [{"_include": one} for one in resource.get("searchInclude", ())]
        asked += [{"_revinclude": one} for one in resource.get("searchRevInclude", ())]
        for query in asked:
            response = server.request(
                "GET", f"/fhir/{kind}?{urlencode(base | query)}", headers={"Prefer": "handling=strict"}
            )
            assert response.status == 200, (kind, query, response.body)


def _a_value(parameter: dict[str, Any], base: dict[str, str], patient: str) -> str:
    name, kind = parameter["name"], parameter["type"]
    special = {"isArchived": "false"} | base
    return special.get(name, patient if kind == "reference" else VALUES[kind])


def test_every_path_of_the_description_is_served(server: Server, known: dict[str, str]) -> None:
    response = server.request("GET", "/fhir/openapi.json")
    description = json.loads(response.body)
    assert description["servers"] == [{"url": f"{server.url}/fhir"}]
    for path, operations in description["paths"].items():
        kind = path.split("/")[1]
        where = f"/fhir{path}".replace("{id}", known.get(kind, "1")).replace("{version}", "1")
        for method in operations:
            answer = server.request(method.upper(), where, b"" if method != "get" else None)
            refused = (400, 412, 415)
            by_method = {"post": refused, "put": refused, "patch": refused, "get": (200, 400), "delete": (204,)}
            expected = by_method[method]
            assert answer.status in expected, (method, path, answer.status, answer.body)
            assert str(answer.status) in operations[method]["responses"]


def test_filters_of_patients_are_declared_beside_what_names_one(server: Server, known: dict[str, str]) -> None:
    """Nobody is shown a list of patients: a filter by itself is refused, and no search parameter of its own."""
    [patient] = [one for one in statement(server)["rest"][0]["resource"] if one["type"] == "Patient"]
    combinations = [
        [(part["url"], part["valueString"]) for part in one["extension"]]
        for one in patient["extension"]
        if one["url"].endswith("capabilitystatement-search-parameter-combination")
    ]
    assert [one[0] for one in combinations] == [("required", "identifier"), ("required", "_id")]
    for _, *optional in combinations:
        assert {url for url, _ in optional} == {"optional"}
        assert {name for _, name in optional} == {"family", "given", "birthdate", "gender", "active"}
    for name, value in (("family", "d"), ("given", "a"), ("birthdate", "1979"), ("gender", "female")):
        assert server.request("GET", f"/fhir/Patient?{name}={value}").status == 400
        found = server.request("GET", f"/fhir/Patient?_id={known['Patient']}&{name}={value}")
        assert json.loads(found.body)["total"] == 1


def test_both_descriptions_name_the_same_parameters(server: Server) -> None:
    paths = json.loads(server.request("GET", "/fhir/openapi.json").body)["paths"]
    for resource in statement(server)["rest"][0]["resource"]:
        declared = {one["name"] for one in resource.get("searchParam", ())}
        if declared:
            told = {one["name"] for one in paths[f"/{resource['type']}"]["get"]["parameters"]}
            assert declared <= told


ODD: tuple[Any, ...] = (
    *(None, "", " ", "x" * 300, "\u0001", "urn:uuid:x", "#", "#a", "Patient/1", 0, -1, 1.5, 2**40, True, [], [[]], {}),
    *([None], {"a": 1}, [{}], {"reference": 1}, {"coding": [{}]}, "2026-02-30", "^^^&&", "é" * 200, "<a>&</a>", "%"),
)


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every place of a resource that something else can be put in."""
    children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, one in children:
        yield (*path, name)
        yield from places(one, (*path, name))


def change(bundle: dict[str, Any], place: tuple[Any, ...], value: Any, *, is_removed: bool) -> None:
    parent: Any = bundle
    for step in place[:-1]:
        parent = parent[step]
    if is_removed:
        del parent[place[-1]]
    else:
        parent[place[-1]] = deepcopy(value)  # the next change may be of a place within it


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_whatever_stands_in_a_bundle_is_taken_or_refused(server: Server, known: dict[str, str], data: Any) -> None:
    """Never 5xx: what is wrong is said, and what is said names a place."""
    level = data.draw(st.sampled_from(["Minimal", "Comprehensive", "UnContained.Comprehensive"]))
    bundle = fhir.a_provide_bundle(f"Patient/{known['Patient']}", level=level)
    for _ in range(data.draw(st.integers(1, 2))):
        place = data.draw(st.sampled_from(list(places(bundle))))
        change(bundle, place, data.draw(st.sampled_from(ODD)), is_removed=data.draw(st.booleans()))
    response = send(server, "POST", "/fhir", bundle)
    assert response.status in (200, 400), response.body
    if response.status == 400:
        outcome = json.loads(response.body)
        OperationOutcome.model_validate(outcome)
        assert all(one["diagnostics"] for one in outcome["issue"])
    else:
        for entry in json.loads(response.body)["entry"]:
            where = entry["response"]["location"].removeprefix(server.url)
            assert server.request("GET", where).status == 200
            assert server.request("GET", f"{where}?_format=xml").status == 200


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_whatever_is_searched_for_is_answered_or_refused(server: Server, known: dict[str, str], data: Any) -> None:
    kind = data.draw(st.sampled_from(["DocumentReference", "List", "Patient"]))
    names = [
        one["name"] for r in statement(server)["rest"][0]["resource"] if r["type"] == kind for one in r["searchParam"]
    ]
    names += ["_count", "_after", "_summary", "_elements", "_include", "_sort", "x", "type:not", "_has:x:y:z"]
    texts = st.one_of(
        st.text(max_size=20), st.sampled_from(["a|b", "|", "a|", ",", "ge2026", "lt99999", "\\,", "a|b|c"])
    )
    query = data.draw(st.lists(st.tuples(st.sampled_from(names), texts), max_size=4))
    if data.draw(st.booleans()):
        query += [("patient", known["Patient"]), ("code", "folder")]
    response = server.request("GET", f"/fhir/{kind}?{urlencode(query)}")
    assert response.status in (200, 400), (query, response.body)
