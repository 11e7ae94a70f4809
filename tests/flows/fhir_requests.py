"""Requests of FHIR clients over HTTP, and what their answers hold."""

import base64
import json
from typing import Any
from urllib.parse import quote, urlencode

from fhir.resources.R4B.bundle import Bundle
from fhir.resources.R4B.documentreference import DocumentReference
from fhir.resources.R4B.list import List
from fhir.resources.R4B.operationoutcome import OperationOutcome

from tests import fhir_bundles as fhir
from tests.servers import Response, Server

FHIR_JSON = "application/fhir+json"


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


def a_publication(subject: str, content: bytes = b"simply", **changes: Any) -> dict[str, Any]:
    resource = fhir.a_document_reference(subject, "", content, **changes)
    attachment = resource["content"][0]["attachment"]
    attachment.pop("url")
    attachment["data"] = base64.b64encode(content).decode()
    return resource


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
