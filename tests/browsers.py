"""Debian's Chromium, headless, driven by Playwright; asks nobody but the page that is opened."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from playwright.sync_api import Page, sync_playwright

__all__ = ["Page", "Shown", "opened"]
_QUIET = (
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update"),
)


@dataclass(frozen=True, kw_only=True)
class Shown:
    """A page, and what the browser complained of: console errors, failed requests, exceptions."""

    page: Page
    complaints: list[str] = field(default_factory=list)


@contextmanager
def opened(url: str, *, width: int = 1280, height: int = 800, **context: Any) -> Iterator[Shown]:
    """The page once it is loaded. `context` is what a browser context may be given beside its size."""
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("Chromium is not here (Debian: apt-get install chromium)")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=list(_QUIET))
        try:
            page = browser.new_context(viewport={"width": width, "height": height}, **context).new_page()
            shown = Shown(page=page)
            page.on("console", lambda one: shown.complaints.append(one.text) if one.type == "error" else None)
            page.on("pageerror", lambda one: shown.complaints.append(str(one)))
            page.on("requestfailed", lambda one: shown.complaints.append(one.url) if "data:" not in one.url else None)
            page.goto(url)
            yield shown
        finally:
            browser.close()
