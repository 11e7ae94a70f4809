"""The page that shows a certification as it goes on: on loopback, nothing from elsewhere, asked again every second."""

import json
import threading
from collections.abc import Mapping
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from conformance.client.scenarios import People
from conformance.client.session import Session
from conformance.client.view import LANGUAGES, state
from conformance.failures import KitError
from conformance.sentence import in_, sentence_of

_PAGES = Path(__file__).with_name("pages")
_FILES: Mapping[str, tuple[str, str]] = {
    "/": ("page.html", "text/html; charset=utf-8"),
    "/page.js": ("page.js", "text/javascript; charset=utf-8"),
    "/page.css": ("page.css", "text/css; charset=utf-8"),
}
_POLICY = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:"
_JSON = "application/json; charset=utf-8"
# Browsers let no page of another origin set it without asking; a form never has it.
_HEADER, _MOST_OCTETS = "X-Certification", 4096


class _Server(ThreadingHTTPServer):
    """Knows what the page shows."""

    daemon_threads = True

    def __init__(self, session: Session, people: People, *, port: int, place: Mapping[str, str]) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self.session, self.people, self.place = session, people, place


class _Handler(BaseHTTPRequestHandler):
    """GET the page and its state, POST what the person decides."""

    server: _Server

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        if not self._is_here():
            return
        if parts.path == "/state":
            language = parse_qs(parts.query).get("language", ["fr"])[0]
            known = language if language in LANGUAGES else LANGUAGES[0]
            server = self.server
            self._json(HTTPStatus.OK, state(server.session, server.people, known, server.place))
        elif parts.path in _FILES:
            name, kind = _FILES[parts.path]
            self._send(HTTPStatus.OK, kind, (_PAGES / name).read_bytes())
        else:
            self._json(HTTPStatus.NOT_FOUND, {"problem": "not found"})

    def do_POST(self) -> None:
        if not self._is_here():
            return
        if self.headers.get(_HEADER) != "1" or self.path not in ("/confirm", "/skip"):
            self._json(HTTPStatus.FORBIDDEN, {"problem": f"expected POST /confirm or /skip with {_HEADER}: 1"})
            return
        try:
            length = min(int(self.headers.get("Content-Length") or 0), _MOST_OCTETS)
            given = json.loads(self.rfile.read(length) or b"{}")
            skips = self.path == "/skip"
            self.server.session.confirm(answer=given.get("answer"), is_skipped=skips, step=given.get("step"))
        except (KitError, ValueError, AttributeError) as problem:
            told = sentence_of(problem)
            self._json(HTTPStatus.CONFLICT, {language: in_(language, told) for language in LANGUAGES})
            return
        self._json(HTTPStatus.OK, {})

    def _is_here(self) -> bool:
        """No name that leads elsewhere today and here tomorrow."""
        host = (self.headers.get("Host") or "").rpartition(":")[0]
        if host in ("127.0.0.1", "localhost"):
            return True
        self._json(HTTPStatus.FORBIDDEN, {"problem": "expected the host 127.0.0.1"})
        return False

    def _json(self, status: HTTPStatus, value: Mapping[str, Any]) -> None:
        self._send(status, _JSON, json.dumps(value, ensure_ascii=False).encode())

    def _send(self, status: HTTPStatus, kind: str, body: bytes) -> None:
        self.send_response(status)
        headers = {"Content-Type": kind, "Content-Length": str(len(body)), "Cache-Control": "no-store"}
        for name, value in {**headers, "Content-Security-Policy": _POLICY, "X-Content-Type-Options": "nosniff"}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: the terminal belongs to the certification."""


class WebView:
    """Serves the page on a port of 127.0.0.1; `place`: how the software is set up."""

    def __init__(
        self,
        session: Session,
        people: People,
        *,
        port: int = 0,
        place: Mapping[str, str] | None = None,
    ) -> None:
        self._server = _Server(session, people, port=port, place=place or {})
        self._thread = threading.Thread(target=self._server.serve_forever, name="page", daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}/"

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        if self._thread.is_alive():
            self._server.shutdown()
            self._thread.join(timeout=5)
        self._server.server_close()
