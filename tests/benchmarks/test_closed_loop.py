"""The client counts right answers only, and the canned server gives what it is asked for."""

import io
import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import count, repeat
from pathlib import Path

import pytest

from benchmarks import process_times
from benchmarks.canned import CannedApplication
from benchmarks.closed_loop import Call, WrongAnswer, drive

REQUEST = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
RIGHT = b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n12345"


@contextmanager
def answering(answer: bytes, *, piece: int = 0) -> Iterator[int]:
    """A server that gives the same octets to every request, in pieces if asked; yields its port."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve(connection: socket.socket) -> None:
        with connection, suppress(ConnectionError):
            while connection.recv(65536):
                for at in range(0, len(answer), piece or len(answer) or 1):
                    connection.sendall(answer[at : at + (piece or len(answer))])
                if not answer:
                    return

    def accept() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=serve, args=(connection,), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield listener.getsockname()[1]
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()


def driven(answer: bytes, *, expected: int = 5, piece: int = 0, connections: int = 2) -> int:
    with answering(answer, piece=piece) as port:
        calls = repeat(Call(REQUEST, expected))
        return drive("127.0.0.1", port, calls, connections=connections, seconds=0.05).requests


@pytest.mark.parametrize("piece", [0, 1, 7])
def test_right_answers_are_counted_however_they_are_cut(piece: int) -> None:
    assert driven(RIGHT, piece=piece) > 2


def test_every_connection_gets_its_answer_after_the_time_is_up() -> None:
    with answering(RIGHT) as port:
        sample = drive("127.0.0.1", port, repeat(Call(REQUEST, 5)), connections=8, seconds=0)
    assert sample.requests == 8
    assert 0 < sample.p50 <= sample.p95 <= sample.p99
    assert sample.per_second == pytest.approx(8 / sample.seconds)


@pytest.mark.parametrize(
    ("answer", "found"),
    [
        (RIGHT.replace(b"200 OK", b"503 Busy"), "503"),
        (RIGHT.replace(b"5\r", b"4\r"), "4 octets"),
        (RIGHT + b"6", "longer than"),
        (b"", "closed the connection"),
        (b"HTTP/1.1 200 OK\r\n\r\n12345", "-1 octets"),
    ],
)
def test_a_wrong_answer_ends_the_measurement(answer: bytes, found: str) -> None:
    with pytest.raises(WrongAnswer, match=found):
        driven(answer)


def test_requests_are_sent_in_the_order_of_the_calls() -> None:
    given = iter([Call(REQUEST, 5), Call(REQUEST, 5)])
    with answering(RIGHT) as port:
        assert drive("127.0.0.1", port, given, connections=2, seconds=0).requests == 2
    assert list(given) == []


def test_a_change_is_not_sent_before_the_one_it_follows_was_answered() -> None:
    """One connection stalls while the other goes on: no call passes the one about the same thing that it holds."""
    happened: list[str] = []
    released, listener = threading.Event(), socket.create_server(("127.0.0.1", 0))

    def serve(connection: socket.socket) -> None:
        with connection, suppress(ConnectionError):
            while request := connection.recv(65536).decode():
                happened.append(f"{request} came")
                if request == "0":
                    released.wait(10)
                elif request == "3":
                    threading.Timer(0.05, released.set).start()
                happened.append(f"{request} answered")
                connection.sendall(RIGHT)

    def accept() -> None:
        with suppress(OSError):
            while True:
                threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    given = (Call(str(number).encode(), 5, subject=number % 4) for number in count())
    with listener:
        requests = drive("127.0.0.1", listener.getsockname()[1], given, connections=2, seconds=0.01).requests
        listener.shutdown(socket.SHUT_RDWR)
    assert happened.index("3 answered") < happened.index("0 answered") < happened.index("4 came")
    assert len(happened) == 2 * requests
    assert next(given).octets == str(requests).encode()


def test_canned_bytes_have_the_length_asked_for_and_the_body_is_read(tmp_path: Path) -> None:
    started: list[tuple[str, list[tuple[str, str]]]] = []
    body = io.BytesIO(b"x" * 200_000)
    environ = {"PATH_INFO": "/canned/321", "wsgi.input": body}
    application = CannedApplication(tmp_path)
    answers = [b"".join(application(environ, lambda *head: started.append(head))) for _ in range(2)]
    assert [len(answer) for answer in answers] == [321, 321]
    assert started[0][0] == "200 OK"
    assert ("Content-Length", "321") in started[0][1]
    assert body.read() == b""


def test_a_plain_copy_is_kept_as_a_file_and_sent_again(tmp_path: Path) -> None:
    application, octets = CannedApplication(tmp_path), bytes(range(256)) * 5_000
    kept = {"PATH_INFO": "/copy/one", "wsgi.input": io.BytesIO(octets)}
    assert b"".join(application(kept, lambda *_: None)) == b""
    assert [file.name for file in tmp_path.iterdir()] == ["one"]
    started: list[object] = []
    asked = {"PATH_INFO": "/copied/one", "wsgi.input": io.BytesIO()}
    assert b"".join(application(asked, lambda *head: started.append(head))) == octets
    assert started == [("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(octets)))])]


@pytest.mark.parametrize("path", ["/", "/canned/", "/canned/x", "/canned/12/3", "/copy/../x", "/copied/"])
def test_canned_bytes_have_no_other_path(path: str, tmp_path: Path) -> None:
    started: list[str] = []
    environ = {"PATH_INFO": path, "wsgi.input": io.BytesIO()}
    assert b"".join(CannedApplication(tmp_path)(environ, lambda status, _: started.append(status))) == b""
    assert started == ["404 Not Found"]


@pytest.mark.skipif(not process_times.is_known(), reason="the system has no /proc")
def test_processor_time_grows_with_work() -> None:
    before = process_times.processor_seconds(os.getpid())
    deadline = time.monotonic() + 30
    while process_times.processor_seconds(os.getpid()) < before + 0.05:
        assert time.monotonic() < deadline
        sum(range(100_000))
    assert process_times.parent_of(os.getpid()) == os.getppid()
    assert process_times.parent_of(2**30) == 0
