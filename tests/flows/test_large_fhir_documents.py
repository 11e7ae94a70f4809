"""Documents in base64 stream through the FHIR door: memory does not grow with their size. MHD 2:3.65, 2:3.105."""

import base64
import gzip
import hashlib
import http.client
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fhir_facade.fhir_xml import write_xml
from tests import fhir_bundles as fhir
from tests import servers
from tests.flows.fhir_requests import a_publication, fed, read
from tests.flows.test_large_documents import GROWTH_ALLOWED, MEGABYTE, needs_proc, peak_memory, worker_of
from tests.servers import Server

BLOCK = bytes(range(256)) * 192  # a multiple of three
ENCODED = base64.b64encode(BLOCK)
FORMATS = {"json": ("application/fhir+json", json.dumps), "xml": ("application/fhir+xml", write_xml)}
HERE = "QEBAQA=="


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    settings = servers.settings_for(tmp_path_factory.mktemp("large"), domain="ihe", max_document_mb=200)
    with servers.started(settings) as running:
        yield running


@pytest.fixture(scope="module")
def patient(server: Server) -> str:
    return fed(server, fhir.a_patient())


def an_unmeasured_bundle(patient: str) -> dict[str, Any]:
    """A Bundle whose Binary holds `HERE`, and says nothing of size and hash."""
    bundle = fhir.a_provide_bundle(patient, base64.b64decode(HERE))
    attachment = bundle["entry"][0]["resource"]["content"][0]["attachment"]
    del attachment["size"], attachment["hash"]
    return bundle


def send(server: Server, path: str, resource: dict[str, Any], blocks: int, form: str = "json") -> tuple[int, Any]:
    """The resource, with so many blocks in the place of `HERE`; status and body of the answer."""
    content_type, write = FORMATS[form]
    written = write(resource)
    head, tail = (written if isinstance(written, bytes) else written.encode()).split(HERE.encode())
    headers = {"Content-Type": content_type, "Accept": "application/fhir+json"}
    headers["Content-Length"] = str(len(head) + blocks * len(ENCODED) + len(tail))

    def body() -> Iterator[bytes]:
        yield head
        for _ in range(blocks):
            yield ENCODED
        yield tail

    connection = http.client.HTTPConnection(server.settings.host, server.settings.port, timeout=120)
    connection.request("POST", path, body=body(), headers=headers)
    answer = connection.getresponse()
    found = answer.status, json.loads(answer.read())
    connection.close()
    return found


def digest_of(server: Server, url: str) -> str:
    connection = http.client.HTTPConnection(server.settings.host, server.settings.port, timeout=120)
    connection.request("GET", url.removeprefix(server.url))
    answer, digest = connection.getresponse(), hashlib.sha1(usedforsecurity=False)
    while chunk := answer.read(MEGABYTE):
        digest.update(chunk)
    connection.close()
    return base64.b64encode(digest.digest()).decode()


@needs_proc
@pytest.mark.parametrize("form", ["json", "xml"])
def test_a_large_binary_of_a_bundle_goes_in_with_64_mb_of_memory(server: Server, patient: str, form: str) -> None:
    worker, blocks = worker_of(server), 100 * MEGABYTE // len(BLOCK)
    assert send(server, "/fhir", an_unmeasured_bundle(patient), 20, form)[0] == 200
    before = peak_memory(worker)
    status, answer = send(server, "/fhir", an_unmeasured_bundle(patient), blocks, form)
    assert status == 200, answer
    assert peak_memory(worker) - before < GROWTH_ALLOWED
    document = read(server, answer["entry"][0]["response"]["location"])
    attachment = document["content"][0]["attachment"]
    assert attachment["size"] == blocks * len(BLOCK)
    assert attachment["hash"] == digest_of(server, attachment["url"])


@needs_proc
def test_a_large_published_document_goes_in_with_64_mb_of_memory(server: Server, patient: str) -> None:
    resource, blocks = a_publication(patient, base64.b64decode(HERE)), 50 * MEGABYTE // len(BLOCK)
    attachment = resource["content"][0]["attachment"]
    del attachment["size"], attachment["hash"]
    assert send(server, "/fhir/DocumentReference", resource, 20)[0] == 201
    before = peak_memory(worker_of(server))
    resource["masterIdentifier"]["value"] = fhir.an_oid_urn()
    status, answer = send(server, "/fhir/DocumentReference", resource, blocks)
    assert status == 201, answer
    assert peak_memory(worker_of(server)) - before < GROWTH_ALLOWED
    attachment = answer["content"][0]["attachment"]
    assert (attachment["size"], "data" in attachment) == (blocks * len(BLOCK), False)
    assert attachment["hash"] == digest_of(server, attachment["url"])


def incoming(server: Server) -> list[Path]:
    return list((Path(server.settings.data) / "documents" / "incoming").iterdir())


def test_a_document_over_the_limit_is_413_and_leaves_nothing(server: Server, patient: str) -> None:
    status, answer = send(server, "/fhir", an_unmeasured_bundle(patient), 201 * MEGABYTE // len(BLOCK))
    assert (status, answer["issue"][0]["code"]) == (413, "too-long")
    assert incoming(server) == []


def test_a_refused_bundle_leaves_no_octets(server: Server, patient: str) -> None:
    bundle = an_unmeasured_bundle(patient)
    del bundle["entry"][0]["resource"]["masterIdentifier"]
    status, answer = send(server, "/fhir", bundle, 2)
    assert (status, answer["issue"][0]["expression"]) == (400, ["Bundle.entry[0].resource.masterIdentifier"])
    assert incoming(server) == []


def test_a_resource_of_16_mb_without_its_documents_is_too_long(server: Server, patient: str) -> None:
    bundle = an_unmeasured_bundle(patient)
    bundle["entry"][0]["resource"]["description"] = "x" * 16 * MEGABYTE
    assert send(server, "/fhir", bundle, 1)[0] == 413


def test_a_compressed_bundle_is_cut_too(server: Server, patient: str) -> None:
    body = json.dumps(an_unmeasured_bundle(patient)).replace(HERE, (ENCODED * 400).decode()).encode()
    headers = {"Content-Type": "application/fhir+json", "Content-Encoding": "gzip"}
    assert len(body) > 16 * MEGABYTE
    assert server.request("POST", "/fhir", gzip.compress(body, 1), headers).status == 200


def test_a_long_binary_of_a_batch_is_told_so_and_the_others_are_answered(server: Server, patient: str) -> None:
    parts = [
        {"resource": {"resourceType": "Binary", "contentType": "application/json-patch+json", "data": HERE}}
        | {"request": {"method": "PATCH", "url": "DocumentReference?identifier=urn:oid:1.2"}},
        {"request": {"method": "GET", "url": f"Patient/{patient.rpartition('/')[2]}"}},
    ]
    status, answer = send(server, "/fhir", {"resourceType": "Bundle", "type": "batch", "entry": parts}, 1)
    assert status == 200
    assert [one["response"]["status"][:3] for one in answer["entry"]] == ["413", "200"]
