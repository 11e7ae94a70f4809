"""Space kept for audit records, given up piece by piece when the disk is full. DECISIONS 18.

Reads go on with it: their records fit. What changes metadata is refused as soon as the reserve is touched, so that
it lasts. When it is used up nothing is served any more; once there is space again it is kept anew.
"""

import os
import shutil
import threading
from pathlib import Path

_PIECE = 4 * 2**20
_MARGIN = 16 * 2**20


class Reserve:
    """A file of this many octets that is written in full."""

    def __init__(self, path: Path, octets: int) -> None:
        """Keeps as much as there is space for."""
        self._path, self._octets, self._lock = path, octets, threading.Lock()
        path.parent.mkdir(parents=True, exist_ok=True)
        self.restore()

    @property
    def left(self) -> int:
        return self._path.stat().st_size if self._path.exists() else 0

    @property
    def is_touched(self) -> bool:
        return self.left < self._octets

    def give_up(self) -> bool:
        """Free a piece for the database; False when nothing is left."""
        with self._lock:
            left = self.left
            if not left:
                return False
            os.truncate(self._path, max(0, left - _PIECE))
            return True

    def restore(self) -> None:
        """Keep all of it again where the disk has that much, and some more."""
        with self._lock:
            missing = self._octets - self.left
            if missing <= 0 or shutil.disk_usage(self._path.parent).free < missing + _MARGIN:
                return
            descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                os.posix_fallocate(descriptor, 0, self._octets)
            except OSError:
                os.ftruncate(descriptor, self._octets - missing)
            finally:
                os.close(descriptor)
