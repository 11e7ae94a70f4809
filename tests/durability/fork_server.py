"""Runs scenarios in forked children, so that a run costs milliseconds instead of the imports of a process.

Reads one JSON object a line, {"data", "name", "steps", "bug", "waits"}; answers {"pid"} and, when the child
ended, {"status"}. A child that waits begins when the file `go` appears in its folder.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from tests.durability import scenario

ROOT = Path(__file__).resolve().parents[2]
_WAIT_SECONDS = 30


@dataclass(frozen=True)
class Forks:
    """The server as the harness sees it."""

    process: subprocess.Popen[str]

    def begin(self, data: Path, *, name: str, steps: int, bug: str = "", waits: bool = False) -> int:
        """Start a run; the pid of its process."""
        request = {"data": str(data), "name": name, "steps": steps, "bug": bug, "waits": waits}
        _stream(self.process.stdin).write(json.dumps(request) + "\n")
        _stream(self.process.stdin).flush()
        return int(self._answer()["pid"])

    def end(self) -> int:
        """Wait for the run; its exit code, negative for the signal that killed it."""
        return int(self._answer()["status"])

    def _answer(self) -> dict[str, Any]:
        answer: dict[str, Any] = json.loads(_stream(self.process.stdout).readline())
        return answer


@contextmanager
def forks() -> Iterator[Forks]:
    """A running fork server; it ends with its standard input."""
    command = [sys.executable, "-m", "tests.durability.fork_server"]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("CARNET_")}
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT, env=environment
    ) as process:
        try:
            yield Forks(process)
        finally:
            _stream(process.stdin).close()
            process.wait(timeout=30)


def _stream(stream: IO[str] | None) -> IO[str]:
    assert stream is not None
    return stream


def _child(request: dict[str, Any]) -> None:
    """Never returns: a failed scenario is exit code 1 with its reason on standard error."""
    code = 0
    try:
        data = Path(request["data"])
        deadline = time.monotonic() + _WAIT_SECONDS
        while request["waits"] and not (data / "go").exists() and time.monotonic() < deadline:
            time.sleep(0.002)
        scenario.run(data, name=request["name"], steps=request["steps"], bug=request["bug"])
    except BaseException as problem:  # noqa: BLE001 - the child of a fork must not go on as its parent
        print(f"scenario failed: {problem!r}", file=sys.stderr)
        code = 1
    os._exit(code)


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        # What is imported and read at first use is there before the forks.
        scenario.prepare(Path(folder))
        scenario.run(Path(folder), name="0", steps=1)
    for line in sys.stdin:
        pid = os.fork()
        if not pid:
            _child(json.loads(line))
        print(json.dumps({"pid": pid}), flush=True)
        print(json.dumps({"status": os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])}), flush=True)


if __name__ == "__main__":
    main()
