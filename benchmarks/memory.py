"""Memory that a server has resident, and the most it had since it was last asked, from /proc."""

from collections.abc import Iterator
from pathlib import Path

from benchmarks import process_times

_PROC = Path("/proc")
_RESET_PEAK = "5"


def is_known() -> bool:
    """Whether this system tells (Linux)."""
    return (_PROC / "self" / "clear_refs").exists()


def resident(root: int) -> int:
    """Octets resident now, of the process and all its descendants."""
    return sum(_octets(process, "VmRSS") for process in _processes(root))


def forget_peak(root: int) -> None:
    """Count the peak from now on."""
    for process in _processes(root):
        (_PROC / str(process) / "clear_refs").write_text(_RESET_PEAK)


def peak(root: int) -> int:
    """The most octets that each process had resident since `forget_peak`, added up."""
    return sum(_octets(process, "VmHWM") for process in _processes(root))


def _processes(root: int) -> Iterator[int]:
    return process_times.with_descendants(root)


def _octets(process: int, name: str) -> int:
    try:
        lines = (_PROC / str(process) / "status").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{name}:")), 0)
