"""An ext4 volume whose power can be cut: an image file on a loop device, copied while the volume is in use.

The copy holds what reached the device; what the file system still had in memory is not in it. A copy during which the
device wrote is taken again, because its parts would be of different moments.
"""

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

SIZE = 48 * 2**20
_TOOLS = ("losetup", "mkfs.ext4", "mount", "umount")
_QUIET_SECONDS = 30
_UNDER_WAY = 8  # field of /sys/block/…/stat: requests that the device has not finished


def why_no_loop() -> str:
    """Empty when an ext4 image can be made and mounted here, else the reason it cannot."""
    if os.geteuid() != 0:
        return "only root may mount an image"
    missing = [tool for tool in _TOOLS if shutil.which(tool) is None]
    if missing:
        return f"{', '.join(missing)} not installed"
    with tempfile.TemporaryDirectory() as folder:
        try:
            with mounted(new_image(Path(folder) / "probe", size=2**20), Path(folder) / "at"):
                return ""
        except (subprocess.CalledProcessError, OSError) as problem:
            told = getattr(problem, "stderr", None) or str(problem)
            return f"an image cannot be mounted here: {told.strip()[-100:]}"


def new_image(file: Path, *, size: int = SIZE) -> Path:
    """An image file with an empty ext4 file system."""
    with file.open("wb") as image:
        image.truncate(size)
    _run("mkfs.ext4", "-q", "-F", "-E", "nodiscard", str(file))
    return file


@dataclass(frozen=True, kw_only=True)
class Volume:
    """A mounted image: its file, the folder it is mounted at, and its loop device."""

    image: Path
    folder: Path
    device: str

    def cut(self, pid: int, copy: Path) -> None:
        """Copy the device as it is at one moment, while the process, which writes to the volume, is stopped.

        A write that was under way is finished first; what the process wrote and did not sync stays in memory. `pid` may
        be the negative number of a process group. The process stays stopped: see what it was told, then send SIGCONT.
        """
        os.kill(pid, signal.SIGSTOP)
        deadline = time.monotonic() + _QUIET_SECONDS
        while not self._copied(copy):
            assert time.monotonic() < deadline, f"{self.device} writes without a pause"

    def _copied(self, copy: Path) -> bool:
        """Whether the device wrote nothing meanwhile."""
        before = self._statistics()
        if before[_UNDER_WAY] != "0":
            time.sleep(0.001)
            return False
        _run("cp", "--sparse=always", str(self.image), str(copy))
        return self._statistics() == before

    def _statistics(self) -> list[str]:
        return Path(f"/sys/block/{Path(self.device).name}/stat").read_text().split()


@contextmanager
def mounted(image: Path, folder: Path) -> Iterator[Volume]:
    """The file system of an image; one that was cut off is recovered from its journal."""
    device = _run("losetup", "--find", "--show", str(image))
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _run("mount", "-t", "ext4", device, str(folder))
        try:
            yield Volume(image=image, folder=folder, device=device)
        finally:
            _unmount(folder)
    finally:
        with suppress(subprocess.CalledProcessError):
            _run("losetup", "--detach", device)


def _unmount(folder: Path) -> None:
    """A process that was killed holds the volume for a moment; one that does not end must not keep it mounted."""
    deadline = time.monotonic() + _QUIET_SECONDS
    while subprocess.run(["umount", str(folder)], capture_output=True, check=False).returncode:
        if time.monotonic() > deadline:
            _run("umount", "--lazy", str(folder))
            return
        time.sleep(0.02)


def _run(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return done.stdout.strip()
