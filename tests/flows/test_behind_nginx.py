"""Carnet behind nginx: the client certificate crosses a unix socket, and counts nowhere else. Row M19."""

import http.client
import socket
import ssl
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import pytest

from carnet.pki import Credential, Use, issue_card, make_igc
from tests import messages, mutual_tls, nginx, servers, slow_clients, sts
from tests.flows.test_slow_clients import served, statuses_of
from tests.mutual_tls import LIVE, NOW, Pki, a_query, answer_to, request
from tests.servers import Server

pytestmark = pytest.mark.skipif(nginx.binary() is None, reason="nginx is not installed (Debian package nginx-light)")


@dataclass(frozen=True)
class Front:
    """A server behind nginx: as clients reach it, and its socket."""

    server: Server
    socket: Path
    pki: Pki


@pytest.fixture(scope="module")
def front(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Front]:
    pki = mutual_tls.a_pki(tmp_path_factory.mktemp("pki"))
    with nginx.in_front(pki, tmp_path_factory.mktemp("nginx")) as (server, path):
        servers.know_patients(server.settings)
        yield Front(server=server, socket=path, pki=pki)


def nurse(front: Front) -> Credential:
    return issue_card(front.pki.igc, sts.NURSE, now=NOW)[Use.AUTHENTICATION]


def test_the_certificate_that_nginx_verified_proves_the_caller(front: Front) -> None:
    message, headers = a_query(front.pki)
    context = front.pki.context(front.pki.client)
    answered = messages.read(request(front.server, context, "POST", "/xds/registry", message, headers))
    assert answered.status == "Success"


def test_a_header_of_the_client_is_replaced_by_nginx(front: Front) -> None:
    message, headers = a_query(front.pki)
    headers["X-Client-Certificate"] = quote(front.pki.card[Use.AUTHENTICATION].certificate_pem.decode())
    context = front.pki.context(front.pki.written(nurse(front)))
    answered = messages.read(request(front.server, context, "POST", "/xds/registry", message, headers))
    assert answered.fault == ["env:Sender", "s:FailedAuthentication"]


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_t01_strangers_reach_nothing(front: Front, version: ssl.TLSVersion) -> None:
    """nginx itself answers 400; not an octet comes from Carnet."""
    stranger = front.pki.a_client(authority=make_igc(now=NOW).persons)
    for file in (None, front.pki.written(stranger)):
        context = front.pki.context(file, minimum_version=version, maximum_version=version)
        answer = answer_to(front.server, context)
        assert answer == b"" or answer.startswith(b"HTTP/1.1 400 Bad Request\r\nServer: nginx\r\n")


def over_socket(front: Front, octets: bytes) -> bytes:
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(str(front.socket))
        connection.sendall(octets)
        connection.shutdown(socket.SHUT_WR)
        return mutual_tls.read_all(connection)


def test_the_socket_is_for_its_group_alone(front: Front) -> None:
    assert front.socket.stat().st_mode & 0o777 == 0o660


@pytest.mark.parametrize(
    "header",
    [
        "X-Client-Certificate: {good}\r\nX-Client-Certificate: {good}",
        "X-Client-Certificate: {good}{good}",
        "X-Client-Certificate: not a certificate",
        "X-Client-Certificate: -----BEGIN CERTIFICATE-----%0A****%0A-----END CERTIFICATE-----%0A",
        "X-Client-Certificate: " + "a" * 20_000,
    ],
)
def test_m19_two_headers_or_a_broken_one_are_refused(front: Front, header: str) -> None:
    good = quote(front.pki.card[Use.AUTHENTICATION].certificate_pem.decode())
    octets = LIVE.replace(b"\r\n\r\n", b"\r\n" + header.format(good=good).encode() + b"\r\n\r\n")
    assert over_socket(front, octets)[:13] in (b"HTTP/1.1 400 ", b"HTTP/1.1 431 ")


def test_without_a_certificate_the_socket_lets_nobody_ask(front: Front) -> None:
    message, headers = a_query(front.pki)
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    head = (
        f"POST /xds/registry HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{lines}Content-Length: {len(message)}\r\n\r\n"
    )
    answer = over_socket(front, head.encode() + message)
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert b"FailedAuthentication" in answer
    answer = over_socket(front, b"GET /fhir/DocumentReference HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 401 ")


def test_what_is_for_the_machine_itself_is_not_forwarded(front: Front) -> None:
    context = front.pki.context(front.pki.client)
    for path in ("/health/ready", "/internal/registry/readable"):
        assert request(front.server, context, "GET", path).status == 404


def test_a_document_of_20_mb_goes_through(front: Front) -> None:
    """More than nginx keeps in memory; refused by Carnet for its words, not for its size."""
    context = front.pki.context(front.pki.client)
    message = messages.multipart(messages.envelope(b"<x/>", "urn:nothing"), [("d@test", b"x" * 20_000_000)])
    answer = request(
        front.server, context, "POST", "/xds/repository", message, {"Content-Type": messages.multipart_type()}
    )
    assert (answer.status, b"Fault" in answer.body) == (400, True)


def test_a_socket_of_a_server_that_runs_is_not_taken(front: Front, tmp_path: Path) -> None:
    from carnet.address import CannotListen, check_address

    with pytest.raises(CannotListen, match="another server"):
        check_address(servers.settings_for(tmp_path, host=f"unix:{front.socket}"))


def test_connections_to_the_server_are_kept(front: Front) -> None:
    kept = http.client.HTTPSConnection(
        "localhost", front.server.settings.port, timeout=20, context=front.pki.context(front.pki.client)
    )
    for _ in range(5):
        kept.request("GET", "/fhir/metadata")
        answer = kept.getresponse()
        assert (answer.status, answer.read() != b"") == (200, True)
    kept.close()


def test_who_takes_no_answers_is_not_worked_for(front: Front) -> None:
    """Requests that come before their answers are taken: ten a second of one certificate."""
    context, before = front.pki.context(front.pki.client), served(front.server)
    connect = slow_clients.connect_to("127.0.0.1", front.server.settings.port, context)
    with slow_clients.stalling(connect, 3, ["answers never read"]):
        time.sleep(2)
        assert 0 < served(front.server) - before < 60


def test_clients_that_take_no_answers_cost_the_others_no_answer(front: Front) -> None:
    """Of the same certificate too, for a hospital may have but one."""
    context = front.pki.context(front.pki.client)
    connect = slow_clients.connect_to("127.0.0.1", front.server.settings.port, context)
    with slow_clients.stalling(connect, 250, ["answers never read", "stalled body"]):
        assert statuses_of(front.server, context, 100) == {200}


def test_who_wants_too_much_is_refused_before_the_others(front: Front, tmp_path: Path) -> None:
    """nginx brings the requests of all over the same connections: Carnet tells them apart by their certificates."""
    given = {"threads": 1, "queue": 40, "requests_per_second": 0}
    context, other = front.pki.context(front.pki.client), front.pki.context(front.pki.written(nurse(front)))
    with (
        nginx.in_front(front.pki, tmp_path / "small", **given) as (small, _),
        slow_clients.wanting_much(small.settings.port, context, 60) as statuses,
    ):
        mutual_tls.eventually(lambda: 503 in statuses)
        assert statuses_of(small, other, 30) == {200}
