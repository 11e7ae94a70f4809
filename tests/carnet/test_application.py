"""The application as a whole: what every door does with a failure nobody foresaw."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from structlog.testing import capture_logs

from carnet.application import application
from carnet.wiring import open_actors
from tests import messages, servers
from tests.builders import PATIENT


class _Broken:
    """A registry in which nothing works."""

    def __getattr__(self, name: str) -> Any:
        raise RuntimeError("broken for the test")


@pytest.fixture
def client(tmp_path: Path) -> Iterator[FlaskClient]:
    actors = open_actors(servers.settings_for(tmp_path))
    yield application(replace(actors, registry=_Broken())).test_client()  # type: ignore[arg-type]
    actors.units.close()


def test_an_unforeseen_failure_of_the_fhir_door_is_an_operation_outcome_with_its_number(client: FlaskClient) -> None:
    with capture_logs() as logs:
        answer = client.get(f"/fhir/DocumentReference?patient.identifier=urn:oid:{PATIENT.authority}|{PATIENT.id}")
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
    outcome = json.loads(answer.data)
    assert outcome["resourceType"] == "OperationOutcome"
    logged = next(line for line in logs if line["log_level"] == "error")
    assert logged["correlation_id"] in outcome["issue"][0]["diagnostics"]
    assert b"broken for the test" not in answer.data


def test_an_unforeseen_failure_of_the_soap_door_is_a_receiver_fault_with_its_number(client: FlaskClient) -> None:
    slots = {"$XDSDocumentEntryPatientId": f"'{PATIENT.key}'", "$XDSDocumentEntryStatus": "('x')"}
    message = messages.envelope(messages.query_body(messages.FIND_DOCUMENTS, slots), messages.QUERY_ACTION)
    with capture_logs() as logs:
        answer = client.post("/xds/registry", data=message, content_type=messages.simple_type())
    assert answer.status_code == 500
    assert b"env:Receiver" in answer.data
    logged = next(line for line in logs if line["log_level"] == "error")
    assert logged["correlation_id"].encode() in answer.data
    assert b"broken for the test" not in answer.data


def test_the_log_of_a_request_names_no_patient(client: FlaskClient) -> None:
    with capture_logs() as logs:
        client.get(f"/fhir/DocumentReference?patient.identifier=urn:oid:{PATIENT.authority}|{PATIENT.id}")
        client.get(f"/nothing/{PATIENT.id}")
    lines = [line for line in logs if line["event"] == "request"]
    assert len(lines) == 2
    assert PATIENT.id not in str(lines)
