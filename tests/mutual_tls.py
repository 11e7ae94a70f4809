"""A test IGC on disk, servers that ask for its certificates, and clients that show them."""

import base64
import http.client
import socket
import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography import x509
from lxml import etree

from access_policy.make_vihf import make_vihf, security_header
from carnet.pki import Credential, Igc, Use, issue, issue_card, issue_server, issue_structure, make_igc
from carnet.pki_folder import write_credentials, write_igc
from carnet.settings import Settings
from tests import messages, servers, sts
from tests.builders import PATIENT
from tests.servers import Response, Server

LIVE = b"GET /health/live HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
_END_OF_HEADER = b"</e:Header>"
NOW = datetime.now(UTC).replace(microsecond=0)


@dataclass(frozen=True, kw_only=True)
class Pki:
    """The folder of an IGC with a server certificate for localhost and 127.0.0.1, and the doctor's card."""

    folder: Path
    igc: Igc
    card: dict[Use, Credential]
    clinic: dict[Use, Credential]
    numbers: list[int] = field(default_factory=list)

    @property
    def trust(self) -> Path:
        return self.folder / "trust"

    @property
    def server(self) -> Path:
        return self.folder / "issued" / "server-server.pem"

    @property
    def client(self) -> Path:
        """Certificate and key of the doctor's card in one file."""
        return self.written(self.card[Use.AUTHENTICATION], self.igc.persons.certificate)

    def written(self, credential: Credential, *chain: x509.Certificate) -> Path:
        """One file with the key, the certificate and what follows it."""
        self.numbers.append(1)
        file = self.folder / f"client-{len(self.numbers)}.pem"
        followers = [Credential(certificate=one, key=credential.key).certificate_pem for one in chain]
        file.write_bytes(credential.key_pem + credential.certificate_pem + b"".join(followers))
        return file

    def vihf(self, **changes: Any) -> etree._Element:
        """Signed by the doctor's card, about the patient of the tests unless it says otherwise."""
        signer = self.card[Use.SIGNATURE]
        return make_vihf(sts.a_claim(**changes), signer.certificate, signer.key, now=datetime.now(UTC))

    def a_client(self, **changes: Any) -> Credential:
        """A certificate for authentication under the persons' authority."""
        given = {"authority": self.igc.persons, "use": Use.AUTHENTICATION, "now": NOW} | changes
        return issue(given.pop("authority"), sts.DOCTOR.subject, given.pop("use"), **given)

    def context(self, file: Path | None, **changes: Any) -> ssl.SSLContext:
        """What a client connects with; None shows no certificate."""
        context = ssl.create_default_context(cafile=str(self.trust / "root.pem"))
        context.verify_flags &= ~ssl.VERIFY_X509_STRICT
        if file is not None:
            context.load_cert_chain(file)
        for name, value in changes.items():
            setattr(context, name, value)
        return context


def a_pki(folder: Path) -> Pki:
    igc = make_igc(now=NOW - timedelta(days=1))
    write_igc(folder, igc, now=NOW - timedelta(hours=1))
    server = issue_server(igc, ("localhost", "127.0.0.1"), now=NOW - timedelta(days=1))
    write_credentials(folder, "server", {Use.SERVER: server})
    return Pki(
        folder=folder,
        igc=igc,
        card=issue_card(igc, sts.DOCTOR, now=NOW - timedelta(hours=2)),
        clinic=issue_structure(igc, sts.CLINIC, now=NOW - timedelta(hours=2)),
    )


def settings_for(pki: Pki, data: Path, **given: Any) -> Settings:
    """Those of `carnet serve --security mtls`, with its health port."""
    shown = {"security": "mtls", "certificate": str(pki.server), "trust": str(pki.trust)}
    return servers.settings_for(data, **{**shown, "health": f"127.0.0.1:{servers.free_port()}", **given})


@contextmanager
def started(pki: Pki, data: Path, **given: Any) -> Iterator[Server]:
    """`carnet serve --security mtls` as a process of its own."""
    with servers.started(settings_for(pki, data, **given)) as server:
        yield server


@dataclass(frozen=True, kw_only=True)
class Proved(Server):
    """A server as the software of the doctor reaches it: by her card, with a VIHF in every message and every token."""

    pki: Pki

    def request(
        self, method: str, path: str, body: bytes | None = None, headers: dict[str, str] | None = None
    ) -> Response:
        assertion, given = self.pki.vihf(), headers or {}
        if body is None:
            token = base64.urlsafe_b64encode(etree.tostring(assertion)).decode()
            given = {"Authorization": f"Bearer {token}", **given}
        else:
            body = body.replace(_END_OF_HEADER, security_header(assertion) + _END_OF_HEADER, 1)
        return request(self, self.pki.context(self.pki.client), method, path, body, given)


def connected(server: Server) -> socket.socket:
    return socket.create_connection((server.settings.host, server.settings.port), timeout=20)


def secured(server: Server, context: ssl.SSLContext, name: str = "localhost") -> ssl.SSLSocket:
    """A connection after the client's part of the handshake."""
    plain = connected(server)
    try:
        return context.wrap_socket(plain, server_hostname=name)
    except BaseException:
        plain.close()
        raise


def octets_for(server: Server, context: ssl.SSLContext, request: bytes, name: str = "localhost") -> bytes:
    """All that a server answers to one request, b"" when it ends the connection instead. Raises ssl.SSLError."""
    with secured(server, context, name) as connection:
        connection.sendall(request)
        return read_all(connection)


def read_all(connection: socket.socket) -> bytes:
    found = b""
    while True:
        try:
            octets = connection.recv(65536)
        except ConnectionResetError:
            return found
        if not octets:
            return found
        found += octets


def request(
    server: Server,
    context: ssl.SSLContext,
    method: str,
    path: str,
    body: bytes | None = None,
    headers: dict[str, str] | None = None,
) -> Response:
    connection = http.client.HTTPSConnection("localhost", server.settings.port, timeout=60, context=context)
    try:
        connection.connect()
        connection.request(method, path, body=body, headers=headers or {})
        answer = connection.getresponse()
        found = {name.lower(): value for name, value in answer.getheaders()}
        return Response(status=answer.status, headers=found, body=answer.read())
    finally:
        connection.close()


def eventually(holds: Any, seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def answer_to(server: Server, context: ssl.SSLContext, name: str = "localhost") -> bytes:
    """What a client reads; b"" when the server alerts or ends the connection: not an octet of HTTP."""
    try:
        return octets_for(server, context, LIVE, name)
    except (ssl.SSLError, ConnectionResetError, BrokenPipeError):
        return b""


def a_query(pki: Pki) -> tuple[bytes, dict[str, str]]:
    slots = {
        "$XDSDocumentEntryPatientId": f"'{PATIENT.key}'",
        "$XDSDocumentEntryStatus": "('urn:oasis:names:tc:ebxml-regrep:StatusType:Approved')",
    }
    body = messages.query_body(messages.FIND_DOCUMENTS, slots, "LeafClass")
    message = messages.envelope(body, messages.QUERY_ACTION)
    message = message.replace(_END_OF_HEADER, security_header(pki.vihf()) + _END_OF_HEADER)
    return message, {"Content-Type": messages.simple_type(messages.QUERY_ACTION)}
