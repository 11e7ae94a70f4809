"""What /metadata and /openapi.json claim is served, each part of it tried."""

import json
from typing import Any
from urllib.parse import urlencode

import pytest
from fhir.resources.R4B.capabilitystatement import CapabilityStatement

from tests import fhir_bundles as fhir
from tests import servers
from tests.flows.test_provide_document_bundle import fed, provide, send
from tests.servers import Server

VALUES = {"date": "ge2020", "token": "x", "string": "x"}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Any:
    with servers.in_process(servers.settings_for(tmp_path_factory.mktemp("carnet"), domain="ihe")) as running:
        yield running


@pytest.fixture(scope="module")
def known(server: Server) -> dict[str, str]:
    """Resource type -> an id that can be read."""
    patient = fed(server, fhir.a_patient())
    answers = provide(server, fhir.a_provide_bundle(patient))
    found = dict(one["location"].split("/")[-2:] for one in answers)
    return found | {"Patient": patient.rpartition("/")[2]}


def statement(server: Server) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(server.request("GET", "/fhir/metadata").body)
    CapabilityStatement.model_validate(found)
    return found


def test_every_interaction_that_is_declared_is_served(server: Server, known: dict[str, str]) -> None:
    rest = statement(server)["rest"][0]
    assert [one["code"] for one in rest["interaction"]] == ["transaction"]
    for resource in rest["resource"]:
        kind = resource["type"]
        for code in [one["code"] for one in resource["interaction"]]:
            if code == "read":
                assert server.request("GET", f"/fhir/{kind}/{known[kind]}").status == 200
            elif code == "create":
                assert send(server, "POST", f"/fhir/{kind}", {"resourceType": kind, "id": "_"}).status == 400
            elif code == "update":
                assert (
                    send(server, "PUT", f"/fhir/{kind}?identifier=x", {"resourceType": kind, "id": "_"}).status == 400
                )
            else:
                assert code == "search-type"


def test_every_search_parameter_and_include_that_is_declared_is_served(server: Server, known: dict[str, str]) -> None:
    patient = f"Patient/{known['Patient']}"
    for resource in statement(server)["rest"][0]["resource"]:
        kind = resource["type"]
        base = {"DocumentReference": {"patient": patient}, "List": {"patient": patient, "code": "folder"}}.get(kind, {})
        asked = [
            {one["name"]: base.get(one["name"], patient if one["type"] == "reference" else VALUES[one["type"]])}
            for one in resource.get("searchParam", ())
        ]
        asked += [{"_include": one} for one in resource.get("searchInclude", ())]
        asked += [{"_revinclude": one} for one in resource.get("searchRevInclude", ())]
        for query in asked:
            response = server.request(
                "GET", f"/fhir/{kind}?{urlencode(base | query)}", headers={"Prefer": "handling=strict"}
            )
            assert response.status == 200, (kind, query, response.body)


def test_every_path_of_the_description_is_served(server: Server, known: dict[str, str]) -> None:
    response = server.request("GET", "/fhir/openapi.json")
    description = json.loads(response.body)
    assert description["servers"] == [{"url": f"{server.url}/fhir"}]
    for path, operations in description["paths"].items():
        kind = path.split("/")[1]
        where = f"/fhir{path}".replace("{id}", known.get(kind, "1"))
        for method in operations:
            answer = server.request(method.upper(), where, b"" if method != "get" else None)
            expected = {"post": (400, 415), "put": (400, 415), "get": (200, 400)}[method]
            assert answer.status in expected, (method, path, answer.status, answer.body)
            assert str(answer.status) in operations[method]["responses"]


def test_both_descriptions_name_the_same_parameters(server: Server) -> None:
    paths = json.loads(server.request("GET", "/fhir/openapi.json").body)["paths"]
    for resource in statement(server)["rest"][0]["resource"]:
        declared = {one["name"] for one in resource.get("searchParam", ())}
        if declared:
            told = {one["name"] for one in paths[f"/{resource['type']}"]["get"]["parameters"]}
            assert declared <= told
