"""A way to a server on which requests and answers get lost."""

import http.client
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from tests.servers import Server


@dataclass(kw_only=True)
class Losses:
    """How many requests, then answers, of paths with this end are still to be lost."""

    path: str
    answers: int = 0
    requests: int = 0
    lost: list[str] = field(default_factory=list)

    def takes(self, path: str, what: str) -> bool:
        left = getattr(self, what)
        if not path.endswith(self.path) or not left:
            return False
        setattr(self, what, left - 1)
        self.lost.append(what)
        return True


@contextmanager
def losing(server: Server, losses: Losses) -> Iterator[str]:
    """The URL of the way; what is lost ends in a cut connection."""

    class Way(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            method, path = self.rfile.readline().decode().split()[:2]
            headers = http.client.parse_headers(self.rfile)
            body = self.rfile.read(int(headers.get("Content-Length", "0")))
            if losses.takes(path, "requests"):
                return
            kept = {name: headers[name] for name in ("Content-Type", "Authorization") if name in headers}
            answer = server.request(method, path, body or None, kept)
            if losses.takes(path, "answers"):
                return
            self.wfile.write(b"HTTP/1.1 %d OK\r\nConnection: close\r\n" % answer.status)
            self.wfile.write(f"Content-Type: {answer.headers['content-type']}\r\n".encode())
            self.wfile.write(b"Content-Length: %d\r\n\r\n" % len(answer.body) + answer.body)

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Way) as listening:
        thread = threading.Thread(target=listening.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{listening.server_address[1]}"
        listening.shutdown()
        thread.join()
