"""Ways to a server: on one, requests and answers get lost; on another, answers come late or changed."""

import http.client
import socketserver
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
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


def losing(server: Server, losses: Losses) -> AbstractContextManager[str]:
    """The URL of the way; what is lost ends in a cut connection."""

    def after(path: str, body: bytes) -> bytes | None:
        return None if losses.takes(path, "answers") else body

    return _way(server, lambda path: losses.takes(path, "requests"), after)


def changing(server: Server, change: Callable[[str, bytes], bytes]) -> AbstractContextManager[str]:
    """The URL of the way; `change` is given path and body of each answer, and gives the body that arrives."""
    return _way(server, lambda path: False, change)


@contextmanager
def _way(server: Server, is_lost: Callable[[str], bool], after: Callable[[str, bytes], bytes | None]) -> Iterator[str]:
    class Way(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            method, path = self.rfile.readline().decode().split()[:2]
            headers = http.client.parse_headers(self.rfile)
            request = self.rfile.read(int(headers.get("Content-Length", "0")))
            if is_lost(path):
                return
            kept = {name: headers[name] for name in ("Content-Type", "Authorization") if name in headers}
            answer = server.request(method, path, request or None, kept)
            body = after(path, answer.body)
            if body is None:
                return
            head = f"HTTP/1.1 {answer.status} OK\r\nConnection: close\r\nContent-Type: {answer.headers['content-type']}\r\n"
            with suppress(ConnectionError):  # who asked waits no longer, which is its own affair
                self.wfile.write(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Way) as listening:
        listening.daemon_threads = True
        thread = threading.Thread(target=listening.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{listening.server_address[1]}"
        listening.shutdown()
        thread.join()
