"""Large bodies that come slowly, at the doors of SOAP and of FHIR: one bound for both. Bodies that unfold."""

import gzip
import io
import json
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from carnet.application import application
from carnet.wiring import open_actors
from soap.large_messages import LARGE, OF_A_THREAD
from tests import fhir_bundles as fhir
from tests import messages, servers

FHIR = "application/fhir+json"
REFERENCE = json.dumps({"resourceType": "DocumentReference", "status": "current"}).encode()
LARGE_REFERENCE = REFERENCE + b" " * (LARGE + 200_000)  # it is large before its last chunk


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Flask]:
    """With room for the large bodies of one thread."""
    settings = replace(servers.settings_for(tmp_path_factory.mktemp("carnet"), domain="ihe"), threads=1)
    actors = open_actors(settings)
    yield application(actors)
    actors.units.close()


class _Slow(io.BytesIO):
    """A body; `meanwhile` is called when all of it has come, before its end is known."""

    def __init__(self, octets: bytes, meanwhile: Callable[[], None]) -> None:
        super().__init__(octets)
        self._meanwhile: Callable[[], None] | None = meanwhile

    def read(self, size: int | None = -1, /) -> bytes:
        chunk = super().read(size)
        if self.tell() == len(self.getvalue()) and self._meanwhile is not None:
            meanwhile, self._meanwhile = self._meanwhile, None
            meanwhile()
        return chunk


def posted(app: Flask, body: bytes, meanwhile: Callable[[], None] = lambda: None, **given: str) -> TestResponse:
    path, kind = given.pop("path", "/fhir/$validate"), given.pop("kind", FHIR)
    environ = {"CONTENT_LENGTH": str(len(body)), "CONTENT_TYPE": kind}
    return app.test_client().post(path, input_stream=_Slow(body, meanwhile), environ_overrides=environ, headers=given)


def soap(app: Flask, spaces: int) -> TestResponse:
    return posted(
        app, messages.envelope(b"<x/>", "urn:t") + b" " * spaces, path="/xds/registry", kind=messages.simple_type()
    )


def filled(app: Flask, left: int, meanwhile: Callable[[], None]) -> list[int]:
    """The statuses of so many large bodies that come at the same time; `meanwhile`: when none of them has ended."""
    statuses = list[int]()

    def another() -> None:
        statuses.extend(filled(app, left - 1, meanwhile))

    return [posted(app, LARGE_REFERENCE, another if left > 1 else meanwhile).status_code, *statuses]


def test_one_large_body_more_than_there_is_room_for_is_refused_at_both_doors(app: Flask) -> None:
    beside: list[TestResponse] = []

    def meanwhile() -> None:
        beside.extend((posted(app, LARGE_REFERENCE), soap(app, LARGE), posted(app, REFERENCE), soap(app, 0)))

    assert filled(app, OF_A_THREAD, meanwhile) == [200] * OF_A_THREAD
    large, large_soap, small, small_soap = beside
    assert [one.status_code for one in (large, large_soap)] == [503, 503]
    assert json.loads(large.data)["issue"][0]["code"] == "throttled"
    assert all(one.headers["Retry-After"] for one in (large, large_soap))
    assert small.status_code == 200
    assert small_soap.status_code != 503
    assert [posted(app, LARGE_REFERENCE).status_code for _ in range(OF_A_THREAD + 1)] == [200] * (OF_A_THREAD + 1)


def test_what_grows_where_it_is_unfolded_is_as_large_as_it_is_then(app: Flask) -> None:
    beside: list[TestResponse] = []
    folded = gzip.compress(LARGE_REFERENCE)
    filled(app, OF_A_THREAD, lambda: beside.append(posted(app, folded, **{"Content-Encoding": "gzip"})))
    assert [one.status_code for one in beside] == [503]


def test_a_bundle_whose_document_goes_to_the_store_is_no_large_body(app: Flask) -> None:
    """What is cut from a body is not kept in memory."""
    made = app.test_client().post("/fhir/Patient", json=fhir.a_patient(), content_type=FHIR)
    patient = f"Patient/{made.headers['Location'].partition('/Patient/')[2].partition('/')[0]}"
    beside: list[TestResponse] = []

    def meanwhile() -> None:
        small = fhir.a_provide_bundle(patient, content=bytes(2 * LARGE))
        large = fhir.a_provide_bundle(patient)
        for one in (small, large | {"note": " " * LARGE}):
            beside.append(posted(app, json.dumps(one).encode(), path="/fhir"))

    filled(app, OF_A_THREAD, meanwhile)
    assert [one.status_code for one in beside] == [200, 503], [one.data[:300] for one in beside]


def test_the_parts_of_a_large_batch_are_in_the_room_of_the_whole(app: Flask) -> None:
    part = {"request": {"method": "POST", "url": "DocumentReference/$validate"}, "resource": json.loads(REFERENCE)}
    large = part | {"resource": part["resource"] | {"description": "x" * LARGE}}
    batch = {"resourceType": "Bundle", "type": "batch", "entry": [large, large, part]}
    statuses: list[int] = []
    answers: list[TestResponse] = []
    statuses += filled(
        app, OF_A_THREAD - 1, lambda: answers.append(posted(app, json.dumps(batch).encode(), path="/fhir"))
    )
    told = [one["response"]["status"][:3] for one in json.loads(answers[0].data)["entry"]]
    assert (answers[0].status_code, set(told) & {"503"}) == (200, set()), told


# --- gzip ------------------------------------------------------------------------------------------


def unfolded(app: Flask, octets: bytes) -> TestResponse:
    return posted(app, gzip.compress(octets), **{"Content-Encoding": "gzip"})


def test_a_small_body_does_not_unfold_to_the_largest(app: Flask) -> None:
    """zlib folds 1,027 spaces into an octet: 15 kB are 15 MB, which is below what a body may have."""
    refused = unfolded(app, REFERENCE + b" " * 15_000_000)
    assert refused.status_code == 413
    issue = json.loads(refused.data)["issue"][0]
    assert issue["code"] == "too-costly"
    assert "300 times" in issue["diagnostics"]
    assert unfolded(app, REFERENCE + b" " * 900_000).status_code == 200  # of few octets nobody is harmed


def test_the_same_row_200000_times_is_taken(app: Flask) -> None:
    """More than any document of the corpora repeats itself (20; in base64 14): a table of one row is at 294."""
    row = "<tr><td>Glycémie à jeun</td><td>5.1 mmol/L</td><td>normal</td></tr>\n"
    text = row.encode() * 200_000
    resource = {"resourceType": "DocumentReference", "status": "current", "description": text.decode()}
    assert unfolded(app, json.dumps(resource, ensure_ascii=False).encode()).status_code == 200
