"""What reads leave behind, committed together: those that wait while one commit is under way share the next.

Nobody lingers on an idle server, and nobody waits longer than the commit before and their own. DECISIONS 18.
"""

import threading
from collections.abc import Sequence

from audit import outbox
from audit.outbox import Row
from audit.reserve import Reserve
from storage.unit_of_work import StorageFailed, Units


class _Waiting:
    """Records of one request, and what became of them."""

    def __init__(self, rows: Sequence[Row]) -> None:
        self.rows, self.turn, self.is_kept = rows, threading.Event(), False
        self.failure: BaseException | None = None


class GroupCommitter:
    """Keeps records of many requests in few commits; the first of those that wait does the work for all."""

    def __init__(self, units: Units, reserve: Reserve | None = None) -> None:
        self._units, self._reserve, self._lock = units, reserve, threading.Lock()
        self._waiting: list[_Waiting] = []
        self._is_busy = False

    def keep(self, rows: Sequence[Row]) -> None:
        """Returns when the records are durable. Raises StorageFailed when they cannot be."""
        mine = _Waiting(rows)
        with self._lock:
            self._waiting.append(mine)
            leads, self._is_busy = not self._is_busy, True
        if not leads:
            mine.turn.wait()
        if not mine.is_kept and mine.failure is None:
            self._commit_all()
        if mine.failure is not None:
            raise mine.failure

    def _write(self, rows: Sequence[Row]) -> None:
        """On a full disk with a piece of the reserve, and another."""
        while True:
            try:
                return self._units.append(lambda unit: outbox.add(unit.connection, rows))
            except StorageFailed as problem:
                if not problem.is_full or self._reserve is None or not self._reserve.give_up():
                    raise

    def _commit_all(self) -> None:
        """Commit what waits, then hand over to the first of those that came meanwhile."""
        with self._lock:
            group, self._waiting = self._waiting, []
        failure: BaseException | None = None
        try:
            self._write([row for one in group for row in one.rows])
        except BaseException as problem:  # noqa: BLE001 - belongs to every thread that waits
            failure = problem
        for one in group:
            one.failure, one.is_kept = failure, failure is None
            one.turn.set()
        with self._lock:
            self._is_busy = bool(self._waiting)
            if self._is_busy:
                self._waiting[0].turn.set()
