"""What `/metrics` says of the records, as Prometheus text. It names no person and no professional. DMP 1 (S07, S18)"""

from collections.abc import Iterable, Iterator

from carnet.clock import clock
from carnet.record_wiring import has_records
from carnet.wiring import Actors
from dmp import statistics
from dmp.rules import later
from dmp.sql import records
from dmp.statistics import Figure, Period
from storage.unit_of_work import UnitOfWork

_BEGINNING = "0"
# Name, meaning, label, counter of `dmp.statistics` that gives the figures.
_COUNTERS = (
    ("carnet_record_creations_total", "Records ever created.", "channel", statistics.creations_by_channel),
    ("carnet_record_persons_total", "Persons informed, and persons who opposed.", "act", statistics.oppositions),
)


def record_metrics(actors: Actors) -> str:
    """The records of the domain, empty where it has none. Raises StorageFailed."""
    return "".join(_lines(actors)) if has_records(actors.settings) else ""


def _lines(actors: Actors) -> Iterator[str]:
    until = later(clock(actors.settings.clock)(), days=1)
    with actors.units.read() as connection:
        unit = UnitOfWork(connection=connection)
        states = [("state", state, number) for state, number in records.count_by_state(connection)]
        yield from _metric("carnet_records", "Records by their state.", "gauge", states)
        for name, meaning, label, counter in _COUNTERS:
            found = counter(unit, Period(since=_BEGINNING, until=until))
            yield from _metric(name, meaning, "counter", _samples(label, found))
        fed = (one for one in statistics.documents(unit, Period(since=_BEGINNING, until=until)))
        by_origin = [one for one in fed if one.counter == "documents by origin"]
        yield from _metric("carnet_documents_fed_total", "Documents fed.", "counter", _samples("origin", by_origin))


def _samples(label: str, found: Iterable[Figure]) -> list[tuple[str, str, int]]:
    return [(label, one.group, one.number) for one in found]


def _metric(name: str, meaning: str, kind: str, samples: Iterable[tuple[str, str, int]]) -> Iterator[str]:
    yield f"# HELP {name} {meaning}\n# TYPE {name} {kind}\n"
    for label, value, number in samples:
        yield f'{name}{{{label}="{value}"}} {number}\n' if label else f"{name} {number}\n"
