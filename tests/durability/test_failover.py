"""A synchronous standby takes over while documents come in: nothing acknowledged is lost, and soon it goes on.

The standby is cut off, and a second later the primary stopped as by a power cut (SIGQUIT: no checkpoint, no good-bye) and
the standby promoted: what was acknowledged in that second without the standby would be lost, and is, where the standby
is no synchronous one.
"""

import itertools
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from benchmarks.load.counted import Counted, Outcome
from tests import memory, postgresql, servers, standby
from tests.under_load import Submissions, sending

pytestmark = pytest.mark.postgresql
LONGEST_GAP_SECONDS = 30
_CUT_OFF_SECONDS = 1.0
_WAITS_FOR_THE_STANDBY = {"synchronous_standby_names": "standby", "synchronous_commit": "on"}


@dataclass
class Pair:
    """Two instances; `url` names both and asks for the one that takes writes."""

    url: str
    primary: Path
    standby: Path
    line: standby.Line
    binaries: Path
    user: str | None

    def fail_over(self) -> None:
        """The standby hears nothing more; then the primary stops at once, and the standby becomes the primary."""
        self.line.cut()
        time.sleep(_CUT_OFF_SECONDS)
        os.kill(int((self.primary / "data" / "postmaster.pid").read_text().split()[0]), signal.SIGQUIT)
        command = [str(self.binaries / "pg_ctl"), "promote", "-w", "-D", str(self.standby)]
        subprocess.run(command, check=True, user=self.user, stdout=subprocess.DEVNULL, cwd=self.standby)


@contextmanager
def a_pair(replication: Mapping[str, str], state: str) -> Iterator[Pair]:
    """A primary with these settings; its standby is in this state: `sync` or `async`."""
    binaries = postgresql.binaries()
    if binaries is None:
        pytest.skip("PostgreSQL is not installed (Debian package postgresql)")
    with ExitStack() as stack:
        home = stack.enter_context(memory.folder())
        home.chmod(0o755)
        ports = servers.free_port(), servers.free_port()
        stack.enter_context(
            postgresql.running(keep_in=home / "primary", settings={**standby.PRIMARY, **replication}, port=ports[0])
        )
        line = stack.enter_context(standby.line(ports[0]))
        stack.enter_context(standby.following(line.port, ports[1], home / "standby"))
        _until(lambda: standby.said(ports[0], "SELECT sync_state FROM pg_stat_replication").strip() == state)
        url = (
            f"postgresql+psycopg://carnet@/postgres?host=127.0.0.1:{ports[0]}&host=127.0.0.1:{ports[1]}"
            "&target_session_attrs=read-write&connect_timeout=3"
        )
        yield Pair(url, home / "primary", home / "standby", line, binaries, postgresql.ordinary_user())


def test_a_failover_loses_nothing_that_was_acknowledged_and_lasts_at_most_30_seconds(tmp_path: Path) -> None:
    with a_pair(_WAITS_FOR_THE_STANDBY, "sync") as pair, failed_over(pair, tmp_path) as (counted, missing):
        assert _longest_gap(counted) <= LONGEST_GAP_SECONDS
        assert missing == []


def test_a_standby_that_nobody_waits_for_loses_what_was_acknowledged(tmp_path: Path) -> None:
    """The proof can fail."""
    with a_pair({}, "async") as pair, failed_over(pair, tmp_path, many=320) as (_, missing):
        assert missing


@contextmanager
def failed_over(pair: Pair, data: Path, *, many: int = 500) -> Iterator[tuple[Counted, list[int]]]:
    """A load through a failover: what came of it, and the numbers of acknowledged documents that are missing."""
    settings, submissions = servers.settings_for(data, pair.url, workers=2), Submissions(many)
    with servers.started(settings) as server:
        servers.know_patients(settings)
        with sending(submissions, [settings.port], per_second=20) as load:
            _until(lambda: len(load.counted.acknowledged) >= 100)
            pair.fail_over()
            at_the_failover = len(load.counted.acknowledged)
            counted = load.ended()
        assert len(counted.acknowledged) > at_the_failover + 50, counted.problems
        yield counted, submissions.missing(server, counted.acknowledged)


def _until(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def _longest_gap(counted: Counted) -> int:
    """Seconds between two in which something was acknowledged."""
    busy = sorted(second for second, outcomes in counted.seconds.items() if Outcome.ACCEPTED in outcomes)
    return max(later - sooner for sooner, later in itertools.pairwise(busy))
