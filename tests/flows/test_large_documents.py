"""Documents stream both ways: memory does not grow with their size."""

import hashlib
import http.client
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import messages, servers
from tests.builders import REPOSITORY, a_submission, an_entry
from tests.servers import Server

MEGABYTE = 10**6
SIZE, GROWTH_ALLOWED = 100 * MEGABYTE, 32 * 2**20
BLOCK = bytes(range(256)) * 256


@pytest.fixture(scope="module")
def started_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with servers.started(servers.settings_for(tmp_path_factory.mktemp("large"))) as running:
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


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="memory is read from /proc, which Linux has")
def test_a_document_of_100_mb_goes_in_and_out_with_32_mb_of_memory(started_server: Server) -> None:
    worker = worker_of(started_server)
    push_streaming(started_server, "2.25.1", MEGABYTE)
    messages.retrieve(started_server, (REPOSITORY, "2.25.1"))
    before = peak_memory(worker)
    assert b":Success" in push_streaming(started_server, "2.25.100", SIZE)
    after_push = peak_memory(worker)
    assert after_push - before < GROWTH_ALLOWED

    expected = hashlib.sha1(usedforsecurity=False)
    for block in blocks(SIZE):
        expected.update(block)
    assert _retrieved_digest(started_server, "2.25.100") == expected.hexdigest()
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
        assert not [file for _, _, files in os.walk(tmp_path / "documents") for file in files]
        small = an_entry(content=b"small")
        assert messages.provide(server, a_submission(small), {"Document01": b"small"}).status == "Success"
