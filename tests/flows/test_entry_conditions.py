"""`ifMatch` of entries of a Provide Document Bundle: the version that is changed is the one that was read. FHIR R4 3.1.0.5"""

import json
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from fhir.resources.R4B.operationoutcome import OperationOutcome

from fhir_facade import iti65_provide_document_bundle as iti65
from tests import fhir_bundles as fhir
from tests import servers
from tests.flows.fhir_requests import fed, find, provide, read, refuse, send
from tests.flows.test_provide_document_bundle import a_patch
from tests.servers import Response, Server


@pytest.fixture(scope="module")
def server(database: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    settings = servers.settings_for(tmp_path_factory.mktemp("carnet"), database, domain="ihe")
    with servers.in_process(settings) as running:
        yield running


@pytest.fixture(scope="module")
def patient(server: Server) -> str:
    return fed(server, fhir.a_patient())


def etag(server: Server, location: str) -> str:
    return server.request("GET", location.removeprefix(server.url)).headers["etag"]


def relative(server: Server, location: str) -> str:
    return location.removeprefix(f"{server.url}/fhir/")


def a_replacement(server: Server, patient: str, original: str, if_match: str) -> dict[str, Any]:
    relation = [{"code": "replaces", "target": {"reference": original}}]
    bundle = fhir.a_provide_bundle(patient, b"newer", relatesTo=relation)
    entry = fhir.an_entry(a_patch(), method="PATCH", url=relative(server, original))
    entry["request"]["ifMatch"] = if_match
    bundle["entry"].append(entry)
    return bundle


def a_folder(server: Server, patient: str) -> tuple[str, str]:
    """Location of a new folder and of the document in it."""
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
    assert made[2]["etag"] == etag(server, made[2]["location"])
    return made[2]["location"], made[1]["location"]


def an_addition(server: Server, patient: str, folder: str, *members: str, if_match: str) -> dict[str, Any]:
    """Another document for the folder."""
    document, binary = fhir.a_urn(), fhir.a_urn()
    listed = fhir.a_folder_list(patient, *(relative(server, one) for one in members), document)
    updated = fhir.an_entry(listed, method="PUT", url=relative(server, folder))
    updated["request"]["ifMatch"] = if_match
    return fhir.a_bundle(
        fhir.an_entry(fhir.a_submission_set_list(patient, document)),
        fhir.an_entry(fhir.a_document_reference(patient, binary), document),
        updated,
        fhir.an_entry(fhir.a_binary(), binary),
    )


def stale(server: Server, response: Response, bundle: dict[str, Any], expression: str) -> None:
    """412, its place named, and nothing of the Bundle stored."""
    assert response.status == 412, response.body
    outcome = json.loads(response.body)
    OperationOutcome.model_validate(outcome)
    assert [(one["code"], one["expression"]) for one in outcome["issue"]] == [("conflict", [expression])]
    for entry in bundle["entry"]:
        value = entry["resource"].get("masterIdentifier", {}).get("value")
        assert value is None or find(server, "DocumentReference", ("identifier", value))["total"] == 0


@pytest.mark.parametrize("tag", ["", 'W/"1"', '"1"', "*", 'W/"7", W/"1"'])
def test_a_document_of_this_version_is_replaced(server: Server, patient: str, tag: str) -> None:
    original = provide(server, fhir.a_provide_bundle(patient))[0]["location"]
    bundle = a_replacement(server, patient, original, tag or etag(server, original))
    answered = provide(server, bundle)[3]
    assert answered["status"] == "200 OK"
    assert answered["etag"] == etag(server, original) != 'W/"1"'
    assert read(server, original)["status"] == "superseded"


@pytest.mark.parametrize("tag", ['W/"2"', "1", 'W/"1-00000000"'])
def test_a_document_of_another_version_is_not(server: Server, patient: str, tag: str) -> None:
    original = provide(server, fhir.a_provide_bundle(patient))[0]["location"]
    bundle = a_replacement(server, patient, original, tag)
    stale(server, send(server, "POST", "/fhir", bundle), bundle, "Bundle.entry[3].request.ifMatch")
    assert read(server, original)["status"] == "current"


def test_what_somebody_else_replaced_is_of_another_version(server: Server, patient: str) -> None:
    original = provide(server, fhir.a_provide_bundle(patient))[0]["location"]
    tag = etag(server, original)
    provide(server, a_replacement(server, patient, original, tag))
    bundle = a_replacement(server, patient, original, tag)
    stale(server, send(server, "POST", "/fhir", bundle), bundle, "Bundle.entry[3].request.ifMatch")


def test_a_folder_is_updated_as_it_was_read(server: Server, patient: str) -> None:
    folder, first = a_folder(server, patient)
    tag = etag(server, folder)
    answers = provide(server, an_addition(server, patient, folder, first, if_match=tag))
    assert answers[2]["etag"] == etag(server, folder) != tag
    late = an_addition(server, patient, folder, first, if_match=tag)  # without what was added meanwhile
    stale(server, send(server, "POST", "/fhir", late), late, "Bundle.entry[2].request.ifMatch")
    assert len(read(server, folder)["entry"]) == 2
    again = an_addition(server, patient, folder, first, answers[1]["location"], if_match=answers[2]["etag"])
    provide(server, again)
    assert len(read(server, folder)["entry"]) == 3


def test_what_changes_while_a_bundle_comes_in_is_seen(
    server: Server, patient: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The condition is asked again in the unit of work, behind the lock of the patient."""
    folder, first = a_folder(server, patient)
    tag, provided, others = etag(server, folder), iti65._provided, iter((True,))

    def late(*given: Any) -> Any:
        if next(others, False):
            provide(server, an_addition(server, patient, folder, first, if_match=tag))
        return provided(*given)

    monkeypatch.setattr(iti65, "_provided", late)
    bundle = an_addition(server, patient, folder, first, if_match=tag)
    stale(server, send(server, "POST", "/fhir", bundle), bundle, "Bundle.entry[2].request.ifMatch")
    assert len(read(server, folder)["entry"]) == 2


def test_of_several_at_once_one_changes_what_it_read(server: Server, patient: str) -> None:
    folder, first = a_folder(server, patient)
    tag = etag(server, folder)
    bundles = [an_addition(server, patient, folder, first, if_match=tag) for _ in range(6)]
    answers: list[Response] = []
    threads = [
        threading.Thread(target=lambda one=one: answers.append(send(server, "POST", "/fhir", one)))  # type: ignore[misc]
        for one in bundles
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(one.status for one in answers) == [200, 412, 412, 412, 412, 412]
    assert len(read(server, folder)["entry"]) == 2


@pytest.mark.parametrize("place", [0, 1, 3])
def test_what_is_new_has_no_version_to_match(server: Server, patient: str, place: int) -> None:
    folder, first = a_folder(server, patient)
    bundle = an_addition(server, patient, folder, first, if_match="*")
    bundle["entry"][place]["request"]["ifMatch"] = 'W/"1"'
    [issue] = refuse(server, bundle)
    assert (issue["code"], issue["expression"]) == ("not-supported", [f"Bundle.entry[{place}].request.ifMatch"])
