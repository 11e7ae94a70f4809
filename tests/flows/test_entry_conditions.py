"""`ifMatch` of entries of a Provide Document Bundle: the version that is changed is the one that was read. FHIR R4 3.1.0.5"""

import json
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from fhir.resources.R4B.operationoutcome import OperationOutcome

from fhir_facade import iti65_provide_document_bundle as iti65
from fhir_facade import iti104_patient_identity_feed_fhir as iti104
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


def token_of(resource: dict[str, Any]) -> str:
    return "{system}|{value}".format(**resource["identifier"][0])


def changed(known: dict[str, Any], if_match: str, birth: str = "1980-01-01") -> dict[str, Any]:
    """The entry that updates a Patient."""
    entry = fhir.an_entry(known | {"birthDate": birth}, method="PUT", url=f"Patient?identifier={token_of(known)}")
    entry["request"]["ifMatch"] = if_match
    return entry


def updated(server: Server, known: dict[str, Any], **headers: str) -> Response:
    """The Patient by a conditional PUT of its own."""
    body = json.dumps(known | {"birthDate": "1981-01-01"}).encode()
    sent = {"Content-Type": "application/fhir+json", **{name.replace("_", "-"): one for name, one in headers.items()}}
    return server.request("PUT", f"/fhir/Patient?identifier={token_of(known)}", body, sent)


def test_a_submission_updates_the_patient_of_the_version_that_is_named(server: Server) -> None:
    known = fhir.a_patient()
    place = fed(server, known)
    for birth, number in (("1980-01-01", 2), ("1982-01-01", 3)):
        bundle = fhir.a_provide_bundle(place)
        bundle["entry"].append(changed(known, etag(server, place), birth))
        answer = provide(server, bundle)[3]
        assert (answer["status"], answer["etag"]) == ("200 OK", f'W/"{number}"')
        assert answer["etag"] == etag(server, place)
        assert read(server, place)["birthDate"] == birth


@pytest.mark.parametrize("is_known", [True, False])
def test_a_submission_that_updates_a_patient_of_another_version_is_refused(server: Server, is_known: bool) -> None:
    known = fhir.a_patient()
    subject = fed(server, known) if is_known else fhir.a_urn()
    bundle = fhir.a_provide_bundle(subject)
    entry = changed(known, 'W/"7"' if is_known else "*")
    bundle["entry"].append(entry if is_known else entry | {"fullUrl": subject})
    stale(server, send(server, "POST", "/fhir", bundle), bundle, "Bundle.entry[3].request.ifMatch")
    assert find(server, "Patient", ("identifier", token_of(known)))["total"] == int(is_known)
    assert not is_known or read(server, subject)["birthDate"] == known["birthDate"]


def test_a_patient_that_is_new_by_its_bundle_has_no_version_to_match(server: Server, patient: str) -> None:
    bundle = fhir.a_provide_bundle(patient)
    entry = fhir.an_entry(fhir.a_patient(), method="POST", url="Patient")
    entry["request"]["ifMatch"] = 'W/"1"'
    bundle["entry"].append(entry)
    [issue] = refuse(server, bundle)
    assert (issue["code"], issue["expression"]) == ("not-supported", ["Bundle.entry[3].request.ifMatch"])


@pytest.mark.parametrize(("tag", "status"), [('W/"1"', 200), ("*", 200), ('W/"2"', 412)])
def test_patients_of_a_transaction_are_updated_as_they_were_read(server: Server, tag: str, status: int) -> None:
    first, second = fhir.a_patient(), fhir.a_patient()
    places = [fed(server, one) for one in (first, second)]
    entries = [changed(first, 'W/"1"'), changed(second, tag)]
    answer = send(server, "POST", "/fhir", {"resourceType": "Bundle", "type": "transaction", "entry": entries})
    assert answer.status == status, answer.body
    if status == 200:
        assert [one["response"]["etag"] for one in json.loads(answer.body)["entry"]] == ['W/"2"', 'W/"2"']
    else:
        [issue] = json.loads(answer.body)["issue"]
        assert (issue["code"], issue["expression"]) == ("conflict", ["Bundle.entry[1].request.ifMatch"])
    birth = "1980-01-01" if status == 200 else first["birthDate"]
    assert [read(server, one)["birthDate"] for one in places] == [birth, birth]


