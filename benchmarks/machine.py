"""Where and with what a measurement was made: a figure without it means nothing."""

import hashlib
import os
import platform
import re
import sqlite3
import subprocess
import time
from importlib.metadata import version
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
_LIBRARIES = ("carnet", "gunicorn", "flask", "spyne", "lxml", "orjson", "sqlalchemy", "psycopg", "structlog")


def machine() -> dict[str, str | int]:
    """Processor, cores, memory, system; what this system does not tell is left out."""
    found: dict[str, str | int] = {
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1,
        "system": platform.platform(),
    }
    model = _first(Path("/proc/cpuinfo"), r"model name\s*:\s*(.+)")
    memory = _first(Path("/proc/meminfo"), r"MemTotal:\s*(\d+) kB")
    if model:
        found["processor"] = model
    if memory:
        found["memory_MB"] = int(memory) // 1024
    return found


def versions() -> dict[str, str]:
    """Python, the libraries a request passes through, SQLite."""
    return {
        "python": platform.python_version(),
        **{name: version(name) for name in _LIBRARIES},
        "sqlite": sqlite3.sqlite_version,
    }


def commit() -> str:
    """The commit measured; `+` when files differ from it. Empty outside a checkout."""
    try:
        name = _git("rev-parse", "--short=12", "HEAD")
        changed = _git("status", "--porcelain", "--untracked-files=no")
    except (OSError, subprocess.CalledProcessError):
        return ""
    return name + ("+" if changed else "")


def pace() -> float:
    """Milliseconds of processor time that a fixed piece of work takes now, the least of five.

    A virtual machine whose host is busy needs more processor time for the same: figures with another pace are of
    another machine.
    """
    return round(min(_worked() for _ in range(5)) * 1000, 2)


def _worked() -> float:
    began = time.process_time()
    for number in range(2000):
        hashlib.sha256(str(number).encode() * 50).hexdigest().encode().translate(None, b"0")
    return time.process_time() - began


def load_average() -> float:
    """Processes that wanted a processor, on average of the last minute."""
    return round(os.getloadavg()[0], 2)


def _git(*arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def _first(file: Path, pattern: str) -> str:
    try:
        found = re.search(pattern, file.read_text())
    except OSError:
        return ""
    return found[1].strip() if found else ""
