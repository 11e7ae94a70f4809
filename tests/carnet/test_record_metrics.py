"""The totals of a monitor: a scrape never makes the database count for long, or often."""

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from carnet import record_metrics
from carnet.record_metrics import RecordMetrics
from carnet.wiring import Actors, open_actors
from storage.unit_of_work import StorageFailed
from tests import servers


@dataclass
class Counting:
    """In place of the tables: how often they were counted, what that does, and what time it is."""

    now: float = 1000.0
    times: int = 0
    does: Callable[[], None] = field(default=lambda: None)

    def lines(self, _actors: Actors) -> Iterator[str]:
        self.times += 1
        self.does()
        yield f"counted {self.times}\n"

    def lasts(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def actors(tmp_path: Path) -> Iterator[Actors]:
    opened = open_actors(servers.settings_for(tmp_path, domain="dmp"))
    yield opened
    opened.units.close()


@pytest.fixture
def counting(monkeypatch: pytest.MonkeyPatch) -> Counting:
    made = Counting()
    monkeypatch.setattr(record_metrics, "_lines", made.lines)
    return made


def test_what_is_counted_at_once_is_counted_each_time(actors: Actors, counting: Counting) -> None:
    metrics = RecordMetrics(actors, lambda: counting.now)
    assert [metrics.text() for _ in range(3)] == ["counted 1\n", "counted 2\n", "counted 3\n"]


def test_what_takes_long_is_counted_for_a_hundredth_of_the_time(actors: Actors, counting: Counting) -> None:
    counting.does = lambda: counting.lasts(3)
    metrics = RecordMetrics(actors, lambda: counting.now)
    assert metrics.text() == "counted 1\n"
    counting.lasts(299)
    assert metrics.text() == "counted 1\n"
    counting.lasts(1)
    assert metrics.text() == "counted 2\n"


def test_a_scrape_does_not_wait_for_what_takes_very_long(
    actors: Actors, counting: Counting, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(record_metrics, "_WAITED_SECONDS", 0.05)
    done = threading.Event()
    counting.does = lambda: assert_is_set(done)
    metrics = RecordMetrics(actors)
    assert [metrics.text() for _ in range(3)] == [""] * 3
    assert counting.times == 1
    done.set()
    until = time.monotonic() + 10
    while not metrics.text():
        assert time.monotonic() < until


def assert_is_set(done: threading.Event) -> None:
    assert done.wait(30)


def test_what_cannot_be_counted_now_is_as_it_was(actors: Actors, counting: Counting) -> None:
    def away() -> None:
        if counting.times == 2:
            raise StorageFailed("the database is away")

    counting.does = away
    metrics = RecordMetrics(actors, lambda: counting.now)
    assert [metrics.text() for _ in range(3)] == ["counted 1\n", "counted 1\n", "counted 3\n"]