@pytest.mark.parametrize("name", ["ifNoneExist", "ifNoneMatch", "ifModifiedSince"])
def test_a_condition_that_an_update_does_not_have_is_refused(server: Server, name: str) -> None:
    known = fhir.a_patient()
    place, entry = fed(server, known), changed(known, "*")
    entry["request"][name] = "2026-01-01T00:00:00Z"
    answer = send(server, "POST", "/fhir", {"resourceType": "Bundle", "type": "transaction", "entry": [entry]})
    assert json.loads(answer.body)["issue"][0]["expression"] == [f"Bundle.entry[0].request.{name}"]
    assert (answer.status, etag(server, place)) == (400, 'W/"1"')


def test_each_part_of_a_batch_updates_the_version_that_it_names(server: Server) -> None:
    known = [fhir.a_patient(), fhir.a_patient()]
    places = [fed(server, one) for one in known]
    entries = [changed(one, tag) for one, tag in zip(known, ('W/"1"', 'W/"5"'), strict=True)]
    answer = send(server, "POST", "/fhir", {"resourceType": "Bundle", "type": "batch", "entry": entries})
    told = [one["response"]["status"][:3] for one in json.loads(answer.body)["entry"]]
    assert (told, [etag(server, one) for one in places]) == (["200", "412"], ['W/"2"', 'W/"1"'])


def test_of_several_updates_of_a_patient_at_once_one_is_of_what_it_read(server: Server) -> None:
    known = fhir.a_patient()
    place = fed(server, known)
    answers: list[Response] = []
    ready = threading.Barrier(6)

    def update() -> None:
        ready.wait()
        answers.append(updated(server, known, If_Match='W/"1"'))

    threads = [threading.Thread(target=update) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(one.status for one in answers) == [200, 412, 412, 412, 412, 412]
    assert etag(server, place) == 'W/"2"'


@pytest.mark.parametrize("where", ["Patient?identifier={}", "Patient/{}"])
def test_a_patient_that_changes_while_an_update_comes_in_is_of_another_version(
    server: Server, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    known = fhir.a_patient()
    place, feed, others = fed(server, known), iti104.feed, iter((True,))

    def late(*given: Any) -> Any:
        if next(others, False):
            assert updated(server, known).status == 200
        return feed(*given)

    monkeypatch.setattr(iti104, "feed", late)
    by_id = place.rpartition("/")[2]
    body = json.dumps(known | {"id": by_id, "birthDate": "1980-01-01"}).encode()
    url = f"/fhir/{where.format(token_of(known) if 'identifier' in where else by_id)}"
    headers = {"Content-Type": "application/fhir+json", "If-Match": 'W/"1"'}
    assert server.request("PUT", url, body, headers).status == 412
    assert read(server, place)["birthDate"] == "1981-01-01"


def test_an_update_of_any_version_is_of_a_patient_that_is_there(server: Server) -> None:
    assert updated(server, fhir.a_patient(), If_Match="*").status == 412


def test_the_answer_to_a_submission_has_the_etags_of_reads(server: Server) -> None:
    known = fhir.a_patient()
    place = fed(server, known)
    first = fhir.a_provide_bundle(place)
    first["entry"].append(changed(known, 'W/"1"'))
    made = provide(server, first)
    second = fhir.a_provide_bundle(
        place, b"more", relatesTo=[{"code": "appends", "target": {"reference": made[0]["location"]}}]
    )
    made += provide(server, second)
    kinds = [one["location"].removeprefix(f"{server.url}/fhir/").partition("/")[0] for one in made]
    assert sorted(kinds) == ["Binary", "Binary", "DocumentReference", "DocumentReference", "List", "List", "Patient"]
    assert [one["etag"] for one in made] == [etag(server, one["location"]) for one in made]
