"""Clients that stall hold up nobody, and are closed in time. Row M15 of the attack matrix."""

import contextlib
import http.client
import os
import resource
import signal
import socket
import ssl
import statistics
import time
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from benchmarks.load.answers import whole_length
from tests import messages, mutual_tls, slow_clients
from tests.mutual_tls import Pki
from tests.servers import Server
from tests.slow_clients import KINDS, LIVE, connect_to, stalling

QUICK = {"handshake_seconds": 2, "head_seconds": 2, "slow_seconds": 2, "idle_seconds": 3}


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Pki:
    return mutual_tls.a_pki(tmp_path_factory.mktemp("pki"))


@pytest.fixture(scope="module")
def server(pki: Pki, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Four threads, so that four stalled clients would be enough."""
    with mutual_tls.started(pki, tmp_path_factory.mktemp("slow"), threads=4, **QUICK) as running:
        yield running


@pytest.fixture(scope="module")
def context(pki: Pki) -> ssl.SSLContext:
    return pki.context(pki.client)


def connect(server: Server, context: ssl.SSLContext) -> slow_clients.Connect:
    return connect_to(server.settings.host, server.settings.port, context)


def milliseconds_of(server: Server, context: ssl.SSLContext, count: int) -> list[float]:
    """Requests on four connections that stay open."""

    def measured(_: int) -> list[float]:
        kept = http.client.HTTPSConnection("localhost", server.settings.port, timeout=30, context=context)
        with contextlib.closing(kept):
            found = []
            for _ in range(count // 4):
                began = time.perf_counter()
                kept.request("GET", "/fhir/metadata")
                answer = kept.getresponse()
                answer.read()
                assert answer.status == 200
                found.append((time.perf_counter() - began) * 1000)
            return found

    with ThreadPoolExecutor(4) as clients:
        return [one for some in clients.map(measured, range(4)) for one in some]


def test_200_stalled_connections_do_not_slow_the_others(server: Server, context: ssl.SSLContext) -> None:
    """A lenient form: `python -m benchmarks.slow_clients` measures the tenth, alone on a machine."""
    alone = milliseconds_of(server, context, 400)
    with stalling(connect(server, context), 200):
        beside = milliseconds_of(server, context, 400)
    assert p99(beside) < 3 * p99(alone) + 100, (p99(alone), p99(beside), statistics.median(beside))


def p99(found: list[float]) -> float:
    return sorted(found)[int(len(found) * 0.99) - 1]


@pytest.mark.parametrize("kind", [one for one in KINDS if not one.startswith("answer")])
def test_each_kind_is_closed_at_its_deadline(server: Server, context: ssl.SSLContext, kind: str) -> None:
    """And not before: a second is given to every one."""
    stalled = KINDS[kind](connect(server, context))
    with contextlib.closing(stalled):
        began = time.monotonic()
        stalled.settimeout(20)
        answer = b""
        with contextlib.suppress(ConnectionResetError, ssl.SSLError):
            answer = mutual_tls.read_all(stalled)
        assert 1 < time.monotonic() - began < 10
    expected = {
        "partial headers": b"HTTP/1.1 408 ",
        "dripping octets": b"HTTP/1.1 408 ",
        "stalled body": b"HTTP/1.1 408 ",
        "stalled chunk": b"HTTP/1.1 408 ",
    }
    assert answer.startswith(expected.get(kind, b""))
    assert b"HTTP" in answer or kind not in expected


def test_answers_that_nobody_takes_end_their_connection(server: Server, context: ssl.SSLContext) -> None:
    with contextlib.closing(slow_clients.answers_never_read(connect(server, context))) as stalled:
        mutual_tls.eventually(lambda: is_gone(stalled))


def test_who_takes_no_answers_is_not_worked_for(pki: Pki, context: ssl.SSLContext, tmp_path: Path) -> None:
    """A kernel takes megabytes of answers for a client that reads none; they are made when it begins to read."""
    request, count = b"GET /xds/registry?wsdl HTTP/1.1\r\nHost: localhost\r\n\r\n", 600
    with mutual_tls.started(pki, tmp_path) as small, contextlib.closing(connect(small, context)(True)) as client:
        client.sendall(request * count)
        mutual_tls.eventually(lambda: served(small) > 0)
        before = -1
        while before != (before := served(small)):
            time.sleep(0.5)
        assert 0 < before < 100
        taken = b""
        while taken.count(b"HTTP/1.1 200 ") < count or not taken.endswith(b"definitions>"):
            taken += client.recv(1 << 20)
        assert served(small) == count


def served(server: Server) -> int:
    """Answers to requests for a service description."""
    with urllib.request.urlopen(f"http://{server.settings.health}/metrics") as answer:
        lines = answer.read().decode().splitlines()
    found = [one for one in lines if one.startswith("carnet_request_seconds_count") and "/xds/" in one]
    return sum(int(float(one.rpartition(" ")[2])) for one in found)


def is_gone(one: socket.socket) -> bool:
    """Whether the server has ended a connection whose answers are not read."""
    try:
        one.sendall(b"x" * 65536)
    except TimeoutError:
        return False
    except OSError:
        return True
    return False


def test_a_body_that_drips_is_closed_although_it_moves(server: Server, context: ssl.SSLContext) -> None:
    with contextlib.closing(slow_clients.stalled_body(connect(server, context))) as dripping:
        dripping.settimeout(0.2)
        began = time.monotonic()
        while time.monotonic() - began < 15:
            try:
                dripping.sendall(b"<")
                answer = dripping.recv(1000)
            except TimeoutError:
                continue
            except OSError:
                answer = b""
            break
        assert time.monotonic() - began < 12
        assert answer.startswith(b"HTTP/1.1 408 ")


def test_a_slow_but_steady_upload_is_taken(server: Server, context: ssl.SSLContext) -> None:
    """Three times the patience of the server, at 5 kB a second."""
    message = messages.envelope(b"<x/>" + b" " * 30_000, "urn:nothing")
    with contextlib.closing(connect(server, context)(True)) as steady:
        head = f"POST /xds/registry HTTP/1.1\r\nHost: x\r\nContent-Type: {messages.simple_type('urn:nothing')}\r\n"
        steady.sendall(f"{head}Content-Length: {len(message)}\r\n\r\n".encode())
        for at in range(0, len(message), 2500):
            steady.sendall(message[at : at + 2500])
            time.sleep(0.5)
        assert steady.recv(100).startswith(b"HTTP/1.1 400 Bad Request\r\n")


def test_an_idle_connection_is_closed(server: Server, context: ssl.SSLContext) -> None:
    with contextlib.closing(connect(server, context)(True)) as idle:
        idle.sendall(LIVE)
        began = time.monotonic()
        assert mutual_tls.read_all(idle).count(b"HTTP/1.1 ") == 1
        assert 2 < time.monotonic() - began < 10


def refuses(small: Server, context: ssl.SSLContext) -> bool:
    """Several times: one refusal may be because the last body is being taken in just now."""
    return all(status_of(small, context, "/health/live")[0] == 503 for _ in range(5))


def test_too_many_requests_are_answered_503_at_once(pki: Pki, context: ssl.SSLContext, tmp_path: Path) -> None:
    """One thread, no queue to speak of, and more bodies on their way than may be."""
    with mutual_tls.started(pki, tmp_path, threads=1, queue=1, uploads=3, head_seconds=30) as small:
        open_ = connect(small, context)
        with contextlib.ExitStack() as held:
            for _ in range(3):
                held.enter_context(contextlib.closing(slow_clients.stalled_body(open_)))
            mutual_tls.eventually(lambda: refuses(small, context))
            began = time.monotonic()
            status, headers, body = status_of(small, context, "/fhir/metadata")
            assert (status, headers["Retry-After"], time.monotonic() - began < 2) == (503, "1", True)
            assert b'"resourceType":"OperationOutcome"' in body
        mutual_tls.eventually(lambda: status_of(small, context, "/health/live")[0] == 200)


@contextlib.contextmanager
def too_busy(pki: Pki, context: ssl.SSLContext, data: Path) -> Iterator[Server]:
    """A server that refuses whatever comes: more bodies are on their way than may be."""
    with contextlib.ExitStack() as held:
        small = held.enter_context(mutual_tls.started(pki, data, threads=1, queue=1, uploads=1, head_seconds=30))
        held.enter_context(contextlib.closing(slow_clients.stalled_body(connect(small, context))))
        mutual_tls.eventually(lambda: refuses(small, context))
        yield small


def read_answer(connection: socket.socket) -> bytes:
    """One answer, as far as its Content-Length says."""
    octets = b""
    while whole_length(octets) < 0 or len(octets) < whole_length(octets):
        more = connection.recv(65536)
        assert more, octets
        octets += more
    return octets


def test_a_refusal_comes_before_the_body_and_keeps_the_connection(
    pki: Pki, context: ssl.SSLContext, tmp_path: Path
) -> None:
    """A handshake costs the server more than the request did: a refusal that closed would not relieve it."""
    body = b"<" * 300_000
    head = b"POST /xds/registry HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(body)
    with too_busy(pki, context, tmp_path) as small, contextlib.closing(connect(small, context)(True)) as client:
        for octets in (head, LIVE, head):
            client.sendall(octets)
            answer = read_answer(client)
            assert answer.startswith(b"HTTP/1.1 503 ")
            assert b"Retry-After: 1\r\n" in answer
            assert b"close" not in answer
            if octets is head:
                client.sendall(body)


@pytest.mark.parametrize(
    "head",
    [
        b"POST /xds/registry HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"POST /xds/registry HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n",
        b"POST /xds/registry HTTP/1.1\r\nHost: x\r\nContent-Length: 500000000\r\n\r\n",
        b"GET /health/live HTTP/1.0\r\nHost: x\r\n\r\n",
        LIVE + LIVE,
    ],
)
def test_a_refusal_ends_the_connection_whose_next_request_nobody_can_tell(
    pki: Pki, context: ssl.SSLContext, tmp_path: Path, head: bytes
) -> None:
    with too_busy(pki, context, tmp_path) as small, contextlib.closing(connect(small, context)(True)) as client:
        client.sendall(head)
        answer = mutual_tls.read_all(client)
        assert answer.startswith(b"HTTP/1.1 503 ")
        assert answer.count(b"HTTP/1.1 503 ") == 1
        assert b"Connection: close\r\n" in answer


def test_who_sends_before_it_has_answers_waits_for_the_others(
    pki: Pki, context: ssl.SSLContext, tmp_path: Path
) -> None:
    """Ten clients that are ahead are no waiting work, with one turn and a queue of two; each gets its answers."""
    request, each = b"HEAD /xds/registry?wsdl HTTP/1.1\r\nHost: localhost\r\n\r\n", 100
    with contextlib.ExitStack() as held:
        small = held.enter_context(mutual_tls.started(pki, tmp_path, threads=1, queue=2, queue_milliseconds=0))
        ahead = {}
        for _ in range(10):
            one = held.enter_context(contextlib.closing(connect(small, context)(True)))
            one.sendall(request * each)
            # The first of them is the request of somebody who is not ahead: it was taken before the next client comes.
            ahead[one] = _read_heads(one, b"", 1)
        kept = http.client.HTTPSConnection("localhost", small.settings.port, timeout=30, context=context)
        held.enter_context(contextlib.closing(kept))
        for _ in range(40):
            kept.request("GET", "/fhir/metadata")
            answer = kept.getresponse()
            assert (answer.status, bool(answer.read())) == (200, True)
        for one, octets in ahead.items():
            assert _read_heads(one, octets, each).count(b"HTTP/1.1 ") == each


def _read_heads(sock: ssl.SSLSocket, octets: bytes, number: int) -> bytes:
    """What has come once it holds so many answers without a body, all of them 200."""
    while octets.count(b"\r\n\r\n") < number:
        more = sock.recv(1 << 20)
        assert more, f"closed after {octets!r}"
        octets += more
    assert octets.count(b"HTTP/1.1 200 ") == octets.count(b"HTTP/1.1 ")
    return octets


def test_who_wants_too_much_is_refused_before_the_others(pki: Pki, context: ssl.SSLContext, tmp_path: Path) -> None:
    """One turn, and sixty requests of one certificate at any moment, more than the queue takes: another has its turn."""
    other = pki.context(pki.written(pki.clinic[mutual_tls.Use.AUTHENTICATION]))
    given = {"threads": 1, "queue": 40, "requests_per_second": 0}
    with mutual_tls.started(pki, tmp_path, **given) as small:
        with slow_clients.wanting_much(small.settings.port, context, 60) as statuses:
            mutual_tls.eventually(lambda: 503 in statuses)
            assert statuses_of(small, other, 30) == {200}
        assert set(statuses) == {200, 503}


def statuses_of(server: Server, context: ssl.SSLContext, count: int) -> set[int]:
    """Of so many requests, one after the other on one connection."""
    kept, found = http.client.HTTPSConnection("localhost", server.settings.port, timeout=60, context=context), set()
    with contextlib.closing(kept):
        for _ in range(count):
            kept.request("GET", "/fhir/metadata")
            answer = kept.getresponse()
            answer.read()
            found.add(answer.status)
    return found


def test_a_caller_that_asks_too_often_is_told_429(pki: Pki, context: ssl.SSLContext, tmp_path: Path) -> None:
    with mutual_tls.started(pki, tmp_path, requests_per_second=5) as small:
        found = [status_of(small, context, "/fhir/metadata") for _ in range(30)]
        assert {one[0] for one in found} == {200, 429}
        refused = next(one for one in found if one[0] == 429)
        assert (refused[1]["Retry-After"], b"throttled" in refused[2]) == ("1", True)
        other = pki.context(pki.written(pki.clinic[mutual_tls.Use.AUTHENTICATION]))
        assert status_of(small, other, "/fhir/metadata")[0] == 200


def test_the_connection_nearest_to_its_deadline_makes_room(pki: Pki, context: ssl.SSLContext, tmp_path: Path) -> None:
    with mutual_tls.started(pki, tmp_path, connections=10) as small, contextlib.ExitStack() as held:
        for _ in range(30):
            held.enter_context(contextlib.closing(slow_clients.silent(connect(small, context))))
        assert status_of(small, context, "/health/live")[0] == 200


def test_one_address_has_so_many_connections_and_no_more(pki: Pki, context: ssl.SSLContext, tmp_path: Path) -> None:
    with mutual_tls.started(pki, tmp_path, connections_per_client=5) as small:
        with contextlib.ExitStack() as held:
            for _ in range(5):
                held.enter_context(contextlib.closing(slow_clients.silent(connect(small, context))))
            with pytest.raises((ssl.SSLError, ConnectionResetError)):
                slow_clients.partial_headers(connect(small, context))
        mutual_tls.eventually(lambda: answers(small, context))


def answers(server: Server, context: ssl.SSLContext) -> bool:
    with contextlib.suppress(OSError):
        return status_of(server, context, "/health/live")[0] == 200
    return False


def status_of(server: Server, context: ssl.SSLContext, path: str) -> tuple[int, http.client.HTTPMessage, bytes]:
    kept = http.client.HTTPSConnection("localhost", server.settings.port, timeout=30, context=context)
    with contextlib.closing(kept):
        kept.request("GET", path)
        answer = kept.getresponse()
        return answer.status, answer.headers, answer.read()


def test_requests_are_finished_when_the_server_stops(pki: Pki, context: ssl.SSLContext, tmp_path: Path) -> None:
    message = messages.envelope(b"<x/>", "urn:nothing")
    head = f"POST /xds/registry HTTP/1.1\r\nHost: x\r\nContent-Type: {messages.simple_type('urn:nothing')}\r\n"
    with contextlib.ExitStack() as held, mutual_tls.started(pki, tmp_path) as small:
        begun = held.enter_context(contextlib.closing(connect(small, context)(True)))
        begun.sendall(f"{head}Content-Length: {len(message)}\r\n\r\n".encode() + message[:-1])
        mutual_tls.eventually(lambda: status_of(small, context, "/health/live")[0] == 200)
        os.kill(small.pid, signal.SIGTERM)
        mutual_tls.eventually(lambda: not answers(small, context))
        begun.sendall(message[-1:])
        answer = mutual_tls.read_all(begun)
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert b"Connection: close\r\n" in answer


def test_a_server_without_free_descriptors_makes_room(pki: Pki, context: ssl.SSLContext, tmp_path: Path) -> None:
    with mutual_tls.started(pki, tmp_path) as small, contextlib.ExitStack() as held:
        [child] = Path(f"/proc/{small.pid}/task/{small.pid}/children").read_text().split()
        opened = len(list(Path(f"/proc/{child}/fd").iterdir()))
        resource.prlimit(int(child), resource.RLIMIT_NOFILE, (opened + 20, opened + 20))
        for _ in range(40):
            held.enter_context(contextlib.closing(slow_clients.silent(connect(small, context))))
        mutual_tls.eventually(lambda: answers(small, context))
