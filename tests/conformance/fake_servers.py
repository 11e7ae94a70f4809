"""Servers that answer as told and record what they are asked: SOAP over HTTP, HL7 over MLLP. Loopback only."""

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from lxml import etree

SOAP = "http://www.w3.org/2003/05/soap-envelope"
WSA = "http://www.w3.org/2005/08/addressing"


@dataclass
class Request:
    path: str
    content_type: str
    body: bytes

    @property
    def action(self) -> str:
        return self.content_type.partition('action="')[2].rstrip('"')


@dataclass
class Reply:
    """What to answer: `body` the payload of a SOAP answer, or `raw` octets with their Content-Type."""

    body: str = ""
    action: str = ""
    raw: bytes = b""
    content_type: str = "application/soap+xml; charset=UTF-8"
    status: int = 200


@dataclass
class FakeServer:
    """A running server: its address and the requests it has had."""

    url: str
    requests: list[Request] = field(default_factory=list)


@contextmanager
def soap_server(answer: Callable[[Request], Reply], *, tls: ssl.SSLContext | None = None) -> Iterator[FakeServer]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            length = int(self.headers.get("Content-Length", "0"))
            request = Request(self.path, self.headers.get("Content-Type", ""), self.rfile.read(length))
            server.requests.append(request)
            reply = answer(request)
            octets = reply.raw or _envelope(request, reply)
            self.send_response(reply.status)
            self.send_header("Content-Type", reply.content_type)
            self.send_header("Content-Length", str(len(octets)))
            self.end_headers()
            self.wfile.write(octets)

        def log_message(self, *_: object) -> None:
            """Nothing: pytest shows what fails."""

    class Listening(ThreadingHTTPServer):
        def handle_error(self, *_: object) -> None:
            """A client that has gone is no fault of the server."""

    listening = Listening(("127.0.0.1", 0), Handler)
    if tls is not None:
        listening.socket = tls.wrap_socket(listening.socket, server_side=True)
    scheme = "http" if tls is None else "https"
    server = FakeServer(url=f"{scheme}://127.0.0.1:{listening.server_address[1]}/xds")
    thread = threading.Thread(target=listening.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        listening.shutdown()
        thread.join()
        listening.server_close()


def _envelope(request: Request, reply: Reply) -> bytes:
    message_id = etree.fromstring(request.body).findtext(f".//{{{WSA}}}MessageID") if request.body[:1] == b"<" else ""
    names = (
        f'xmlns:s="{SOAP}" xmlns:wsa="{WSA}" xmlns:rs="urn:oasis:names:tc:ebxml-regrep:xsd:rs:3.0" '
        'xmlns:r="urn:oasis:names:tc:ebxml-regrep:xsd:rim:3.0" xmlns:x="urn:ihe:iti:xds-b:2007" '
        'xmlns:q="urn:oasis:names:tc:ebxml-regrep:xsd:query:3.0"'
    )
    action = reply.action or f"{request.action}Response"
    head = f"<wsa:Action>{action}</wsa:Action><wsa:RelatesTo>{message_id}</wsa:RelatesTo>"
    return f"<s:Envelope {names}><s:Header>{head}</s:Header><s:Body>{reply.body}</s:Body></s:Envelope>".encode()


@contextmanager
def mllp_server(
    answer: Callable[[bytes], bytes], *, tls: ssl.SSLContext | None = None
) -> Iterator[tuple[int, list[bytes]]]:
    """Port and received messages; `answer` gets a message and gives the octets to send back, frame included."""
    received: list[bytes] = []
    plain = socket.create_server(("127.0.0.1", 0))
    listening = plain if tls is None else tls.wrap_socket(plain, server_side=True)

    def serve() -> None:
        while True:
            try:
                connection, _ = listening.accept()
            except OSError:
                return
            with connection:
                octets = b""
                while b"\x1c\r" not in octets:
                    more = connection.recv(4096)
                    if not more:
                        break
                    octets += more
                else:
                    received.append(octets)
                    connection.sendall(answer(octets))

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield listening.getsockname()[1], received
    finally:
        listening.shutdown(socket.SHUT_RDWR)
        listening.close()
        thread.join()
