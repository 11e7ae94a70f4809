"""SIGKILL at any moment, by chance and at enumerated system calls: nothing acknowledged is lost, nothing is half visible."""

import os
import random
import shutil
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.durability import checker, scenario
from tests.durability.disk_log import followed, why_no_strace
from tests.durability.fork_server import Forks, forks

SEED = 20261127
RANDOM_KILLS = [pytest.param(200, id="200"), pytest.param(10_000, id="10000", marks=pytest.mark.long)]
# Short form: the first calls of each kind; long form: every call until the run comes to its end.
CALLS = ("fsync", "fdatasync", "rename", "pwrite64", "unlink", "openat")
ENUMERATED = [pytest.param(9, id="first"), pytest.param(10_000, id="all", marks=pytest.mark.long)]
KILLS_PER_FOLDER = 25
LONGEST_RUN_SECONDS = 0.2
NO_STRACE = why_no_strace()


@pytest.fixture(scope="module")
def server() -> Iterator[Forks]:
    with forks() as running:
        yield running


def told(data: Path) -> checker.Acknowledged:
    file = data / "acknowledged"
    return checker.acknowledged(file.read_text().splitlines(keepends=True) if file.exists() else [])


@pytest.mark.parametrize("kills", RANDOM_KILLS)
def test_a_kill_at_any_moment_loses_nothing(server: Forks, memory: Path, kills: int) -> None:
    chance = random.Random(SEED)
    acknowledged = 0
    for number in range(kills):
        data = memory / str(number // KILLS_PER_FOLDER)
        if not data.exists():
            scenario.prepare(data)
        before = len(told(data).stored)
        pid = server.begin(data, name=str(number + 1), steps=10_000)
        deadline = time.monotonic() + 20
        while len(told(data).stored) == before and number % 3 and time.monotonic() < deadline:
            threading.Event().wait(0.002)
        threading.Event().wait(chance.uniform(0, LONGEST_RUN_SECONDS))
        os.kill(pid, signal.SIGKILL)
        assert server.end() == -signal.SIGKILL
        answers = told(data)
        assert list(checker.violations(data, answers)) == [], f"seed {SEED}, kill {number}"
        acknowledged += len(answers.stored) - before
        if number % KILLS_PER_FOLDER == KILLS_PER_FOLDER - 1:
            shutil.rmtree(data)
    print(f"{kills} kills, {acknowledged} documents acknowledged")
    assert acknowledged > kills


@pytest.mark.skipif(bool(NO_STRACE), reason=NO_STRACE)
@pytest.mark.parametrize("most", ENUMERATED)
@pytest.mark.parametrize("call", CALLS)
def test_a_kill_at_each_system_call_loses_nothing(server: Forks, memory: Path, call: str, most: int) -> None:
    prepared = memory / "prepared"
    scenario.prepare(prepared)
    killed = 0
    for number in range(1, most + 1):
        data = memory / str(number)
        shutil.copytree(prepared, data)
        pid = server.begin(data, name=str(number), steps=4, waits=True)
        with followed(pid, memory / "log", f"{call}:signal=SIGKILL:when={number}"):
            (data / "go").touch()
            ended = server.end()
        assert list(checker.violations(data, told(data))) == [], f"{call} {number}"
        shutil.rmtree(data)
        if ended == 0:
            break
        assert ended == -signal.SIGKILL
        killed += 1
    assert killed
