"""What `/metrics` says of the records, as Prometheus text. It names no person and no professional. DMP 1 (S07, S18)"""

from collections.abc import Callable, Iterable, Iterator
from threading import Lock, Thread
from time import monotonic

import structlog

from carnet.clock import clock
from carnet.record_wiring import has_records
from carnet.wiring import Actors
from dmp import statistics
from dmp.rules import later
from dmp.sql import records
from dmp.statistics import Figure, Period
from storage.unit_of_work import StorageFailed, UnitOfWork

_BEGINNING = "0"
# A monitor is answered within so long, with the figures of before where new ones take longer.
_WAITED_SECONDS = 2.0
_AT_ONCE_SECONDS, _REST = 0.05, 100
# Name, meaning, label, counter of `dmp.statistics` that gives the figures.
_COUNTERS = (
    ("carnet_record_creations_total", "Records ever created.", "channel", statistics.creations_by_channel),
    ("carnet_record_persons_total", "Persons informed, and persons who opposed.", "act", statistics.oppositions),
)


class RecordMetrics:
    """The totals of one process. They are counted from whole tables, in the background where that takes long.

    They are as old as a hundred times what counting them took, so that they never take more than one processor's
    hundredth however large a record grows; what is counted at once is counted each time.
    """

    def __init__(self, actors: Actors, time: Callable[[], float] = monotonic) -> None:
        self._actors, self._time = actors, time
        self._text, self._due = "", 0.0
        self._counting: Thread | None = None
        self._lock = Lock()

    def text(self) -> str:
        """The records of the domain, empty where it has none, or where they are being counted for the first time."""
        if not has_records(self._actors.settings):
            return ""
        with self._lock:
            if self._counting is None and self._time() >= self._due:
                self._counting = Thread(target=self._count, name="carnet-record-metrics", daemon=True)
                self._counting.start()
            counting = self._counting
        if counting is not None:
            counting.join(_WAITED_SECONDS)
        return self._text

    def _count(self) -> None:
        began = self._time()
        try:
            self._text = "".join(_lines(self._actors))
        except StorageFailed:
            structlog.get_logger().warning("records could not be counted for metrics")
        finally:
            took = self._time() - began
            with self._lock:
                self._due = self._time() + (took * _REST if took > _AT_ONCE_SECONDS else 0)
                self._counting = None


def _lines(actors: Actors) -> Iterator[str]:
    """Raises StorageFailed."""
    until = later(clock(actors.settings.clock)(), days=1)
    with actors.units.read() as connection:
        unit = UnitOfWork(connection=connection)
        states = [("state", state, number) for state, number in records.count_by_state(connection)]
        yield from _metric("carnet_records", "Records by their state.", "gauge", states)
        for name, meaning, label, counter in _COUNTERS:
            found = counter(unit, Period(since=_BEGINNING, until=until))
            yield from _metric(name, meaning, "counter", _samples(label, found))
        by_origin = statistics.documents_by_origin(unit, Period(since=_BEGINNING, until=until))
        yield from _metric("carnet_documents_fed_total", "Documents fed.", "counter", _samples("origin", by_origin))


def _samples(label: str, found: Iterable[Figure]) -> list[tuple[str, str, int]]:
    return [(label, one.group, one.number) for one in found]


def _metric(name: str, meaning: str, kind: str, samples: Iterable[tuple[str, str, int]]) -> Iterator[str]:
    yield f"# HELP {name} {meaning}\n# TYPE {name} {kind}\n"
    for label, value, number in samples:
        yield f'{name}{{{label}="{value}"}} {number}\n' if label else f"{name} {number}\n"
