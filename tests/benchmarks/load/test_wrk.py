"""The cross-check of our own client by wrk, at its smallest: both count the same answers of one server."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.load.wrk import script
from tests.servers import ROOT


@pytest.mark.skipif(shutil.which("wrk") is None, reason="wrk is not installed (Debian package wrk)")
def test_both_measure_the_same_server(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "benchmarks.load.wrk", "--entries", "60", "--rounds", "2", "--seconds", "1"]
    command += ["--results", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr
    found = json.loads((tmp_path / "load-wrk.json").read_text())
    assert len(found["rounds"]) == 2
    for one in found["rounds"]:
        for name in ("wrk", "ours"):
            assert one[name]["per_second"] > 20
            assert 0 < one[name]["p50"] <= one[name]["p99"] < 1000
            # Four connections, each with one request on its way: rate and time say the same.
            assert 0.3 < one[name]["per_second"] * one[name]["p50"] / 4000 < 1.5
    # A wide bound: other programs may run meanwhile. Two clients that count something else differ by far more.
    assert 0.3 < found["ratio"] < 3


def test_the_program_of_wrk_has_every_octet_of_a_request() -> None:
    """Octets that Lua would read as something else stand as their numbers."""
    written = script([b'POST / HTTP/1.1\r\n\r\n"\\\x00\xff{', b"GET"])
    assert 'requests[#requests + 1] = "POST / HTTP/1.1\\013\\010\\013\\010\\034\\092\\000\\255{"' in written
    assert written.count("requests[#requests + 1]") == 2
