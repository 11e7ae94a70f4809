"""A flame graph from what py-spy saw: one small SVG, without scripts and without names of the machine.

py-spy record --pid PID --duration 20 --gil --format raw --output FILE
python -m benchmarks.flames FILE docs/profiles/iti41.svg --title "ITI-41 Provide and Register"
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from zlib import crc32

import click

_ROW, _WIDTH, _LETTER = 15, 1200.0, 6.2
_PLACE = re.compile(r" \((?P<file>[^)]*?):\d+\)$")
_OURS = re.compile(
    r"^(?:/\S*?/)?(?P<path>(?:access_policy|audit|carnet|cda|dmp|fhir_facade|registry|repository|soap|storage|subscriptions|xds)/\S+)$"
)


@dataclass(slots=True)
class Frame:
    """A function and what it called; `samples` count those too."""

    name: str
    samples: int = 0
    called: dict[str, "Frame"] = field(default_factory=dict)


def tree(lines: Iterable[str], *, below: str = "") -> Frame:
    """Stacks `outermost;…;innermost COUNT`, each from the first function on whose name begins with `below`."""
    root = Frame("all")
    for line in lines:
        stack, _, count = line.rstrip("\n").rpartition(" ")
        names = [_name(one) for one in stack.split(";")]
        start = next((place for place, one in enumerate(names) if one.startswith(below)), 0)
        frame = root
        frame.samples += int(count)
        for name in names[start:]:
            frame = frame.called.setdefault(name, Frame(name))
            frame.samples += int(count)
    return root


def _name(frame: str) -> str:
    """Function and file within the project or its package; lines are left out, which joins what one function does."""
    found = _PLACE.search(frame)
    if found is None:
        return frame
    file, function = found["file"], frame[: found.start()]
    ours = _OURS.match(file)
    return f"{function} ({ours['path'] if ours else '/'.join(file.split('/')[-2:])})"


def drawn(root: Frame, title: str, *, least: float = 0.004) -> str:
    """The SVG; what took less than this share is left out."""
    boxes = list(_boxes(root, 0.0, 0, _WIDTH / root.samples, root.samples * least))
    height = _ROW * (2 + max(depth for _, _, _, depth in boxes) + 1)
    inside = "\n".join(_box(*box, root.samples) for box in boxes)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH:.0f} {height}" '
        f'font-family="monospace" font-size="10">\n'
        f'<text x="4" y="12">{escape(title)}: {root.samples} samples, the outermost function on top</text>\n'
        f"{inside}\n</svg>\n"
    )


_Box = tuple[Frame, float, float, int]


def _boxes(frame: Frame, left: float, depth: int, scale: float, least: float) -> Iterator[_Box]:
    yield frame, left, frame.samples * scale, depth
    for called in sorted(frame.called.values(), key=lambda one: -one.samples):
        if called.samples >= least:
            yield from _boxes(called, left, depth + 1, scale, least)
        left += called.samples * scale


def _box(frame: Frame, left: float, width: float, depth: int, samples: int) -> str:
    top, hue = _ROW * (depth + 1), crc32(frame.name.partition(" (")[2].encode()) % 360
    share, letters = frame.samples / samples, int((width - 4) / _LETTER)
    shown = escape(frame.name[:letters]) if letters > 2 else ""
    return (
        f'<g><title>{escape(frame.name)} {share:.1%}</title><rect x="{left:.1f}" y="{top}" width="{width:.1f}" '
        f'height="{_ROW - 1}" fill="hsl({hue},60%,80%)"/><text x="{left + 2:.1f}" y="{top + 11}">{shown}</text></g>'
    )


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("stacks", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.argument("svg", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--title", required=True)
@click.option("--below", default="", help="Begin every stack with the first function of this name.")
def main(stacks: Path, svg: Path, title: str, below: str) -> None:
    """Draw STACKS, which py-spy wrote with --format raw, as SVG.

    \b
    python -m benchmarks.flames iti41.raw docs/profiles/iti41.svg --title ITI-41 --below XdsDoor
    """
    with stacks.open(encoding="utf-8") as lines:
        root = tree(lines, below=below)
    if not root.samples:
        raise click.UsageError(f"{stacks} has no samples, expected lines of a stack and its count")
    svg.write_text(drawn(root, title), encoding="utf-8")


if __name__ == "__main__":
    main()
