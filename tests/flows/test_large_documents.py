"""Documents stream both ways: memory does not grow with their size."""

import hashlib
import http.client
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import messages, servers
from tests.blob_stores import BUCKET, object_store
from tests.builders import REPOSITORY, a_submission, an_entry
from tests.servers import Server

MEGABYTE = 10**6
GROWTH_ALLOWED = 64 * 2**20
SIZES = [200 * MEGABYTE, pytest.param(1000 * MEGABYTE, marks=pytest.mark.long)]
BLOCK = bytes(range(256)) * 256


@pytest.fixture(scope="module", params=["folder", "bucket", pytest.param("apart", marks=pytest.mark.long)])
def started_server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    data = tmp_path_factory.mktemp("large")
    large = {"max_document_mb": 1000, "max_message_mb": 2000}
    if request.param == "apart":
        with servers.apart(data, servers.started, repository=large) as running:
            servers.know_patients(running.registry_settings)
            yield running
        return
    with object_store() as endpoint:
        where = {"documents": f"s3://{BUCKET}/large", "s3_endpoint": endpoint} if request.param == "bucket" else {}
        settings = servers.settings_for(data, **large, **where)
        with servers.started(settings) as running:
            servers.know_patients(running.settings)
            yield running


def worker_of(server: Server) -> int:
    """The one worker process of the started server."""
    children = Path(f"/proc/{server.pid}/task/{server.pid}/children").read_text().split()
    return int(children[0])


def peak_memory(pid: int) -> int:
    """Largest resident memory the process ever had, in octets."""
    line = next(one for one in Path(f"/proc/{pid}/status").read_text().splitlines() if one.startswith("VmHWM"))
    return int(line.split()[1]) * 1024


def blocks(size: int) -> Iterator[bytes]:
    while size > 0:
        yield BLOCK[: min(size, len(BLOCK))]
        size -= len(BLOCK)


def push_streaming(server: Server, document: str, size: int) -> bytes:
    """ITI-41 with a generated document of `size` octets; returns the answer."""
    entry = an_entry(unique_id=document, hash=None, size=None)
    body = messages.provide_body(a_submission(entry), {entry.entry_uuid: messages.include("big@test")})
    whole = messages.multipart(messages.envelope(body, messages.PROVIDE), [("big@test", b"@@@")])
    head, tail = whole.split(b"@@@")
    connection = http.client.HTTPConnection(server.settings.host, server.settings.port, timeout=120)
    headers = {
        "Content-Type": messages.multipart_type(),
        "Content-Length": str(len(head) + size + len(tail)),
    }

    def message() -> Iterator[bytes]:
        yield head
        yield from blocks(size)
        yield tail

    connection.request("POST", "/xds/repository", body=message(), headers=headers)
    answer = connection.getresponse().read()
    connection.close()
    return answer


needs_proc = pytest.mark.skipif(
    not Path("/proc/self/status").exists(), reason="memory is read from /proc, which Linux has"
)


@needs_proc
@pytest.mark.parametrize("size", SIZES)
def test_a_large_document_goes_in_and_out_with_64_mb_of_memory(started_server: Server, size: int) -> None:
    if started_server.settings.documents and size == SIZES[0]:
        size //= 4  # the bucket of the tests is a Python program
    worker = worker_of(started_server)
    push_streaming(started_server, f"2.25.1.{size}", MEGABYTE)
    messages.retrieve(started_server, (REPOSITORY, f"2.25.1.{size}"))
    before = peak_memory(worker)
    assert b":Success" in push_streaming(started_server, f"2.25.{size}", size)
    after_push = peak_memory(worker)
    assert after_push - before < GROWTH_ALLOWED

    expected = hashlib.sha1(usedforsecurity=False)
    for block in blocks(size):
        expected.update(block)
    assert _retrieved_digest(started_server, f"2.25.{size}") == expected.hexdigest()
    assert peak_memory(worker) - before < GROWTH_ALLOWED


