"""Connections of one client are counted by its address, of IPv6 by its network of 64 bits; how idle ones and processes end."""

import selectors
import socket
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from types import SimpleNamespace

import pytest
from gunicorn.workers.gthread import PollableMethodQueue

from carnet.connection_loop import ConnectionLoop
from carnet.connection_shares import Shares
from carnet.http_connection import Connection, Phase
from carnet.http_worker import HttpWorker

_EACH = 2


class Listener:
    """Gives connections from these addresses, then has no more."""

    def __init__(self, addresses: Sequence[str], held: ExitStack) -> None:
        self._waiting, self._held = list(addresses), held

    def accept(self) -> tuple[socket.socket, tuple[str, int]]:
        if not self._waiting:
            raise BlockingIOError
        ours, theirs = socket.socketpair()
        self._held.enter_context(theirs)
        return ours, (self._waiting.pop(0), 50_000)

    def getsockname(self) -> tuple[str, int]:
        return "::", 8443


@pytest.fixture
def loop() -> Iterator[ConnectionLoop]:
    """As `init_process` leaves it, without gunicorn's processes."""
    made = ConnectionLoop.__new__(ConnectionLoop)
    limits = SimpleNamespace(head_seconds=10, connections=100, connections_per_client=_EACH)
    made.front = SimpleNamespace(limits=limits, tls=None, is_health=lambda _server: False)
    made.waiting, made.held, made.share = set(), Counter(), Shares().of(1)
    made.has_stepped_back, made.poller, made.alive, made.away = False, selectors.DefaultSelector(), True, 0
    yield made
    for connection in list(made.waiting):
        made._close(connection)
    made.poller.close()


@pytest.mark.parametrize(
    ("addresses", "taken"),
    [
        (["2001:db8::1", "2001:db8::2", "2001:db8:0:0:ffff::3", "2001:db8::4"], _EACH),
        (["2001:db8:0:1::1", "2001:db8:0:2::1", "2001:db8:0:3::1", "2001:db8:0:4::1"], 4),
        (["192.0.2.1", "192.0.2.1", "192.0.2.1"], _EACH),
        (["192.0.2.1", "192.0.2.2", "192.0.2.3"], 3),
        (["::ffff:192.0.2.1", "::ffff:192.0.2.2", "::ffff:192.0.2.3"], 3),
    ],
)
def test_who_has_a_network_of_ipv6_has_the_connections_of_one(
    loop: ConnectionLoop, addresses: Sequence[str], taken: int
) -> None:
    with ExitStack() as held:
        loop.accept(Listener(addresses, held))
        assert len(loop.waiting) == taken
        for connection in list(loop.waiting):
            loop._close(connection)
        assert not loop.held


def test_who_connected_before_the_stop_is_taken_though_another_process_has_fewer(loop: ConnectionLoop) -> None:
    shares = Shares()
    loop.share, other = shares.of(1), shares.of(2)
    loop.share.grew(1)
    assert loop.share.is_the_largest()
    with ExitStack() as held:
        loop.alive = False
        loop.accept(Listener(["192.0.2.1", "192.0.2.2"], held))
        assert len(loop.waiting) == 2
        for connection in list(loop.waiting):
            loop._close(connection)
    other.leave()


def test_a_process_does_not_end_while_a_thread_has_one_of_its_connections(loop: ConnectionLoop) -> None:
    """A handshake that is under way at the end is followed by the request it was made for."""
    loop.method_queue = PollableMethodQueue()
    loop.method_queue.init()
    may_end, found = threading.Event(), []
    connection = Connection(sock=socket.socket(), address="192.0.2.1", server="", phase=Phase.HANDSHAKE, deadline=0)
    with ThreadPoolExecutor(1) as threads, connection.sock:
        loop._hand_over(threads, lambda _one: may_end.wait(30), connection, lambda one, _done: found.append(one))
        assert loop._is_busy()
        may_end.set()
        threads.shutdown()
        loop.method_queue.run_callbacks(None)
    assert found == [connection]
    assert not loop._is_busy()
    loop.method_queue.close()


class Response:
    """gunicorn's, as far as an answer in several pieces uses it."""

    def __init__(self) -> None:
        self.headers_sent, self.closes, self.written = False, False, b""

    def force_close(self) -> None:
        self.closes = True

    def write(self, octets: bytes) -> None:
        self.headers_sent, self.written = True, self.written + octets

    def close(self) -> None:
        self.headers_sent = True


def test_a_stop_closes_no_connection_whose_answer_said_that_it_stays() -> None:
    worker = HttpWorker.__new__(HttpWorker)

    def pieces(*, stops_after: int) -> Iterator[bytes]:
        for number in range(3):
            worker.alive = number < stops_after
            yield b"%d" % number

    found = {}
    for stops_after in range(4):
        response = Response()
        worker._write(response, pieces(stops_after=stops_after))
        assert response.written == b"012"
        found[stops_after] = response.closes
    assert found == {0: True, 1: False, 2: False, 3: False}


@pytest.fixture
def idle(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[HttpWorker, Connection, socket.socket]]:
    """A worker with a connection between two requests, whose time is over, and the client's end of it."""
    worker = HttpWorker.__new__(HttpWorker)
    worker.front = SimpleNamespace(limits=SimpleNamespace(head_seconds=10))
    worker.waiting, worker.held, worker.share = set(), Counter(), Shares().of(1)
    worker.poller = selectors.DefaultSelector()
    monkeypatch.setattr(worker, "_admit", lambda one: setattr(one, "phase", Phase.REQUEST))
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    connection = Connection(sock=ours, address="192.0.2.1", server="", phase=Phase.IDLE, deadline=0)
    worker._watch(connection)
    yield worker, connection, theirs
    worker._leave(connection)
    ours.close()
    theirs.close()
    worker.poller.close()


@pytest.mark.parametrize("phase", [Phase.IDLE, Phase.HEAD])
def test_a_request_that_crosses_the_end_of_an_idle_connection_is_answered(
    idle: tuple[HttpWorker, Connection, socket.socket], phase: Phase
) -> None:
    """One that has been used and one that has only been opened."""
    worker, connection, client = idle
    connection.phase = phase
    client.sendall(b"GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n")
    worker._late(connection)
    assert connection.phase is Phase.REQUEST


def test_an_idle_connection_without_a_request_ends(idle: tuple[HttpWorker, Connection, socket.socket]) -> None:
    worker, connection, client = idle
    worker._late(connection)
    assert client.recv(1) == b""
    assert not worker.waiting
