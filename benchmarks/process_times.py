"""Processor time that a process and all its descendants have used, from /proc."""

import os
from pathlib import Path

_PROC = Path("/proc")


def is_known() -> bool:
    """Whether this system tells (Linux)."""
    return (_PROC / "self" / "stat").exists()


def processor_seconds(root: int) -> float:
    """Seconds of user and system time of the process, of its descendants, and of those they waited for."""
    parents: dict[int, list[int]] = {}
    ticks: dict[int, int] = {}
    for entry in _PROC.iterdir():
        if entry.name.isdigit() and (read := _read(entry)) is not None:
            parent, used = read
            parents.setdefault(parent, []).append(int(entry.name))
            ticks[int(entry.name)] = used
    whole, waiting = 0, [root]
    while waiting:
        process = waiting.pop()
        whole += ticks.get(process, 0)
        waiting.extend(parents.get(process, ()))
    return whole / os.sysconf("SC_CLK_TCK")


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
