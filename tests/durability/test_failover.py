"""A synchronous standby takes over while documents come in: nothing acknowledged is lost, and soon it goes on.

The primary is stopped as by a power cut (SIGQUIT: no checkpoint, no good-bye), the standby promoted.
"""

import itertools
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from benchmarks.load.counted import Counted, Outcome
from tests import memory, postgresql, servers, standby
from tests.under_load import Submissions, sending

pytestmark = pytest.mark.postgresql
LONGEST_GAP_SECONDS = 30
_REPLICATION = {**standby.PRIMARY, "synchronous_standby_names": "standby", "synchronous_commit": "on"}


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
        ports = servers.free_port(), servers.free_port()
        stack.enter_context(postgresql.running(keep_in=home / "primary", settings=_REPLICATION, port=ports[0]))
        stack.enter_context(standby.following(*ports, home / "standby"))
        _until_synchronous(ports[0])
        url = (
            f"postgresql+psycopg://carnet@/postgres?host=127.0.0.1:{ports[0]}&host=127.0.0.1:{ports[1]}"
            "&target_session_attrs=read-write&connect_timeout=3"
        )
        yield Pair(url, home / "primary", home / "standby", binaries, postgresql.ordinary_user())


def _until_synchronous(primary: int) -> None:
    deadline = time.monotonic() + 30
    while standby.said(primary, "SELECT sync_state FROM pg_stat_replication").strip() != "sync":
        assert time.monotonic() < deadline
        time.sleep(0.1)


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
