"""The one writer that seals: it puts what has committed at the end of the chain, and tells how much waits."""

import threading
from collections.abc import Callable, Sequence

from audit import outbox
from audit.outbox import Head
from audit.reserve import Reserve
from audit.spool import Spool
from storage.unit_of_work import StorageFailed, Units

_PAUSE_SECONDS = 0.2
_ANCHOR_SECONDS = 24 * 3600.0
OnAnchor = Callable[[Head], None]


class Sealer(threading.Thread):
    """Seals at most a second behind. Every process has one; of those that try at once one seals."""

    def __init__(
        self,
        units: Units,
        spool: Spool,
        receivers: Sequence[str],
        *,
        on_anchor: OnAnchor,
        reserve: Reserve | None = None,
    ) -> None:
        """`on_anchor` is told the end of the chain when it starts and each day, to be kept elsewhere."""
        super().__init__(name="audit sealer", daemon=True)
        self._units, self._spool, self._receivers, self._on_anchor = units, spool, tuple(receivers), on_anchor
        self._reserve = reserve
        self._stopping = threading.Event()

    def run(self) -> None:
        until_anchor = 0.0
        while not self._stopping.is_set():
            try:
                self.step()
                if until_anchor <= 0:
                    self._anchor()
                    until_anchor = _ANCHOR_SECONDS
            except StorageFailed:
                self._stopping.wait(_PAUSE_SECONDS * 5)
            self._stopping.wait(_PAUSE_SECONDS)
            until_anchor -= _PAUSE_SECONDS

    def step(self) -> None:
        """Seal everything that has committed, then tell the spool. Raises StorageFailed.

        What commits meanwhile waits for the next step: under load each round would find one or two records more.
        """
        left = self._unsealed()
        while left > 0 and (sealed := self._units.write(lambda unit: outbox.seal(unit.connection))):
            left -= sealed
        self._spool.told(self._waiting())
        if self._reserve is not None and self._reserve.is_touched:
            self._reserve.restore()

    def stop(self) -> None:
        """Seal what there is and leave an anchor."""
        self._stopping.set()
        if self.is_alive():
            self.join()
        try:
            self.step()
            self._anchor()
        except StorageFailed:
            return

    def _unsealed(self) -> int:
        with self._units.read() as connection:
            return outbox.unsealed(connection)

    def _waiting(self) -> int:
        """Octets that a receiver does not have, of the one that is farthest behind."""
        if not self._receivers:
            return 0
        with self._units.read() as connection:
            return max(outbox.octets_waiting(connection, one) for one in self._receivers)

    def _anchor(self) -> None:
        with self._units.read() as connection:
            end = outbox.head(connection)
        if end.sequence:
            self._on_anchor(end)
