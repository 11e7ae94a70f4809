"""Images and containers by buildah, in a folder of their own, upon the programs of this machine.

Nothing is fetched from a registry of images: the base is an empty image in which this machine's /usr lies read-only,
which has Python and its venv as any base of the container file has.
"""

import json
import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_OF_USR = ("bin", "sbin", "lib", "lib64")
_SHARED = ("etc/login.defs", "etc/pip.conf", "etc/resolv.conf", "etc/hosts")
_ALONE = ("--isolation", "chroot", "--volume", "/usr:/usr:ro")


def missing() -> str:
    """Why no image can be built on this machine, empty where one can."""
    if shutil.which("buildah") is None:
        return "buildah is not installed (Debian package buildah)"
    if os.geteuid() != 0:
        return "images are built as root here"
    base = "import ensurepip, sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))"
    if not Path("/bin").is_symlink() or subprocess.run(["/usr/bin/python3", "-c", base], check=False).returncode:
        return "/usr has no Python 3.11 to 3.13 with its venv (Debian package python3-venv)"
    return ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Images:
    """The images of a folder."""

    folder: Path

    def make_base(self, name: str) -> None:
        """An image with nothing but what lets the programs under /usr run."""
        container = self._run("from", "--pull-never", "scratch")
        root = Path(self._run("mount", container))
        for one in _OF_USR:
            (root / one).symlink_to(f"usr/{one}")
        for one in ("usr", "etc", "opt", "root", "var", "tmp"):
            (root / one).mkdir()
        (root / "tmp").chmod(0o1777)
        (root / "etc" / "passwd").write_text("root:x:0:0:root:/root:/bin/sh\n")
        (root / "etc" / "group").write_text("root:x:0:\n")
        shutil.copytree("/etc/ssl/certs", root / "etc" / "ssl" / "certs")
        for one in _SHARED:
            if Path("/", one).is_file():
                shutil.copy(Path("/", one), root / one)
        self._run("umount", container)
        self._run("commit", "--quiet", container, name)

    def build(self, file: Path, context: Path, name: str, *, base: str) -> None:
        """As its head says, on another base."""
        options = ("--network", "host", "--format", "docker", "--pull-never", "--build-arg", f"BASE=localhost/{base}")
        self._run("build", *_ALONE, *options, "--tag", name, "--file", str(file), str(context))

    def configuration(self, name: str) -> Mapping[str, Any]:
        """What an engine reads of an image."""
        found: Mapping[str, Any] = json.loads(self._run("inspect", "--type", "image", name))["Docker"]["config"]
        return found

    @contextmanager
    def running(
        self, name: str, command: Sequence[str], log: Path, *, volumes: Mapping[Path, str]
    ) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
        """A container of an image that does this, as the account of the image; its name and its process."""
        container = self._run("from", "--pull-never", name)
        shown = [f"--volume={place}:{inside}:ro" for place, inside in volumes.items()]
        started = self._command("run", *_ALONE, *shown, container, "--", *command)
        with log.open("wb") as output:
            process = subprocess.Popen(started, stdout=output, stderr=output)
        try:
            yield container, process
        finally:
            process.terminate()  # which ends what it has begun; killed, it would leave that behind
            process.wait(30)

    def done(self, container: str, command: Sequence[str]) -> subprocess.CompletedProcess[str]:
        """A command in a container, when it has ended."""
        started = self._command("run", *_ALONE, container, "--", *command)
        return subprocess.run(started, capture_output=True, text=True, check=False, timeout=60)

    def _command(self, *words: str) -> list[str]:
        return ["buildah", "--root", str(self.folder / "images"), "--runroot", str(self.folder / "running"), *words]

    def _run(self, *words: str) -> str:
        done = subprocess.run(self._command(*words), capture_output=True, text=True, check=False, timeout=300)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout.strip()

    def close(self) -> None:
        """Unmount and forget everything."""
        self._run("rm", "--all")
        self._run("rmi", "--all")


def first_process(runner: subprocess.Popen[bytes]) -> int:
    """What an engine signals: the one that the processes of buildah have begun."""
    waiting = [runner.pid]
    while waiting:
        threads = Path(f"/proc/{waiting.pop()}/task").glob("*/children")
        waiting += [int(child) for thread in threads for child in thread.read_text().split()]
        for process in waiting:
            if Path(f"/proc/{process}/cmdline").read_text().startswith("/opt/"):
                return process
    raise AssertionError("nothing has begun in the container")
