"""Requests to the addresses of the settings: bounded in time and size, and to nobody else."""

import http.client
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

import pytest

from carnet.exchange import brief_exchange

HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n"


@contextmanager
def dripping(first: bytes) -> Iterator[int]:
    """A port that answers these octets, then one more whenever nobody would time out yet."""
    door, ended = socket.create_server(("127.0.0.1", 0)), threading.Event()

    def serve() -> None:
        taken, _ = door.accept()
        with taken:
            taken.sendall(first)
            while not ended.wait(0.05):
                try:
                    taken.sendall(b"x")
                except OSError:
                    return

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield door.getsockname()[1]
    finally:
        ended.set()
        thread.join()
        door.close()


@pytest.mark.parametrize("first", [b"", b"HTTP/1.1 200 OK\r\nX: "])
def test_an_answer_that_never_comes_to_an_end_is_none(first: bytes) -> None:
    with dripping(first) as port:
        began = time.monotonic()
        with pytest.raises((OSError, http.client.HTTPException)):
            brief_exchange(urlsplit(f"http://127.0.0.1:{port}/told"), "POST", seconds=0.5, most=100_000, body=b"x")
        assert time.monotonic() - began < 5


def test_a_body_that_never_comes_to_an_end_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    """The status counts. A proxy of the environment is not asked."""
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    with dripping(HEAD) as port:
        began = time.monotonic()
        status, body = brief_exchange(urlsplit(f"http://127.0.0.1:{port}/told?a=b"), "GET", seconds=0.5, most=100_000)
        assert (status, set(body)) == (200, set(b"x"))
        assert time.monotonic() - began < 5


def test_a_large_answer_is_read_to_its_limit() -> None:
    with dripping(HEAD + b"y" * 5000) as port:
        assert len(brief_exchange(urlsplit(f"http://127.0.0.1:{port}/"), "GET", seconds=5, most=100)[1]) == 101
