"""Pages of documents in a real browser: nothing runs, no request leaves, every kind can be read and printed."""

import re
import shutil
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from html import escape
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from cda.document import UnreadableDocument, read_document
from cda.render import render_html
from tests.cda.mutations import EXAMPLES

_CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome") or ""
pytestmark = pytest.mark.skipif(not _CHROMIUM, reason="no browser is installed (Debian package chromium)")
_OF_THE_BROWSER_ITSELF = re.compile(r"google|gstatic|gvt1|chromium")
# The vectors name a port that browsers refuse to ask.
_REACHED = (b"127.0.0.1:9", b"127.0.0.1:8079")


@contextmanager
def watched() -> Iterator[tuple[str, list[str]]]:
    """A proxy that everything a browser asks for goes to, and what was asked for."""
    asked: list[str] = []

    class Proxy(BaseHTTPRequestHandler):
        def _note(self) -> None:
            if not _OF_THE_BROWSER_ITSELF.search(self.path):
                asked.append(self.path)
            self.send_error(404)

        do_GET = do_POST = do_CONNECT = do_HEAD = do_OPTIONS = _note  # noqa: N815 - names of the standard library

        def log_message(self, format: str, *args: object) -> None:
            """Not on the terminal of a test."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Proxy) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"127.0.0.1:{server.server_address[1]}", asked
        finally:
            server.shutdown()
            thread.join()


def browse(page: str, folder: Path, proxy: str, *output: str) -> str:
    """The page as the browser has it after everything on it has run."""
    file = folder / "page.html"
    file.write_text(page, encoding="utf-8")
    command = [
        *(_CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run"),
        *("--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-extensions"),
        *(f"--user-data-dir={folder / 'profile'}", f"--proxy-server=http://{proxy}", "--proxy-bypass-list=<-loopback>"),
        *("--virtual-time-budget=3000", *(output or ("--dump-dom",)), file.as_uri()),
    ]
    return subprocess.run(command, capture_output=True, text=True, timeout=240, check=True).stdout


def in_frames(pages: list[str]) -> str:
    frames = "".join(f'<iframe srcdoc="{escape(page)}"></iframe>' for page in pages)
    return f"<!DOCTYPE html><html><body>{frames}</body></html>"


def test_a_page_that_asks_and_runs_is_seen_to(tmp_path: Path) -> None:
    """What the other tests would see if a page did."""
    page = '<!DOCTYPE html><body><img src="http://127.0.0.1:8079/canary.png"><script>document.body.id = "ran"</script>'
    with watched() as (proxy, asked):
        shown = browse(in_frames([page]) + page, tmp_path, proxy)
    assert 'id="ran"' in shown
    assert any("canary.png" in each for each in asked)


@pytest.mark.corpus
def test_no_vector_and_no_kind_of_document_asks_for_anything(tmp_path: Path, corpus: Path) -> None:
    files = [*sorted((corpus / "attacks" / "cda-xss").glob("*.xml")), *sorted(EXAMPLES.glob("*.xml"))]
    current = sorted((corpus / "cda" / "examples" / "current").glob("*.xml"))
    small = [each for each in current if each.stat().st_size < 200_000]
    pages = list(_pages([*files, *small[::3]]))
    assert len(pages) >= 25
    with watched() as (proxy, asked):
        browse(in_frames(pages), tmp_path, proxy)
    assert asked == []


def _pages(files: list[Path]) -> Iterator[str]:
    for file in files:
        try:
            yield render_html(read_document(file.read_bytes().replace(*_REACHED)))
        except UnreadableDocument:
            continue


@pytest.mark.parametrize("name", ["lettre-liaison-sortie.xml", "cr-consultation.xml"])
def test_a_document_is_printed_with_its_header(tmp_path: Path, name: str) -> None:
    """A level 1 body prints on its own: the page says so where the body stands on the screen."""
    page, printed = render_html(read_document((EXAMPLES / name).read_bytes())), tmp_path / "printed.pdf"
    with watched() as (proxy, asked):
        browse(page, tmp_path, proxy, f"--print-to-pdf={printed}", "--no-pdf-header-footer")
    assert printed.read_bytes().startswith(b"%PDF-")
    assert asked == []
    if (reader := shutil.which("pdftotext")) is not None:
        text = subprocess.run([reader, str(printed), "-"], capture_output=True, text=True, check=True).stdout
        assert "Patient" in text
        assert "Auteur" in text
        assert name != "cr-consultation.xml" or "s’imprime à part" in text
