"""The command `carnet` in processes of its own that need not import it anew.

A third of the time of all tests went into the same imports. multiprocessing's fork server does them once; each command
is then a fork of it, with the arguments, environment, folder and outputs of its own that a shell would give it.
What a fresh interpreter does is tested in test_command_line and by the examples.
"""

import multiprocessing
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from multiprocessing.context import ForkServerProcess
from pathlib import Path

_FORKS = multiprocessing.get_context("forkserver")
_FORKS.set_forkserver_preload(["tests.ready_to_fork"])


@dataclass(frozen=True, kw_only=True)
class Command:
    """A running command: of subprocess.Popen what tests use of it, with its meaning."""

    process: ForkServerProcess

    @property
    def pid(self) -> int:
        assert self.process.pid is not None
        return self.process.pid

    @property
    def returncode(self) -> int | None:
        return self.process.exitcode

    def poll(self) -> int | None:
        return self.process.exitcode

    def wait(self, timeout: float | None = None) -> int:
        """Raises subprocess.TimeoutExpired."""
        self.process.join(timeout)
        if (code := self.process.exitcode) is None:
            raise subprocess.TimeoutExpired("carnet", timeout or 0)
        return code

    def terminate(self) -> None:
        self.process.terminate()

    def kill(self) -> None:
        self.process.kill()


def start(
    arguments: Sequence[str],
    *,
    output: Path,
    errors: Path | None = None,
    folder: Path | None = None,
    environment: Mapping[str, str] | None = None,
    in_session: bool = False,
) -> Command:
    """Start `carnet ARGUMENTS`; what it writes goes to these files, to the first alone without the other."""
    given = dict(os.environ if environment is None else environment)
    where = str(folder or Path.cwd())
    into = (str(output), str(errors or output))
    process = _FORKS.Process(target=_command, args=(tuple(arguments), into, where, given, in_session))
    process.start()
    return Command(process=process)


def run(
    arguments: Sequence[str],
    *,
    timeout: float = 120,
    folder: Path | None = None,
    environment: Mapping[str, str] | None = None,
) -> subprocess.CompletedProcess[str]:
    """As subprocess.run with captured text; raises subprocess.TimeoutExpired."""
    with tempfile.TemporaryDirectory() as made:
        output, errors = Path(made) / "out", Path(made) / "err"
        command = start(arguments, output=output, errors=errors, folder=folder, environment=environment)
        try:
            code = command.wait(timeout)
        finally:
            command.kill()
        return subprocess.CompletedProcess(arguments, code, output.read_text(), errors.read_text())


def _command(
    arguments: Sequence[str], into: tuple[str, str], folder: str, environment: Mapping[str, str], in_session: bool
) -> None:
    """What a shell does, then what `python -m carnet` does."""
    if in_session:
        os.setsid()
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    time.tzset()
    opened = [os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644) for file in into]
    for descriptor, standard in zip(opened, (1, 2), strict=True):
        os.dup2(descriptor, standard)
        os.close(descriptor)
    sys.stdout, sys.stderr = open(1, "w", closefd=False), open(2, "w", buffering=1, closefd=False)  # noqa: SIM115
    sys.argv = ["carnet", *arguments]
    from carnet.command_line import main

    try:
        main()
    finally:
        sys.stdout.flush()
