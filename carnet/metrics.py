"""`/metrics`: what a monitoring system collects, as Prometheus text. It names no person and no professional."""

from collections.abc import Iterable, Iterator

import flask

from carnet.clock import clock
from carnet.record_wiring import has_records
from carnet.wiring import Actors
from dmp import statistics
from dmp.rules import later
from dmp.sql import records
from dmp.statistics import Figure, Period
from storage.unit_of_work import StorageFailed, UnitOfWork

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_BEGINNING = "0"
# Name, meaning, label, counter of `dmp.statistics` that gives the figures.
_COUNTERS = (
    ("carnet_record_creations_total", "Records ever created.", "channel", statistics.creations_by_channel),
    ("carnet_record_persons_total", "Persons informed, and persons who opposed.", "act", statistics.oppositions),
)


def add_metrics(app: flask.Flask, actors: Actors) -> None:
    @app.get("/metrics")
    def metrics() -> flask.Response:
        try:
            return flask.Response("".join(_lines(actors)), content_type=CONTENT_TYPE)
        except StorageFailed:
            return flask.Response("database not ready\n", status=503, content_type="text/plain")


def _lines(actors: Actors) -> Iterator[str]:
    yield from _metric("carnet_up", "Whether this process serves.", "gauge", [("", "", 1)])
    if not has_records(actors.settings):
        return
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
