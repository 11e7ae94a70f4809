"""Whether a disk has room for a data set, before hours are spent on filling it."""

import shutil
from collections.abc import Sequence
from pathlib import Path

# What the database has in the end, measured with 6,000 and 20,000 entries (10.1 kB and 8.4 kB), and the log that it
# writes on the way.
_OCTETS_PER_ENTRY = {"SQLite": 11_000, "PostgreSQL": 9_000}
_LOG_OCTETS = {"SQLite": 0, "PostgreSQL": 4 * 10**9}
_GIGABYTE = 10**9


class DiskTooSmall(OSError):
    """There is not enough room; the text says how much is needed and how much there is."""


def needed(entries: int, databases: Sequence[str]) -> int:
    """Octets that a data set takes in all these databases; the log grows with the data until it is full."""
    return sum(
        entries * _OCTETS_PER_ENTRY[name] + min(_LOG_OCTETS[name], 2 * entries * _OCTETS_PER_ENTRY[name])
        for name in databases
    )


def check(folder: Path, octets: int) -> str:
    """One sentence with what is needed and what is free. Raises DiskTooSmall."""
    existing = next(one for one in (folder, *folder.parents) if one.exists())
    free = shutil.disk_usage(existing).free
    sentence = (
        f"the data set needs {octets / _GIGABYTE:.1f} GB of disk under {existing}, {free / _GIGABYTE:.1f} GB are free"
    )
    if free < octets:
        raise DiskTooSmall(sentence)
    return sentence
