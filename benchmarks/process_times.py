"""Processor time that a process and all its descendants have used, from /proc."""

import os
from collections.abc import Iterator
from pathlib import Path

_PROC = Path("/proc")


def is_known() -> bool:
    """Whether this system tells (Linux)."""
    return (_PROC / "self" / "stat").exists()


def processor_seconds(root: int) -> float:
    """Seconds of user and system time of the process, of its descendants, and of those they waited for."""
    ticks = {process: used for process, (_, used) in _all().items()}
    return sum(ticks.get(process, 0) for process in with_descendants(root)) / os.sysconf("SC_CLK_TCK")


def with_descendants(root: int) -> Iterator[int]:
    """Ids of the process and of all its descendants."""
    children: dict[int, list[int]] = {}
    for process, (parent, _) in _all().items():
        children.setdefault(parent, []).append(process)
    waiting = [root]
    while waiting:
        process = waiting.pop()
        yield process
        waiting.extend(children.get(process, ()))


def _all() -> dict[int, tuple[int, int]]:
    """(parent, ticks) of every process."""
    found = ((entry.name, _read(entry)) for entry in _PROC.iterdir() if entry.name.isdigit())
    return {int(name): read for name, read in found if read is not None}


def parent_of(process: int) -> int:
    """Id of the parent, 0 when the process is gone."""
    read = _read(_PROC / str(process))
    return 0 if read is None else read[0]


def _read(entry: Path) -> tuple[int, int] | None:
    """(parent, ticks), None for a process that has ended meanwhile."""
    try:
        # The name in parentheses may hold blanks.
        fields = (entry / "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return int(fields[1]), sum(int(ticks) for ticks in fields[11:15])
