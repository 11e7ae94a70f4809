"""A subscriber of the tests: an HTTP server on loopback that is down, up, or refuses, as a test wants it."""

import json
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

SECONDS = 60.0


@dataclass
class Subscriber:
    """What it was told, in the order in which it came; `status` is what it answers."""

    port: int
    status: int = 200
    told: list[bytes] = field(default_factory=list)
    tried: int = 0
    _door: ThreadingHTTPServer | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/told"

    @property
    def bundles(self) -> list[dict[str, Any]]:
        return [json.loads(one) for one in self.told]

    def up(self) -> None:
        subscriber = self

        class Door(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                subscriber.tried += 1
                if subscriber.status < 300:
                    subscriber.told.append(body)
                self.send_response(subscriber.status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:
                """Nothing."""

        self._door = ThreadingHTTPServer(("127.0.0.1", self.port), Door)
        threading.Thread(target=self._door.serve_forever, daemon=True).start()

    def down(self) -> None:
        if self._door is not None:
            self._door.shutdown()
            self._door.server_close()
            self._door = None


def a_subscriber() -> Subscriber:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return Subscriber(port=probe.getsockname()[1])


def until(holds: Callable[[], bool], *, seconds: float = SECONDS) -> None:
    """Wait for it. Raises TimeoutError."""
    deadline = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > deadline:
            raise TimeoutError
        threading.Event().wait(0.05)


def parameters(bundle: dict[str, Any]) -> dict[str, Any]:
    """The status of a notification: name -> value or parts."""
    listed = bundle["entry"][0]["resource"]["parameter"]
    return {one["name"]: one.get("part") or next(v for k, v in one.items() if k.startswith("value")) for one in listed}