@needs_proc
def test_fifty_documents_and_several_large_ones_stay_within_64_mb(started_server: Server) -> None:
    """One submission of 50 documents of 2 MB; one retrieve of all of them, and of three of 30 MB."""
    worker = worker_of(started_server)
    push_streaming(started_server, "2.25.2", MEGABYTE)
    messages.retrieve(started_server, (REPOSITORY, "2.25.2"))
    before = peak_memory(worker)
    contents = {f"Document{number:02}": bytes([number]) * (2 * MEGABYTE) for number in range(1, 51)}
    entries = [an_entry(entry_uuid=key, content=value) for key, value in contents.items()]
    answer = messages.provide(started_server, a_submission(*entries), contents)
    assert answer.status == "Success", answer.contexts
    answer = messages.retrieve(started_server, *((REPOSITORY, str(entry.unique_id)) for entry in entries))
    assert messages.contents(answer) == list(contents.values())
    for number in range(3):
        assert b":Success" in push_streaming(started_server, f"2.25.3{number}", 30 * MEGABYTE)
    answer = messages.retrieve(started_server, *((REPOSITORY, f"2.25.3{number}") for number in range(3)))
    assert [len(one) for one in messages.contents(answer)] == [30 * MEGABYTE] * 3
    assert peak_memory(worker) - before < GROWTH_ALLOWED


def _retrieved_digest(server: Server, document: str) -> str:
    """SHA-1 of the document as it streams out of an ITI-43 answer."""
    message = messages.multipart(messages.envelope(messages.retrieve_body((REPOSITORY, document)), messages.RETRIEVE))
    connection = http.client.HTTPConnection(server.settings.host, server.settings.port, timeout=120)
    connection.request("POST", "/xds/repository", body=message, headers={"Content-Type": messages.multipart_type()})
    response = connection.getresponse()
    boundary = response.getheader("Content-Type", "").partition('boundary="')[2].partition('"')[0]
    tail = len(f"\r\n--{boundary}--\r\n")
    digest, kept, heads = hashlib.sha1(usedforsecurity=False), b"", 0
    while chunk := response.read(MEGABYTE):
        kept += chunk
        while heads < 2 and b"\r\n\r\n" in kept:
            kept = kept.partition(b"\r\n\r\n")[2]
            heads += 1
        if heads == 2 and len(kept) > tail:
            digest.update(kept[:-tail])
            kept = kept[-tail:]
    connection.close()
    assert os.fsencode(boundary) in kept
    return digest.hexdigest()


def test_a_document_over_the_limit_is_413_and_the_server_goes_on(tmp_path: Path) -> None:
    settings = servers.settings_for(tmp_path, max_document_mb=1)
    with servers.in_process(settings) as server:
        servers.know_patients(settings)
        entry = an_entry(hash=None, size=None)
        body = messages.provide_body(a_submission(entry), {entry.entry_uuid: messages.include("big@test")})
        message = messages.multipart(messages.envelope(body, messages.PROVIDE), [("big@test", b"x" * (MEGABYTE + 1))])
        assert server.post("/xds/repository", message, messages.multipart_type()).status == 413
        assert files_left(tmp_path / "documents") == ["carnet-repository"]
        small = an_entry(content=b"small")
        assert messages.provide(server, a_submission(small), {"Document01": b"small"}).status == "Success"


def test_a_client_that_still_sends_reads_why_it_was_refused(tmp_path: Path) -> None:
    settings = servers.settings_for(tmp_path, max_document_mb=1, max_message_mb=40)
    with servers.started(settings) as server:
        servers.know_patients(settings)
        assert b"a document has more than 1000000 octets" in push_streaming(server, "2.25.1", 30 * MEGABYTE)
        assert b"more than 40000000 octets" in push_streaming(server, "2.25.1", 50 * MEGABYTE)
        assert b":Success" in push_streaming(server, "2.25.1", MEGABYTE)


def test_more_parts_than_allowed_are_a_fault_and_leave_nothing(tmp_path: Path) -> None:
    settings = servers.settings_for(tmp_path, max_parts=3)
    with servers.in_process(settings) as server:
        servers.know_patients(settings)
        contents = {f"Document{number:02}": b"%d" % number for number in range(1, 4)}
        entries = [an_entry(entry_uuid=key, content=value) for key, value in contents.items()]
        answer = messages.provide(server, a_submission(*entries), contents)
        assert answer.response.status == 400
        assert b"more than 3 parts" in answer.response.body
        assert files_left(tmp_path / "documents") == ["carnet-repository"]
        two = messages.provide(server, a_submission(*entries[:2]), dict(list(contents.items())[:2]))
        assert two.status == "Success"


def files_left(folder: Path) -> list[str]:
    """The mark of the repository, and whatever a refused message left."""
    return [file for _, _, files in os.walk(folder) for file in files]
