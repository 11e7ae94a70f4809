"""One server for all attacks of a module, and the instruments they run with."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from carnet import authentication
from storage import engine
from tests.attacks import corpus, doors
from tests.attacks.doors import Alarms, Doors
from tests.attacks.watch import MOST_MEMORY, SLOWEST_SECONDS, Canary, Stopwatch, memory, watched
from tests.memory import folder as memory_folder


@dataclass(frozen=True, kw_only=True)
class Target:
    """The doors, and what tells whether an attack got further than an answer."""

    doors: Doors
    folder: Path
    canary: Canary
    alarms: Alarms
    stopwatch: Stopwatch = field(default_factory=Stopwatch)


@pytest.fixture(scope="module")
def target() -> Iterator[Target]:
    """Refusals are told at once: that all take as long is tested elsewhere, and here there are thousands of them."""
    with memory_folder() as folder, doors.alarmed() as alarms, pytest.MonkeyPatch.context() as patched:
        patched.setattr(authentication, "_REFUSAL_SECONDS", 0.0)
        # Pages of the database that are kept up to a bound are no leak, and would hide one.
        patched.setattr(engine, "_SQLITE_CACHE_KIB", 1024)
        if corpus.ATTACKS.is_dir():
            corpus.sets()
        canary = Canary(folder)
        with doors.opened(folder) as opened:
            doors.warm(opened)
            before = memory()
            made = Target(doors=opened, folder=folder, canary=canary, alarms=alarms)
            yield made
            after = memory()
        canary.close()
        more = f"{(after - before) / 2**20:.0f} MB more than before"
        print(more)
        assert after - before < MOST_MEMORY, more


@pytest.fixture(autouse=True)
def reaches_nothing(target: Target) -> Iterator[None]:
    """Whatever is sent: no file and no connection of the outside, nothing unforeseen in the log, nothing slow."""
    if corpus.ATTACKS.is_dir():
        corpus.sets()
    target.stopwatch.slowest = 0.0
    target.canary.calls.clear()
    target.alarms.raised.clear()
    with watched(target.folder, (target.doors.feed,)) as reached:
        yield
    assert reached.seen == []
    assert target.canary.calls == []
    assert target.alarms.raised == []
    assert target.stopwatch.slowest < SLOWEST_SECONDS, target.stopwatch.what
