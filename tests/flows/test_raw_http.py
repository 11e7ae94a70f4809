"""Octets that are not quite HTTP: one answer of the closed list, no second request. Rows M16, M18, M20, M21, M22."""

import itertools
import re
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import messages, mutual_tls, servers
from tests.attacks.mutants import SEED, mutants
from tests.servers import Server

PLAIN = {400, 404, 405, 408, 411, 413, 415, 429, 431, 503}
HANDLED = {200, 202, 204, 304, 308, *PLAIN, 401, 403, 406}
STATUS = re.compile(rb"HTTP/1\.[01] (\d{3}) ")
SECOND = b"GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    given = {"head_seconds": 2, "slow_seconds": 2, "idle_seconds": 2}
    with servers.started(servers.settings_for(tmp_path_factory.mktemp("raw"), **given)) as running:
        yield running
        before, trace, after = (Path(running.settings.data) / "server.log").read_text().partition("Traceback")
        assert not trace, before[-500:] + trace + after[:3000]


def answer_to(server: Server, octets: bytes) -> bytes:
    """Everything that comes back to octets after which the client sends no more."""
    with mutual_tls.connected(server) as connection:
        try:
            connection.sendall(octets)
            connection.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # refused before all was sent: what was answered is read below
        return mutual_tls.read_all(connection)


def statuses(answer: bytes) -> list[int]:
    return [int(one) for one in STATUS.findall(answer)]


def post(*headers: str, body: bytes = b"", path: str = "/xds/registry", version: str = "1.1") -> bytes:
    lines = [f"POST {path} HTTP/{version}", "Host: x", "Content-Type: application/soap+xml", *headers]
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body


SMUGGLED = {
    "CL.TE": post("Content-Length: 6", "Transfer-Encoding: chunked", body=b"0\r\n\r\nG" + SECOND),
    "TE.CL": post("Transfer-Encoding: chunked", "Content-Length: 4", body=b"5c\r\n" + SECOND + b"\r\n0\r\n\r\n"),
    "TE.TE": post("Transfer-Encoding: chunked", "Transfer-Encoding: x", body=b"0\r\n\r\n" + SECOND),
    "chunked twice": post("Transfer-Encoding: chunked, chunked", body=b"0\r\n\r\n" + SECOND),
    "chunked not last": post("Transfer-Encoding: chunked, identity", body=b"0\r\n\r\n" + SECOND),
    "unknown coding": post("Transfer-Encoding: xchunked", body=b"0\r\n\r\n" + SECOND),
    "tab before chunked": post("Transfer-Encoding:\x0bchunked", body=b"0\r\n\r\n" + SECOND),
    "two lengths": post("Content-Length: 0", "Content-Length: 44", body=SECOND),
    "two equal lengths": post("Content-Length: 0", "Content-Length: 0", body=SECOND),
    "list of lengths": post("Content-Length: 0, 0", body=SECOND),
    "length 0x": post("Content-Length: 0x0", body=SECOND),
    "length with underscore": post("Content-Length: 1_0", body=SECOND),
    "length with plus": post("Content-Length: +0", body=SECOND),
    "length with minus": post("Content-Length: -1", body=SECOND),
    "length in other digits": post("Content-Length: \xb2", body=SECOND),
    "empty length": post("Content-Length:", body=SECOND),
    "space before colon": post("Content-Length : 0", body=SECOND),
    "obs-fold": post("Content-Length: 0", "X: a\r\n b", body=SECOND),
    "bare CR in a header": post("X: a\rContent-Length: 5", "Content-Length: 0", body=SECOND),
    "bare LF in a header": post("X: a\nContent-Length: 5", "Content-Length: 0", body=SECOND),
    "LF line ends": b"GET / HTTP/1.1\nHost: x\n\n" + SECOND,
    "NUL in a header": post("X: a\x00b", "Content-Length: 0", body=SECOND),
    "NUL in a name": post("X\x00: b", "Content-Length: 0", body=SECOND),
    "1.0 and chunked": post("Transfer-Encoding: chunked", body=b"0\r\n\r\n" + SECOND, version="1.0"),
    "HTTP/0.9": b"GET /health/live\r\n\r\n" + SECOND,
    "HTTP/2.0": b"GET /health/live HTTP/2.0\r\nHost: x\r\n\r\n" + SECOND,
    "HTTP/1.10": b"GET /health/live HTTP/1.10\r\nHost: x\r\n\r\n" + SECOND,
    "two hosts": b"GET /health/live HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n" + SECOND,
    "no target": b"GET  HTTP/1.1\r\nHost: x\r\n\r\n" + SECOND,
    "spaces in the target": b"GET /a b HTTP/1.1\r\nHost: x\r\n\r\n" + SECOND,
    "octets in the target": b"GET /\xff HTTP/1.1\r\nHost: x\r\n\r\n" + SECOND,
    "header without colon": post("Nothing", "Content-Length: 0", body=SECOND),
    "expectation unknown": post("Expect: 200-ok", "Content-Length: 0", body=SECOND),
}
CHUNKS = {
    "size 2^64": b"10000000000000000\r\n",
    "size with minus": b"-1\r\n",
    "size 0x": b"0x5\r\nhello\r\n0\r\n\r\n",
    "size with underscore": b"1_0\r\n",
    "extension with bare LF": b"5;a\nb\r\nhello\r\n0\r\n\r\n",
    "extension with bare CR": b"5;a\rb\r\nhello\r\n0\r\n\r\n",
    "long extension": b"5;" + b"a" * 200_000 + b"\r\nhello\r\n0\r\n\r\n",
    "data longer than the size": b"3\r\nhello\r\n0\r\n\r\n",
    "LF after the size": b"5\nhello\n0\n\n",
    "no size": b"\r\nhello\r\n0\r\n\r\n",
    "trailer that smuggles": b"0\r\nContent-Length: 9\r\n\r\n",
    "broken trailer": b"0\r\nnothing\r\n\r\n",
}


