"""What is no HTTP, or hardly any, is read as far as it goes, told in two languages, and stops nothing."""

import socket
import ssl
import subprocess
import sys
from pathlib import Path

import pytest

from conformance.client.http_reading import Ask, Connection, Incomplete, read_request
from conformance.client.recorder import Recorder
from conformance.sentence import sentence_of
from tests.servers import ROOT

PEER = Connection(address="127.0.0.1")


def read(octets: bytes) -> Ask:
    """The first request of a client that sends this and goes away."""
    client, server = socket.socketpair()
    with client, server:
        server.settimeout(5)
        client.sendall(octets)
        client.shutdown(socket.SHUT_WR)
        ask, _ = read_request(server, PEER)
        assert ask is not None
        return ask


@pytest.mark.parametrize(
    "header", ["Content-Language: fr", "Content-Location: /a", "Content-Transfer-Encoding: binary"]
)
def test_a_header_is_known_by_its_whole_name(header: str) -> None:
    assert read(f"POST / HTTP/1.1\r\n{header}\r\nContent-Length: 4\r\n\r\nbody".encode()).body == b"body"


@pytest.mark.parametrize("size", ["-6", "-1", "0x4", "1_0", "+4", "zz", ""])
def test_a_chunk_that_has_no_size_is_told(size: str) -> None:
    octets = f"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n{size}\r\n".encode()
    with pytest.raises(Incomplete, match="a chunk has no size") as told:
        read(octets)
    assert told.value.octets == octets
    assert told.value.answer.startswith(b"HTTP/1.1 400")


def test_a_chunk_that_is_not_whole_is_kept_as_far_as_it_came() -> None:
    octets = b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nhalf"
    with pytest.raises(Incomplete, match="stopped within a chunk") as told:
        read(octets)
    assert told.value.octets == octets


def test_a_chunk_without_end_of_its_size_is_not_read_for_ever() -> None:
    octets = b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n" + b"9" * 140_000
    with pytest.raises(Incomplete, match="a chunk has no size") as told:
        read(octets)
    assert len(told.value.octets) < 140_000


@pytest.mark.parametrize(
    ("octets", "status", "fr"),
    [
        (b"garbage\r\n\r\n", b"400", "ce n'est pas du HTTP"),
        (b"POST / HTTP/1.1\r\nContent-Length: four\r\n\r\n", b"400", "Content-Length n'est pas un nombre"),
        (b"POST / HTTP/1.1\r\nContent-Length: " + b"9" * 5000 + b"\r\n\r\n", b"413", "la demande dépasse"),
        (b"POST / HTTP/1.1\r\nContent-Length: 9\r\n\r\nhalf", b"", "le client s'est arrêté après 4 octets sur 9"),
    ],
)
def test_what_is_wrong_is_told_in_both_languages(octets: bytes, status: bytes, fr: str) -> None:
    with pytest.raises(Incomplete) as told:
        read(octets)
    said = sentence_of(told.value)
    assert said.fr.startswith(fr)
    assert said.fr != said.en
    assert status in told.value.answer


@pytest.mark.parametrize(
    "head",
    [
        b"POST / HTTP/1.1\r\n: without a name",
        b"POST / HTTP/1.1\r\nX-\xe9: a",
        b"POST / HTTP/1.1\r\nX: a\nb",
        b"POST /\xe9 HTTP/1.1",
        b"PO\x01ST / HTTP/1.1",
    ],
)
def test_what_no_server_could_be_handed_is_answered(head: bytes) -> None:
    """No server is behind: it is not even asked."""
    recorder = Recorder(
        ("127.0.0.1", 0),
        context=lambda: ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER),
        backend="/nonexistent",
        answering=lambda ask, forward: forward(ask),
        on_recorded=lambda recorded: None,
    )
    try:
        assert recorder.forward(Ask(PEER, head, b"")).startswith(b"HTTP/1.1 400")
    finally:
        recorder.stop()


@pytest.mark.parametrize("option", ["--listen", "--web"])
def test_an_address_that_is_taken_is_one_sentence_and_nothing_is_begun(option: str, tmp_path: Path) -> None:
    out = tmp_path / "run"
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        words = (
            ["--listen", f"127.0.0.1:{port}"]
            if option == "--listen"
            else ["--listen", "127.0.0.1:0", "--web", str(port)]
        )
        command = [sys.executable, "-m", "conformance", "client", "--out", str(out), *words]
        done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False, timeout=120)
    assert done.returncode == 2, done.stderr
    assert done.stderr.startswith(f"conformance: {option} : 127.0.0.1:{port} ne peut pas être écouté (")
    assert not out.exists()
