"""The page of the documentation that shows one kept result."""

from pathlib import Path

from benchmarks.machine import ROOT

PAGE = ROOT / "docs" / "benchmarks.md"
_BEGIN, _END = "<!-- result -->", "<!-- end of result -->"


class NoPlace(ValueError):
    """The page has no place for a result; the text says which page."""


def show(page: Path, name: str, text: str) -> None:
    """Put the Markdown of the result with this name into the page, in place of the one it shows."""
    before, begun, rest = page.read_text(encoding="utf-8").partition(_BEGIN)
    _, ended, after = rest.partition(_END)
    if not begun or not ended:
        raise NoPlace(f"{page}: expected {_BEGIN} and {_END}")
    link = f"Kept in [`benchmarks/results/{name}.json`](../benchmarks/results/{name}.json)."
    page.write_text(f"{before}{_BEGIN}\n{link}\n\n{text}\n{_END}{after}", encoding="utf-8")
