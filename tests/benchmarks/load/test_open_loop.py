"""The open loop: what a stalled server costs is charged to it, and a wrong answer is never counted as right."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import pytest

from benchmarks.load.answers import Answer, whole_length
from benchmarks.load.arrivals import Arrival
from benchmarks.load.connection import Connection, Phase
from benchmarks.load.counted import Counted, Outcome
from benchmarks.load.open_loop import OpenLoop, Place

RIGHT = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n12345"
BUSY = b"HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
STALL_SECONDS = 1.0


class Plain:
    """Any request; the answer must be 12345."""

    def octets(self, arrival: Arrival) -> bytes:
        return b"GET /%d HTTP/1.1\r\nHost: x\r\n\r\n" % arrival.number

    def problem(self, arrival: Arrival, answer: Answer) -> str:
        return "" if answer.body == b"12345" else "other octets"


@contextmanager
def answering(answer: Callable[[int], bytes]) -> Iterator[Place]:
    """A server that answers the n-th request, one after the other."""
    listener, one_by_one, numbers = socket.create_server(("127.0.0.1", 0)), threading.Lock(), iter(range(10**9))

    def serve(connection: socket.socket) -> None:
        with connection, suppress(OSError):
            while connection.recv(65536):
                with one_by_one:
                    octets = answer(next(numbers))
                connection.sendall(octets)
                if b"close" in octets or not octets:
                    return

    def accept() -> None:
        with suppress(OSError):
            while True:
                threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield Place(host="127.0.0.1", port=listener.getsockname()[1])
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()


def every(seconds: float, count: int) -> list[Arrival]:
    return [Arrival(at=seconds * number, key="iti18-leaf-class", number=number) for number in range(count)]


def run(
    place: Place, arrivals: list[Arrival], *, connections: int = 4, warm_up: float = 0, patience: float = 60
) -> Counted:
    return OpenLoop(place, Plain(), connections, warm_up=warm_up, patience=patience).run(arrivals)


def test_a_server_that_stalls_once_is_charged_for_all_that_came_meanwhile() -> None:
    """No coordinated omission: one request of 200 is held for a second, half of all wait for it."""

    def stalled(number: int) -> bytes:
        if number == 50:
            time.sleep(STALL_SECONDS)
        return RIGHT

    with answering(stalled) as place:
        counted = run(place, every(0.01, 200))
    accepted = counted.over(Outcome.ACCEPTED)
    assert accepted.total == 200
    assert accepted.quantile(0.99) > 0.9 * STALL_SECONDS
    assert accepted.quantile(0.8) > 0.4 * STALL_SECONDS
    # From the moment a connection was free, as a closed loop counts, nearly all of them were fast.
    served = counted.served["", "iti18-leaf-class", Outcome.ACCEPTED]
    assert served.quantile(0.9) < 0.2 * STALL_SECONDS


def test_a_refusal_is_told_from_an_answer_and_from_a_failure() -> None:
    with answering(lambda number: (RIGHT, BUSY, RIGHT.replace(b"12345", b"1234x"), b"")[number % 4]) as place:
        counted = run(place, every(0.005, 40), connections=1)
    many = {outcome: counted.over(outcome).total for outcome in Outcome}
    assert many == {Outcome.ACCEPTED: 10, Outcome.REFUSED: 10, Outcome.FAILED: 20}
    assert counted.problems == {
        "iti18-leaf-class: other octets": 10,
        "iti18-leaf-class: the server closed the connection before its answer was whole": 10,
    }


def test_the_warm_up_counts_for_nothing() -> None:
    with answering(lambda _: RIGHT) as place:
        counted = run(place, every(0.01, 40), warm_up=0.2)
    assert counted.warm == 20
    assert counted.over(Outcome.ACCEPTED).total == 20


def test_what_the_warm_up_left_behind_is_counted_apart() -> None:
    """Processor time is looked at from the end of the warm-up on, whoever it was spent for."""

    def stalled(number: int) -> bytes:
        if number == 10:
            time.sleep(0.4)
        return RIGHT

    with answering(stalled) as place:
        counted = run(place, every(0.01, 40), connections=1, warm_up=0.2)
    assert counted.late[Outcome.ACCEPTED] == 10
    assert counted.ended(Outcome.ACCEPTED) == 30


def test_what_a_closed_port_is_asked_fails() -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        counted = run(Place(host="127.0.0.1", port=bound.getsockname()[1]), every(0.01, 3), patience=0.2)
    assert counted.over(Outcome.FAILED).total == 3


@pytest.mark.parametrize("length", range(len(RIGHT)))
def test_an_answer_is_whole_at_its_last_octet(length: int) -> None:
    found = whole_length(RIGHT[:length])
    assert found == -1 or found > length
    assert whole_length(RIGHT) == len(RIGHT)
    assert Answer(RIGHT).status == 200


def test_a_connection_that_was_closed_while_it_was_free_is_known_before_it_is_used() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        connection = Connection("127.0.0.1", listener.getsockname()[1], None)
        accepted = listener.accept()[0]
        connection.advance()
        assert (connection.phase, connection.has_ended()) == (Phase.IDLE, False)
        accepted.close()
        deadline = time.monotonic() + 5
        while not connection.has_ended():
            assert time.monotonic() < deadline
        connection.close()
