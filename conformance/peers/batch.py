"""One run of a peer's program that ends by itself and writes a report."""

import subprocess
from collections.abc import Sequence
from pathlib import Path

from conformance.peers.maven_build import Peer, PeerError, java_command


def run_batch(
    peer: Peer, main_class: str, arguments: Sequence[str], *, name: str, report: Path, seconds: int
) -> subprocess.CompletedProcess[str]:
    """What it wrote on the terminal and its exit code, once `report` is there.

    `name` says in errors what ran. Raises PeerError where it did not end within `seconds` or left no report.
    """
    try:
        finished = subprocess.run(
            java_command(peer, main_class, "--report", str(report), *arguments),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            timeout=seconds,
            check=False,
        )
    except subprocess.TimeoutExpired as late:
        raise PeerError(f"{name} did not end within {seconds} seconds") from late
    if not report.is_file():
        raise PeerError(f"{name} wrote no report (exit code {finished.returncode}): {finished.stdout.strip()}")
    return finished
