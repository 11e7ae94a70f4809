"""A cross-check of our own clients: wrk, a closed loop of another maker, on the same server and the same requests.

python -m benchmarks.load.wrk

wrk shows no client certificate, so both ask a server without security: what is compared are the clients.
"""

import itertools
import json
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from benchmarks import databases, machine, servers
from benchmarks.client import answer_to, connection_to
from benchmarks.closed_loop import Call, drive
from benchmarks.dataset import load_dataset
from benchmarks.plan import Sizes
from benchmarks.requests import Request, Workload
from benchmarks.shown import NOTHING
from benchmarks.transactions import BY_KEY

RESULTS = machine.ROOT / "benchmarks" / "results"
_SCRIPT = """\
local requests, at = {{}}, 0
{requests}
request = function()
  at = at % #requests + 1
  return requests[at]
end
done = function(summary, latency, requests)
  io.write(string.format('{{"requests": %d, "seconds": %.3f, "wrong": %d, "p50": %.3f, "p99": %.3f}}\\n',
    summary.requests, summary.duration / 1e6, summary.errors.status + summary.errors.read + summary.errors.timeout,
    latency:percentile(50) / 1e3, latency:percentile(99) / 1e3))
end
"""
_ESCAPED = re.compile(rb"[^ -~]|[\"\\]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """One run of both, one after the other: requests a second, and times in milliseconds."""

    wrk: dict[str, float]
    ours: dict[str, float]

    @property
    def ratio(self) -> float:
        return self.ours["per_second"] / self.wrk["per_second"]


def script(requests: Sequence[bytes]) -> str:
    """A program for wrk that sends these in turn."""
    lines = (f'requests[#requests + 1] = "{_lua(octets)}"' for octets in requests)
    return _SCRIPT.format(requests="\n".join(lines))


def _lua(octets: bytes) -> str:
    return _ESCAPED.sub(lambda found: b"\\%03d" % found[0][0], octets).decode("ascii")


def measure(
    key: str, port: int, workload: Workload, *, connections: int, seconds: int, folder: Path
) -> dict[str, dict[str, float]]:
    """wrk, then ours. Raises click.ClickException where one counts a wrong answer."""
    requests = [BY_KEY[key].request(workload, number) for number in range(20)]
    file = folder / "requests.lua"
    file.write_text(script([request.octets() for request in requests]), encoding="ascii")
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "-s", str(file), f"http://127.0.0.1:{port}"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    theirs = json.loads(done.stdout.splitlines()[-1])
    if theirs["wrong"]:
        raise click.ClickException(f"wrk counted {theirs['wrong']} wrong answers: {done.stdout}")
    calls = itertools.cycle([Call(request.octets(), _length(port, request)) for request in requests])
    ours = drive("127.0.0.1", port, calls, connections=connections, seconds=seconds)
    return {
        "wrk": {"per_second": theirs["requests"] / theirs["seconds"], "p50": theirs["p50"], "p99": theirs["p99"]},
        "ours": {"per_second": ours.per_second, "p50": ours.p50, "p99": ours.p99},
    }


def _length(port: int, request: Request) -> int:
    return len(answer_to(connection_to(port, NOTHING), request))


@click.command(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.option("--entries", default=2000, show_default=True, help="DocumentEntries in the registry.")
@click.option("--only", default="iti18-leaf-class", show_default=True, type=click.Choice(["iti18-leaf-class", "iti67"]))
@click.option("--connections", default=4, show_default=True)
@click.option("--rounds", default=5, show_default=True, help="Both in turn, so many times.")
@click.option("--seconds", default=5, show_default=True, help="Length of one run.")
@click.option("--results", default=str(RESULTS), help="Folder of the result.  [default: benchmarks/results]")
def main(entries: int, only: str, connections: int, rounds: int, seconds: int, results: str) -> None:
    """Ask one server by wrk and by our closed loop in turn: both must count the same, within noise.

    \b
    python -m benchmarks.load.wrk
    python -m benchmarks.load.wrk --only iti67 --rounds 9
    """
    if shutil.which("wrk") is None:
        raise click.UsageError("wrk is not installed (Debian package wrk)")
    sizes = Sizes(entries=entries)
    with tempfile.TemporaryDirectory(prefix="carnet-wrk-") as place:
        folder = Path(place)
        with databases.opened("SQLite", folder, threads=16, workers=1) as database:
            load_dataset(sizes, [database.settings])
            with servers.carnet(database.settings) as server:
                workload, found = Workload(sizes), []
                how: dict[str, Any] = {"connections": connections, "seconds": seconds, "folder": folder}
                for number in range(rounds):
                    one = Round(**measure(only, server.port, workload, **how))
                    found.append(one)
                    click.echo(f"round {number + 1} of {rounds}: ours is {one.ratio:.2f} of wrk", err=True)
    _keep(found, only, how | {"entries": entries, "folder": ""}, Path(results))


def _keep(found: Sequence[Round], key: str, how: dict[str, Any], folder: Path) -> None:
    ratios = sorted(one.ratio for one in found)
    median = ratios[len(ratios) // 2]
    plain = {
        "transaction": key,
        "commit": machine.commit(),
        "machine": machine.machine(),
        "circumstances": how,
        "ratio": round(median, 3),
        "rounds": [{"wrk": one.wrk, "ours": one.ours} for one in found],
    }
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "load-wrk.json").write_text(json.dumps(plain, indent=1) + "\n", encoding="utf-8")
    click.echo(f"{key}: ours {median:.2f} of wrk ({ratios[0]:.2f} to {ratios[-1]:.2f}, {len(ratios)} rounds)")


if __name__ == "__main__":
    sys.exit(main())
