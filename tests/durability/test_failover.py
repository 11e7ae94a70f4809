"""A synchronous standby takes over while documents come in: nothing acknowledged is lost, and soon it goes on.

The primary is stopped as by a power cut (SIGQUIT: no checkpoint, no good-bye), the standby promoted.
"""

import itertools
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from benchmarks.load.counted import Counted, Outcome
from tests import memory, postgresql, servers
from tests.under_load import Submissions, sending

pytestmark = pytest.mark.postgresql
LONGEST_GAP_SECONDS = 30
_REPLICATION = {
    "wal_level": "replica",
    "max_wal_senders": "4",
    "synchronous_standby_names": "standby",
    "synchronous_commit": "on",
}


@dataclass
class Pair:
    """Two instances; `url` names both and asks for the one that takes writes."""

    url: str
    primary: Path
    standby: Path
    binaries: Path
    user: str | None

    def fail_over(self) -> None:
        """The primary stops at once, whatever it did; the standby becomes the primary."""
        os.kill(int((self.primary / "data" / "postmaster.pid").read_text().split()[0]), signal.SIGQUIT)
        command = [str(self.binaries / "pg_ctl"), "promote", "-w", "-D", str(self.standby)]
        subprocess.run(command, check=True, user=self.user, stdout=subprocess.DEVNULL, cwd=self.standby)


@pytest.fixture
def pair() -> Iterator[Pair]:
    binaries = postgresql.binaries()
    if binaries is None:
        pytest.skip("PostgreSQL is not installed (Debian package postgresql)")
    with ExitStack() as stack:
        home = stack.enter_context(memory.folder())
        home.chmod(0o755)
        user, ports = postgresql.ordinary_user(), (servers.free_port(), servers.free_port())
        stack.enter_context(postgresql.running(keep_in=home / "primary", settings=_REPLICATION, port=ports[0]))
        standby = home / "standby"
        process = _standby(binaries, standby, user, *ports)
        stack.callback(_stop, process)
        url = (
            f"postgresql+psycopg://carnet@/postgres?host=127.0.0.1:{ports[0]}&host=127.0.0.1:{ports[1]}"
            "&target_session_attrs=read-write&connect_timeout=3"
        )
        yield Pair(url, home / "primary", standby, binaries, user)


def _standby(binaries: Path, folder: Path, user: str | None, primary: int, port: int) -> subprocess.Popen[bytes]:
    """A copy of the primary that follows it, once it streams."""
    folder.mkdir(mode=0o700)
    if user is not None:
        shutil.chown(folder, user)
    source = f"host=127.0.0.1 port={primary} user=carnet application_name=standby"
    # A commit of the copy itself would wait for the standby that it makes.
    command = [str(binaries / "pg_basebackup"), "-D", str(folder), "-R", "-X", "stream", "-c", "fast", "-d", source]
    subprocess.run(command, check=True, user=user, cwd=folder)
    options = ["-h", "127.0.0.1", "-p", str(port), "-k", str(folder), "-c", "max_connections=120"]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [str(binaries / "postgres"), "-D", str(folder), *options], stdout=log, stderr=log, user=user, cwd=folder
        )
    asked = ["psql", "-h", "127.0.0.1", "-p", str(primary), "-U", "carnet", "-d", "postgres", "-Atc"]
    deadline = time.monotonic() + 30
    while "sync" not in _said([*asked, "SELECT sync_state FROM pg_stat_replication WHERE state = 'streaming'"]):
        assert time.monotonic() < deadline, (folder / "log").read_text()[-2000:]
        time.sleep(0.1)
    return process


def _said(command: list[str]) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGINT)
    process.wait(timeout=30)


def test_a_failover_loses_nothing_that_was_acknowledged_and_lasts_at_most_30_seconds(
    pair: Pair, tmp_path: Path
) -> None:
    settings, submissions = servers.settings_for(tmp_path, pair.url, workers=2), Submissions(500)
    with servers.started(settings) as server:
        servers.know_patients(settings)
        with sending(submissions, [settings.port], per_second=20) as load:
            _until(load.counted, 100)
            pair.fail_over()
            at_the_failover = len(load.counted.acknowledged)
            counted = load.ended()
        assert len(counted.acknowledged) > at_the_failover + 50, counted.problems
        assert _longest_gap(counted) <= LONGEST_GAP_SECONDS
        assert submissions.missing(server, counted.acknowledged) == []


def _until(counted: Counted, many: int) -> None:
    deadline = time.monotonic() + 60
    while len(counted.acknowledged) < many:
        assert time.monotonic() < deadline, counted.problems
        time.sleep(0.05)


def _longest_gap(counted: Counted) -> int:
    """Seconds between two in which something was acknowledged."""
    busy = sorted(second for second, outcomes in counted.seconds.items() if Outcome.ACCEPTED in outcomes)
    return max(later - sooner for sooner, later in itertools.pairwise(busy))