@pytest.mark.parametrize("kind", SMUGGLED)
def test_m16_an_ambiguous_message_is_400_and_the_end_of_its_connection(server: Server, kind: str) -> None:
    answer = answer_to(server, SMUGGLED[kind])
    assert statuses(answer) == [400], answer
    assert b"Connection: close\r\n" in answer


@pytest.mark.parametrize("kind", CHUNKS)
def test_m16_broken_chunks_are_400_and_the_end_of_their_connection(server: Server, kind: str) -> None:
    answer = answer_to(server, post("Transfer-Encoding: chunked", body=CHUNKS[kind] + SECOND))
    assert statuses(answer) == [400], answer


@pytest.mark.parametrize(
    ("octets", "status"),
    [
        (b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", 431),
        (b"GET / HTTP/1.1\r\nHost: x\r\n" + b"X: y\r\n" * 101 + b"\r\n", 431),
        (b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"y" * 17_000 + b"\r\n\r\n", 431),
        (b"GET / HTTP/1.1\r\nHost: x\r\n" + b"X: " + b"y" * 10_000_000, 431),
        (b"G" * 100_000, 431),
    ],
)
def test_heads_have_an_end(server: Server, octets: bytes, status: int) -> None:
    answer = answer_to(server, octets)
    assert statuses(answer) == [status]
    assert b"Connection: close\r\n" in answer


def test_pipelined_requests_are_answered_in_order(server: Server) -> None:
    last = b"GET /nothing HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    assert statuses(answer_to(server, SECOND * 20 + last)) == [200] * 20 + [404]


def test_a_head_that_comes_octet_by_octet_is_read(server: Server) -> None:
    with mutual_tls.connected(server) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for octet in b"\r\n" + SECOND:
            connection.sendall(bytes([octet]))
        connection.shutdown(socket.SHUT_WR)
        assert statuses(mutual_tls.read_all(connection)) == [200]


def test_100_continue_comes_when_the_body_is_wanted(server: Server) -> None:
    """The endpoint takes it; a path that is none refuses without asking for the body."""
    message = messages.envelope(b"<x/>", "urn:nothing")
    headers = (f"Content-Length: {len(message)}", "Expect: 100-continue")
    with mutual_tls.connected(server) as connection:
        connection.sendall(post(*headers))
        assert connection.recv(1000) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(message)
        assert connection.recv(1000).startswith(b"HTTP/1.1 400 ")
    with mutual_tls.connected(server) as connection:
        connection.sendall(post(f"Content-Length: {10**10}", "Expect: 100-continue"))
        assert connection.recv(1000).startswith(b"HTTP/1.1 413 ")


@pytest.mark.parametrize(
    "path", ["//xds/registry", "/xds//registry", "/XDS/registry", "/xds/registry/", "/xds/registry;x"]
)
def test_m21_only_the_path_itself_is_a_door(server: Server, path: str) -> None:
    found = statuses(answer_to(server, post("Content-Length: 0", "Connection: close", path=path)))
    assert found in ([404], [405])


@pytest.mark.parametrize("method", ["TRACE", "CONNECT", "PUT", "DELETE", "PATCH", "BREW"])
def test_m21_other_methods_are_refused_with_those_that_do(server: Server, method: str) -> None:
    answer = answer_to(server, f"{method} /xds/registry HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
    assert statuses(answer) == [405]
    assert re.search(rb"Allow: [A-Z, ]*POST", answer)


def test_m20_addresses_come_from_the_settings(server: Server) -> None:
    octets = (
        b"GET http://evil.example/xds/registry?wsdl HTTP/1.1\r\nHost: evil.example\r\nX-Forwarded-Host: evil.example\r\n"
        b"X-Forwarded-Proto: https\r\nForwarded: host=evil.example\r\nConnection: close\r\n\r\n"
    )
    assert b"evil.example" not in answer_to(server, octets)


def test_names_of_the_gateway_are_no_headers(server: Server) -> None:
    """A client on loopback is no proxy: it does not say where the application lies."""
    octets = SECOND.replace(b"Host: x", b"Host: x\r\nSCRIPT_NAME: /health\r\nPATH_INFO: /nothing\r\nConnection: close")
    assert statuses(answer_to(server, octets)) == [200]


def test_m22_many_ranges_are_one_answer(server: Server) -> None:
    ranges = ",".join(f"{at}-{at}" for at in range(1500))
    octets = f"GET /fhir/Binary/x HTTP/1.1\r\nHost: x\r\nRange: bytes={ranges}\r\nConnection: close\r\n\r\n".encode()
    assert statuses(answer_to(server, octets)) == [404]


def test_m18_controls_in_headers_and_paths_make_one_line_of_log(server: Server) -> None:
    octets = post("Content-Length: 0", "SOAPAction: a\x1b[31mb", body=b"")
    assert statuses(answer_to(server, octets)) == [400]
    answer_to(server, b"GET /%0d%0aSet-Cookie:%20x%0d%0a HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    log = (Path(server.settings.data) / "server.log").read_text()
    assert "\x1b" not in log
    assert "Set-Cookie" not in log


def cases(folder: Path) -> Iterator[bytes]:
    """The requests of the corpus: `http` blocks, whose escapes stand for octets, and files of octets."""
    for file in sorted((folder / "http").glob("*.md")):
        for block in re.findall(r"```http\n(.*?)```", file.read_text(encoding="utf-8"), re.S):
            text = block.replace("\\\n", "").replace("\n", "\r\n")
            yield (text.replace("\\r", "\r").replace("\\n", "\n").replace("\\t", "\t").replace("\\f", "\f")).encode(
                "utf-8"
            )
    yield from (file.read_bytes() for file in sorted((folder / "http-fuzz-seeds").glob("*.bin")))


@pytest.mark.corpus
def test_m16_the_corpus_is_answered_from_the_closed_list(server: Server, corpus: Path) -> None:
    """One answer for each request at most; nothing, only where nothing was asked."""
    sent = 0
    for octets in itertools.islice(cases(corpus / "attacks"), 2000):
        found = statuses(answer_to(server, octets))
        sent += 1
        assert set(found) <= HANDLED, octets
        assert found or not octets.strip(), octets
        answered = [one for one in found if one != 400]
        assert len(answered) <= octets.count(b"HTTP/"), octets
        assert len(found) - len(answered) <= 1, octets
    assert sent > 300
    assert server.request("GET", "/health/live").status == 200


# Two codes of SOAP faults that the standard sends with 500.
_FAULTS_OF_500 = re.compile(rb"env:(?:MustUnderstand|VersionMismatch)<")


def _sound_heads() -> tuple[bytes, ...]:
    message = messages.envelope(b"<x/>", "urn:nothing")
    chunked = b"%x\r\n%s\r\n0\r\n\r\n" % (len(message), message)
    return (
        SECOND,
        post(f"Content-Length: {len(message)}", "Connection: close", body=message),
        post("Transfer-Encoding: chunked", "Expect: 100-continue", body=chunked),
        b"GET /fhir/DocumentReference?patient.identifier=x HTTP/1.1\r\nHost: x\r\nAccept: application/fhir+json\r\n\r\n",
        b"GET /xds/registry?wsdl HTTP/1.1\r\nHost: x\r\nRange: bytes=0-5\r\nConnection: keep-alive\r\n\r\n",
    )


def play_heads(server: Server, count: int) -> None:
    """No answer but those of the list, no more of them than there may be requests, and the server goes on."""
    print(f"HTTP: seed {SEED}, {count} requests")
    for number, octets in enumerate(mutants(_sound_heads(), count)):
        answer = answer_to(server, octets)
        found = [one for one in statuses(answer) if not (one == 500 and _FAULTS_OF_500.search(answer))]
        assert set(found) <= HANDLED | {100}, (SEED, number, octets)
        answered = [one for one in found if one not in (100, 400)]
        assert len(answered) <= octets.count(b"HTTP/"), (SEED, number, octets)
    assert server.request("GET", "/health/live").status == 200


def test_2000_broken_requests_are_answered_from_the_closed_list(server: Server) -> None:
    play_heads(server, 2_000)


@pytest.mark.long
def test_100000_broken_requests_are_answered_from_the_closed_list(server: Server) -> None:
    play_heads(server, 100_000)
