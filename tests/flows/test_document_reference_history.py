"""Versions of a DocumentReference over real HTTP: history, vread and ETags, true to policy. FHIR R4 3.1.0"""

import json
from collections.abc import Iterator
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import pytest
from fhir.resources.R4B.bundle import Bundle

from tests import servers
from tests.builders import an_update
from tests.flows.test_access_policy import MASKED, NORMAL, NURSE, STRANGER, World
from tests.flows.test_patch_document_reference import TO_ARCHIVED, patch
from tests.servers import Response, Server
from xds.metadata import DocumentEntry


@pytest.fixture(scope="module")
def server(database: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    data: Path = tmp_path_factory.mktemp("carnet")
    with servers.in_process(servers.settings_for(data, database)) as running:
        yield running


@pytest.fixture(scope="module")
def world(server: Server) -> World:
    return World(server, NURSE)


def get(world: World, entry: DocumentEntry, path: str = "", **headers: str) -> Response:
    """As the operator, who sees everything."""
    fhir_id = (entry.logical_id or "")[9:]
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    return world.server.request("GET", f"/fhir/DocumentReference/{fhir_id}{path}", headers=given)


def versions(response: Response) -> list[str]:
    assert response.status == 200, response.body
    bundle = json.loads(response.body)
    Bundle.model_validate(bundle)
    assert bundle["type"] == "history"
    return [one["resource"]["meta"]["versionId"] for one in bundle.get("entry", ())]


def updated_twice(world: World) -> DocumentEntry:
    """A document of three versions, the last like the first."""
    entry = world.fed()
    for number, codes in enumerate(((NORMAL, MASKED), (NORMAL,)), start=1):
        asked = an_update(entry, confidentiality_code=codes, previous_version=number)
        assert world.update(world.vihf(), asked).status == "Success"
    return entry


def test_a_history_has_every_version_newest_first(world: World) -> None:
    entry = updated_twice(world)
    response = get(world, entry, "/_history")
    assert versions(response) == ["3", "2", "1"]
    bundle: dict[str, Any] = json.loads(response.body)
    assert bundle["total"] == 3
    assert [one["request"]["method"] for one in bundle["entry"]] == ["PATCH", "PATCH", "POST"]
    assert {one["resource"]["id"] for one in bundle["entry"]} == {(entry.logical_id or "")[9:]}
    assert [len(one["resource"]["securityLabel"]) for one in bundle["entry"]] == [1, 2, 1]
    assert [one["resource"]["status"] for one in bundle["entry"]] == ["current", "superseded", "superseded"]
    assert bundle["entry"][0]["response"]["etag"] == 'W/"3"'


def test_a_history_comes_in_pages(world: World) -> None:
    entry = updated_twice(world)
    seen, where = [], "/_history?_count=2"
    while where:
        response = get(world, entry, where)
        seen.append(versions(response))
        links = {one["relation"]: one["url"] for one in json.loads(response.body)["link"]}
        where = links.get("next", "").partition((entry.logical_id or "")[9:])[2]
    assert seen == [["3", "2"], ["1"]]
    assert versions(get(world, entry, "/_history?_count=0")) == []
    assert versions(get(world, entry, "/_history?_since=2001-01-01")) == ["3", "2", "1"]
    assert versions(get(world, entry, "/_history?_since=2999-01-01T00:00:00Z")) == []
    for query in ("_since=yesterday", "_count=x", "_at=2020", "code=x"):
        assert get(world, entry, f"/_history?{query}").status == 400


def test_each_version_is_read_by_its_number(world: World) -> None:
    entry = updated_twice(world)
    second = get(world, entry, "/_history/2")
    assert len(json.loads(second.body)["securityLabel"]) == 2
    assert second.headers["etag"].startswith('W/"2-')
    for unknown in ("4", "0", "x", "2-1"):
        assert get(world, entry, f"/_history/{unknown}").status == 404


def test_the_entry_uuid_of_a_version_leads_to_the_same_history(world: World) -> None:
    entry = updated_twice(world)
    newest = world.stored(entry.unique_id or "").entry_uuid
    response = world.server.request("GET", f"/fhir/DocumentReference/{newest[9:]}/_history")
    assert versions(response) == ["3", "2", "1"]


def test_nobody_reads_a_version_of_what_is_masked_now(world: World) -> None:
    entry = world.fed()
    assert world.update(world.vihf(), an_update(entry, confidentiality_code=(NORMAL, MASKED))).status == "Success"
    fhir_id = (entry.logical_id or "")[9:]
    for path in ("", "/1", "/2"):
        for subject in (NURSE, STRANGER):
            header = world.vihf(subject)
            assert world.fhir(header, f"/DocumentReference/{fhir_id}/_history{path}")[0] == 404
    assert world.fhir(world.vihf(), f"/DocumentReference/{fhir_id}/_history")[1]["entry"][0]["response"]["etag"]


def test_a_list_has_its_history_too(world: World) -> None:
    """What holds a document is a version of its own; it is found by its id alone, not as a DocumentReference."""
    entry = world.fed()
    asked = f"/fhir/List?code=submissionset&patient.identifier={world.patient.id}"
    found = json.loads(world.server.request("GET", asked).body)["entry"][0]["resource"]
    assert found["entry"][0]["item"]["reference"].endswith((entry.logical_id or "")[9:])
    path = f"/fhir/List/{found['id']}/_history"
    response = world.server.request("GET", path)
    assert versions(response) == ["1"]
    [one] = json.loads(response.body)["entry"]
    assert (one["resource"], one["request"]) == (found, {"method": "POST", "url": "List"})
    assert json.loads(world.server.request("GET", f"{path}/1").body) == found
    assert world.server.request("GET", f"{path}/2").status == 404
    assert world.server.request("GET", path.replace("List", "DocumentReference")).status == 404
    assert get(world, entry, "/_history").status == 200
    assert world.server.request("GET", f"/fhir/List/{(entry.logical_id or '')[9:]}/_history").status == 404


def test_what_was_deleted_is_gone(world: World) -> None:
    entry = world.fed()
    assert patch(world, entry, [{"op": "replace", "path": "/status", "value": "entered-in-error"}]).status == 200
    assert get(world, entry, "/_history/1").status == 410


def test_who_has_the_state_is_not_sent_it_again(world: World) -> None:
    entry = world.fed()
    first = get(world, entry)
    assert first.headers["etag"] == 'W/"1"'
    assert parsedate_to_datetime(first.headers["last-modified"]).year >= 2026
    for tag in ('W/"1"', '"1"', 'W/"7", W/"1"', "*"):
        known = get(world, entry, If_None_Match=tag)
        assert (known.status, known.body, known.headers["etag"]) == (304, b"", 'W/"1"')
    assert get(world, entry, If_None_Match='W/"2"').status == 200


def test_a_document_that_is_archived_or_superseded_is_another_state(world: World) -> None:
    entry = world.fed()
    archived = patch(world, entry, TO_ARCHIVED).headers["etag"]
    assert get(world, entry, If_None_Match='W/"1"').headers["etag"] == archived != 'W/"1"'
    assert get(world, entry, If_None_Match=archived).status == 304
