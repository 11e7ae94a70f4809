"""Whether the store of documents answers now, for those who watch a server.

A bucket or a network file system that is away may keep a question for a minute, and who watches asks often: one thread
looks, and what it found counts for some seconds.
"""

from collections.abc import Callable
from threading import Lock, Thread
from time import monotonic

from repository.blob_store import BlobStore

LOOKS_EVERY_SECONDS = 5.0
_WAITED_SECONDS = 2.0


class DocumentsReach:
    """Of one process and its store."""

    def __init__(self, store: BlobStore, time: Callable[[], float] = monotonic) -> None:
        self._store, self._time = store, time
        self._is_reached, self._due = False, 0.0
        self._looking: Thread | None = None
        self._lock = Lock()

    def is_reached(self) -> bool:
        """A store that does not answer within two seconds is out of reach."""
        with self._lock:
            if self._looking is None and self._time() >= self._due:
                self._looking = Thread(target=self._look, name="carnet-documents-reach", daemon=True)
                self._looking.start()
            looking = self._looking
        if looking is not None:
            looking.join(_WAITED_SECONDS)
            if looking.is_alive():
                return False
        return self._is_reached

    def _look(self) -> None:
        try:
            self._store.reach()
            self._is_reached = True
        except OSError:
            self._is_reached = False
        finally:
            with self._lock:
                self._due, self._looking = self._time() + LOOKS_EVERY_SECONDS, None
