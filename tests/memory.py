"""Folders in memory: nearly every commit of a test waits for a disk that nothing depends on."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_SHARED = Path("/dev/shm")
_ENOUGH = 4 * 2**30


def place() -> str | None:
    """Where to make temporary folders: in memory where there is some left, else (None) where they usually are."""
    return str(_SHARED) if _SHARED.is_dir() and shutil.disk_usage(_SHARED).free > _ENOUGH else None


@contextmanager
def folder() -> Iterator[Path]:
    """A new one, deleted with all that is in it."""
    with tempfile.TemporaryDirectory(dir=place(), prefix="tmp") as name:
        yield Path(name)
