"""_sort, _lastUpdated and the further search parameters over real HTTP. FHIR R4 3.1.1; PDSm 5.1"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from tests import fhir_bundles as fhir
from tests import servers
from tests.flows.fhir_requests import fed, provide
from tests.servers import Server


@pytest.fixture(scope="module")
def server(database: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    data: Path = tmp_path_factory.mktemp("carnet")
    with servers.in_process(servers.settings_for(data, database, domain="ihe")) as running:
        yield running


def submitted(server: Server, patient: str, day: str, **changes: Any) -> str:
    """The id of a document that was made on this day of March 2026."""
    bundle = fhir.a_provide_bundle(patient, **changes)
    resource = bundle["entry"][0]["resource"]
    resource["content"][0]["attachment"]["creation"] = f"2026-03-{day}T09:30:00Z"
    resource["context"]["period"] = {"start": f"2026-03-{day}T09:00:00Z", "end": f"2026-03-{day}T09:20:00Z"}
    return provide(server, bundle)[0]["location"].rpartition("/")[2]


class Shelf:
    """Five documents of a patient, two of them of one day, in no order."""

    def __init__(self, server: Server) -> None:
        self.server, self.patient = server, fed(server, fhir.a_patient())
        self.days = ("12", "10", "14", "10", "13")
        self.ids = [submitted(server, self.patient, day) for day in self.days]

    def get(self, path: str, **headers: str) -> Any:
        return self.server.request("GET", path.removeprefix(self.server.url), headers=headers)

    def bundle(self, *parameters: tuple[str, str], kind: str = "DocumentReference") -> dict[str, Any]:
        response = self.get(f"/fhir/{kind}?{urlencode([('patient', self.patient), *parameters])}")
        assert response.status == 200, response.body
        found: dict[str, Any] = json.loads(response.body)
        return found

    def found(self, *parameters: tuple[str, str]) -> list[str]:
        return [one["resource"]["id"] for one in self.bundle(*parameters).get("entry", ())]

    def paged(self, *parameters: tuple[str, str]) -> list[str]:
        """All pages of two."""
        bundle, ids = self.bundle(*parameters, ("_count", "2")), []
        while True:
            ids += [one["resource"]["id"] for one in bundle.get("entry", ())]
            assert bundle["total"] == len(self.ids)
            after = next((one["url"] for one in bundle["link"] if one["relation"] == "next"), None)
            if after is None:
                return ids
            bundle = json.loads(self.get(after).body)


@pytest.fixture(scope="module")
def shelf(server: Server) -> Shelf:
    return Shelf(server)


def test_documents_come_in_the_order_that_is_asked_for(shelf: Shelf) -> None:
    first, second, third, fourth, fifth = shelf.ids
    for name in ("date", "creation", "period", "period-start", "period-end"):
        assert shelf.found(("_sort", name)) == [fourth, second, first, fifth, third], name  # of a day the newest first
        assert shelf.found(("_sort", f"-{name}")) == [third, fifth, first, fourth, second], name
    assert shelf.found(("_sort", "_id")) == sorted(shelf.ids)
    assert shelf.found(("_sort", "date,-_id"))[:2] == sorted((second, fourth), reverse=True)


def test_sorted_pages_show_everything_once(shelf: Shelf) -> None:
    for sort in ("date", "-date", "_id", "-_id", "-date,_id", "_lastUpdated"):
        assert shelf.paged(("_sort", sort)) == shelf.found(("_sort", sort)), sort


def test_a_page_goes_on_behind_the_last_one_shown_whatever_is_written_meanwhile(server: Server) -> None:
    shelf = Shelf(server)
    bundle = shelf.bundle(("_sort", "date"), ("_count", "2"))
    earlier = submitted(server, shelf.patient, "09")
    later = submitted(server, shelf.patient, "11")
    after = next(one["url"] for one in bundle["link"] if one["relation"] == "next")
    rest = json.loads(shelf.get(after.replace("_count=2", "_count=10")).body)
    shown = [one["resource"]["id"] for one in rest["entry"]]
    assert shown == [later, shelf.ids[0], shelf.ids[4], shelf.ids[2]]
    assert earlier not in shown


@pytest.mark.parametrize("query", ["_sort=title", "_sort=", "_sort=date,,_id", "_sort=date&_sort=_id", "_after=x"])
def test_what_is_not_sorted_by_is_refused(shelf: Shelf, query: str) -> None:
    assert shelf.get(f"/fhir/DocumentReference?patient={shelf.patient}&{query}").status == 400
    assert shelf.get(f"/fhir/DocumentReference?patient={shelf.patient}&_sort=date&_after=12").status == 400


def test_what_changed_last_is_found_by_when_it_changed(shelf: Shelf) -> None:
    assert set(shelf.found(("_lastUpdated", "ge2020"))) == set(shelf.ids)
    assert shelf.found(("_lastUpdated", "lt2020")) == []
    moment = shelf.bundle()["entry"][0]["resource"]["meta"]["lastUpdated"]
    assert shelf.ids[4] in shelf.found(("_lastUpdated", moment))
    assert shelf.ids[4] not in shelf.found(("_lastUpdated", f"gt{moment}"))
    lists = shelf.bundle(("code", "submissionset"), ("_lastUpdated", f"le{moment}"), ("_sort", "-date"), kind="List")
    assert lists["total"] == 5


def test_a_period_is_searched_by_its_ends(server: Server) -> None:
    shelf = Shelf(server)
    bundle = fhir.a_provide_bundle(shelf.patient)
    del bundle["entry"][0]["resource"]["context"]["period"]["end"]
    without_end = provide(server, bundle)[0]["location"].rpartition("/")[2]
    assert shelf.found(("period-start", "2026-03-12")) == [shelf.ids[0]]
    assert without_end in shelf.found(("period-start", "ge2026-03-10"), ("period-start", "lt2026-03-11"))
    assert set(shelf.found(("period-end", "ge2026-03-13"))) == {shelf.ids[2], shelf.ids[4]}
    assert without_end not in shelf.found(("period-end", "ge2000"))


def test_documents_are_found_by_what_they_relate_to(server: Server) -> None:
    shelf = Shelf(server)
    original = shelf.ids[0]
    relation = {"code": "appends", "target": {"reference": f"DocumentReference/{original}"}}
    addendum = submitted(server, shelf.patient, "20", relatesTo=[relation])
    for name in ("relatesto", "relatesTo"):
        for value in (original, f"DocumentReference/{original}", f"{server.url}/fhir/DocumentReference/{original}"):
            assert shelf.found((name, value)) == [addendum]
    assert shelf.found(("relatesto", addendum)) == []
    assert shelf.found(("relatesto", "nobody")) == []


def test_documents_are_found_by_the_identifier_of_an_author(shelf: Shelf) -> None:
    system, value = "urn:oid:1.2.250.1.71.4.2.1", "899700218896"
    assert len(shelf.found(("author.identifier", f"{system}|{value}"))) == 5
    assert len(shelf.found(("author.identifier", value))) == 5
    for other in (f"{system}.1|{value}", "89970021889", f"{system}|%", "_99700218896"):
        assert shelf.found(("author.identifier", other)) == [], other


def test_another_community_cannot_be_asked_from_here(tmp_path_factory: pytest.TempPathFactory) -> None:
    own = "urn:oid:2.25.4712"
    settings = servers.settings_for(tmp_path_factory.mktemp("carnet"), domain="ihe", home_community_id=own)
    with servers.in_process(settings) as server:
        patient = fed(server, fhir.a_patient())
        provide(server, fhir.a_provide_bundle(patient))
        for kind, query in (("DocumentReference", ""), ("List", "code=submissionset&")):
            search = f"/fhir/{kind}?{query}patient={patient}&targetCommunityIdList="
            for community in (own, "2.25.4712", f"{own},{own}"):
                found = server.request("GET", search + community, headers={"Prefer": "handling=strict"})
                assert json.loads(found.body)["total"] == 1
            for other in ("urn:oid:2.25.4713", f"{own},urn:oid:2.25.4713"):
                refused = server.request("GET", search + other)
                [issue] = json.loads(refused.body)["issue"]
                assert (refused.status, issue["details"]["coding"][0]["code"]) == (400, "XDSUnknownCommunity")


def test_a_server_without_a_community_refuses_any(shelf: Shelf) -> None:
    query = f"patient={shelf.patient}&targetCommunityIdList=urn:oid:2.25.1"
    assert shelf.get(f"/fhir/DocumentReference?{query}").status == 400
