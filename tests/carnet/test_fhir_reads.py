"""The short way of searches and documents by GET says what the framework says, and takes only what is plain."""

import json
from collections.abc import Iterator

import pytest
from flask import Flask, request_started
from werkzeug.test import TestResponse

from carnet.application import application
from carnet.wiring import open_actors
from tests import fhir_bundles as fhir
from tests import servers

FHIR = "application/fhir+json"
# Sends a request to the framework, and changes nothing of its answer.
LONG_WAY = {"Prefer": "handling=lenient"}
# Of its own: the number of a failure.
Plain = tuple[int, list[tuple[str, str]], bytes]


class Served:
    """An application with documents of one patient, and how many requests its framework had."""

    def __init__(self, app: Flask) -> None:
        self.client, self.seen = app.test_client(), 0
        request_started.connect(self._count, app)
        patient = self.client.post("/fhir/Patient", json=fhir.a_patient(), content_type=FHIR)
        self.patient = f"Patient/{patient.headers['Location'].partition('/Patient/')[2].partition('/')[0]}"
        self.document = [self._provided() for _ in range(3)][-1]

    def _count(self, *_: object, **__: object) -> None:
        self.seen += 1

    def _provided(self) -> str:
        answer = self.client.post("/fhir", json=fhir.a_provide_bundle(self.patient), content_type=FHIR)
        assert answer.status_code == 200, answer.data
        locations = [one["response"]["location"] for one in json.loads(answer.data)["entry"]]
        return next(one for one in locations if "/Binary/" in one).partition("/Binary/")[2].partition("/")[0]

    def get(self, path: str, **headers: str) -> TestResponse:
        place = path.format(patient=self.patient, document=self.document)
        return self.client.get(place, headers=headers)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    actors = open_actors(servers.settings_for(tmp_path_factory.mktemp("carnet"), domain="ihe"))
    yield Served(application(actors))
    actors.units.close()


def plain(answer: TestResponse) -> Plain:
    return answer.status_code, sorted(answer.headers.items()), answer.data


PLAIN = (
    "/fhir/DocumentReference?patient={patient}",
    "/fhir/DocumentReference?patient={patient}&status=current&_count=2",
    "/fhir/DocumentReference?patient={patient}&_count=1&_sort=-date",
    "/fhir/DocumentReference?patient={patient}&title=%E9%ff&unheard-of=1",
    "/fhir/DocumentReference?patient={patient}&_include=DocumentReference:subject",
    "/fhir/DocumentReference?patient=nobody",
    "/fhir/DocumentReference",
    "/fhir/DocumentReference?status=current&status:text=x",
    "/fhir/List?patient={patient}&code=submissionset",
    "/fhir/Binary/{document}",
    "/fhir/Binary/no-such-document",
    "/fhir/Binary/00000000-0000-4000-8000-000000000000",
)


@pytest.mark.parametrize("path", PLAIN)
@pytest.mark.parametrize("accept", ["*/*", "text/plain"])
def test_both_ways_answer_the_same(served: Served, path: str, accept: str) -> None:
    """Status, headers and octets, refusals among them."""
    assert plain(served.get(path, Accept=accept)) == plain(served.get(path, Accept=accept, **LONG_WAY))


@pytest.mark.parametrize("path", [PLAIN[0], PLAIN[1], PLAIN[8], PLAIN[9]])
def test_what_is_plain_does_not_go_through_the_framework(served: Served, path: str) -> None:
    before = served.seen
    assert served.get(path, Accept=FHIR if "Binary" not in path else "*/*").status_code == 200
    assert served.seen == before


@pytest.mark.parametrize(
    ("path", "headers", "mark"),
    [
        (PLAIN[0], {"Accept": "application/fhir+xml"}, ("Content-Type", "application/fhir+xml; charset=utf-8")),
        (f"{PLAIN[0]}&_format=xml", {}, ("Content-Type", "application/fhir+xml; charset=utf-8")),
        (f"{PLAIN[0]}&%5fformat=xml", {}, ("Content-Type", "application/fhir+xml; charset=utf-8")),
        (PLAIN[0], {"Accept-Encoding": "gzip"}, ("Content-Encoding", "gzip")),
        (PLAIN[9], {"Range": "bytes=0-3"}, ("Content-Length", "4")),
        (PLAIN[9], {"Accept": FHIR}, ("Content-Type", FHIR)),
    ],
)
def test_what_is_special_is_served_as_before(
    served: Served, path: str, headers: dict[str, str], mark: tuple[str, str]
) -> None:
    before = served.seen
    answer = served.get(path, **headers)
    assert mark in list(answer.headers.items())
    assert served.seen == before + 1


def test_a_document_that_is_there_already_is_not_sent_again(served: Served) -> None:
    etag = served.get(PLAIN[9]).headers["ETag"]
    assert served.get(PLAIN[9], **{"If-None-Match": etag}).status_code == 304


def test_an_unknown_parameter_is_refused_to_who_wants_that(served: Served) -> None:
    path = f"{PLAIN[0]}&unheard-of=1"
    assert served.get(path).status_code == 200
    assert served.get(path, Prefer="handling=strict").status_code == 400


def test_nothing_is_open_when_a_document_is_not_acceptable(served: Served) -> None:
    assert served.get(PLAIN[9], Accept="image/png").status_code == 406


@pytest.mark.parametrize("host", ["a..b", "a" * 100, "."])
def test_a_search_that_is_refused_is_no_failure_whatever_host_it_names(served: Served, host: str) -> None:
    """The framework does not know the door of a request whose host it cannot make out."""
    asked = "/fhir/DocumentReference?status.x=1"
    answers = [served.client.get(asked, headers=way, environ_overrides={"HTTP_HOST": host}) for way in ({}, LONG_WAY)]
    assert [one.status_code for one in answers] == [400, 400]
    assert answers[0].data == answers[1].data
