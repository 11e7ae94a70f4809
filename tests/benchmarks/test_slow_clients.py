"""The measurement beside stalled connections, at the smallest size: all kinds of stall are in it."""

import re
import subprocess
import sys

from benchmarks.slow_clients import percentiles
from tests.servers import ROOT
from tests.slow_clients import KINDS


def test_the_others_are_measured_beside_every_kind_of_stall() -> None:
    command = [sys.executable, "-m", "benchmarks.slow_clients", "--rounds", "1", "--requests", "40"]
    command += ["--stalled", str(len(KINDS))]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr
    assert f"Of the {len(KINDS)} by turns: {', '.join(KINDS)}." in done.stdout
    (direct,) = re.findall(r"^\| direct \|.* (\d+\.\d+) \((\d+\.\d+)–(\d+\.\d+)\)", done.stdout, re.MULTILINE)
    assert float(direct[0]) > 0


def test_percentiles_are_those_of_sorted_times() -> None:
    found = percentiles([float(one) for one in range(100, 0, -1)])
    assert (found.p50, found.p95, found.p99) == (50, 95, 99)
