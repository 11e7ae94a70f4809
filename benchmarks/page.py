"""The page of the documentation that shows the newest results, each at its place."""

from pathlib import Path

from benchmarks.machine import ROOT

PAGE = ROOT / "docs" / "benchmarks.md"
PLACES = ("entries", "growth", "documents", "layers")


class NoPlace(ValueError):
    """The page has no place for a result; the text says which page."""


def marks(place: str) -> tuple[str, str]:
    """What begins and ends a place on the page."""
    return f"<!-- result: {place} -->", f"<!-- end of {place} -->"


def show(page: Path, name: str, text: str, *, place: str) -> None:
    """Put the Markdown of the result with this name into the page, in place of the one it shows there."""
    begin, end = marks(place)
    before, begun, rest = page.read_text(encoding="utf-8").partition(begin)
    _, ended, after = rest.partition(end)
    if not begun or not ended:
        raise NoPlace(f"{page}: expected {begin} and {end}")
    link = f"Kept in [`benchmarks/results/{name}.json`](../benchmarks/results/{name}.json)."
    page.write_text(f"{before}{begin}\n{link}\n\n{text}\n{end}{after}", encoding="utf-8")
