"""How much of the audit waits to be sent, and when the server stops serving because of it. ITI TF-2: 3.20.4.1.1.

A full spool fails closed: whoever cannot be recorded and reported is not served. Alarms come at 50 and at 80 percent.
"""

from collections.abc import Callable

from storage.unit_of_work import StorageFailed

_ALARMS = (100, 80, 50)
# Told at each crossing, up or down: percent used, and the alarm it reaches, 0 for none.
OnAlarm = Callable[[int, int], None]


class Spool:
    """The quota of one process, told by its sealer how much waits. `limit` in octets, 0 for none."""

    def __init__(self, limit: int, *, on_alarm: OnAlarm, fails_closed: bool = True) -> None:
        self._limit, self._on_alarm, self._fails_closed = limit, on_alarm, fails_closed
        self._alarm = self.percent = 0

    @property
    def is_full(self) -> bool:
        return self._fails_closed and self.percent >= 100

    def told(self, octets: int) -> None:
        """So many octets wait for the receiver that has most before it."""
        self.percent = octets * 100 // self._limit if self._limit else 0
        alarm = next((one for one in _ALARMS if self.percent >= one), 0)
        if alarm != self._alarm:
            self._alarm = alarm
            self._on_alarm(self.percent, alarm)

    def check(self) -> None:
        """Raises StorageFailed when nothing may be served."""
        if self.is_full:
            raise StorageFailed("the audit spool is full", is_full=True)
