"""What a client sees of a connection when a request is refused, sent in pieces, or given up."""

import contextlib
import http.client
import os
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests import messages, servers
from tests.builders import REPOSITORY, a_submission, an_entry
from tests.mutual_tls import eventually
from tests.servers import Server


@pytest.fixture(scope="module")
def started_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with servers.started(servers.settings_for(tmp_path_factory.mktemp("connections"))) as running:
        servers.know_patients(running.settings)
        yield running


def connection_to(server: Server) -> http.client.HTTPConnection:
    return http.client.HTTPConnection(server.settings.host, server.settings.port, timeout=30)


def message_for(content: bytes, **changes: object) -> bytes:
    """ITI-41 with one document."""
    entry = an_entry(content=content, **changes)
    body = messages.provide_body(a_submission(entry), {entry.entry_uuid: messages.include("d@test")})
    return messages.multipart(messages.envelope(body, messages.PROVIDE), [("d@test", content)])


UNKNOWN_ACTION = messages.multipart(messages.envelope(b"<x/>", "urn:nothing"), [("d@test", b"x" * 2_000_000)])


@pytest.mark.parametrize(
    ("path", "body", "content_type", "status"),
    [
        ("/xds/registry", b"x" * 500_000, "application/json", 415),
        ("/xds/nothing", b"x" * 500_000, messages.simple_type(), 404),
        ("/xds/repository", UNKNOWN_ACTION, messages.multipart_type(), 400),
        ("/fhir/Nothing", b"x" * 500_000, "application/fhir+json", 404),
    ],
)
def test_a_connection_serves_on_after_a_refusal(
    started_server: Server, path: str, body: bytes, content_type: str, status: int
) -> None:
    connection = connection_to(started_server)
    for _ in range(2):
        connection.request("POST", path, body=body, headers={"Content-Type": content_type})
        response = connection.getresponse()
        assert (response.status, response.read() != b"") == (status, True)
        assert response.getheader("Connection") == "keep-alive"
    connection.close()


def test_a_message_too_large_is_refused_unread_and_the_connection_closed(started_server: Server) -> None:
    connection = connection_to(started_server)
    connection.putrequest("POST", "/xds/repository")
    connection.putheader("Content-Type", messages.multipart_type())
    connection.putheader("Content-Length", str(10**13))
    connection.endheaders()
    response = connection.getresponse()
    assert (response.status, response.getheader("Connection")) == (413, "close")
    connection.close()


def test_a_chunked_message_is_read(started_server: Server) -> None:
    message = message_for(b"in pieces")
    connection = connection_to(started_server)
    pieces = (message[at : at + 97] for at in range(0, len(message), 97))
    headers = {"Content-Type": messages.multipart_type(), "Transfer-Encoding": "chunked"}
    connection.request("POST", "/xds/repository", body=pieces, headers=headers, encode_chunked=True)
    assert b"ResponseStatusType:Success" in connection.getresponse().read()
    connection.close()


def test_a_message_whose_chunks_are_not_http_is_400(started_server: Server) -> None:
    with socket.create_connection((started_server.settings.host, started_server.settings.port), timeout=30) as raw:
        raw.sendall(
            b"POST /xds/registry HTTP/1.1\r\nHost: x\r\nContent-Type: application/soap+xml\r\n"
            b"Transfer-Encoding: chunked\r\n\r\n4\r\n<a/>\r\nno size\r\n\r\n"
        )
        assert raw.recv(100).startswith(b"HTTP/1.1 400 ")


@pytest.mark.parametrize("framing", ["Content-Length: 10000000", "Transfer-Encoding: chunked"])
def test_an_upload_that_is_given_up_leaves_nothing(started_server: Server, framing: str) -> None:
    documents = Path(started_server.settings.data) / "documents"
    before = files_under(documents)
    head = message_for(b"@@@").partition(b"@@@")[0] + b"x" * 1_000_000
    if framing.startswith("Transfer"):
        head = b"%x\r\n" % (len(head) + 10) + head
    with socket.create_connection((started_server.settings.host, started_server.settings.port), timeout=30) as raw:
        raw.sendall(
            f"POST /xds/repository HTTP/1.1\r\nHost: x\r\nContent-Type: {messages.multipart_type()}\r\n{framing}\r\n\r\n".encode()
            + head
        )
        wait_until(lambda: files_under(documents) == before + 1)
    wait_until(lambda: files_under(documents) == before)
    log = (Path(started_server.settings.data) / "server.log").read_text()
    assert "unexpected failure" not in log


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="open files are read from /proc, which Linux has")
def test_a_download_that_is_given_up_leaves_the_server_well(started_server: Server) -> None:
    content = b"x" * 5_000_000
    message = message_for(content, unique_id="2.25.1")
    assert b"Success" in started_server.post("/xds/repository", message, messages.multipart_type()).body
    request = messages.multipart(messages.envelope(messages.retrieve_body((REPOSITORY, "2.25.1")), messages.RETRIEVE))
    for _ in range(20):
        connection = connection_to(started_server)
        headers = {"Content-Type": messages.multipart_type()}
        connection.request("POST", "/xds/repository", body=request, headers=headers)
        connection.getresponse().read(1000)
        connection.close()
    wait_until(lambda: open_documents(started_server) == 0)
    assert started_server.request("GET", "/health/live").status == 200


def files_under(folder: Path) -> int:
    return sum(len(files) for _, _, files in os.walk(folder))


def open_documents(server: Server) -> int:
    """Files of the document store that the server's processes have open."""
    children = Path(f"/proc/{server.pid}/task/{server.pid}/children").read_text().split()
    opened = [link for child in children for link in Path(f"/proc/{child}/fd").iterdir()]
    return sum("/documents/" in os.path.realpath(link) for link in opened)


def wait_until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.mark.postgresql
def test_two_processes_share_the_connections(shared_postgresql_url: str, tmp_path: Path) -> None:
    """One that woke first took all that came at once, and was asked alone as long as they were kept alive."""
    settings = servers.settings_for(tmp_path, shared_postgresql_url, workers=2)
    with contextlib.ExitStack() as held, servers.started(settings) as running:
        children = Path(f"/proc/{running.pid}/task/{running.pid}/children").read_text().split()
        for _ in range(40):
            held.enter_context(socket.create_connection((settings.host, settings.port), timeout=30))
        eventually(lambda: sum(connections_of(child, settings.port) for child in children) == 40)
        assert min(connections_of(child, settings.port) for child in children) >= 10


def connections_of(process: str, port: int) -> int:
    """Connections to a port of loopback that a process has taken. proc(5)"""
    lines = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    taken = {f"socket:[{fields[9]}]" for fields in lines if (fields[1][-4:], fields[3]) == (f"{port:04X}", "01")}
    return sum(str(one.readlink()) in taken for one in Path(f"/proc/{process}/fd").iterdir())
