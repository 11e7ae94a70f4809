"""Pages of documents in a real browser: nothing runs, no request leaves, every kind can be read and printed."""

import base64
import re
import shutil
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from html import escape
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from playwright.sync_api import sync_playwright

from cda.document import read_document
from cda.render import render_html
from cda.unreadable import UnreadableDocument
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


_RED = """async data => {
  const image = new Image(); image.src = 'data:image/png;base64,' + data; await image.decode();
  const canvas = document.createElement('canvas'); canvas.width = image.width; canvas.height = image.height;
  const context = canvas.getContext('2d'); context.drawImage(image, 0, 0);
  const seen = context.getImageData(0, 0, canvas.width, canvas.height).data; let red = 0;
  for (let at = 0; at < seen.length; at += 4) red += seen[at] > 180 && seen[at + 1] < 30 && seen[at + 2] < 30;
  return red; }"""


def a_red_pdf() -> bytes:
    """One page, all red."""
    drawn = b"0.8 0 0 rg 0 0 595 842 re f"
    objects = (
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]/Contents 4 0 R>>",
        b"<</Length %d>>stream\n%s\nendstream" % (len(drawn), drawn),
    )
    written, places = b"%PDF-1.4\n", []
    for number, each in enumerate(objects, start=1):
        places.append(len(written))
        written += b"%d 0 obj%s endobj\n" % (number, each)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    trailer = b"trailer<</Size 5/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF" % len(written)
    return written + b"xref\n0 5\n0000000000 65535 f \n" + table + trailer


@pytest.mark.browser
def test_the_pdf_of_a_level_1_body_is_painted_on_the_page(tmp_path: Path) -> None:
    """By the viewer of the browser itself, under the policy of the page."""
    body = base64.b64encode(a_red_pdf()).decode()
    text = (EXAMPLES / "cr-consultation.xml").read_text(encoding="utf-8")
    text = re.sub(r"(<text mediaType=[^>]*>).*?(</text>)", rf"\g<1>{body}\g<2>", text, flags=re.DOTALL)
    file = tmp_path / "page.html"
    file.write_text(render_html(read_document(text.encode())), encoding="utf-8")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=_CHROMIUM, args=["--no-sandbox", "--headless=new"])
        page, counting = browser.new_page(viewport={"width": 900, "height": 1500}), browser.new_page()
        page.goto(file.as_uri())
        red, end = 0, time.monotonic() + 120
        while red < 100_000 and time.monotonic() < end:  # the viewer paints when it has started
            red = counting.evaluate(_RED, base64.b64encode(page.screenshot()).decode())
        browser.close()
    assert red >= 100_000
