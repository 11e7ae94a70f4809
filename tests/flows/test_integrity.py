"""Damaged and missing documents over real HTTP: never delivered, told, counted, the others unharmed."""

import http.client
import json
import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from audit.dicom import read_message
from tests import messages, servers
from tests.audit_store import rows_of
from tests.blob_stores import BUCKET, client, object_store
from tests.builders import REPOSITORY, a_submission, an_entry
from tests.servers import Server

MEGABYTE = 10**6


@pytest.fixture(scope="module", params=["started on a folder", "started on a bucket", "apart on a folder"])
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    data = tmp_path_factory.mktemp("carnet")
    if request.param.startswith("apart"):
        with servers.apart(data, servers.started, repository={"audit": "on"}) as running:
            servers.know_patients(running.registry_settings)
            yield running
        return
    with object_store() as endpoint:
        where = {"documents": f"s3://{BUCKET}/carnet", "s3_endpoint": endpoint}
        settings = servers.settings_for(
            data, audit="on", audit_reserve_mb=1, **(where if request.param.endswith("bucket") else {})
        )
        with servers.started(settings) as running:
            servers.know_patients(settings)
            yield running


def pushed(server: Server, content: bytes) -> str:
    entry = an_entry(content=content)
    answer = messages.provide(server, a_submission(entry), {entry.entry_uuid: content})
    assert answer.status == "Success", answer.contexts
    return str(entry.unique_id)


def key_of(server: Server, unique_id: str) -> str:
    engine = create_engine(server.settings.database_url)
    with engine.connect() as connection:
        statement = text("SELECT blob_key FROM document WHERE unique_id = :id")
        key: str = connection.execute(statement, {"id": unique_id}).scalar_one()
    engine.dispose()
    return key


def damage(server: Server, unique_id: str, at: int | None) -> None:
    """Flip one bit, or take the blob away, behind the back of the server."""
    key = key_of(server, unique_id)
    if server.settings.documents:
        s3, path = client(server.settings.s3_endpoint), f"carnet/{key}"
        content = bytearray(s3.get_object(Bucket=BUCKET, Key=path)["Body"].read())
        if at is None:
            s3.delete_object(Bucket=BUCKET, Key=path)
        else:
            content[at] ^= 1
            s3.put_object(Bucket=BUCKET, Key=path, Body=bytes(content))
        return
    file = Path(server.settings.data) / "documents" / key[:3] / key.replace("/", "-")
    if at is None:
        file.unlink()
    else:
        with file.open("r+b") as opened:
            opened.seek(at)
            octet = opened.read(1)[0]
            opened.seek(at)
            opened.write(bytes([octet ^ 1]))


def alerts(server: Server) -> list[str]:
    """Keys of the damaged documents that the audit tells of."""
    rows = [row for row in rows_of(server.settings.database_url) if (row.event, row.outcome) == ("damage", 8)]
    return [read_message(row.message).objects[0].id for row in rows]


@pytest.mark.parametrize("at", [7, None], ids=["flipped", "missing"])
def test_the_others_are_delivered(server: Server, at: int | None) -> None:
    first, damaged, last = (pushed(server, b"number %d of three" % number) for number in range(3))
    damage(server, damaged, at)
    answer = messages.retrieve(server, *((REPOSITORY, one) for one in (first, damaged, last)))
    assert (answer.status, answer.codes) == ("PartialSuccess", ["XDSRepositoryError"])
    assert messages.contents(answer) == [b"number 0 of three", b"number 2 of three"]
    assert next(answer.envelope.iter("{*}RegistryError")).get("location") == damaged
    assert alerts(server).count(key_of(server, damaged)) == 1
    server.log_with("document damaged, not delivered")


def test_damage_deep_in_a_large_document_cuts_the_answer_before_it(server: Server) -> None:
    content = os.urandom(20 * MEGABYTE)
    unique_id = pushed(server, content)
    damage(server, unique_id, 19 * MEGABYTE)
    message = messages.multipart(messages.envelope(messages.retrieve_body((REPOSITORY, unique_id)), messages.RETRIEVE))
    connection = http.client.HTTPConnection(server.settings.host, server.settings.port, timeout=60)
    connection.request("POST", "/xds/repository", message, {"Content-Type": messages.multipart_type()})
    answer = connection.getresponse()
    received = b""
    with pytest.raises((http.client.IncompleteRead, ConnectionError)):
        while chunk := answer.read(64 * 1024):
            received += chunk
        raise http.client.IncompleteRead(received)
    connection.close()
    assert len(received) < int(answer.getheader("Content-Length", "0"))
    assert content[: 18 * MEGABYTE] in received
    assert content[19 * MEGABYTE - 100 : 19 * MEGABYTE] not in received
    assert alerts(server).count(key_of(server, unique_id)) == 1
    assert messages.contents(messages.retrieve(server, (REPOSITORY, pushed(server, b"goes on")))) == [b"goes on"]


def damaged_so_far(server: Server) -> int:
    """What the process that keeps documents has counted."""
    text = Server.request(server, "GET", "/metrics").body.decode()
    [line] = [one for one in text.splitlines() if one.startswith("carnet_damaged_documents_total{")]
    return int(line.rpartition(" ")[2])


@pytest.mark.parametrize("server", ["in-process", "apart"], indirect=True)
def test_damage_is_counted_where_a_monitor_reads_it(server: Server) -> None:
    unique_id = pushed(server, b"counted")
    before = damaged_so_far(server)
    assert messages.retrieve(server, (REPOSITORY, unique_id)).status == "Success"
    damage(server, unique_id, 0)
    for _ in range(2):
        assert messages.retrieve(server, (REPOSITORY, unique_id)).status == "Failure"
    assert damaged_so_far(server) == before + 2
    text = Server.request(server, "GET", "/metrics").body.decode()
    assert re.search(r'^carnet_ready\{process="\d+"\} 1$', text, re.MULTILINE)


def test_over_fhir_a_damaged_document_is_not_available(server: Server) -> None:
    unique_id = pushed(server, b"for FHIR")
    slots = {"$XDSDocumentEntryUniqueId": f"('{unique_id}')"}
    found = messages.query(server, messages.GET_DOCUMENTS, slots, "ObjectRef")
    entry = str(next(found.envelope.iter("{*}ObjectRef")).get("id")).removeprefix("urn:uuid:")
    assert server.request("GET", f"/fhir/Binary/{entry}").body == b"for FHIR"
    damage(server, unique_id, 0)
    answer = server.request("GET", f"/fhir/Binary/{entry}")
    assert answer.status == 503
    assert json.loads(answer.body)["resourceType"] == "OperationOutcome"
