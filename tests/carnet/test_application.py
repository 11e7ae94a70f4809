"""The application as a whole: what every door does with a failure nobody foresaw."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from lxml import etree
from structlog.testing import capture_logs

from carnet.application import application
from carnet.wiring import open_actors
from storage.sqlite_units import SqliteUnits
from storage.unit_of_work import StorageFailed
from tests import messages, servers
from tests.builders import PATIENT, REPOSITORY, a_submission, an_entry
from xds.affinity_domain import AffinityDomain
from xds.ebrim.write import write_submit_objects_request
from xds.vocabulary import AvailabilityStatus


class _Broken:
    """A registry in which nothing works; of what domain it is, is known."""

    domain = AffinityDomain(name="dmp")

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


@pytest.mark.parametrize(
    "path", ["/fhir//DocumentReference/x'y", "//fhir/metadata", "/xds//registry", "/fhir//fh=ir/metadata"]
)
def test_a_path_with_two_slashes_is_not_found_and_not_redirected(client: FlaskClient, path: str) -> None:
    """No page with the path inside it; FHIR answers as FHIR does."""
    answer = client.get(path)
    assert answer.status_code == 404
    if path.startswith("/fhir/"):
        assert json.loads(answer.data)["resourceType"] == "OperationOutcome"


def test_an_unforeseen_failure_of_the_soap_door_is_a_receiver_fault_with_its_number(client: FlaskClient) -> None:
    slots = {
        "$XDSDocumentEntryPatientId": f"'{PATIENT.key}'",
        "$XDSDocumentEntryStatus": f"('{AvailabilityStatus.APPROVED}')",
    }
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


@pytest.fixture(params=[False, True], ids=["away", "full"])
def without_database(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[FlaskClient]:
    """A server whose database can be used no more; parameter: whether for want of space."""
    actors = open_actors(servers.settings_for(tmp_path))

    def fail(*_arguments: object) -> None:
        raise StorageFailed("not for requesters", is_full=request.param)

    with monkeypatch.context() as patched:
        patched.setattr(SqliteUnits, "read", fail)
        patched.setattr(SqliteUnits, "write", fail)
        client = application(actors).test_client()
        client.expected = "XDSRegistryOutOfResources" if request.param else "XDSRegistryError"  # type: ignore[attr-defined]
        yield client
    actors.units.close()


ENTRY = an_entry(content=b"lost")
REQUESTS = {
    "ITI-18": (
        "registry",
        messages.QUERY_ACTION,
        messages.query_body(
            messages.FIND_DOCUMENTS,
            {
                "$XDSDocumentEntryPatientId": f"'{PATIENT.key}'",
                "$XDSDocumentEntryStatus": f"('{AvailabilityStatus.APPROVED}')",
            },
        ),
        "AdhocQueryResponse",
    ),
    "ITI-42": (
        "registry",
        messages.REGISTER,
        write_submit_objects_request(a_submission(ENTRY).objects),
        "RegistryResponse",
    ),
    "ITI-41": (
        "repository",
        messages.PROVIDE,
        messages.provide_body(a_submission(ENTRY), {ENTRY.entry_uuid: "bG9zdA=="}),
        "RegistryResponse",
    ),
    "ITI-43": (
        "repository",
        messages.RETRIEVE,
        messages.retrieve_body((REPOSITORY, "2.25.1")),
        "RetrieveDocumentSetResponse",
    ),
}


@pytest.mark.parametrize("name", REQUESTS)
def test_without_its_database_a_transaction_fails_in_its_own_answer(without_database: FlaskClient, name: str) -> None:
    path, action, body, element = REQUESTS[name]
    answer = without_database.post(
        f"/xds/{path}", data=messages.envelope(body, action), content_type=messages.simple_type()
    )
    assert answer.status_code == 200, answer.data
    root = etree.fromstring(answer.data)
    assert etree.QName(root.find("{*}Body")[0]).localname == element
    errors = [error.get("errorCode") for error in root.iter("{*}RegistryError")]
    assert errors == [without_database.expected]  # type: ignore[attr-defined]
    assert b"ResponseStatusType:Failure" in answer.data
    assert b"not for requesters" not in answer.data


def test_without_its_database_fhir_is_unavailable_and_the_server_not_ready(without_database: FlaskClient) -> None:
    path = f"/fhir/DocumentReference?patient.identifier=urn:oid:{PATIENT.authority}|{PATIENT.id}"
    answer = without_database.get(path)
    assert (answer.status_code, json.loads(answer.data)["resourceType"]) == (503, "OperationOutcome")
    assert answer.headers["Retry-After"]
    assert without_database.get("/health/ready").status_code == 503
    assert without_database.get("/health/live").status_code == 200
