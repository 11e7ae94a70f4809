"""A power cut at any moment loses nothing that was acknowledged; the harness sees every bug that would.

One run is recorded call by call; then a disk is built for each cut, with what was not synced there, torn or
missing by chance, and read with plain SQL and plain files.
"""

import random
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.durability import checker, scenario
from tests.durability.disk_log import Call, Replay, calls, followed, why_no_strace
from tests.durability.fork_server import Forks, forks

NO_STRACE = why_no_strace()
pytestmark = pytest.mark.skipif(bool(NO_STRACE), reason=NO_STRACE)
SEED = 20261126
CUTS = [pytest.param(500, id="500"), pytest.param(5000, id="5000", marks=pytest.mark.long)]
CUTS_PER_BUG = 80
ROUNDS_PER_BUG = 8  # a bug whose moment is short may need more than one
STEPS = 8
# Which fsync fails: the third is one of a document of the first submissions.
FAILING_FSYNC = "fsync:error=EIO:when=3"


@pytest.fixture(scope="module")
def server() -> Iterator[Forks]:
    with forks() as running:
        yield running


def recorded(server: Forks, folder: Path, *, bug: str = "", inject: tuple[str, ...] = ()) -> tuple[Path, list[Call]]:
    """The folder as it was before the run, and what the run did."""
    data, snapshot, log = folder / "data", folder / "snapshot", folder / "log"
    scenario.prepare(data)
    shutil.copytree(data, snapshot)
    pid = server.begin(data, name="1", steps=STEPS, bug=bug, waits=True)
    with followed(pid, log, *inject):
        (data / "go").touch()
        server.end()
    return snapshot, list(calls(log))


def broken(data: Path, snapshot: Path, done: list[Call], *, cuts: int, memory: Path, seed: int) -> list[str]:
    """Violations over so many cuts, spread over the run; every second cut is a mere kill in which all writes stay."""
    chance = random.Random(seed)
    moments = sorted(chance.randrange(1, len(done) + 1) for _ in range(cuts))
    replay, at, found = Replay(data, snapshot), 0, []
    for number, moment in enumerate(moments):
        while at < moment:
            replay.apply(done[at])
            at += 1
        disk = memory / str(number)
        power = number % 4 != 0
        replay.disk.write_to(disk, random.Random(f"{seed}-{number}") if power else None)
        told = checker.acknowledged(replay.lines)
        found += [f"seed {seed}, cut {number} after call {at}: {one}" for one in checker.violations(disk, told)]
        shutil.rmtree(disk)
    return found


@pytest.mark.parametrize("cuts", CUTS)
def test_no_cut_loses_anything(server: Forks, tmp_path: Path, memory: Path, cuts: int) -> None:
    snapshot, done = recorded(server, tmp_path)
    complete = Replay(tmp_path / "data", snapshot)
    for call in done:
        complete.apply(call)
    told = checker.acknowledged(complete.lines)
    assert len(told.stored) == scenario.THREADS * STEPS * 2
    assert len(told.removed) == scenario.THREADS * (STEPS // 4)
    assert broken(tmp_path / "data", snapshot, done, cuts=cuts, memory=memory, seed=SEED) == []


def test_a_failed_sync_is_never_acknowledged(server: Forks, tmp_path: Path, memory: Path) -> None:
    snapshot, done = recorded(server, tmp_path, inject=(FAILING_FSYNC,))
    assert any(call.name == "fsync" and call.result < 0 for call in done)
    assert broken(tmp_path / "data", snapshot, done, cuts=CUTS_PER_BUG, memory=memory, seed=SEED) == []


@pytest.mark.parametrize("bug", scenario.BUGS)
def test_the_harness_sees_the_seeded_bug(server: Forks, tmp_path: Path, memory: Path, bug: str) -> None:
    inject = (FAILING_FSYNC,) if bug == "swallowed EIO" else ()
    snapshot, done = recorded(server, tmp_path, bug=bug, inject=inject)
    found: list[str] = []
    for round_of_cuts in range(ROUNDS_PER_BUG):
        seed = SEED + round_of_cuts
        found = found or broken(tmp_path / "data", snapshot, done, cuts=CUTS_PER_BUG, memory=memory, seed=seed)
    assert found, f"{bug}: not seen in {ROUNDS_PER_BUG} times {CUTS_PER_BUG} cuts"
    print(f"{bug}: {len(found)} violations, such as {found[0]}")
